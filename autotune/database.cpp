// SPDX-License-Identifier: MIT
// Tuned schedules on disk: merged by many processes, looked up from the exact shape outwards.
#include "autotune/database.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <tuple>

#include <rankone/error.hpp>

#include "runtime/cache/file.hpp"
#include "runtime/log.hpp"

namespace rankone {
namespace {

using std::filesystem::path;

constexpr std::chrono::milliseconds lock_patience{10'000};

FileLock lock(const path& folder, const std::string& name) {
  auto held = FileLock::acquire(folder / ("." + name + ".lock"), lock_patience);
  if (!held)
    throw Error(ErrorCode::io, "the tuned database cannot be locked", (folder / name).string(),
                "a folder that can be written, and no other process that holds the lock for 10 s", "tuned data");
  return std::move(*held);
}

TunedFile read(const path& file, const std::string& device, const std::string& arch) {
  std::error_code failure;
  if (!std::filesystem::exists(file, failure)) return {device, arch, {}};
  const auto text = read_file(file);
  if (!text)
    throw Error(ErrorCode::io, "the file cannot be read", file.string(), "a readable tuned database", "tuned data");
  return parse_tuned(*text, file.string());
}

void make_folder(const path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(ErrorCode::io, "the folder for tuned data cannot be made", failure.message(),
                "a folder that can be written", folder.string());
}

int distance(const TunedKey& a, const TunedKey& b) {
  return std::abs(a.tokens_bucket - b.tokens_bucket) + std::abs(a.rows_bucket - b.rows_bucket);
}
bool same_kernel(const TunedKey& a, TunedKey b) {
  b.tokens_bucket = a.tokens_bucket;
  b.rows_bucket = a.rows_bucket;
  return a == b;
}

// The files of all folders, in order of precedence; within a folder by name, so that ties fall the same way everywhere.
// Those that do not read go to `refused`.
std::vector<TunedFile> read_all(const std::vector<path>& folders, const std::function<void(const Error&)>& refused) {
  std::vector<TunedFile> files;
  for (const path& folder : folders) {
    std::vector<path> names;
    std::error_code failure;
    // A folder that fails while it is read ends the list there: a lookup never throws.
    for (std::filesystem::directory_iterator each(folder, failure), end; !failure && each != end;
         each.increment(failure))
      if (each->path().extension() == ".json") names.push_back(each->path());
    std::sort(names.begin(), names.end());
    for (const path& name : names) {
      try {
        files.push_back(read(name, {}, {}));
      } catch (const Error& error) {
        refused(error);
      }
    }
  }
  return files;
}

}  // namespace

std::string tuned_file_name(std::string_view device) {
  std::string name;
  for (const char letter : device) {
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0)
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name + ".json";
}

void require_tuned_folder(const path& folder, const std::string& device) {
  make_folder(folder);
  const std::string name = tuned_file_name(device);
  const FileLock held = lock(folder, name);
  read(folder / name, device, {});
}

void store_tuned(const path& folder, const std::string& device, const std::string& arch, const TunedEntry& entry) {
  make_folder(folder);
  const std::string name = tuned_file_name(device);
  const FileLock held = lock(folder, name);
  TunedFile file = read(folder / name, device, arch);
  const auto same = std::find_if(file.entries.begin(), file.entries.end(),
                                 [&](const TunedEntry& each) { return each.key == entry.key; });
  if (same != file.entries.end())
    *same = entry;
  else
    file.entries.push_back(entry);
  publish_file(folder / name, {tuned_text(file)});
}

std::vector<std::string> unreadable_tuned(const std::vector<path>& folders) {
  std::vector<std::string> sentences;
  read_all(folders, [&](const Error& error) { sentences.emplace_back(error.what()); });
  return sentences;
}

std::optional<TunedChoice> lookup_tuned(const std::vector<path>& folders, const std::string& device,
                                        const std::string& arch, const TunedKey& key,
                                        const std::function<bool(const Schedule&)>& legal,
                                        const std::vector<ShippedFile>& shipped) {
  std::vector<TunedFile> files = read_all(folders, [](const Error& error) {
    log(LogLevel::warn, std::string("tuned schedules are skipped: ") + error.what());
  });
  for (const ShippedFile& file : shipped) files.push_back(parse_tuned(file.text, std::string(file.name)));
  // Lower is better: another GPU, how far the shape is, then the order of the folders.
  std::optional<TunedChoice> best;
  std::tuple<bool, int> best_rank;
  for (const TunedFile& file : files) {
    if (file.arch != arch) continue;
    for (const TunedEntry& entry : file.entries) {
      const std::tuple rank(file.device != device, distance(entry.key, key));
      if (!same_kernel(entry.key, key) || (best && rank >= best_rank) || !legal(entry.schedule)) continue;
      best_rank = rank;
      const bool exact = std::get<1>(rank) == 0;
      best = TunedChoice{entry.schedule,
                         std::get<0>(rank) ? "tuned on " + file.device + " for " + entry.shape
                         : exact           ? tuned_exactly
                                           : "tuned for the nearest shape, " + entry.shape,
                         entry.shape};
    }
  }
  return best;
}

}  // namespace rankone
