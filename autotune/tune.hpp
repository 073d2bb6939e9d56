// SPDX-License-Identifier: MIT
// Tuning one variant at one shape on one GPU.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <rankone/device.hpp>
#include <rankone/tensor.hpp>

#include "autotune/database.hpp"
#include "autotune/search.hpp"
#include "proof/dims.hpp"

namespace rankone {

struct TuneRequest {
  Variant variant{};
  CompileOptions options{};  // what is pinned here stays so
  Dims dims{};
  Pass pass = Pass::forward;
  std::vector<NamedScalar> scalars{};
  std::uint64_t seed = 1;
  double budget = 120;  // seconds
  std::function<bool()> interrupted;
  std::function<void(const std::string&)> progress;
};

struct TuneReport {
  SearchResult found;
  TunedEntry entry;  // to be stored; meaningless where nothing was found right
};

// Throws Error(unsupported) for the CPU device.
void require_tunable(const Device& device);
// Refuses the CPU device. Stores nothing.
TuneReport tune(const TuneRequest& request, const Device& device);

}  // namespace rankone
