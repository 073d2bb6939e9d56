// SPDX-License-Identifier: MIT
// The tuned schedule for a variant on a device, if there is one.
#include "autotune/lookup.hpp"

#include <algorithm>

#include "codegen/space.hpp"
#include "runtime/paths.hpp"

namespace rankone {
namespace {

// A schedule that occupies half of them leaves room for a better one.
constexpr std::int64_t multiprocessors = hopper_multiprocessors, half = multiprocessors / 2,
                       most = multiprocessors * 2 / 3;
constexpr std::int64_t many_tokens = 2048;  // of a sequence: it pays to split it
constexpr int narrow_tile = 64;

// The default for sizes that are known: where sequences and heads leave multiprocessors idle, narrower value tiles
// occupy them (and share the work on keys, where there is any), or else segments of long sequences do.
Schedule default_for(const Variant& variant, const CompileOptions& options, std::string_view arch, const Dims& dims) {
  const Schedule usual = default_schedule(variant, options, arch);  // refuses what cannot be
  const std::int64_t sequences = std::max({dims.batch, dims.sequences, std::int64_t{1}});
  const auto blocks = [&](const Schedule& schedule) {
    return sequences * dims.value_heads * ((options.value_dim + schedule.value_tile - 1) / schedule.value_tile);
  };
  if (blocks(usual) > half) return usual;
  if (usual.family == Family::hopper && options.value_tile == 0) {
    CompileOptions narrow = options;
    narrow.family = Family::hopper;
    narrow.value_tile = narrow_tile;
    if (!legal_schedules(variant, narrow, arch).empty()) {
      const Schedule schedule = default_schedule(variant, narrow, arch);
      if (blocks(schedule) >= most && blocks(schedule) <= multiprocessors) return schedule;
    }
  }
  if (usual.family == Family::hopper && options.level == Level::automatic && variant.level_ == Level::automatic &&
      dims.batch * dims.tokens / sequences >= many_tokens) {
    CompileOptions split = options;
    split.family = Family::hopper;
    split.level = Level::segment;
    if (!legal_schedules(variant, split, arch).empty()) {
      const Schedule schedule = default_schedule(variant, split, arch);
      // Of more keys each block would repeat the work, unless a cluster shares it.
      if (options.key_dim <= 128 || schedule.cluster > 1) return schedule;
    }
  }
  return usual;
}

ChosenSchedule choose(const Variant& variant, const CompileOptions& options, const Device& device,
                      std::string_view arch, const Dims& dims, bool is_known) {
  const Schedule otherwise =
      is_known ? default_for(variant, options, arch, dims) : default_schedule(variant, options, arch);
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
                               std::string_view arch, const Shape& expected) {
  const Dims dims{.batch = expected.batch,
                  .tokens = expected.tokens,
                  .heads = expected.heads,
                  .value_heads = expected.value_heads != 0 ? expected.value_heads : expected.heads,
                  .key_dim = options.key_dim,
                  .value_dim = options.value_dim,
                  .sequences = expected.sequences != 0 ? expected.sequences : expected.batch};
  return choose(variant, options, device, arch, dims, true);
}

ChosenSchedule choose_schedule(const Variant& variant, const CompileOptions& options, const Device& device,
                               std::string_view arch) {
  // The sizes of the coming calls are not known: a typical one stands for them.
  constexpr Dims typical{.batch = 8, .tokens = 4096, .heads = 16, .value_heads = 16};
  return choose(variant, options, device, arch, typical, false);
}

}  // namespace rankone
