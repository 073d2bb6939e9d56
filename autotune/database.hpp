// SPDX-License-Identifier: MIT
// Tuned schedules as JSON files, one for each GPU model: a user's own over those that ship.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/options.hpp>

#include <rankone/knobs.hpp>
#include "autotune/shipped.hpp"
#include "codegen/program.hpp"

namespace rankone {

// What decides which schedule is fast. Variants that differ only in their formulas share entries.
struct TunedKey {
  std::string pass;       // "forward"
  std::string structure;  // "decay=per_key key=no write_scale=no feature_map=no k=yes inputs=HV.K parameters="
  std::string types;      // "bf16 bf16 tf32"
  int key_dim = 0, value_dim = 0;
  int tokens_bucket = 0;  // ceil(log2(T))
  int rows_bucket = 0;    // ceil(log2(B * HV)): what runs in parallel without splitting T
  friend bool operator==(const TunedKey&, const TunedKey&) = default;
};
TunedKey tuned_key(const Variant& variant, const CompileOptions& options, const Shape& shape,
                   Pass pass = Pass::forward);

struct Measurement {
  Schedule schedule{};
  double median_ms = 0;
};

struct TunedEntry {
  TunedKey key{};
  Schedule schedule{};
  double median_ms = 0, default_ms = 0;  // of the choice, and of what would have run without it
  double relative_error = 0;             // the largest of the choice's outputs
  std::string variant, shape, version;   // what was tuned, for people
  std::vector<Measurement> measured{};   // every right candidate, fastest first
};

struct TunedFile {
  std::string device, arch;
  std::vector<TunedEntry> entries;
};

// Throws Error for anything that is not a database of this schema, naming `where`.
TunedFile parse_tuned(std::string_view text, const std::string& where);
std::string tuned_text(const TunedFile& file);

// "nvidia-h200.json"
std::string tuned_file_name(std::string_view device);

// Puts `entry` into the device's file in `folder`, in the place of an entry with the same key, under a lock and by a
// rename. Throws Error where the folder does not serve, or the file there is not a database: it is left as it is.
void store_tuned(const std::filesystem::path& folder, const std::string& device, const std::string& arch,
                 const TunedEntry& entry);
// Throws what store_tuned would throw, before anything has been measured.
void require_tuned_folder(const std::filesystem::path& folder, const std::string& device);

// A sentence for each file that does not read.
std::vector<std::string> unreadable_tuned(const std::vector<std::filesystem::path>& folders);

inline constexpr const char* tuned_exactly = "tuned for this shape";
struct TunedChoice {
  Schedule schedule{};
  std::string
      origin;  // "tuned for this shape", "tuned for the nearest shape, B=8,...", "tuned on NVIDIA H100 for B=8,..."
  std::string shape;  // what it was tuned at
};

// Exact, else the nearest shape, else another GPU of the same architecture; `folders` in order of precedence, then
// what is `shipped`.
// `legal` says which schedules may be returned. Files that do not read are skipped with a warning on the log.
std::optional<TunedChoice> lookup_tuned(const std::vector<std::filesystem::path>& folders, const std::string& device,
                                        const std::string& arch, const TunedKey& key,
                                        const std::function<bool(const Schedule&)>& legal,
                                        const std::vector<ShippedFile>& shipped = {});

}  // namespace rankone
