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
      if (candidate.failure.empty()) {
        try {
          candidate.median_ms = world.time(candidate.schedule, first_launches);
        } catch (const Error& error) {
          candidate.failure = error.what();
        }
      }
      world.progress("[" + std::to_string(result.right.size() + result.rejected.size() + 1) + "/" +
                     std::to_string(candidates.size()) + "] " + to_string(candidate.schedule) + "  " +
                     (candidate.failure.empty() ? milliseconds(candidate.median_ms) : candidate.failure));
      (candidate.failure.empty() ? result.right : result.rejected).push_back(std::move(candidate));
    }
  }
  result.untried = candidates.size() - next;

  const auto faster = [](const Candidate& a, const Candidate& b) { return a.median_ms < b.median_ms; };
  std::stable_sort(result.right.begin(), result.right.end(), faster);
  // The finalists run again, longer, one after the other at the same clocks; one that fails now may not win either.
  auto last = result.right.begin();
  if (!result.interrupted)
    for (int i = 0; i < finalists && last != result.right.end(); ++i) {
      try {
        last->median_ms = world.time(last->schedule, final_launches);
        ++last;
      } catch (const Error& error) {
        last->failure = error.what();
        result.rejected.push_back(std::move(*last));
        last = result.right.erase(last);
      }
    }
  else
    last = result.right.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(finalists, result.right.size()));
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
