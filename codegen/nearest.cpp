// SPDX-License-Identifier: MIT
// What somebody who mistyped a name may have meant.
#include "codegen/nearest.hpp"

#include <algorithm>

namespace rankone {
namespace {

constexpr std::size_t longest = 64;  // longer words are no misspelt names

// One slip for each so many letters, and one more.
constexpr std::size_t letters_per_slip = 4;

}  // namespace

std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before(to.size() + 1), last(to.size() + 1), row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (from[i - 1] != to[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[to.size()];
}

std::string nearest(std::string_view given, const std::vector<std::string_view>& names) {
  if (given.empty() || given.size() > longest) return {};
  std::string_view best;
  std::size_t least = 1 + given.size() / letters_per_slip;
  for (const std::string_view name : names) {
    const std::size_t distance = edit_distance(given, name);
    if (distance > least || distance >= name.size() || (!best.empty() && distance == least)) continue;
    least = distance;
    best = name;
  }
  return std::string(best);
}

std::string did_you_mean(std::string_view given, const std::vector<std::string_view>& names) {
  const std::string name = nearest(given, names);
  return name.empty() ? name : " (did you mean '" + name + "'?)";
}

}  // namespace rankone
