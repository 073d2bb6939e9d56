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

std::vector<std::string> split(const std::string& line);

}  // namespace rankone::test
