// SPDX-License-Identifier: MIT
// How a wrong declaration is refused: an exception at run time, and in a constant expression a compiler error.
#pragma once

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

#include <rankone/error.hpp>

namespace rankone {

// A sentence as part of a function's type: GCC prints it in the error itself, wherever the call stands.
template <std::size_t size> struct Sentence {
  char text[size]{};
  consteval Sentence(const char (&literal)[size]) {
    for (std::size_t i = 0; i < size; ++i) text[i] = literal[i];
  }
};

// Where what was given has no name of its own.
struct Described {
  const char* words;
};

// What was given: a name, a number or a description. It holds a copy, since names stand in what has been read.
class Given {
 public:
  constexpr Given() = default;
  constexpr Given(std::string_view name) : length_(name.size()), kind_(Kind::name) {
    for (std::size_t i = 0; i < name.size() && i < sizeof name_; ++i) name_[i] = name[i];
    if (name.size() > sizeof name_) whole_name_ = name;
  }
  constexpr Given(const char* name) : Given(std::string_view(name)) {}
  constexpr Given(double number) : number_(number), kind_(Kind::number) {}
  constexpr Given(Described described) : words_(described.words), kind_(Kind::words) {}

  std::string text() const {
    if (kind_ == Kind::words) return words_;
    if (kind_ == Kind::name)
      return "'" + (whole_name_.empty() ? std::string(name_, length_) : std::string(whole_name_)) + "'";
    if (number_ != number_) return "not a number";
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, number_).ptr};
  }

 private:
  enum class Kind : unsigned char { name, number, words };
  char name_[40]{};
  std::size_t length_ = 0;
  std::string_view whole_name_{};  // of one that is longer; refused where it is read, so that it still stands
  double number_ = 0;
  const char* words_ = "";
  Kind kind_ = Kind::words;
};

// Deliberately not constexpr: a constant expression that arrives here is ill-formed, and the compiler prints why.
template <Sentence sentence, Sentence accepted> [[noreturn]] inline void refuse(const Given& given) {
  throw Error(ErrorCode::invalid_argument, sentence.text, given.text(), accepted.text, "declaration");
}

// The outcome of a check: what is wrong, or nothing.
struct Verdict {
  void (*refuse)(const Given&) = nullptr;  // null: nothing
  const char* sentence = nullptr;
  Given given{};
  constexpr explicit operator bool() const { return sentence != nullptr; }
};
}  // namespace rankone
