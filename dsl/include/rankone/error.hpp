// SPDX-License-Identifier: MIT
// The one exception type of the library: what was given, what is accepted, and where.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace rankone {

enum class ErrorCode {
  invalid_argument,  // a bad name, type, shape or value from the caller
  unsupported,       // legal, but not on this device, size or build
  not_found,         // a file, tensor, variant or library that is not there
  io,                // reading or writing failed
  no_device,         // no driver, or no GPU
  compile_failed,    // NVRTC or the host compiler refused emitted text
  launch_failed,     // the device reported an error
  check_failed,      // a result is outside its bound, or the CPU device found a race or a deadlock
  internal           // a defect of this library
};

// Text of a stranger's as part of one line: control characters are spelled out, and the middle of what is longer than
// `most` bytes is left out.
inline std::string one_line(std::string_view text, std::size_t most) {
  const auto is_inside_a_letter = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  const auto escaped = [](std::string_view part) {
    constexpr char digits[] = "0123456789abcdef";
    std::string line;
    for (const char letter : part) {
      const auto code = static_cast<unsigned char>(letter);
      if (letter == '\n')
        line += "\\n";
      else if (letter == '\t')
        line += "\\t";
      else if (code < 0x20 || code == 0x7F)
        line += {'\\', 'x', digits[code >> 4], digits[code & 15]};
      else
        line += letter;
    }
    return line;
  };
  if (text.size() <= most) return escaped(text);
  std::size_t head = most * 2 / 3, tail = text.size() - most / 3;
  while (head > 0 && is_inside_a_letter(head)) --head;
  while (tail < text.size() && is_inside_a_letter(tail)) ++tail;
  return escaped(text.substr(0, head)) + "..." + escaped(text.substr(tail));
}

// `what()` is one sentence holding all parts; the parts serve JSON output. All of them are one line of bounded length,
// whatever stands in names, paths and files; only the message of a defect may be a report of several lines.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string given = {}, std::string accepted = {}, std::string where = {})
      : code_(code), message_(is_report(code) ? std::move(message) : one_line(message, most_own)),
        given_(one_line(given, most_given)), accepted_(one_line(accepted, most_own)),
        where_(one_line(where, most_where)), text_(message_) {
    if (!where_.empty()) text_ = where_ + ": " + text_;
    if (!given_.empty()) text_ += "; given " + given_;
    if (!accepted_.empty()) text_ += "; accepted: " + accepted_;
  }
  const char* what() const noexcept override { return text_.c_str(); }
  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& given() const noexcept { return given_; }
  const std::string& accepted() const noexcept { return accepted_; }
  const std::string& where() const noexcept { return where_; }

 private:
  static constexpr std::size_t most_own = 600, most_given = 500, most_where = 300;  // bytes
  static bool is_report(ErrorCode code) {
    return code == ErrorCode::compile_failed || code == ErrorCode::launch_failed || code == ErrorCode::check_failed ||
           code == ErrorCode::internal;
  }

  ErrorCode code_;
  std::string message_, given_, accepted_, where_, text_;
};

}  // namespace rankone
