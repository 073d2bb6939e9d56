// SPDX-License-Identifier: MIT
// One line on standard error for each event that RANKONE_LOG lets through.
#pragma once

#include <string_view>

namespace rankone {

enum class LogLevel : unsigned char { off, error, warn, info, debug };

LogLevel log_level();                // RANKONE_LOG, read once; warn where it is unset
void set_log_level(LogLevel level);  // overrides the environment
void log(LogLevel level, std::string_view message);

}  // namespace rankone
