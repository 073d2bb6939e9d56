// SPDX-License-Identifier: MIT
// The search over schedules: right first, then fast; independent of how a candidate is built and timed.
#include "autotune/search.hpp"

#include <algorithm>
#include <future>

#include <rankone/error.hpp>

#include "codegen/knob_text.hpp"

namespace rankone {
namespace {

Candidate checked(const Schedule& schedule, const SearchWorld& world) {
  Candidate candidate;
  candidate.schedule = schedule;
  try {
    candidate.relative_error = world.check(schedule);
  } catch (const Error& error) {
    candidate.failure = error.what();
  }
  return candidate;
}

std::string milliseconds(double value) {
  std::string text = std::to_string(value);
  return text.substr(0, text.find('.') + 5) + " ms";
}

void measure(Candidate& candidate, const SearchWorld& world, int launches) {
  try {
    candidate.median_ms = world.time(candidate.schedule, launches);
  } catch (const Error& error) {
    candidate.failure = error.what();
  }
}

bool faster(const Candidate& a, const Candidate& b) { return a.median_ms < b.median_ms; }

// The finalists run again, longer, one after the other at the same clocks; one that fails now may not win either.
// Returns how many of the first are left.
std::size_t run_finals(SearchResult& result, const SearchWorld& world) {
  if (result.interrupted) return std::min<std::size_t>(finalists, result.right.size());
  auto last = result.right.begin();
  for (int i = 0; i < finalists && last != result.right.end(); ++i) {
    measure(*last, world, final_launches);
    if (last->failure.empty()) {
      ++last;
    } else {
      result.rejected.push_back(std::move(*last));
      last = result.right.erase(last);
    }
  }
  return static_cast<std::size_t>(last - result.right.begin());
}

}  // namespace

SearchResult search(const std::vector<Schedule>& candidates, const SearchWorld& world, double budget, int threads) {
  SearchResult result;
  const double start = world.seconds();
  const auto stop = [&] {
    result.interrupted = result.interrupted || world.interrupted();
    return result.interrupted || world.seconds() - start > budget;
  };

  // Compiling and checking go in batches, in parallel; timing only when nothing else runs.
  const std::size_t batch = static_cast<std::size_t>(std::max(threads, 1));
  std::size_t next = 0;
  while (next < candidates.size() && (next == 0 || !stop())) {
    std::vector<std::future<Candidate>> pending;
    for (; next < candidates.size() && pending.size() < batch; ++next)
      pending.push_back(std::async(std::launch::async, checked, candidates[next], std::cref(world)));
    std::vector<Candidate> ready;
    for (auto& each : pending) ready.push_back(each.get());
    for (Candidate& candidate : ready) {
      if (candidate.failure.empty()) measure(candidate, world, first_launches);
      world.progress("[" + std::to_string(result.right.size() + result.rejected.size() + 1) + "/" +
                     std::to_string(candidates.size()) + "] " + to_string(candidate.schedule) + "  " +
                     (candidate.failure.empty() ? milliseconds(candidate.median_ms) : candidate.failure));
      (candidate.failure.empty() ? result.right : result.rejected).push_back(std::move(candidate));
    }
  }
  result.untried = candidates.size() - next;

  std::stable_sort(result.right.begin(), result.right.end(), faster);
  const auto last = result.right.begin() + static_cast<std::ptrdiff_t>(run_finals(result, world));
  std::stable_sort(result.right.begin(), last, faster);
  if (result.right.empty()) return result;

  const double close = result.right.front().median_ms * (1 + indistinguishable);
  const auto place = [&](const Candidate& each) {
    return std::find(candidates.begin(), candidates.end(), each.schedule);
  };
  auto winner = result.right.begin();
  for (auto each = winner; each != last && each->median_ms <= close; ++each)
    if (place(*each) < place(*winner)) winner = each;
  std::rotate(result.right.begin(), winner, winner + 1);
  return result;
}

}  // namespace rankone
