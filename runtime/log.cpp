// SPDX-License-Identifier: MIT
// One line on standard error for each event that RANKONE_LOG lets through.
#include "runtime/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

namespace rankone {
namespace {

constexpr std::array<std::string_view, 5> names = {"off", "error", "warn", "info", "debug"};

// A single write, so that lines of many threads and processes do not interleave.
void put(std::string_view level, std::string_view message) {
  std::string line = "rankone: ";
  line.append(level).append(": ").append(message).append("\n");
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

LogLevel from_environment() {
  const char* given = std::getenv("RANKONE_LOG");
  if (given == nullptr || *given == 0) return LogLevel::warn;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == given) return static_cast<LogLevel>(i);
  put("warn",
      std::string("RANKONE_LOG is not a log level; given ") + given + "; accepted: off, error, warn, info, debug");
  return LogLevel::warn;
}

std::atomic<LogLevel>& level_slot() {
  static std::atomic<LogLevel> level = from_environment();
  return level;
}

}  // namespace

LogLevel log_level() { return level_slot().load(std::memory_order_relaxed); }
void set_log_level(LogLevel level) { level_slot().store(level, std::memory_order_relaxed); }

void log(LogLevel level, std::string_view message) {
  if (level == LogLevel::off || level > log_level()) return;
  put(names[static_cast<std::size_t>(level)], message);
}

}  // namespace rankone
