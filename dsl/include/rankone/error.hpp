// SPDX-License-Identifier: MIT
// The one exception type of the library: what was given, what is accepted, and where.
#pragma once

#include <exception>
#include <string>
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

// `what()` is one sentence holding all parts; the parts serve JSON output.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string given = {}, std::string accepted = {}, std::string where = {})
      : code_(code), message_(std::move(message)), given_(std::move(given)), accepted_(std::move(accepted)),
        where_(std::move(where)), text_(message_) {
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
  ErrorCode code_;
  std::string message_, given_, accepted_, where_, text_;
};

}  // namespace rankone
