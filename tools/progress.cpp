// SPDX-License-Identifier: MIT
// What is under way, on a terminal, for work that takes longer than one likes to wait in silence.
#include "tools/progress.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace rankone {
namespace {

constexpr std::chrono::seconds patience{2};
constexpr std::chrono::milliseconds period{500};
constexpr const char* clear_line = "\r\x1b[K";

void write_out(const std::string& text) {
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;  // it is a courtesy
}

std::atomic<bool> is_shown{false};

}  // namespace

void Progress::clear() {
  if (is_shown.exchange(false)) write_out(clear_line);
}

Progress::Progress(const Options& options, std::string what, int steps) : what_(std::move(what)), steps_(steps) {
  if (options.quiet || options.json || ::isatty(STDERR_FILENO) == 0) return;
  try {
    thread_ = std::thread([this] { show(); });
  } catch (const std::system_error&) {  // no thread to be had: no progress is shown
  }
}

void Progress::show() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock guard(mutex_);
  for (auto pause = std::chrono::milliseconds(patience); !ended_.wait_for(guard, pause, [&] { return ends_; });
       pause = period) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start).count();
    const int done = std::min<int>(done_, steps_);
    write_out(clear_line + what_ + (steps_ > 1 ? ", " + std::to_string(done) + " of " + std::to_string(steps_) : "") +
              ", " + std::to_string(seconds) + " s");
    is_shown = true;
  }
  clear();
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard guard(mutex_);
    ends_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

}  // namespace rankone
