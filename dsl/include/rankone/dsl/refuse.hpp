// SPDX-License-Identifier: MIT
// How a wrong declaration is refused: an exception at run time, and in a constant expression a compiler error.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include <rankone/error.hpp>

namespace rankone {

// Deliberately not constexpr: a constant expression that arrives here is ill-formed, and GCC and Clang print the line
// of the call. Callers therefore keep the sentence, a literal saying what is wanted, on that line.
[[noreturn]] inline void refuse(const char* sentence, std::string_view given, const char* accepted) {
  throw Error(ErrorCode::invalid_argument, sentence, "'" + std::string(given) + "'", accepted);
}
[[noreturn]] inline void refuse(const char* sentence, double given, const char* accepted) {
  char text[32];
  char* const end = std::to_chars(text, text + sizeof text, given).ptr;
  throw Error(ErrorCode::invalid_argument, sentence, given != given ? "not a number" : std::string(text, end),
              accepted);
}
// Where what was given has no name of its own.
struct Described {
  const char* words;
};
[[noreturn]] inline void refuse(const char* sentence, Described given, const char* accepted) {
  throw Error(ErrorCode::invalid_argument, sentence, given.words, accepted);
}

}  // namespace rankone
