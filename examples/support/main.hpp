// SPDX-License-Identifier: MIT
// How an example begins and ends: its help, and one sentence where it cannot go on.
#pragma once

#include <cstdio>
#include <exception>
#include <string>

namespace support {

// What `run` gives, or 2 with the sentence of what it throws.
template <class Run> int run_example(const char* name, const char* usage, int count, char** words, const Run& run) {
  if (count == 2 && std::string(words[1]) == "--help") {
    std::fputs(usage, stdout);
    return 0;
  }
  try {
    return run(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 2;
  }
}

}  // namespace support
