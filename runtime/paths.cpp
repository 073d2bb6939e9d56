// SPDX-License-Identifier: MIT
// Where things lie on this machine, and which setting said so.
#include "runtime/paths.hpp"

#include <cstdlib>
#include <system_error>

namespace rankone {
namespace {

// The XDG rule: a relative base folder is ignored.
std::optional<Setting> under_home(const char* own, const char* xdg, const char* in_home) {
  if (auto given = environment(own)) return Setting{*given, own};
  if (auto base = environment(xdg); base && base->front() == '/') return Setting{*base + "/rankone", xdg};
  if (auto home = environment("HOME")) return Setting{*home + in_home, "default"};
  return std::nullopt;
}

}  // namespace

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == 0) return std::nullopt;
  return std::string(value);
}

std::optional<Setting> cache_directory() {
  return under_home("RANKONE_CACHE_DIR", "XDG_CACHE_HOME", "/.cache/rankone");
}

Setting system_cache_directory() {
  if (auto given = environment("RANKONE_SYSTEM_CACHE_DIR")) return {*given, "RANKONE_SYSTEM_CACHE_DIR"};
  return {"/usr/share/rankone/cache", "default"};
}

std::optional<Setting> data_directory() {
  return under_home("RANKONE_DATA_DIR", "XDG_DATA_HOME", "/.local/share/rankone");
}

Setting host_compiler() {
  for (const char* name : {"RANKONE_CXX", "CXX"})
    if (auto given = environment(name)) return {*given, name};
  return {"c++", "default"};
}

std::filesystem::path executable_directory() {
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? std::filesystem::path{} : program.parent_path();
}

}  // namespace rankone
