// SPDX-License-Identifier: MIT
// Named sets of benchmark rows, with what each is measured against.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/program.hpp"
#include "proof/dims.hpp"

namespace rankone {

enum class Packing : unsigned char { none, equal, uneven };

struct SuiteRow {
  const char* caption;
  const char* variant;  // of the catalogue
  Dims dims;
  double goal_ms = 0;        // on an H200; 0: none of its own
  double goal_fraction = 0;  // of the floor; 0: none
  double gate_scale = 1;     // what drawn gate inputs are multiplied with
  Packing packing = Packing::none;
  Pass pass = Pass::forward;
  std::optional<Family> family{};      // pinned
  std::optional<dtype> state_dtype{};  // else float32
};

inline constexpr const char* suite_names = "forward, decode, recurrent, recurrent-backward";

// Throws Error for a name that is none of those.
std::vector<SuiteRow> suite_rows(const std::string& name);

// cu_seqlens of a row that packs its tokens; empty where it does not.
std::vector<std::int64_t> boundaries_of(const SuiteRow& row, std::uint64_t seed);

}  // namespace rankone
