// SPDX-License-Identifier: MIT
// What an interrupted program must not leave behind: steps half done, temporary files, compilers at work.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace rankone {

// A step that happens whole: while one lives, leave_nothing_behind() waits. Those of one thread nest. Once the program
// is ending no step begins, and the thread that ends one stays there.
class Uninterrupted {
 public:
  Uninterrupted();
  ~Uninterrupted();
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;
};

// A temporary file or folder, known from the step that makes it to the step that removes it.
class Leftover {
 public:
  Leftover() = default;
  explicit Leftover(const std::filesystem::path& path);
  Leftover(Leftover&& other) noexcept;
  Leftover& operator=(Leftover&& other) noexcept;
  ~Leftover();

 private:
  unsigned id_ = 0;  // 0: none
};

// A child that leads a process group of its own, known from the step that starts it to the step that reaps it.
class ChildGroup {
 public:
  explicit ChildGroup(pid_t leader);
  ~ChildGroup();
  ChildGroup(const ChildGroup&) = delete;
  ChildGroup& operator=(const ChildGroup&) = delete;

 private:
  pid_t leader_;
};

// A program that says so calls leave_nothing_behind() when a signal ends it. In others a child stays in their process
// group, so that Ctrl-C reaches it.
void promise_to_leave_nothing_behind();
bool leaves_nothing_behind();

// Ends children and removes what is temporary; the caller then ends the process. Not for signal handlers.
void leave_nothing_behind();

}  // namespace rankone
