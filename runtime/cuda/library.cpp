// SPDX-License-Identifier: MIT
// A shared library opened at run time.
#include "runtime/cuda/library.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace rankone::cuda {

Library Library::open(const std::string& name, std::string& error) {
  Library library;
  // The loader would wait at a pipe, and says little of a folder.
  if (std::error_code failed; name.find('/') != name.npos && std::filesystem::exists(name, failed) &&
                              !std::filesystem::is_regular_file(name, failed)) {
    error = name + ": not a file";
    return library;
  }
  library.handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library.handle_ == nullptr) {
    const char* words = dlerror();
    error = words != nullptr ? words : "the loader does not say why";
  }
  return library;
}

void* Library::symbol(const char* name) const { return dlsym(handle_, name); }

std::string library_path(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code failed;
  const auto real = std::filesystem::canonical(info.dli_fname, failed);
  return failed ? std::string(info.dli_fname) : real.string();
}

}  // namespace rankone::cuda
