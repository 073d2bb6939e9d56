// SPDX-License-Identifier: MIT
// The search over schedules: right first, then fast; independent of how a candidate is built and timed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <rankone/knobs.hpp>

namespace rankone {

// What the search needs from the world; a test gives it a made-up one.
struct SearchWorld {
  // Compiles and checks; may be called from several threads at once. Returns the largest relative error.
  // Throws Error where the candidate does not compile, launch or give right results.
  std::function<double(const Schedule&)> check;
  // Median milliseconds of so many launches, one candidate at a time.
  std::function<double(const Schedule&, int launches)> time;
  std::function<double()> seconds;    // a clock
  std::function<bool()> interrupted;  // Ctrl-C
  std::function<void(const std::string&)> progress;
};

struct Candidate {
  Schedule schedule{};
  double relative_error = 0;
  double median_ms = 0;
  std::string failure;  // why it may not win; empty where it may
};

struct SearchResult {
  std::vector<Candidate> right;  // timed, fastest first; the first one wins
  std::vector<Candidate> rejected;
  std::size_t untried = 0;  // the budget ran out, or it was interrupted
  bool interrupted = false;
};

inline constexpr int finalists = 5;
inline constexpr int first_launches = 7, final_launches = 31;
// A finalist that is not faster by more than this loses to one that stands before it: two searches agree.
inline constexpr double indistinguishable = 0.01;

// Candidates are tried in the order given. `budget` in seconds; the first candidate is always tried.
SearchResult search(const std::vector<Schedule>& candidates, const SearchWorld& world, double budget, int threads);

}  // namespace rankone
