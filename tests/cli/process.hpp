// SPDX-License-Identifier: MIT
// Runs the real command and keeps what it said.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace rankone::test {

struct Finished {
  int code = -1;  // 128 + N where signal N ended it
  std::string out, err;
};

struct Setting {
  std::string name, value;
};

// `rankone` with these words; `input` goes to its standard input.
Finished rankone(const std::vector<std::string>& words, const std::string& input = {},
                 const std::vector<Setting>& environment = {});
// Any program, found by PATH.
Finished run(const std::vector<std::string>& words, const std::string& input = {},
             const std::vector<Setting>& environment = {});

// `rankone` with these words in a process group of its own; `after` milliseconds `signal` goes to the process, or to its
// whole group, as Ctrl-C does. `pid` gets its number.
Finished interrupted(const std::vector<std::string>& words, int signal, int after, bool whole_group,
                     const std::vector<Setting>& environment = {}, int* pid = nullptr);

std::vector<std::string> split(const std::string& line);

}  // namespace rankone::test
