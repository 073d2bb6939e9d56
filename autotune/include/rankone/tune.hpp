// SPDX-License-Identifier: MIT
// Finding the fastest schedule for one variant at one shape on one GPU, and keeping it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <rankone/device.hpp>
#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

struct TuneOptions {
  Pass pass = Pass::forward;  // or backward, or decode: its shape has rows of T from 1 to 8 tokens
  double budget = 120;  // seconds, above 0; the first candidate is tried in any case
  std::uint64_t seed = 1;
  bool keep = true;                     // in the user's tuned data, where compile() finds it from then on
  std::vector<NamedScalar> scalars{};   // the variant's; those left out have defaults
  std::function<bool()> interrupted{};  // asked between candidates; true ends the search
  std::function<void(const std::string& line)> progress{};  // may be called from several threads
};

struct TuneResult {
  std::string schedule;  // the fastest of those that were right, as Operator::schedule() names it
  double median_ms = 0,
         default_ms = 0;      // of one call: with it, and with what runs untuned; default_ms 0: not right
  double relative_error = 0;  // the largest of its outputs
  std::size_t tried = 0, rejected = 0, untried = 0;
  bool interrupted = false;
  std::string file;  // where it was kept; empty: it was not
};

// What `options` or the variant pin stays so. `shape` has sizes from 1 and sequences 0. Takes the GPU for itself as long
// as the budget lasts; every candidate is checked against the oracle before it may win.
// Throws Error(unsupported) for the CPU device, Error(invalid_argument) for a budget or a shape that does not serve,
// Error(not_found) where there is no folder for tuned data and `keep` is set, and Error(check_failed) where no candidate
// was right. Nothing is kept then.
TuneResult tune(const Variant& variant, const CompileOptions& options, const Shape& shape, const Device& device,
                const TuneOptions& how = {});

}  // namespace rankone
