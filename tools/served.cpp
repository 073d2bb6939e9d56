// SPDX-License-Identifier: MIT
// What serves a variant: asked of the families and of the choice of schedules, and told nowhere else.
#include "tools/served.hpp"

#include <algorithm>

#include <rankone/dsl/carried.hpp>
#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "codegen/names.hpp"

namespace rankone {
namespace {

ChunkForm form_of_decays(const Variant& variant) {
  if (variant.non_causal_)
    return {
        "summed",
        "all queries read one state: a kernel sums up the keys of a sequence, and chunks of queries read the sum side by "
        "side"};
  if (variant.decays_by_key())
    return {
        "two levels",
        "decays are per key, and enter the queries and keys of scores relative to sub-chunks, so that no exponent can "
        "overflow"};
  if (variant.decays_by_value())
    return {"by value column", "the scores of a chunk are one product, and decays are left to its values"};
  if (!variant.has(Formula::decay))
    return {"plain", "nothing decays: the scores of a chunk are one product, masked to the past"};
  return {"by head",
          "decays are the same for all keys: the scores of a chunk are one product, times the decay between each two "
          "tokens"};
}

// Why a backward pass that could be in chunks is not; empty where it is, or where forward is not.
std::string why_by_token(const Variant& variant, const CompileOptions& options, const std::string& arch) {
  const ArchLimits limits = arch_limits(arch);
  const Target target{variant, options, limits};
  if (options.pins.family == Family::recurrent || !portable_family.why_not_served(target).reason.empty()) return {};
  if (std::string reason = portable_family.why_no_backward(target); !reason.empty()) return reason;
  return "no schedule of the backward pass in chunks fits";
}

// Of one architecture, under its forward pass's choice.
ServedPass::Choice choice_for(Pass pass, const Variant& variant, const CompileOptions& options,
                              const std::string& arch) {
  try {
    const ChosenSchedule forward{.schedule = default_schedule(variant, options, arch)};
    const Schedule schedule = schedule_for(pass, variant, options, arch, forward);
    const bool by_token = pass == Pass::backward && schedule.family == Family::recurrent;
    return {
        arch, std::string(family_of(schedule.family).name), {}, by_token ? why_by_token(variant, options, arch) : ""};
  } catch (const Error& error) {
    return {arch, {}, error.message()};
  }
}

}  // namespace

ChunkForm chunk_form(const Variant& variant, const CompileOptions& options) {
  std::vector<const KernelFamily*> serving;
  std::string reason;
  for (const KernelFamily* family : kernel_families()) {
    if (family->is_last_resort) continue;
    const auto serves = [&](const ArchLimits& arch) {
      reason = family->why_not_served({variant, options, arch}).reason;
      return reason.empty();
    };
    if (std::ranges::any_of(known_archs(), serves)) serving.push_back(family);
  }
  if (serving.empty()) return {"none", reason + "; the recurrent family walks token by token"};
  ChunkForm form = form_of_decays(variant);
  if (variant.decays_by_value())
    form.why += variant.decays_by_key() ? "; values decay likewise, or from token to token"
                                        : ", relative to sub-chunks or from token to token";
  if (variant.has(Formula::bonus))
    form.why += "; on their diagonal is the bonus";
  else if (variant.exclusive_)
    form.why += "; their diagonal is zero";
  if (is_normalised(variant)) form.why += "; the normaliser's sum of keys goes along in float32, beside the state";
  if (variant.reversed_) form.why += "; chunks are walked from the last to the first";
  if (serving.size() == 1) form.why += "; in " + std::string(serving.front()->title) + " alone";
  return form;
}

std::vector<ServedPass> served_passes(const Variant& variant, const CompileOptions& options,
                                      const std::vector<std::string>& archs) {
  std::vector<ServedPass> passes;
  for (const auto& [name, pass] : pass_names) {
    ServedPass served{.pass = pass, .name = std::string(name), .reason = why_not_admitted(variant, pass)};
    if (served.reason.empty())
      for (const std::string& arch : archs) served.choices.push_back(choice_for(pass, variant, options, arch));
    passes.push_back(std::move(served));
  }
  return passes;
}

}  // namespace rankone
