// SPDX-License-Identifier: MIT
// A short identifier that a constexpr object can hold.
#pragma once

#include <string_view>

namespace rankone {

inline constexpr int max_name = 31;

struct Name {
  char text[max_name + 1]{};

  constexpr Name() = default;
  constexpr Name(const char* source) : Name(std::string_view(source)) {}
  constexpr Name(std::string_view source) {
    if (source.size() > max_name) throw "a name is longer than the accepted 31 characters";
    for (std::size_t i = 0; i < source.size(); ++i) text[i] = source[i];
  }
  constexpr std::string_view view() const { return text; }
  constexpr bool empty() const { return text[0] == 0; }
  friend constexpr bool operator==(const Name& a, const Name& b) { return a.view() == b.view(); }
};

}  // namespace rankone
