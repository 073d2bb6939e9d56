// SPDX-License-Identifier: MIT
// The untuned choice: a fixed order of what matters, then what an expected shape changes, with all its numbers here.
#include "codegen/choose.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include <rankone/dsl/features.hpp>
#include <rankone/error.hpp>

#include "codegen/backward_knobs.hpp"
#include "codegen/chain.hpp"
#include "codegen/kernels.hpp"
#include "codegen/knob_text.hpp"

namespace rankone {
namespace {

constexpr Level preferred_level = Level::serial;  // the least memory traffic
constexpr int preferred_stages = 2;               // the next chunk arrives while this one is computed
constexpr int preferred_chunk = 64;
constexpr int preferred_value_tile = 128;  // fewer columns repeat the work on keys and gates for each tile
constexpr int preferred_cluster = 2;
constexpr int preferred_recurrent_tile = 32, preferred_recurrent_warps = 4;  // 8 keys by 4 columns a thread at K = 128
// Each tile makes a token's features anew: it is wide, with a state that leaves a thread half of its registers. Rows in
// float32 take more of them. On sm_90a a few elements beyond half were measured to be faster than narrower tiles.
constexpr int preferred_feature_tile = 128, preferred_feature_warps = 16, most_feature_elements = 64;
constexpr int preferred_float_feature_warps = 8;
// Decoding waits for states alone: its blocks are many and small, but take whole lines of memory. Of few rows smaller ones
// occupy more multiprocessors.
constexpr int preferred_decode_tile = 64, preferred_decode_warps = 2, preferred_column_tile = 16;
constexpr int preferred_backward_elements = 32, preferred_full_elements = 16;  // of the state a thread; of a full decay
// Of a state that a block has all columns of; backward, more warps would leave a thread half of its registers.
constexpr int preferred_whole_elements = 32, most_whole_warps = 8;
// Of the backward pass in chunks: what leaves room for two blocks with the next tile under way.
constexpr int preferred_backward_tile = 32, preferred_backward_warps = 8, most_backward_accumulators = 32;
constexpr int preferred_columns = 16;  // of the state a warp, so that it stays in registers

// Beyond so many keys a block of the Hopper family holds so few value columns that blocks repeat most of the work on
// keys, unless it is done once for all of them, or at least shared.
constexpr int most_keys_to_repeat = 128;

// A schedule that occupies half of them leaves room for a better one.
constexpr std::int64_t multiprocessors = hopper_multiprocessors, half = multiprocessors / 2,
                       most = multiprocessors * 2 / 3;
constexpr std::int64_t many_tokens = 2048;  // of a sequence: it pays to split it
constexpr int narrow_tile = 64;

int doublings(int a, int b) {
  return std::abs(std::countl_zero(static_cast<unsigned>(a)) - std::countl_zero(static_cast<unsigned>(b)));
}

// Of the state, a thread's.
int elements_of(const Target& target, const Schedule& schedule) {
  const int keys = context_of(target).key_dim;
  const int parts = target.variant.is_complex() ? 2 : 1;
  return std::max(parts * keys * schedule.value_tile / (32 * schedule.warps), 1);
}

// Value columns and warps of a block that goes token by token.
std::pair<int, int> preferred_tile_by_token(const Target& target) {
  const int keys = context_of(target).key_dim;
  if (!has_features(target.variant) || (!reduces_keys(target.variant) && keys <= 256))
    return {preferred_recurrent_tile, preferred_recurrent_warps};
  if (target.options.dtype == dtype::f32) return {preferred_recurrent_tile, preferred_float_feature_warps};
  const int elements = keys * preferred_feature_tile / (32 * preferred_feature_warps);
  const bool fits = elements <= most_feature_elements || target.limits.arch == "sm_90a";
  return {fits ? preferred_feature_tile : preferred_feature_tile / 2, preferred_feature_warps};
}

// Beyond that many keys the work on them is much.
bool repeats_much(const Target& target) { return target.options.key_dim > most_keys_to_repeat; }

// What is preferred among a family's schedules.
struct Preferences {
  Family family;
  // Smaller is better, the first difference decides.
  using Demerits = std::array<int, 6>;
  Demerits (*demerits)(const Target&, const Schedule&);
  // Others are there for those who ask for them. `can_prepare`: there is a prepared schedule.
  bool (*saves_work)(const Target&, const Schedule&, bool can_prepare);
  bool follows_shapes;  // where sequences and heads leave multiprocessors idle
};

constexpr Preferences all_preferences[] = {
    {.family = Family::hopper,
     // The more stages fit, the less it waits.
     .demerits = [](const Target&, const Schedule& schedule) -> Preferences::Demerits {
       return {schedule.level != preferred_level,
               schedule.prepared,
               doublings(schedule.value_tile, preferred_value_tile),
               doublings(schedule.chunk, preferred_chunk),
               doublings(schedule.cluster, preferred_cluster),
               -schedule.stages};
     },
     // Where the work on keys is little, preparing it is more traffic than it saves.
     .saves_work =
         [](const Target& target, const Schedule& schedule, bool can_prepare) {
           if (!repeats_much(target)) return !schedule.prepared;
           return schedule.prepared || (schedule.cluster > 1 && (schedule.level == Level::segment || !can_prepare));
         },
     .follows_shapes = true},
    {.family = Family::portable,
     // Where factors of value columns stand beside the three operands of an exact product, registers are few.
     .demerits = [](const Target& target, const Schedule& schedule) -> Preferences::Demerits {
       const int columns = schedule.value_tile / schedule.warps;
       const bool has_few_registers = target.options.precision == Precision::f32 && target.variant.decays_by_value();
       return {schedule.level != preferred_level,
               schedule.stages != preferred_stages,
               doublings(schedule.value_tile, preferred_value_tile),
               has_few_registers && columns > preferred_columns,
               doublings(schedule.chunk, preferred_chunk),
               columns != preferred_columns};
     },
     .saves_work = [](const Target&, const Schedule&, bool) { return true; },
     .follows_shapes = false},
    {.family = Family::recurrent,
     .demerits = [](const Target& target, const Schedule& schedule) -> Preferences::Demerits {
       if (context_of(target).has_one_tile)
         return {schedule.value_tile, doublings(elements_of(target, schedule), preferred_whole_elements)};
       const auto [tile, warps] = preferred_tile_by_token(target);
       return {doublings(schedule.value_tile, tile), doublings(schedule.warps, warps)};
     },
     .saves_work = [](const Target&, const Schedule&, bool) { return true; },
     .follows_shapes = false}};

const Preferences& preferences_of(Family family) {
  const auto found = std::ranges::find(all_preferences, family, &Preferences::family);
  if (found == std::end(all_preferences))
    throw Error(ErrorCode::internal, "nothing is preferred among the schedules of a kernel family",
                std::string(family_of(family).title), "a row for each family", "choose");
  return *found;
}

bool is_better(const Target& target, const Schedule& a, const Schedule& b) {
  if (a.family == b.family) {
    const auto demerits = preferences_of(a.family).demerits;
    return demerits(target, a) < demerits(target, b);
  }
  for (const KernelFamily* family : kernel_families())  // in order of preference
    if (family->family == a.family || family->family == b.family) return family->family == a.family;
  return false;
}

// The choice under some pins.
class Chooser {
 public:
  Chooser(const Target& target, const Pins& pins) : target_(target), pins_(pins) {}

