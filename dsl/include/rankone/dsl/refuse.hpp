// SPDX-License-Identifier: MIT
// How a wrong declaration is refused: an exception at run time, and in a constant expression a compiler error.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include <rankone/error.hpp>

namespace rankone {

// Deliberately not constexpr: a constant expression that arrives here is ill-formed, and GCC and Clang print the line
// of the call. Callers therefore keep the whole sentence, a literal saying what is accepted, on that one line.
[[noreturn]] inline void refuse(const char* sentence, std::string_view given = {}) {
  throw Error(ErrorCode::invalid_argument, sentence, std::string(given));
}
[[noreturn]] inline void refuse(const char* sentence, double given) {
  char text[32];
  refuse(sentence, {text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, given).ptr - text)});
}

}  // namespace rankone
