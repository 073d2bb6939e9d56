// SPDX-License-Identifier: MIT
// From the words of the command line to what they ask for; every refusal says what is accepted.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include <rankone/device.hpp>
#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

#include "codegen/program.hpp"
#include "proof/dims.hpp"
#include "tools/options.hpp"

namespace rankone {

// A catalogue name, a JSON file, or "-" for JSON on standard input; the document of `show --json` serves too.
Variant resolve_variant(const std::string& given);

inline constexpr const char* accepted_sizes = "B=, T=, H=, HV=, K=, V=, Tk= and M=, separated by commas";

// Reads every word that means the same to all commands, whether or not this one makes use of it.
void require_words(const Options& options);
// One of those that the command has; others are refused.
Pass require_pass(const Options& options, std::initializer_list<Pass> accepted = {Pass::forward});
Pass pass_of(const Options& options);  // any that there is a program for
Dims parse_dims(const std::string& text, Dims defaults);
// The one --shape, or the defaults. Throws where several are given.
Dims one_dims(const Options& options, const Dims& defaults);
// Likewise, and where no K is given, one under which the variant's feature map does not make too many features.
Dims one_dims(const Options& options, const Variant& variant, Dims defaults);
// Of kernels for calls of any size: what they are chosen for where --shape says no more. Decoding has many rows.
Dims any_calls(const Options& options, std::int64_t heads = 1);
Device pick_device(const Options& options);
std::uint64_t parse_seed(const Options& options);
std::vector<NamedScalar> parse_scalars(const Options& options);

// Types, precision and the pinned schedule; K and V come from `dims`.
CompileOptions compile_options(const Options& options, const Dims& dims);
// The one --arch, or else the device's.
std::string one_arch(const Options& options, const Device& device);
// Each --arch, `all` being all of them; or else the device's.
std::vector<std::string> all_archs(const Options& options, const Device& device);

// Says so where an architecture without its suffix gives slower kernels than with it.
void note_suffix(const Options& options, const Variant& variant, const CompileOptions& compile,
                 const std::string& arch);

std::int64_t parse_integer(const std::string& text, std::int64_t low, std::int64_t high, const std::string& where);
double parse_number(const std::string& text, const std::string& where);

}  // namespace rankone