  std::optional<Schedule> best(const Pins& pins) const {
    const std::vector<Schedule> legal = legal_schedules(target_, pins);
    if (legal.empty()) return std::nullopt;
    const bool can_prepare =
        std::any_of(legal.begin(), legal.end(), [](const Schedule& schedule) { return schedule.prepared; });
    std::vector<Schedule> fast;
    std::copy_if(legal.begin(), legal.end(), std::back_inserter(fast), [&](const Schedule& schedule) {
      return preferences_of(schedule.family).saves_work(target_, schedule, can_prepare);
    });
    return preferred(target_, fast.empty() ? legal : fast);
  }

  // Where sequences and heads leave multiprocessors idle, narrower value tiles occupy them (and share the work on keys,
  // where there is any); of long sequences, where these would be too few, segments do.
  Schedule for_shape(const Schedule& usual, const Shape& shape) const {
    const std::int64_t sequences = std::max({shape.batch, shape.sequences, std::int64_t{1}});
    const std::int64_t value_heads = shape.value_heads != 0 ? shape.value_heads : shape.heads;
    const auto blocks = [&](const Schedule& schedule) {
      return sequences * value_heads * ((target_.options.value_dim + schedule.value_tile - 1) / schedule.value_tile);
    };
    if (!preferences_of(usual.family).follows_shapes || blocks(usual) > half) return usual;
    Pins pins = pins_;
    pins.family = usual.family;
    const bool pays_to_split = shape.batch * shape.tokens / sequences >= many_tokens;
    if (!pins_.value_tile) {
      pins.value_tile = narrow_tile;
      const auto narrow = best(pins);
      if (narrow && blocks(*narrow) <= multiprocessors && (blocks(*narrow) >= most || !pays_to_split)) return *narrow;
      pins.value_tile.reset();
    }
    if (!pins_.level && pays_to_split) {
      pins.level = Level::segment;
      const auto split = best(pins);
      if (split && (split->cluster > 1 || !repeats_much(target_))) return *split;
    }
    return usual;
  }

