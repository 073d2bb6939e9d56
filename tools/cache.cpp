// SPDX-License-Identifier: MIT
// rankone cache: what the cache of built kernels holds.
#include <ctime>
#include <map>

#include <rankone/error.hpp>

#include "runtime/cache/file_cache.hpp"
#include "tools/commands.hpp"
#include "tools/output.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

std::string date(std::int64_t seconds) {
  const std::time_t time = seconds;
  char text[32] = "";
  std::tm parts{};
  if (localtime_r(&time, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return text;
}

int list_entries(const Options& options, const FileCache& cache) {
  Json entries = Json::array();
  Table table({"kind", "key", "layer", "size", "built"});
  for (const CacheListing& each : cache.list()) {
    entries.append(Json::object({{"kind", each.kind},
                                 {"key", each.key},
                                 {"layer", each.layer},
                                 {"bytes", static_cast<std::int64_t>(each.bytes)},
                                 {"modified", each.modified}}));
    table.row({each.kind, each.key, each.layer, byte_count(each.bytes), date(each.modified)});
  }
  print_result(options, Json::object({{"entries", entries}}), table.empty() ? "empty\n" : table.text());
  return exit_done;
}

int clear(const Options& options, const FileCache& cache) {
  cache.require_writable();
  const std::uint64_t freed = cache.clear();
  print_result(options, Json::object({{"freed_bytes", static_cast<std::int64_t>(freed)}}),
               "freed " + byte_count(freed) + "\n");
  return exit_done;
}

int show(const Options& options, const FileCache& cache) {
  struct Sum {
    std::int64_t entries = 0;
    std::uint64_t bytes = 0;
  };
  std::map<std::pair<std::string, std::string>, Sum> sums;
  for (const CacheListing& each : cache.list()) {
    Sum& sum = sums[{each.layer, each.kind}];
    ++sum.entries;
    sum.bytes += each.bytes;
  }
  const auto place = [](const std::optional<std::filesystem::path>& folder) {
    return folder ? folder->string() : std::string("none");
  };
  Json kinds = Json::array();
  Table table({"layer", "kind", "entries", "size"});
  for (const auto& [names, sum] : sums) {
    kinds.append(Json::object({{"layer", names.first},
                               {"kind", names.second},
                               {"entries", sum.entries},
                               {"bytes", static_cast<std::int64_t>(sum.bytes)}}));
    table.row({names.first, names.second, std::to_string(sum.entries), byte_count(sum.bytes)});
  }
  print_result(options,
               Json::object({{"user", place(cache.user())}, {"system", place(cache.system())}, {"kinds", kinds}}),
               "user    " + place(cache.user()) + "\nsystem  " + place(cache.system()) + "\n\n" +
                   (sums.empty() ? "empty\n" : table.text()));
  return exit_done;
}

}  // namespace

int command_cache(const Options& options) {
  const FileCache cache = FileCache::standard();
  if (options.action.empty() || options.action == "show") return show(options, cache);
  if (options.action == "list") return list_entries(options, cache);
  if (options.action == "clear") return clear(options, cache);
  throw Error(ErrorCode::invalid_argument, "an unknown action", "'" + options.action + "'", "show, list, clear",
              "rankone cache");
}

}  // namespace rankone
