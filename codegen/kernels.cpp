// SPDX-License-Identifier: MIT
// Which kernels a pass consists of, and what it keeps in the workspace.
#include "codegen/kernels.hpp"

#include <algorithm>

#include "codegen/family.hpp"

namespace rankone {

Extent slots_of(const Extent& tokens) {
  const Extent pieces = ceil_div(Size::tokens, tokens);
  return select(Size::packed, pieces + Size::sequences, pieces * Size::batch);
}

bool reads_tensors(const Expression& formula) {
  return std::any_of(formula.begin(), formula.end(), [](const Node& node) {
    return is_tensor(node.operation) || node.operation == Operation::scanned ||
           node.operation == Operation::scanned_before;
  });
}

std::string sides_of_inputs(const KernelSource& source) {
  std::string sides;
  for (const Port& port : ports_of(ports(source.variant, source.options), PortRole::gate))
    sides += std::string(sides.empty() ? "" : ", ") + (port.axes.has(Axis::tokens) ? "true" : "false");
  return "static constexpr bool input_is_of_queries[] = {" + (sides.empty() ? "true" : sides) + "};";
}

Extent key_tokens_of(const KernelSource& source) {
  return source.variant.non_causal_ ? Extent(Size::key_tokens).named("segment_tokens") : Extent();
}

std::vector<Kernel> kernels_of(const KernelSource& source) {
  if (source.pass == Pass::combine) return {portable::combine(source)};
  return family_of(source.schedule.family).kernels(source);
}

std::vector<Region> regions_of(const KernelSource& source) {
  if (source.pass == Pass::combine) return {};
  return family_of(source.schedule.family).regions(source);
}

Extent segment_tokens_of(const KernelSource& source) {
  if (source.pass == Pass::combine) return {};
  return family_of(source.schedule.family).segment_tokens(source);
}

}  // namespace rankone
