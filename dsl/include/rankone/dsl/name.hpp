// SPDX-License-Identifier: MIT
// A short identifier that a constexpr object can hold.
#pragma once

#include <string_view>

#include <rankone/dsl/refuse.hpp>

namespace rankone {

inline constexpr int max_name = 31;

struct Name {
  char text[max_name + 1]{};

  constexpr Name() = default;
  constexpr Name(const char* source) : Name(std::string_view(source)) {}
  constexpr Name(std::string_view source) {
    if (source.size() > max_name) refuse<"a name has at most 31 characters", "1 to 31 characters">(source);
    for (std::size_t i = 0; i < source.size(); ++i) {
      // It would end the name here, and a wrong one could pass for a right one.
      if (source[i] == 0) refuse<"a name holds no zero byte", "letters, digits and underscores">(source);
      text[i] = source[i];
    }
  }
  constexpr std::string_view view() const { return text; }
  constexpr bool empty() const { return text[0] == 0; }
  friend constexpr bool operator==(const Name& a, const Name& b) { return a.view() == b.view(); }
};

// A letter, then letters, digits and underscores: usable in file names and C entry names alike.
constexpr bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text[0])) return false;
  for (const char c : text)
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '_') return false;
  return true;
}

}  // namespace rankone
