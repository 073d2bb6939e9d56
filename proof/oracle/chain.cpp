// SPDX-License-Identifier: MIT
// A chain in float64.
#include "proof/oracle/chain.hpp"

#include <string>
#include <vector>

#include "codegen/chain.hpp"
#include "proof/memory.hpp"
#include "runtime/given_arguments.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone::recurrence {
namespace {

// The tensors of a call under the names that a pass has for them.
template <class Arguments>
Arguments renamed(const Variant& chain, const CompileOptions& options, const Arguments& of_chain, Stage stage,
                  Pass pass) {
  Arguments own;
  own.scalars = of_chain.scalars;
  if (stage == Stage::first) own.scale = of_chain.scale;
  const GivenArguments given(of_chain);
  for (const Port& port : ports(chain, options, pass)) {
    const auto name = port.role == PortRole::gradient ? std::nullopt : name_in(stage, port);
    const Tensor* const tensor = given.find(place_of(port.name), given.inputs, port.name);
    if (name && tensor != nullptr && is_given(*tensor)) bind_tensor(own, *name, *tensor);
  }
  return own;
}

}  // namespace

Passed::Passed(const Variant& chain, const CompileOptions& options, const ForwardArguments& arguments)
    : sizes(bind(chain, options, arguments)), chain_(chain), options_(options) {
  run(renamed(chain, options, arguments, Stage::first, Pass::forward));
}
Passed::Passed(const Variant& chain, const CompileOptions& options, const BackwardArguments& arguments)
    : sizes(bind(chain, options, arguments)), chain_(chain), options_(options) {
  const BackwardArguments back = renamed(chain, options, arguments, Stage::first, Pass::backward);
  run({.q = back.q,
       .k = back.k,
       .inputs = back.inputs,
       .scalars = back.scalars,
       .scale = back.scale,
       .initial_state = back.initial_state,
       .cu_seqlens = back.cu_seqlens,
       .start_positions = back.start_positions});
}

void Passed::run(const ForwardArguments& of_first) {
  passed_.shape = {sizes.batch, sizes.tokens, sizes.value_heads, sizes.slot_dim};
  const auto elements = static_cast<std::size_t>(Tensor(nullptr, dtype::f64, passed_.shape).elements());
  require_memory(static_cast<double>(elements) * 8, std::string(passed_input.view()), std::string(chain_.name.view()));
  passed_.values.resize(elements);
  ForwardArguments arguments = of_first;
  arguments.o = passed_.view();
  const Recurrence first = recurrences_of(chain_, options_).front();
  run_forward(first.variant, first.options, arguments);
}

ForwardArguments Passed::arguments_of(Stage stage, const ForwardArguments& of_chain) const {
  ForwardArguments own = renamed(chain_, options_, of_chain, stage, Pass::forward);
  if (stage == Stage::second) own.inputs.push_back({std::string(passed_input.view()), passed_.view()});
  return own;
}
BackwardArguments Passed::arguments_of(Stage stage, const BackwardArguments& of_chain) const {
  BackwardArguments own = renamed(chain_, options_, of_chain, stage, Pass::backward);
  if (stage == Stage::second) own.inputs.push_back({std::string(passed_input.view()), passed_.view()});
  return own;
}

void run_chain(const Variant& chain, const CompileOptions& options, const ForwardArguments& arguments) {
  const Passed passed(chain, options, arguments);
  const Recurrence second = recurrences_of(chain, options).back();
  run_forward(second.variant, second.options, passed.arguments_of(Stage::second, arguments));
}

}  // namespace rankone::recurrence
