// SPDX-License-Identifier: MIT
// A shared library opened at run time.
#pragma once

#include <string>

namespace rankone::cuda {

// Stays open for the life of the process: its code may still run in other threads when main() ends.
class Library {
 public:
  // `error` gets the loader's own words where it fails.
  static Library open(const std::string& name, std::string& error);
  explicit operator bool() const { return handle_ != nullptr; }
  void* symbol(const char* name) const;  // null where it is missing

 private:
  void* handle_ = nullptr;
};

// The absolute path of the library that holds `address`, symbolic links resolved.
std::string library_path(const void* address);

}  // namespace rankone::cuda
