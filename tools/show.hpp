// SPDX-License-Identifier: MIT
// A variant as `show` and `list` present it.
#pragma once

#include <string>
#include <vector>

#include <rankone/dsl/source.hpp>
#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

#include "tools/json.hpp"
#include "tools/options.hpp"

namespace rankone {

// Those that are asked for, or else one of each kind of kernels.
std::vector<std::string> shown_archs(const Options& options);
// Where the catalogue has this very variant, what it says of it; else null.
const Source* source_of(const Variant& variant);

// `shown`: whose tensors are its inputs.
Json variant_document(const Variant& variant, const CompileOptions& options, const std::vector<std::string>& archs,
                      Pass shown = Pass::forward);

}  // namespace rankone
