// SPDX-License-Identifier: MIT
// A pass of a variant, lowered for an architecture.
#include "tools/lowered.hpp"

#include <rankone/error.hpp>

#include "autotune/lookup.hpp"
#include "codegen/knob_text.hpp"
#include "tools/request.hpp"

namespace rankone {

Lowered lower_for(const Options& options, const Variant& variant, const Dims& dims, const Device& device,
                  const std::string& arch) {
  const Pass pass = pass_of(options);
  const CompileOptions compile = compile_options(options, dims);
  note_suffix(options, variant, compile, arch);
  const ChosenSchedule chosen =
      chosen_for(pass, variant, compile, arch, choose_schedule(variant, compile, device, arch, expected_shape(dims)));
  // Another family's states are as good; who pins one asks for that one.
  if (pass == Pass::states && compile.pins.family && *compile.pins.family != chosen.schedule.family)
    throw Error(ErrorCode::unsupported, std::string(family_of(*compile.pins.family).title) + " has no state-only pass",
                to_string(compile.pins),
                "family=" + std::string(family_of(chosen.schedule.family).name) + ", or no family", "pins.family");
  return {lower(variant, compile, chosen.schedule, arch, pass), chosen};
}

}  // namespace rankone
