// SPDX-License-Identifier: MIT
// Says which pins leave no legal schedule, and what they may be instead.
#include <algorithm>

#include <rankone/dsl/parts.hpp>
#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/names.hpp"
#include "codegen/space.hpp"

namespace rankone {
namespace {

using Families = std::vector<const KernelFamily*>;

class Refusal {
 public:
  Refusal(const Target& target, const Pins& pins) : target_(target), pins_(pins) {
    for (const Knob* knob : all_knobs())
      if (knob->pinned(pins)) pinned_.push_back(knob);
    wanted_ = families_for(target, pins);
  }

  [[noreturn]] void run() const {
    if (wanted_.empty()) family_of(*pins_.family);  // throws
    Families hosts;                                 // that take each of the values, if not all together
    for (const KernelFamily* family : wanted_)
      if (std::all_of(pinned_.begin(), pinned_.end(), [&](const Knob* knob) { return is_known(*family, *knob); }))
        hosts.push_back(family);
    if (hosts.empty()) refuse_unknown();
    bool is_served = false;
    for (const KernelFamily* family : hosts)
      if (family->why_not_served(target_).reason.empty()) {
        is_served = true;
        try_single_pins(*family);
      }
    if (!is_served) refuse_unserved(*hosts.front());
    refuse_unfit();
  }

 private:
  bool is_known(const KernelFamily& family, const Knob& knob) const { return knows(family, knob, *knob.pinned(pins_)); }
  std::string given(const Knob& knob) const {
    return std::string(knob.name) + "=" + text_of(knob, *knob.pinned(pins_));
  }
  std::string variant() const { return std::string(target_.variant.name.view()); }
  std::string sizes() const {
    const CompileOptions& options = target_.options;
    return std::string(name_of(options.dtype)) + ", K = " + std::to_string(options.key_dim) +
           ", V = " + std::to_string(options.value_dim) + " on " + target_.limits.arch;
  }

  // A value that no family has, or values that no family has together.
  [[noreturn]] void refuse_unknown() const {
    const std::string who =
        wanted_.size() == 1 ? std::string(wanted_.front()->title) + " does not take" : "no kernel family takes";
    for (const Knob* knob : pinned_) {
      if (std::any_of(wanted_.begin(), wanted_.end(), [&](auto* family) { return is_known(*family, *knob); })) continue;
      if (wanted_.size() == 1 && !pins_.family) refuse_unknown(*wanted_.front(), *knob, who);
      throw Error(ErrorCode::invalid_argument, who + " this '" + knob->name + "'", to_string(pins_),
                  std::string(knob->name) + " of " + accepted_text(*knob), place_of(*knob));
    }
    std::string accepted;
    for (const Knob* knob : pinned_)
      accepted += (accepted.empty() ? "" : ", and ") + std::string(knob->name) + " of " + accepted_text(*knob);
    throw Error(ErrorCode::invalid_argument, who + " all that is pinned together", to_string(pins_), accepted, "pins");
  }

  // By the only family that serves the variant.
  [[noreturn]] void refuse_unknown(const KernelFamily& family, const Knob& knob, const std::string& who) const {
    const KnobRow* const row = row_of(family, knob);
    const std::string_view part = part_without_chunks(target_.variant);
    const bool has_no_chunks = row == nullptr && family.is_last_resort && !part.empty();
    throw Error(
        ErrorCode::invalid_argument,
        has_no_chunks ? "there is no form in chunks for " + std::string(part) + ", and so no '" + knob.name + "'"
                      : who + " this '" + knob.name + "'",
        to_string(pins_),
        row == nullptr ? "no '" + std::string(knob.name) + "'" : std::string(knob.name) + " of " + text_of(*row),
        place_of(knob));
  }

  // Returns where no pin alone is what stands in the way.
  void try_single_pins(const KernelFamily& family) const {
    std::string reason, accepted;
    const Knob* first = nullptr;
    for (const Knob* knob : pinned_) {
      Pins others = pins_;
      others.family = family.family;
      knob->pin(others, std::nullopt);
      const std::vector<Schedule> legal = legal_schedules(target_, others, knob);
      if (legal.empty()) continue;
      std::vector<int> values;
      for (const Schedule& schedule : legal) values.push_back(knob->get(schedule));
      accepted += (accepted.empty() ? "" : ", or ") + std::string(knob->name) + " of " + text_of(*knob, values);
      if (first != nullptr) continue;
      first = knob;
      Schedule nearest = preferred(target_, legal);
      knob->set(nearest, *knob->pinned(pins_));
      reason = why_unfit(target_, nearest);
    }
    if (first != nullptr)
      throw Error(ErrorCode::invalid_argument, reason, to_string(pins_) + " with " + sizes(), accepted,
                  place_of(*first));
  }

  [[noreturn]] void refuse_unserved(const KernelFamily& family) const {
    auto [reason, accepted] = family.why_not_served(target_);
    const bool in_chunks = portable_family.why_not_served(target_).reason.empty();
    const KernelFamily& other = in_chunks ? portable_family : recurrent_family;
    // What asks for this family: itself, or values that the one lacks which serves in its place.
    std::vector<const Knob*> lacked;
    for (const Knob* knob : pinned_)
      if (!is_known(other, *knob)) lacked.push_back(knob);
    const bool by_variant = !in_chunks || accepted.empty();  // rather than by sizes or types
    if (accepted.empty()) accepted = "family=portable";
    if (by_variant)
      for (const Knob* knob : lacked)
        accepted += (knob == lacked.front() ? " with " : " and ") + taken_by(other, *knob);
    else if (pins_.family)
      accepted += ", or family=portable";
    else if (!lacked.empty())
      accepted += ", or " + taken_by(other, *lacked.front());
    const std::string place = pins_.family || lacked.empty() ? "pins.family" : place_of(*lacked.front());
    throw Error(ErrorCode::unsupported, reason, to_string(pins_) + " with " + sizes(), accepted, place);
  }
  // "chunk of 32, 64"; "no chunk" where the family has none.
  static std::string taken_by(const KernelFamily& family, const Knob& knob) {
    const std::string name(knob.name);
    if (const KnobRow* row = row_of(family, knob)) return name + " of " + text_of(*row);
    const int tacit = knob.get(Schedule{});
    return knows(family, knob, tacit) ? name + " of " + text_of(knob, tacit) : "no " + name;
  }

  [[noreturn]] void refuse_unfit() const {
    const std::string memory = std::to_string(target_.limits.shared_bytes_per_block) + " bytes of shared memory";
    const std::vector<Schedule> legal = legal_schedules(target_, {.family = pins_.family});
    if (legal.empty() || pinned_.empty())
      throw Error(ErrorCode::unsupported, "no schedule fits", sizes(), "what fits " + memory, variant());
    std::string accepted;
    for (const Knob* knob : pinned_) {
      std::vector<int> values;
      for (const Schedule& schedule : legal) values.push_back(knob->get(schedule));
      accepted += (accepted.empty() ? "" : ", ") + std::string(knob->name) + " of " + text_of(*knob, values);
    }
    throw Error(ErrorCode::invalid_argument, "no schedule fits what is pinned, with " + memory,
                to_string(pins_) + " with " + sizes(), accepted + ", in combinations that fit", variant());
  }

  const Target& target_;
  const Pins& pins_;
  std::vector<const Knob*> pinned_;
  Families wanted_;
};

}  // namespace

void refuse_pins(const Target& target, const Pins& pins) { Refusal(target, pins).run(); }

}  // namespace rankone
