// SPDX-License-Identifier: MIT
// Finds the calls that order threads or copies in emitted text.
#include <algorithm>
#include <cctype>

#include "runtime/cpu/emulator.hpp"

namespace rankone {
namespace {

constexpr std::string_view sync_words[] = {"sync_block",
                                           "sync_warp",
                                           "copy_commit",
                                           "copy_wait",
                                           "mbarrier_arrive",
                                           "mbarrier_wait",
                                           "named_barrier_sync",
                                           "fence_async",
                                           "sync_cluster",
                                           "mbarrier_arrive_at",
                                           "mbarrier_arrive_expecting",
                                           "mbarrier_arrive_after_copies",
                                           "bulk_commit",
                                           "bulk_wait_read",
                                           "wgmma_fence",
                                           "wgmma_commit",
                                           "wgmma_wait"};

constexpr std::string_view reason_prefix = "redundant::";

bool part_of_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Whether `line` calls `word`: the whole name, then template arguments or parentheses, and not its definition.
bool calls(std::string_view line, std::string_view word) {
  for (std::size_t at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at > 0 && part_of_name(line[at - 1])) || end >= line.size()) continue;
    if (line[end] == '(' || line[end] == '<') return true;
  }
  return false;
}

std::string reason_on(std::string_view line) {
  const std::size_t at = line.find(reason_prefix);
  if (at == line.npos) return {};
  const std::string_view rest = line.substr(at + reason_prefix.size());
  return std::string(rest.begin(), std::find_if_not(rest.begin(), rest.end(), part_of_name));
}

}  // namespace

std::vector<SyncSite> list_sync_sites(std::string_view text) {
  std::vector<SyncSite> sites;
  int number = 0, device_only = 0;  // depth inside `#ifndef RANKONE_HOST`, where the device's own forms stand
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.starts_with("#if")) {
      if (device_only || line.starts_with("#ifndef RANKONE_HOST")) ++device_only;
      continue;
    }
    if (line.starts_with("#endif") && device_only) --device_only;
    if (device_only) continue;
    line = line.substr(0, line.find("//"));
    for (const std::string_view word : sync_words)
      if (calls(line, word)) sites.push_back({number, std::string(word), reason_on(line)});
  }
  return sites;
}

}  // namespace rankone
