// SPDX-License-Identifier: MIT
// What is under way, on a terminal, for work that takes longer than one likes to wait in silence.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "tools/options.hpp"

namespace rankone {

// While one lives, standard error shows `what`, how many of the steps are done and the seconds, from the third second on.
// Nothing where standard error is no terminal, nor with --quiet or --json.
class Progress {
 public:
  Progress(const Options& options, std::string what, int steps = 0);
  ~Progress();  // takes the line away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void step() { ++done_; }
  static void clear();  // for who writes a line of its own; the next sign of progress comes below it

 private:
  void show();

  std::string what_;
  int steps_;
  std::atomic<int> done_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace rankone