 private:
  const Target& target_;
  const Pins& pins_;
};

Schedule choose(const Variant& variant, const CompileOptions& options, std::string_view arch, const Shape* expected) {
  check_options(variant, options);
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  const Pins pins = pins_of(variant, options);
  const Chooser chooser(target, pins);
  auto usual = chooser.best(pins);
  if (!usual && !pins.family && !chooser.best({})) {  // too large for chunks, but not token by token
    Pins last = pins;
    last.family = Family::recurrent;
    usual = chooser.best(last);
  }
  if (!usual) refuse_pins(target, pins);
  return expected != nullptr ? chooser.for_shape(*usual, *expected) : *usual;
}

}  // namespace

std::string ChosenSchedule::text() const { return to_string(schedule) + " (" + origin + ")"; }

Schedule default_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch) {
  return choose(variant, options, arch, nullptr);
}

Schedule default_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch,
                          const Shape& expected) {
  return choose(variant, options, arch, &expected);
}

// The forward pass's own, where its kernels keep states without what is prepared.
Schedule states_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch,
                         const Schedule& forward) {
  if (!forward.prepared && forward.family != Family::recurrent) return forward;
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  for (const Family family : {forward.family, Family::portable}) {
    if (family == Family::recurrent) continue;
    const Pins pins{.family = family, .level = forward.level, .prepared = false};
    if (const auto best = Chooser(target, pins).best(pins)) return *best;
  }
  refuse_pins(target, {.family = Family::portable});
}

