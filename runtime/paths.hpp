// SPDX-License-Identifier: MIT
// Where things lie on this machine, and which setting said so.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace rankone {

// A value and its origin: an environment variable's name, or "default".
struct Setting {
  std::string value;
  std::string origin;
};

// An environment variable; one that is empty counts as unset.
std::optional<std::string> environment(const char* name);

// RANKONE_CACHE_DIR, else $XDG_CACHE_HOME/rankone, else ~/.cache/rankone; none where there is no home either.
std::optional<Setting> cache_directory();
// RANKONE_SYSTEM_CACHE_DIR, else /usr/share/rankone/cache; only ever read.
Setting system_cache_directory();
// Tuned schedules: RANKONE_DATA_DIR, else $XDG_DATA_HOME/rankone, else ~/.local/share/rankone.
std::optional<Setting> data_directory();
// The host compiler of the CPU device: RANKONE_CXX, else CXX, else c++.
Setting host_compiler();

// The running program's folder; empty where the system does not tell.
std::filesystem::path executable_directory();

}  // namespace rankone
