// SPDX-License-Identifier: MIT
// Kernels of the recurrent family.
#include <rankone/dsl/decay_sides.hpp>

#include "codegen/kernels.hpp"
#include "templates/recurrent/layout.cuh"

namespace rankone {

RecurrentLayout recurrent_layout(const KernelSource& source) {
  const Variant& variant = source.variant;
  const bool is_full = variant.decays_by_key() && variant.decays_by_value() && !decay_sides(variant);
  const std::size_t inputs = ports_of(ports(variant, source.options), PortRole::gate).size();
  return make_recurrent_layout({.warps = source.schedule.warps,
                                .key_dim = source.options.key_dim,
                                .value_tile = source.schedule.value_tile,
                                .inputs = is_full ? static_cast<int>(inputs) : 0,
                                .reduces_keys = reduces_keys(variant),
                                .value_major = source.options.value_major_state});
}

namespace {

Kernel in_pass(const KernelSource& source, const std::string& pass) {
  const RecurrentLayout layout = recurrent_layout(source);
  Kernel kernel{.name = pass == "forward" ? "recurrent" : pass,
                .entry = pass,
                .header = "recurrent/" + pass + ".cuh",
                .call = "rankone::recurrent_" + pass + "<rankone::Policy, rankone::Gate>(arguments);",
                .check = "rankone::RecurrentTraits<rankone::Policy>::layout.bytes == " + std::to_string(layout.bytes),
                .schedule = source.schedule,
                .threads = layout.threads,
                .shared_bytes = layout.bytes};
  kernel.items = kernel.blocks = Extent(Size::sequences) * Size::value_heads * value_tiles(source);
  return kernel;
}

}  // namespace

Kernel recurrent::forward(const KernelSource& source) { return in_pass(source, "forward"); }
Kernel recurrent::decode(const KernelSource& source) { return in_pass(source, "decode"); }

}  // namespace rankone