namespace {

std::vector<Schedule> decode_schedules(const Target& target) {
  const Pins any{.family = Family::recurrent};
  Pins pins = any;
  for (const KnobRow& row : recurrent_knobs) row.knob->pin(pins, pinned_beside(*row.knob, target.options.pins));
  for (const Pins& each : {pins, any})
    if (std::vector<Schedule> legal = legal_schedules(target, each); !legal.empty()) return legal;
  refuse_pins(target, any);
}

// Leaves those under which as many pins hold as can.
void keep_least_broken(std::vector<Schedule>& all, const Pins& pins, Family family) {
  const auto broken = [&](const Schedule& schedule) {
    return std::ranges::count_if(knobs_of(family_of(family), Pass::backward), [&](const KnobRow& row) {
      const auto pinned = pinned_beside(*row.knob, pins, family);
      return pinned && *pinned != row.knob->get(schedule);
    });
  };
  const auto fewest = broken(*std::ranges::min_element(all, {}, broken));
  std::erase_if(all, [&](const Schedule& schedule) { return broken(schedule) > fewest; });
}

// In chunks, unless the recurrent family is pinned. None where there is no such form, or nothing fits.
std::vector<Schedule> backward_schedules_in_chunks(const Target& target) {
  const Pins pins = pins_of(target.variant, target.options);
  const auto served = [&] {
    return portable_family.why_not_served(target).reason.empty() && portable_family.why_no_backward(target).empty();
  };
  if (pins.family == Family::recurrent || !served()) return {};
  std::vector<Schedule> all;
  const KnobContext context = context_of(target);
  const auto domain = [](const Knob& knob) { return row_of(portable_backward_knobs, knob)->domain; };
  for (const int chunk : domain(chunk_knob))
    for (const int tile : domain(value_tile_knob))
      for (const int warps : domain(warps_knob))
        for (const int stages : domain(stages_knob)) {
          const Schedule schedule{
              .level = Level::chunk, .chunk = chunk, .value_tile = tile, .warps = warps, .stages = stages};
          const bool is_tried = std::ranges::all_of(portable_backward_knobs, [&](const KnobRow& row) {
            return row.worth_trying == nullptr || row.worth_trying(context, schedule);
          });
          if (is_tried && why_unfit(target, schedule, Pass::backward).empty()) all.push_back(schedule);
        }
  if (!all.empty()) keep_least_broken(all, pins, Family::portable);
  return all;
}

// Those whose states find place; of these where any does as it is pinned, those.
std::vector<Schedule> backward_schedules(const Target& target) {
  std::vector<Schedule> all = backward_schedules_in_chunks(target);
  if (!all.empty()) return all;
  std::string reason;  // of the last one that does not fit
  for (const int tile : row_of(recurrent_family, value_tile_knob)->domain)
    for (const int warps : row_of(recurrent_family, warps_knob)->domain) {
      const Schedule schedule{.family = Family::recurrent, .value_tile = tile, .warps = warps};
      const int of_all = context_of(target).tile_columns_of_all;
      if (tile - of_all >= 2 * context_of(target).value_dim && tile > of_all + 4) continue;
      if (std::string unfit = why_unfit(target, schedule, Pass::backward); unfit.empty())
        all.push_back(schedule);
      else
        reason = std::move(unfit);
    }
  if (all.empty())
    throw Error(ErrorCode::unsupported, "the backward pass finds no place for its states: " + reason,
                target.limits.arch,
                !context_of(target).has_whole_pass ? "smaller K, or an architecture with more shared memory"
                : target.variant.chains_           ? "smaller K, M or V"
                                                   : "smaller K or V",
                std::string(target.variant.name.view()));
  keep_least_broken(all, target.options.pins, Family::recurrent);
  return all;
}

}  // namespace

std::optional<int> pinned_beside(const Knob& knob, const Pins& pins, Family family) {
  if (pins.family.value_or(family) != family) return std::nullopt;
  const KnobRow* const row = row_of(knobs_of(family_of(family), Pass::backward), knob);
  const auto pinned = knob.pinned(pins);
  return row != nullptr && pinned && row->domain.has(*pinned) ? pinned : std::nullopt;
}

Schedule decode_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch,
                         const std::optional<Shape>& expected) {
  // A value column's keys are side by side, or else the value columns of a key.
  const bool has_few_rows = expected && expected->tokens <= most_decoded_tokens &&
                            expected->batch * std::max(expected->heads, expected->value_heads) <= half;
  const int wide = has_few_rows ? preferred_recurrent_tile : preferred_decode_tile,
            tile = options.value_major_state ? preferred_column_tile : wide,
            warps = options.value_major_state || has_few_rows ? preferred_recurrent_warps : preferred_decode_warps;
  const std::vector<Schedule> all = schedules_of(Pass::decode, variant, options, arch);
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  if (context_of(target).has_one_tile) return preferred(target, all);
  return *std::ranges::min_element(all, {}, [&](const Schedule& schedule) {
    return std::pair(doublings(schedule.value_tile, tile), doublings(schedule.warps, warps));
  });
}

