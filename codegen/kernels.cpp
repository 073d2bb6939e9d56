// SPDX-License-Identifier: MIT
// Which kernels a pass consists of, and what it keeps in the workspace.
#include "codegen/kernels.hpp"

namespace rankone {

// The portable family's f16 products run in tf32, which holds every f16 number and whose range no product or decay
// leaves; the Hopper family keeps its own in range.
int operand_bytes(const CompileOptions& options, Family family) {
  return options.dtype == dtype::bf16 || family == Family::hopper ? 2 : 4;
}

Extent slots_of(const Extent& tokens) {
  const Extent pieces = ceil_div(Size::tokens, tokens);
  return select(Size::packed, pieces + Size::sequences, pieces * Size::batch);
}

std::vector<Kernel> kernels_of(const KernelSource& source) {
  if (source.pass == Pass::combine) return {portable::combine(source)};
  const bool forward = source.pass == Pass::forward;
  const Schedule& schedule = source.schedule;
  std::vector<Kernel> kernels;
  if (schedule.family == Family::hopper) {
    if (schedule.prepared) return {hopper::prepare(source), hopper::scan(source)};
    if (!forward || schedule.level == Level::segment) kernels.push_back(hopper::states(source));
    if (schedule.level == Level::segment) kernels.push_back(hopper::join(source));
    if (forward) kernels.push_back(hopper::scan(source));
    return kernels;
  }
  if (!forward) return {portable::states(source)};
  if (schedule.level == Level::chunk) return {portable::states(source), portable::output(source)};
  return {portable::scan(source)};
}

std::vector<Region> regions_of(const KernelSource& source) {
  const Schedule& schedule = source.schedule;
  if (source.pass == Pass::combine) return {};
  if (schedule.level == Level::segment) return hopper::segment_regions(source);
  if (source.pass != Pass::forward) return {};
  if (schedule.prepared) return {hopper::prepared_chunks(source)};
  if (schedule.level == Level::chunk) return {portable::chunk_states(source)};
  return {};
}

Extent segment_tokens_of(const KernelSource& source) {
  const bool segments = source.pass != Pass::combine && source.schedule.level == Level::segment;
  return segments ? hopper::segment_tokens(source) : Extent();
}

}  // namespace rankone
