// SPDX-License-Identifier: MIT
// The tuned schedule for a variant on a device, if there is one.
#include "autotune/lookup.hpp"

#include <algorithm>

#include "codegen/space.hpp"
#include "runtime/paths.hpp"

namespace rankone {
namespace {

ChosenSchedule choose(const Variant& variant, const CompileOptions& options, const Device& device,
                      std::string_view arch, const Dims& dims, bool is_known) {
  Schedule otherwise = default_schedule(variant, options, arch);  // refuses what cannot be
  // Where sequences and heads leave multiprocessors idle, long sequences are split.
  Schedule split = otherwise;
  split.level = Level::segment;
  constexpr std::int64_t few_items = 66, many_tokens = 2048;
  const std::int64_t sequences = std::max({dims.batch, dims.sequences, std::int64_t{1}});
  const std::int64_t tiles = (options.value_dim + split.value_tile - 1) / split.value_tile;
  if (is_known && sequences * dims.value_heads * tiles <= few_items &&
      dims.batch * dims.tokens / sequences >= many_tokens &&
      why_illegal(variant, options, split, arch_limits(arch)).empty())
    otherwise = split;
  if (!device.is_cpu() && device.arch() == arch)
    if (const auto tuned = tuned_choice(variant, options, device.name(), std::string(arch), dims))
      return {tuned->schedule,
              tuned->origin == tuned_exactly && !is_known ? "tuned for " + tuned->shape : tuned->origin};
  return {otherwise, any(pins_of(variant, options)) ? "pinned" : "default"};
}

}  // namespace

std::optional<std::filesystem::path> tuned_user_folder() {
  const auto data = data_directory();
  if (!data) return std::nullopt;
  return std::filesystem::path(data->value) / "tuned";
}

std::vector<std::filesystem::path> tuned_folders() {
  std::vector<std::filesystem::path> folders;
  if (const auto own = tuned_user_folder()) folders.push_back(*own);
  if (const auto program = executable_directory(); !program.empty())
    folders.push_back(program / ".." / "share" / "rankone" / "tuned");
  folders.emplace_back(RANKONE_SHARE_DIR "/tuned");
  return folders;
}

std::optional<TunedChoice> tuned_choice(const Variant& variant, const CompileOptions& options,
                                        const std::string& device, const std::string& arch, const Dims& dims) {
  if (device == "cpu") return std::nullopt;
  const ArchLimits limits = arch_limits(arch);
  const auto legal = [&](const Schedule& schedule) { return why_illegal(variant, options, schedule, limits).empty(); };
  return lookup_tuned(tuned_folders(), device, arch, tuned_key(variant, options, dims), legal);
}

std::string ChosenSchedule::text() const { return to_string(schedule) + " (" + origin + ")"; }

ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch, const Dims& dims) {
  return choose(variant, options, device, arch, dims, true);
}

ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch) {
  // The sizes of the coming calls are not known: a typical one stands for them.
  constexpr Dims typical{.batch = 8, .tokens = 4096, .heads = 16, .value_heads = 16};
  return choose(variant, options, device, arch, typical, false);
}

}  // namespace rankone