namespace {

// A multiprocessor has room for two blocks of eight warps where a thread has 64 accumulators of dq and dk.
Schedule preferred_in_chunks(const Target& target, const std::vector<Schedule>& all) {
  const int values = std::min(preferred_backward_tile,
                              static_cast<int>(std::bit_ceil(static_cast<unsigned>(target.options.value_dim))));
  return *std::ranges::min_element(all, {}, [&](const Schedule& schedule) {
    const int elements = schedule.chunk * padded_keys(target.options.key_dim) / (32 * schedule.warps);
    return std::tuple(doublings(schedule.chunk, preferred_chunk), schedule.stages != preferred_stages,
                      doublings(schedule.value_tile, std::max(values, 16)), elements > most_backward_accumulators,
                      doublings(schedule.warps, preferred_backward_warps));
  });
}

}  // namespace

// As many warps as give each thread some elements of a tile, two blocks of which find place on a multiprocessor: one of wider
// tiles has as many warps, but all of them wait for each other.
Schedule backward_schedule(const Variant& variant, const CompileOptions& options, std::string_view arch) {
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  const std::vector<Recurrence> all_of_it = recurrences_of(variant, options);
  const bool is_full =
      std::ranges::any_of(all_of_it, [](const Recurrence& each) { return recurrent::has_full_decay(each.variant); });
  const int preferred = is_full ? preferred_full_elements : preferred_backward_elements;
  const std::vector<Schedule> all = schedules_of(Pass::backward, variant, options, arch);
  if (all.front().family == Family::portable) return preferred_in_chunks(target, all);
  return *std::ranges::min_element(all, {}, [&](const Schedule& schedule) {
    const bool has_few_registers = context_of(target).has_whole_pass && schedule.warps > most_whole_warps;
    return std::tuple(doublings(schedule.value_tile, preferred_recurrent_tile), has_few_registers,
                      doublings(elements_of(target, schedule), preferred));
  });
}

std::vector<Schedule> schedules_of(Pass pass, const Variant& variant, const CompileOptions& options,
                                   std::string_view arch) {
  check_options(variant, options);
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  switch (pass) {
    case Pass::backward: return backward_schedules(target);
    case Pass::decode: return decode_schedules(target);
    default: return legal_schedules(variant, options, arch);
  }
}

Schedule schedule_for(Pass pass, const Variant& variant, const CompileOptions& options, std::string_view arch,
                      const ChosenSchedule& forward) {
  require_admitted(variant, pass);
  const auto own = std::ranges::find(forward.beside, pass, &PassSchedule::pass);
  if (own != forward.beside.end()) return own->schedule;
  switch (pass) {
    case Pass::forward: return forward.schedule;
    case Pass::states: return states_schedule(variant, options, arch, forward.schedule);
    case Pass::combine: return {};
    case Pass::backward: return backward_schedule(variant, options, arch);
    case Pass::decode: return decode_schedule(variant, options, arch, forward.expected);
  }
  return forward.schedule;
}

Program lower_beside(const Program& forward, Pass pass) {
  const ChosenSchedule chosen{.schedule = forward.schedule, .expected = forward.expected, .beside = forward.beside};
  const Schedule schedule = schedule_for(pass, forward.variant, forward.options, forward.arch, chosen);
  return lower(forward.variant, forward.options, schedule, forward.arch, pass);
}

CompileOptions usual_options(const Variant& variant, CompileOptions options) {
  options.key_dim = static_cast<int>(usual_key_dim(variant, options.key_dim));
  return options;
}

Schedule preferred(const Target& target, const std::vector<Schedule>& legal) {
  return *std::ranges::min_element(legal,
                                   [&](const Schedule& a, const Schedule& b) { return is_better(target, a, b); });
}

}  // namespace rankone
