// SPDX-License-Identifier: MIT
// The commands: each takes what was typed and returns the exit code.
#pragma once

#include "tools/options.hpp"

namespace rankone {

enum ExitCode : int {
  exit_done = 0,
  exit_check_failed = 1,
  exit_refused = 2,
  exit_internal = 3,
  exit_interrupted = 130  // 128 and the number of the signal, as shells have it
};

int command_list(const Options& options);
int command_show(const Options& options);
int command_emit(const Options& options);
int command_compile(const Options& options);
int command_check(const Options& options);
int command_run(const Options& options);
int command_bench(const Options& options);
int command_tune(const Options& options);
int command_export(const Options& options);
int command_cache(const Options& options);
int command_doctor(const Options& options);

}  // namespace rankone
