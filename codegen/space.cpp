// SPDX-License-Identifier: MIT
// Legal schedules, by walking the tables of knobs.
#include "codegen/space.hpp"

#include <algorithm>

#include <rankone/error.hpp>

#include "codegen/knob_text.hpp"

namespace rankone {
namespace {

// Extends a schedule by each value of one knob after the other.
class Walk {
 public:
  Walk(const Target& target, const KernelFamily& family, const Pins& pins, const Knob* thorough)
      : target_(target), context_(context_of(target)), family_(family), pins_(pins), thorough_(thorough) {}

  void run(std::vector<Schedule>& legal) const {
    for (const Knob* knob : all_knobs())
      if (const auto pinned = knob->pinned(pins_); pinned && !knows(family_, *knob, *pinned)) return;
    if (family_.why_not_served(target_).reason.empty()) extend({.family = family_.family}, 0, legal);
  }

 private:
  void extend(Schedule schedule, std::size_t index, std::vector<Schedule>& legal) const {
    if (index == family_.knobs.size()) {
      if (is_worth_trying(schedule) && why_unfit(target_, schedule).empty()) legal.push_back(schedule);
      return;
    }
    const Knob& knob = *family_.knobs[index].knob;
    const auto pinned = knob.pinned(pins_);
    for (const int value : family_.knobs[index].domain)
      if (!pinned || *pinned == value) {
        knob.set(schedule, value);
        extend(schedule, index + 1, legal);
      }
  }

  // Who pins a value asks for it.
  bool is_worth_trying(const Schedule& schedule) const {
    return std::all_of(family_.knobs.begin(), family_.knobs.end(), [&](const KnobRow& row) {
      return row.worth_trying == nullptr || row.knob == thorough_ || row.knob->pinned(pins_) ||
             row.worth_trying(context_, schedule);
    });
  }

  const Target& target_;
  KnobContext context_;
  const KernelFamily& family_;
  const Pins& pins_;
  const Knob* thorough_;
};

}  // namespace

Pins pins_of(const Variant& variant, const CompileOptions& options) {
  Pins own, pins = options.pins;
  if (variant.chunk_ != 0) own.chunk = variant.chunk_;
  if (variant.level_ != Level::automatic) own.level = variant.level_;
  for (const Knob* knob : all_knobs()) {
    const auto of_variant = knob->pinned(own), of_options = knob->pinned(pins);
    if (of_variant && of_options && *of_variant != *of_options)
      throw Error(ErrorCode::invalid_argument, std::string("'") + knob->name + "' is pinned twice, and differently",
                  text_of(*knob, *of_options), "the variant's own " + text_of(*knob, *of_variant) + ", or none",
                  place_of(*knob));
    if (of_variant) knob->pin(pins, of_variant);
  }
  return pins;
}

std::vector<Schedule> legal_schedules(const Target& target, const Pins& pins, const Knob* thorough) {
  std::vector<Schedule> legal;
  for (const KernelFamily* family : families_for(target, pins)) Walk(target, *family, pins, thorough).run(legal);
  return legal;
}

std::vector<Schedule> legal_schedules(const Variant& variant, const CompileOptions& options, std::string_view arch) {
  check_options(variant, options);
  const ArchLimits limits = arch_limits(arch);
  return legal_schedules({variant, options, limits}, pins_of(variant, options));
}

std::string why_illegal(const Target& target, const Schedule& schedule) {
  const Pins pins = pins_of(target.variant, target.options);
  bool differs = pins.family && *pins.family != schedule.family;
  for (const Knob* knob : all_knobs())
    if (const auto pinned = knob->pinned(pins)) differs = differs || *pinned != knob->get(schedule);
  if (differs) return "it differs from what is pinned: " + to_string(pins);
  return why_unfit(target, schedule);
}

}  // namespace rankone
