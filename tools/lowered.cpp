// SPDX-License-Identifier: MIT
// A pass of a variant, lowered for an architecture.
#include "tools/lowered.hpp"

#include "autotune/lookup.hpp"
#include "tools/request.hpp"

namespace rankone {

Lowered lower_for(const Options& options, const Variant& variant, const Dims& dims, const Device& device,
                  const std::string& arch) {
  const Pass pass = pass_of(options);
  const CompileOptions compile = compile_options(options, dims);
  note_suffix(options, variant, compile, arch);
  const ChosenSchedule chosen =
      chosen_for(pass, variant, compile, arch, choose_schedule(variant, compile, device, arch, expected_shape(dims)));
  return {lower(variant, compile, chosen.schedule, arch, pass), chosen};
}

}  // namespace rankone
