// SPDX-License-Identifier: MIT
// Kernels of chains: those of the recurrent family for either pass, and what stands between them.
#include <algorithm>
#include <string>
#include <utility>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/leaves.hpp>

#include "codegen/chain.hpp"
#include "codegen/kernels.hpp"

namespace rankone {
namespace {

// What the builders of either pass know.
class ChainSources {
 public:
  explicit ChainSources(const KernelSource& chain)
      : chain_(chain), passes_(recurrences_of(chain.variant, chain.options)) {
    for (const Recurrence& pass : passes_) schedules_.push_back(schedule_in(pass, chain.schedule));
    const SlopeLayout of_first = slope_layout(first()), of_second = slope_layout(second());
    beside_first_ = {.token_floats_behind = of_second.token_floats,
                     .sequence_floats_behind = of_second.sequence_floats};
    beside_second_ = {.token_floats_before = of_first.token_floats, .sequence_floats_before = of_first.sequence_floats};
  }
  KernelSource first() const { return source(0, beside_first_); }
  KernelSource second() const { return source(1, beside_second_); }
  KernelSource of(Stage stage) const { return stage == Stage::first ? first() : second(); }

 private:
  KernelSource source(std::size_t pass, const SlopesBeside& beside) const {
    return {passes_[pass].variant, passes_[pass].options, schedules_[pass], chain_.pass, beside};
  }
  const KernelSource& chain_;
  std::vector<Recurrence> passes_;
  std::vector<Schedule> schedules_;
  SlopesBeside beside_first_{}, beside_second_{};
};

// A pass's kernel, under a name that the other one's does not have.
Kernel in_chain(const KernelSource& pass, Kernel kernel) {
  for (std::string* const name : {&kernel.name, &kernel.entry})
    *name += pass.variant.stage_ == Stage::first ? "_first" : "_second";
  return kernel;
}

// One like a builder's, but with another skeleton.
Kernel named(Kernel kernel, const char* name, const std::string& call) {
  kernel.name = kernel.entry = name;
  kernel.header = "recurrent/chain.cuh";
  kernel.call = "rankone::" + call + "(arguments);";
  return kernel;
}

std::vector<Kernel> backward_kernels(const KernelSource& chain, const ChainSources& sources) {
  const KernelSource first = sources.first(), second = sources.second();
  const std::string both = "<" + policy_of(first) + ", " + policy_of(second) + ">";
  std::vector<Kernel> all{
      in_chain(first, named(recurrent::forward(first), "pass_on", "recurrent_pass_on" + policy_and_gate_of(first))),
      in_chain(second, recurrent::checkpoints(second)),
      in_chain(second, recurrent::backward(second)),
      in_chain(second, named(recurrent::token_gradients(second), "passed_gradients",
                             "reduce_passed_gradients<" + policy_of(second) + ">")),
      in_chain(first, recurrent::checkpoints(first)),
      in_chain(first, recurrent::backward(first)),
      named(recurrent::token_gradients(first), "token_gradients", "reduce_chain_token_gradients" + both)};
  if (!has_scan(chain.variant) && parameters_of(chain.variant).empty()) return all;
  Kernel parameters = recurrent::parameter_gradients(first);
  parameters.items = parameters.blocks = max(parameters.items, recurrent::parameter_gradients(second).items);
  all.push_back(named(parameters, "parameter_gradients", "reduce_chain_parameter_gradients" + both));
  return all;
}

}  // namespace

Program program_of(const Program& chain, Stage stage) {
  const KernelSource whole{chain.variant, chain.options, chain.schedule, chain.pass};
  const ChainSources sources(whole);
  const KernelSource source = sources.of(stage);
  Program own = chain;
  own.variant = source.variant;
  own.options = source.options;
  own.schedule = source.schedule;
  own.ports = ports_of_stage(chain.variant, chain.options, chain.pass, stage);
  own.reads_key = stage == Stage::first && chain.reads_key;
  own.beside_slopes = source.beside_slopes;
  return own;
}

namespace recurrent {

std::vector<Kernel> chain_kernels(const KernelSource& source) {
  const ChainSources sources(source);
  if (source.pass == Pass::backward) return backward_kernels(source, sources);
  const bool decodes = source.pass == Pass::decode;
  std::vector<Kernel> all;
  for (const Stage stage : {Stage::first, Stage::second}) {
    const KernelSource own = sources.of(stage);
    all.push_back(in_chain(own, decodes ? decode(own) : forward(own)));
  }
  const KernelSource second = sources.second();
  // Of several tiles one kernel more says where the scan ends.
  if (decodes && has_scan(source.variant) && value_tiles(second) > 1)
    all.push_back(in_chain(second, decode_sums(second)));
  return all;
}

// What either pass keeps for itself has one place: they run one after the other.
std::vector<Region> chain_regions(const KernelSource& source) {
  const ChainSources sources(source);
  std::vector<Region> all;
  for (const Port& port : passed_ports(source.variant, source.options, source.pass)) {
    const bool is_slope = port.role == PortRole::gradient;
    all.push_back(
        {port.name,
         is_slope ? "the loss's slope with respect to that, float32"
                  : "what the first pass has read of each token, float32",
         nullptr,
         in_sixteens(Extent(Size::batch) * Size::tokens * Size::value_heads * std::int64_t{slots_of(source.options)}),
         port.slot});
  }
  for (const Stage stage : {Stage::first, Stage::second})
    for (Region& own : regions(sources.of(stage))) {
      const auto same =
          std::ranges::find_if(all, [&](const Region& each) { return each.port < 0 && each.argument == own.argument; });
      if (same == all.end())
        all.push_back(std::move(own));
      else
        same->bytes = max(same->bytes, own.bytes);
    }
  return all;
}

}  // namespace recurrent

}  // namespace rankone
