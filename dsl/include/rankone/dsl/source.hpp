// SPDX-License-Identifier: MIT
// Where a variant of the catalogue comes from.
#pragma once

#include <string_view>

namespace rankone {

struct Source {
  std::string_view about{};    // one clause
  std::string_view title{};    // of the paper, or of the implementation where there is none
  std::string_view authors{};  // of it
  std::string_view arxiv{};    // its number there; empty where the source is an implementation
  std::string_view open{};     // what the source leaves open, or what of it is not here, in sentences
};

}  // namespace rankone
