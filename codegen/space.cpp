// SPDX-License-Identifier: MIT
// Enumerates legal schedules under what is pinned.
#include "codegen/space.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include <rankone/error.hpp>

#include "codegen/bounds.hpp"
#include "codegen/names.hpp"
#include "codegen/preference.hpp"
#include "templates/kernels/layout.cuh"

namespace rankone {
namespace {

constexpr Level levels[] = {Level::serial, Level::chunk};
constexpr int chunks[] = {16, 32, 64, 128};
constexpr int value_tiles[] = {16, 32, 64, 128};
constexpr int columns_of_a_warp[] = {8, 16, 32};  // 8: of two warps, one owns 16 and the other helps
constexpr int stage_counts[] = {1, 2};
constexpr int max_warps = 16, max_value_tile = 256;
constexpr Level hopper_levels[] = {Level::serial, Level::segment};
constexpr int hopper_chunks[] = {32, 64};
constexpr int hopper_value_tiles[] = {64, 128};
constexpr int hopper_stage_counts[] = {2, 3, 4, 6};
constexpr int prepared_stage_counts[] = {2, 3, 4, 5, 6};
constexpr int hopper_clusters[] = {1, 2};
constexpr int multiprocessor_registers = 65536, thread_registers = 255;
constexpr int working_registers = 64;  // that a thread needs beside its part of the state

// The pinned value alone, or else the candidates.
template <class T, std::size_t n> std::vector<T> choices(T pinned, T unpinned, const T (&candidates)[n]) {
  if (pinned != unpinned) return {pinned};
  return {std::begin(candidates), std::end(candidates)};
}

template <class T>
T agreed(T of_options, T of_variant, T unpinned, const char* what, const std::string& options_text,
         const std::string& variant_text, const std::string& where) {
  if (of_options == unpinned) return of_variant;
  if (of_variant != unpinned && of_variant != of_options)
    throw Error(ErrorCode::invalid_argument, std::string(what) + " is pinned twice, and differently", options_text,
                "the variant's own " + variant_text + ", or none", where);
  return of_options;
}

std::string why_too_large(int bytes, const ArchLimits& limits) {
  if (bytes <= limits.shared_bytes_per_block) return {};
  return "a block takes " + std::to_string(bytes) + " bytes of shared memory, and " + limits.arch + " has " +
         std::to_string(limits.shared_bytes_per_block);
}

// Why the Hopper family does not serve this, under any schedule; empty where it does.
std::string why_not_hopper(const Variant& variant, const CompileOptions& options, const ArchLimits& limits) {
  if (limits.arch != "sm_90a" || (options.dtype != dtype::bf16 && options.dtype != dtype::f16) ||
      options.key_dim % 16 != 0 || options.key_dim < 32 || options.value_dim % 16 != 0 || options.value_dim < 32)
    return "the Hopper family serves sm_90a, bf16 and f16, and K and V that are multiples of 16 from 32 on";
  if (options.dtype == dtype::f16)
    if (const std::string reason = why_beyond_f16(variant); !reason.empty())
      return "the Hopper family does not serve '" + std::string(variant.name.view()) + "' in f16: " + reason;
  return {};
}

std::string why_unfit_for_hopper(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                                 const ArchLimits& limits) {
  if (std::string reason = why_not_hopper(variant, options, limits); !reason.empty()) return reason;
  if (schedule.level != Level::serial && schedule.level != Level::segment)
    return "the Hopper family runs at the levels serial and segment";
  if (schedule.chunk != 32 && schedule.chunk != 64) return "a chunk of the Hopper family has 32 or 64 tokens";
  if (schedule.value_tile != 64 && schedule.value_tile != 128)
    return "a value tile of the Hopper family has 64 or 128 columns";
  if (schedule.stages < 2 || schedule.stages > 6) return "the Hopper family has 2 to 6 stages";
  if (schedule.prepared && !variant.decay_axes().has(Axes::key))
    return "only decays per key leave a kernel of its own anything to prepare";
  if (schedule.prepared && schedule.level != Level::serial) return "what is prepared serves the level serial";
  if (options.key_dim > 128 && schedule.value_tile > 64 && !schedule.prepared)
    return "beyond K = 128 the state leaves room for 64 value columns";
  if (options.key_dim > 128 && schedule.chunk > 32) return "beyond K = 128 there is room for chunks of 32 tokens";
  if (schedule.cluster != 1) {
    const int tiles = (options.value_dim + schedule.value_tile - 1) / schedule.value_tile;
    if (schedule.cluster != 2) return "a cluster has 1 or 2 blocks";
    if (!variant.decay_axes().has(Axes::key)) return "only decays per key leave a cluster work to share";
    if (schedule.prepared) return "what is prepared leaves a cluster no work to share";
    if (options.dtype == dtype::f16)
      return "in f16 a block scales keys and queries by all of their columns, and shares none";
    if (options.key_dim % (64 * schedule.cluster) != 0) return "each block of a cluster takes multiples of 64 keys";
    if (tiles % schedule.cluster != 0)
      return "a cluster shares among neighbouring value tiles, and there are " + std::to_string(tiles);
  }
  const HopperLayout layout = hopper_layout(variant, options, schedule, KernelRole::scan);
  if (schedule.warps != layout.threads / 32) return "it has " + std::to_string(layout.threads / 32) + " warps";
  if (schedule.prepared) {
    const int bytes = hopper_layout(variant, options, schedule, KernelRole::prepare).bytes;
    if (std::string reason = why_too_large(bytes, limits); !reason.empty()) return reason;
  }
  return why_too_large(layout.bytes, limits);
}

// All that share a level and whether keys are prepared.
void add_hopper(const Variant& variant, const CompileOptions& options, const Pins& pins, const ArchLimits& limits,
                Level level, bool prepared, std::vector<Schedule>& legal) {
  const std::vector<int> stage_choices =
      prepared ? choices(pins.stages, 0, prepared_stage_counts) : choices(pins.stages, 0, hopper_stage_counts);
  for (const int chunk : choices(pins.chunk, 0, hopper_chunks))
    for (const int value_tile : choices(pins.value_tile, 0, hopper_value_tiles))
      for (const int stages : stage_choices)
        for (const int cluster : choices(pins.cluster, 0, hopper_clusters)) {
          if (chunk != 32 && chunk != 64) continue;
          if (pins.value_tile == 0 && value_tile > 64 && options.value_dim <= 64) continue;
          Schedule schedule{.family = Family::hopper,
                            .level = level,
                            .chunk = chunk,
                            .value_tile = value_tile,
                            .warps = 0,
                            .stages = stages,
                            .cluster = cluster,
                            .prepared = prepared};
          schedule.warps = hopper_layout(variant, options, schedule, KernelRole::scan).threads / 32;
          if (pins.warps != 0 && pins.warps != schedule.warps) continue;
          if (why_unfit_for_hopper(variant, options, schedule, limits).empty()) legal.push_back(schedule);
        }
}

std::string why_unfit(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                      const ArchLimits& limits) {
  if (schedule.family == Family::hopper) return why_unfit_for_hopper(variant, options, schedule, limits);
  if (schedule.family != Family::portable) return "its family is portable or hopper";
  if (schedule.level != Level::serial && schedule.level != Level::chunk)
    return "the portable family runs at the levels serial and chunk";
  if (schedule.chunk < 16 || schedule.chunk > 128 || schedule.chunk % 16 != 0)
    return "a chunk is a multiple of 16 tokens from 16 to 128";
  if (schedule.value_tile < 16 || schedule.value_tile > max_value_tile || schedule.value_tile % 16 != 0)
    return "a value tile is a multiple of 16 columns from 16 to 256";
  if (schedule.stages < 1 || schedule.stages > 2) return "it has 1 or 2 stages";
  if (schedule.cluster != 1) return "the portable family has no clusters";
  if (schedule.prepared) return "the portable family prepares nothing in a kernel of its own";
  if (schedule.warps < 1 || schedule.warps > max_warps) return "it has 1 to 16 warps";
  if (schedule.value_tile != 8 * schedule.warps && schedule.value_tile != 16 * schedule.warps &&
      schedule.value_tile != 32 * schedule.warps)
    return "a value tile has 8, 16 or 32 columns a warp";
  const int key_padded = padded_keys(options.key_dim);
  const int state = key_padded * std::max(schedule.value_tile / schedule.warps, 16) / 32;
  if (state + working_registers > std::min(thread_registers, multiprocessor_registers / (32 * schedule.warps)))
    return "the state leaves a thread fewer than 64 of its registers";
  const KernelRole largest = schedule.level == Level::serial ? KernelRole::scan : KernelRole::output;
  for (const KernelRole role : {largest, KernelRole::states}) {
    if (std::string reason = why_too_large(shared_bytes(variant, options, schedule, role), limits); !reason.empty())
      return reason;
  }
  return {};
}

std::vector<Schedule> enumerate(const Variant& variant, const CompileOptions& options, const Pins& pins,
                                const ArchLimits& limits) {
  std::vector<Schedule> legal;
  if (pins.family != Family::portable && why_not_hopper(variant, options, limits).empty())
    for (const Level level : choices(pins.level, Level::automatic, hopper_levels))
      for (const bool prepared : {false, true})
        if (prepared || !pins.prepared) add_hopper(variant, options, pins, limits, level, prepared, legal);
  if (pins.family == Family::hopper || pins.cluster > 1 || pins.prepared) return legal;
  for (const Level level : choices(pins.level, Level::automatic, levels))
    for (const int chunk : choices(pins.chunk, 0, chunks))
      for (const int value_tile : choices(pins.value_tile, 0, value_tiles))
        for (const int columns : columns_of_a_warp)
          for (const int stages : choices(pins.stages, 0, stage_counts)) {
            const Schedule schedule{.level = level,
                                    .chunk = chunk,
                                    .value_tile = value_tile,
                                    .warps = value_tile / columns,
                                    .stages = stages};
            if (pins.warps != 0 && pins.warps != schedule.warps) continue;
            // A tile beyond the last column only adds work; it is there for those who ask for it.
            if (pins.value_tile == 0 && value_tile > 16 && value_tile / 2 >= options.value_dim) continue;
            if (why_unfit(variant, options, schedule, limits).empty()) legal.push_back(schedule);
          }
  return legal;
}

std::string pinned_text(const Pins& pins) {
  std::string text;
  const auto add = [&](const char* name, const std::string& value) {
    text += (text.empty() ? "" : " ") + std::string(name) + "=" + value;
  };
  if (pins.family != Family::automatic) add("family", std::string(name_in(family_names, pins.family)));
  if (pins.level != Level::automatic) add("level", std::string(name_in(level_names, pins.level)));
  if (pins.chunk != 0) add("chunk", std::to_string(pins.chunk));
  if (pins.value_tile != 0) add("value_tile", std::to_string(pins.value_tile));
  if (pins.warps != 0) add("warps", std::to_string(pins.warps));
  if (pins.stages != 0) add("stages", std::to_string(pins.stages));
  if (pins.cluster != 0) add("cluster", std::to_string(pins.cluster));
  if (pins.prepared) add("prepared", "true");
  return text;
}

// The values that each knob takes in legal schedules.
std::string accepted_text(const std::vector<Schedule>& legal) {
  std::string text;
  const auto add = [&](const char* name, int Schedule::*member) {
    std::set<int> values;
    for (const Schedule& schedule : legal) values.insert(schedule.*member);
    text += std::string(", ") + name + " of";
    for (const int value : values) text += " " + std::to_string(value);
  };
  std::set<Level> legal_levels;
  for (const Schedule& schedule : legal) legal_levels.insert(schedule.level);
  for (const Level level : legal_levels)
    text += (text.empty() ? "" : " or ") + std::string(name_in(level_names, level));
  const auto by_chunk = [](const Schedule& a, const Schedule& b) { return a.chunk < b.chunk; };
  text = "level " + text;
  const auto is_portable = [](const Schedule& schedule) { return schedule.family == Family::portable; };
  if (std::any_of(legal.begin(), legal.end(), is_portable))
    text += ", chunk a multiple of 16 up to " +
            std::to_string(std::max_element(legal.begin(), legal.end(), by_chunk)->chunk);
  else
    add("chunk", &Schedule::chunk);
  add("value_tile", &Schedule::value_tile);
  add("warps", &Schedule::warps);
  const auto by_stages = [](const Schedule& a, const Schedule& b) { return a.stages < b.stages; };
  const auto [fewest, most] = std::minmax_element(legal.begin(), legal.end(), by_stages);
  text += ", stages from " + std::to_string(fewest->stages) + " to " + std::to_string(most->stages);
  add("cluster", &Schedule::cluster);
  return text + ", in combinations that fit";
}

// What only the Hopper family has; empty: nothing of that is pinned.
std::string hopper_pin(const Pins& pins) {
  if (pins.prepared) return "--prepared";
  if (pins.cluster > 1) return "--cluster";
  return pins.level == Level::segment ? "--states" : "";
}

[[noreturn]] void refuse_all(const Variant& variant, const CompileOptions& options, const Pins& pins,
                             const ArchLimits& limits) {
  const std::string hopper_where = hopper_pin(pins);
  if (pins.family == Family::portable && !hopper_where.empty())
    throw Error(
        ErrorCode::invalid_argument, "prepared keys, clusters and segments are the Hopper family's", pinned_text(pins),
        hopper_where == "--states" ? "level serial or chunk, or family=hopper" : "family=hopper, or none of them",
        hopper_where);
  const bool is_hopper = pins.family == Family::hopper || !hopper_where.empty();
  if (pins.prepared && !variant.decay_axes().has(Axes::key))
    throw Error(ErrorCode::invalid_argument, "only decays per key leave a kernel of its own anything to prepare",
                std::string(variant.name.view()) + ", " + pinned_text(pins), "a variant with decays per key",
                hopper_where);
  if (pins.prepared && pins.level != Level::automatic && pins.level != Level::serial)
    throw Error(ErrorCode::invalid_argument, "what is prepared serves the level serial", pinned_text(pins),
                "level serial, or none", "--states");
  const std::string reason = is_hopper ? why_not_hopper(variant, options, limits) : "";
  if (!reason.empty())
    throw Error(ErrorCode::unsupported, reason,
                (pins.family == Family::hopper ? "family=hopper" : pinned_text(pins)) + " with " +
                    name_of(options.dtype) + ", K = " + std::to_string(options.key_dim) +
                    ", V = " + std::to_string(options.value_dim) + " on " + limits.arch,
                options.dtype == dtype::f16 && !why_beyond_f16(variant).empty() ? "bf16, or the portable family"
                : hopper_where == "--states"
                    ? "level serial or chunk, or bf16 or f16 on sm_90a with K and V multiples of 16 from 32 on"
                    : "bf16 or f16 on sm_90a, K and V multiples of 16 from 32 on; or the portable family",
                pins.family == Family::hopper ? "--family" : hopper_where);
  Pins kept{.family = is_hopper ? Family::hopper : pins.family, .level = pins.level, .prepared = pins.prepared};
  std::vector<Schedule> others = enumerate(variant, options, kept, limits);
  if (others.empty()) others = enumerate(variant, options, {.family = kept.family}, limits);
  const std::string memory =
      std::to_string(limits.shared_bytes_per_block) + " bytes of shared memory on " + limits.arch;
  const std::string where(variant.name.view());
  if (others.empty())
    throw Error(ErrorCode::unsupported, "no schedule fits",
                "K = " + std::to_string(options.key_dim) + ", V = " + std::to_string(options.value_dim) + ", " +
                    name_of(options.dtype),
                "what fits " + memory, where);
  throw Error(ErrorCode::invalid_argument, "no schedule fits what is pinned, with " + memory, pinned_text(pins),
              accepted_text(others), where);
}

}  // namespace

Pins pins_of(const Variant& variant, const CompileOptions& options) {
  const auto level_text = [](Level level) { return std::string(name_in(level_names, level)); };
  return {.family = options.family,
          .level = agreed(options.level, variant.level_, Level::automatic, "the level", level_text(options.level),
                          level_text(variant.level_), std::string(variant.name.view())),
          .chunk = agreed(options.chunk, variant.chunk_, 0, "the chunk size", std::to_string(options.chunk),
                          std::to_string(variant.chunk_), std::string(variant.name.view())),
          .value_tile = options.value_tile,
          .warps = options.warps,
          .stages = options.stages,
          .cluster = options.cluster,
          .prepared = options.prepared};
}

std::string why_illegal(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                        const ArchLimits& limits) {
  const Pins pins = pins_of(variant, options);
  const auto differs = [](auto pinned, auto unpinned, auto value) { return pinned != unpinned && pinned != value; };
  if (differs(pins.family, Family::automatic, schedule.family) ||
      differs(pins.level, Level::automatic, schedule.level) || differs(pins.chunk, 0, schedule.chunk) ||
      differs(pins.value_tile, 0, schedule.value_tile) || differs(pins.warps, 0, schedule.warps) ||
      differs(pins.stages, 0, schedule.stages) || differs(pins.cluster, 0, schedule.cluster) ||
      differs(pins.prepared, false, schedule.prepared))
    return "it differs from what is pinned: " + pinned_text(pins);
  return why_unfit(variant, options, schedule, limits);
}

std::vector<Schedule> legal_schedules(const Variant& variant, const CompileOptions& options, std::string_view arch) {
  check_options(variant, options);
  return enumerate(variant, options, pins_of(variant, options), arch_limits(arch));
}

namespace {

// Others are there for those who ask for them.
bool may_be_default(const CompileOptions& options, const Schedule& schedule, bool can_prepare) {
  if (schedule.family != Family::hopper) return true;
  // Beyond K = 128 a block holds so few value columns that others repeat most of its work on keys, unless it is done
  // once for all of them, or at least shared; where it is little, that is more traffic than it saves.
  if (options.key_dim <= 128) return !schedule.prepared;
  return schedule.prepared || (schedule.cluster > 1 && (schedule.level == Level::segment || !can_prepare));
}

}  // namespace

Schedule default_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch) {
  const std::vector<Schedule> legal = legal_schedules(variant, options, arch);
  if (legal.empty()) refuse_all(variant, options, pins_of(variant, options), arch_limits(arch));
  const bool can_prepare =
      std::any_of(legal.begin(), legal.end(), [](const Schedule& schedule) { return schedule.prepared; });
  std::vector<Schedule> fast;
  std::copy_if(legal.begin(), legal.end(), std::back_inserter(fast),
               [&](const Schedule& schedule) { return may_be_default(options, schedule, can_prepare); });
  return preferred(fast.empty() ? legal : fast);
}

std::string to_string(const Schedule& schedule) {
  return std::string(name_in(family_names, schedule.family)) + "/" + std::string(name_in(level_names, schedule.level)) +
         " chunk=" + std::to_string(schedule.chunk) + " value_tile=" + std::to_string(schedule.value_tile) +
         " warps=" + std::to_string(schedule.warps) + " stages=" + std::to_string(schedule.stages) +
         (schedule.cluster > 1 ? " cluster=" + std::to_string(schedule.cluster) : "") +
         (schedule.prepared ? " prepared" : "");
}

}  // namespace rankone
