// SPDX-License-Identifier: MIT
// One call's tensors, checked and laid out as kernels read them.
#include "runtime/call.hpp"

#include <cmath>
#include <limits>
#include <sstream>

#include <rankone/dsl/math.hpp>
#include <rankone/error.hpp>

namespace rankone {
namespace {

// Strides in elements; those of dimensions that the tensor lacks are never used.
TensorArgument argument_of(const Tensor& tensor) {
  return {tensor.data, tensor.strides[0], tensor.strides[1], tensor.strides[2]};
}

template <class Named> const Named* find(const std::vector<Named>& all, const std::string& name) {
  for (const Named& each : all)
    if (each.name == name) return &each;
  return nullptr;
}

template <class Names> std::string joined(const Names& first, const Names& second) {
  std::string text;
  for (const Names* names : {&first, &second})
    for (const auto& each : *names) text += (text.empty() ? "" : ", ") + each.name;
  return text.empty() ? "none" : text;
}

}  // namespace

CallChecker::CallChecker(const Program& program, bool on_cpu)
    : program_(program), on_cpu_(on_cpu), where_(program.variant.name.view()) {
  const auto take = [&](Port& port, const char* name) {
    if (const Port* const found = find_port(program.ports, name)) port = *found;
  };
  take(query_, "q"), take(key_, "k"), take(value_, "v"), take(output_, "o"), take(offsets_, "cu_seqlens");
  take(initial_state_, "initial_state"), take(final_state_, "final_state"), take(total_, "log_decay_total");
  state_ = final_state_, state_.name = "state";
  earlier_ = initial_state_, earlier_.name = "earlier";
  inputs_ = ports_of(program.ports, PortRole::gate);
  parameters_ = ports_of(program.ports, PortRole::parameter);
}

Sizes CallChecker::known_sizes() const {
  Sizes sizes(where_);
  sizes.set(Axis::key, program_.options.key_dim);
  sizes.set(Axis::value, program_.options.value_dim);
  return sizes;
}

// `argument`: the pointer's place in the call's arguments.
void CallChecker::name_tensor(Call& call, const Port& port, const Tensor& tensor, const void* argument) const {
  if (!on_cpu_ || tensor.data == nullptr) return;
  const auto place =
      static_cast<const unsigned char*>(argument) - reinterpret_cast<const unsigned char*>(&call.arguments);
  CallTensor named{.name = port.name,
                .data = tensor.data,
                .rank = tensor.rank,
                .element_bytes = static_cast<int>(size_of(tensor.type)),
                .writable = port.writable,
                .initialized = !port.writable,
                .argument = static_cast<std::size_t>(place)};
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.rank); ++i) {
    named.sizes[i] = tensor.shape[i];
    named.strides[i] = tensor.strides[i];
  }
  call.tensors.push_back(std::move(named));
}

void CallChecker::bind_gates(const ForwardArguments& given, Sizes& sizes, Call& call) const {
  Arguments& arguments = call.arguments;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const NamedTensor* const found = find(given.inputs, inputs_[i].name);
    const Tensor tensor = found != nullptr ? found->tensor : Tensor();
    sizes.check(inputs_[i], tensor);
    arguments.inputs[i] = argument_of(tensor);
    name_tensor(call, inputs_[i], tensor, &arguments.inputs[i].data);
    if (is_vectorized(tensor)) arguments.flags |= first_input_is_vectorized << i;
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const NamedTensor* const found = find(given.inputs, parameters_[i].name);
    const Tensor tensor = found != nullptr ? found->tensor : Tensor();
    // A parameter that runs over no axis is one number, in any shape.
    const bool number = parameters_[i].axes.size() == 0 && is_given(tensor) && tensor.elements() == 1;
    sizes.check(parameters_[i], number ? Tensor(tensor.data, tensor.type, {}) : tensor);
    arguments.parameters[i] = tensor.data;
    name_tensor(call, parameters_[i], tensor, &arguments.parameters[i]);
  }
  if (given.inputs.size() == inputs_.size() + parameters_.size()) return;  // each was found, so these are all
  for (const NamedTensor& each : given.inputs) {
    if (find(inputs_, each.name) == nullptr && find(parameters_, each.name) == nullptr)
      sizes.refuse(each.name, "the variant does not read this tensor", each.name, joined(inputs_, parameters_));
    if (find(given.inputs, each.name) != &each)
      sizes.refuse(each.name, "the tensor is given twice", each.name + " and " + each.name, "each once");
  }
}

void CallChecker::bind_scalars(const ForwardArguments& given, Arguments& arguments) const {
  const auto refuse = [&](const char* message, const std::string& name, const std::string& accepted) {
    throw Error(ErrorCode::invalid_argument, message, name, accepted, where_);
  };
  const auto text = [](double value) {
    std::ostringstream stream;
    stream << value;
    return stream.str();
  };
  for (std::size_t i = 0; i < program_.scalars.size(); ++i) {
    const NamedScalar* const found = find(given.scalars, program_.scalars[i]);
    if (found == nullptr) refuse("a scalar is missing", "none", program_.scalars[i]);
    if (!math::is_finite_float(found->value))
      refuse("a scalar does not fit float32", found->name + " = " + text(found->value), "magnitudes up to 3.4e38");
    arguments.scalars[i] = static_cast<float>(found->value);
  }
  if (given.scalars.size() != program_.scalars.size())
    for (const NamedScalar& each : given.scalars) {
      std::string accepted;
      bool known = false;
      for (const std::string& name : program_.scalars) {
        accepted += (accepted.empty() ? "" : ", ") + name;
        known = known || name == each.name;
      }
      if (!known) refuse("the variant does not read this scalar", each.name, accepted.empty() ? "none" : accepted);
      if (find(given.scalars, each.name) != &each) refuse("a scalar is given twice", each.name, "one value");
    }
  double scale = given.scale != 0 ? given.scale : program_.variant.scale_;
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(program_.options.key_dim));
  if (!math::is_finite_float(scale) || math::is_zero_float(scale))
    refuse("the scale does not fit float32", text(scale),
           "a magnitude from 1.5e-45 to 3.4e38, or 0 for the variant's own");
  arguments.scale = static_cast<float>(scale);
}

void CallChecker::bind_packing(const ForwardArguments& given, Sizes& sizes, Call& call) const {
  const Tensor& offsets = given.cu_seqlens;
  if (!is_given(offsets)) return sizes.set(Axis::sequences, sizes[Axis::batch]);
  if (sizes[Axis::batch] != 1)
    sizes.refuse("cu_seqlens", "packed sequences stand in one row", "B = " + std::to_string(sizes[Axis::batch]),
                 "B = 1");
  sizes.check(offsets_, offsets);
  if (!sizes.knows(Axis::offsets)) sizes.refuse("cu_seqlens", "there is no offset", shape_text(offsets), "[N + 1]");
  if (on_cpu_) check_cu_seqlens(offsets, sizes[Axis::tokens], where_);
  call.arguments.cu_seqlens = offsets.data;
  name_tensor(call, offsets_, offsets, &call.arguments.cu_seqlens);
  if (offsets.type == dtype::i64) call.arguments.flags |= cu_seqlens_are_64_bit;
}

void CallChecker::bind_states(const ForwardArguments& given, Sizes& sizes, Call& call) const {
  Arguments& arguments = call.arguments;
  if (is_given(given.initial_state)) sizes.check(initial_state_, given.initial_state);
  if (is_given(given.final_state)) sizes.check(final_state_, given.final_state);
  arguments.initial_state = given.initial_state.data;
  arguments.final_state = given.final_state.data;
  name_tensor(call, initial_state_, given.initial_state, &arguments.initial_state);
  name_tensor(call, final_state_, given.final_state, &arguments.final_state);
}

void CallChecker::set_shape(Sizes& sizes, Call& call) const {
  const auto refuse = [&](const char* message, const std::string& heads) {
    throw Error(ErrorCode::invalid_argument, message, heads, "H from 1, and HV a multiple of H, below 2^31", where_);
  };
  const std::int64_t heads = sizes[Axis::heads], value_heads = sizes[Axis::value_heads];
  const std::string text = "H = " + std::to_string(heads) + ", HV = " + std::to_string(value_heads);
  if (heads < 1 || value_heads < 1 || value_heads > std::numeric_limits<int>::max())
    refuse("heads are out of range", text);
  if (value_heads % heads != 0) refuse("value heads do not share the key heads evenly", text);
  call.arguments.heads = static_cast<int>(heads);
  call.arguments.value_heads = static_cast<int>(value_heads);
  call.arguments.tokens = sizes[Axis::tokens];
  call.arguments.sequences = sizes[Axis::sequences];
  const bool packed = call.arguments.cu_seqlens != nullptr;
  call.shape = {sizes[Axis::batch], sizes[Axis::tokens], heads, value_heads, packed ? sizes[Axis::sequences] : 0};
}

void CallChecker::bind_workspace(const ForwardArguments& given, const Sizes& sizes, Call& call) const {
  const Sizes64 of_call = sizes_of(call.shape);
  const auto wanted = static_cast<std::size_t>(workspace_of(program_).evaluate(of_call));
  if (wanted == 0) return;
  const Tensor& space = given.workspace;
  const std::string accepted = std::to_string(wanted) + " bytes of the device's memory, contiguous and 16-byte aligned";
  if (!is_given(space)) sizes.refuse("workspace", "the tensor is missing", "nothing", accepted);
  const std::size_t bytes = static_cast<std::size_t>(space.elements()) * size_of(space.type);
  if (bytes < wanted)
    sizes.refuse("workspace", "the workspace is too small", std::to_string(bytes) + " bytes", accepted);
  if (!space.contiguous() || reinterpret_cast<std::uintptr_t>(space.data) % 16 != 0)
    sizes.refuse("workspace", "the workspace does not serve", "gaps, or another alignment", accepted);
  for (std::size_t i = 0; i < program_.regions.size(); ++i) {
    const Region& region = program_.regions[i];
    void*& place = call.arguments.*region.argument;
    place = static_cast<unsigned char*>(space.data) + offset_of(program_, i).evaluate(of_call);
    // Words of four bytes, as no kernel works on smaller ones there.
    const Port port{.name = "workspace." + region.name, .role = PortRole::workspace, .writable = true};
    name_tensor(call, port, Tensor(place, dtype::f32, {region.bytes.evaluate(of_call) / 4}), &place);
  }
  call.arguments.segment_tokens = program_.segment_tokens.evaluate(of_call);
}

Call CallChecker::forward(const ForwardArguments& given) const {
  Call call;
  Arguments& arguments = call.arguments;
  Sizes sizes = known_sizes();
  const auto take = [&](const Port& form, const Tensor& tensor, TensorArgument& to, unsigned flag) {
    sizes.check(form, tensor);
    to = argument_of(tensor);
    name_tensor(call, form, tensor, &to.data);
    if (is_vectorized(tensor)) arguments.flags |= flag;
  };
  take(query_, given.q, arguments.query, query_is_vectorized);
  if (program_.reads_key) take(key_, given.k, arguments.key, key_is_vectorized);
  take(value_, given.v, arguments.value, value_is_vectorized);
  bind_gates(given, sizes, call);
  bind_scalars(given, arguments);
  bind_packing(given, sizes, call);
  bind_states(given, sizes, call);
  sizes.check(output_, given.o);
  arguments.output = argument_of(given.o);
  name_tensor(call, output_, given.o, &arguments.output.data);
  if (is_vectorized(given.o)) arguments.flags |= output_is_vectorized;
  set_shape(sizes, call);
  bind_workspace(given, sizes, call);
  // Without tokens there is no output, but the final state still is the initial one.
  call.empty = arguments.sequences == 0 || (arguments.tokens == 0 && arguments.final_state == nullptr);
  return call;
}

Call CallChecker::states(const ForwardArguments& given, const Tensor& log_decay_total) const {
  Call call;
  Arguments& arguments = call.arguments;
  Sizes sizes = known_sizes();
  if (program_.reads_key) {
    sizes.check(key_, given.k);
    arguments.key = argument_of(given.k);
    name_tensor(call, key_, given.k, &arguments.key.data);
    if (is_vectorized(given.k)) arguments.flags |= key_is_vectorized;
  }
  sizes.check(value_, given.v);
  arguments.value = argument_of(given.v);
  name_tensor(call, value_, given.v, &arguments.value.data);
  if (is_vectorized(given.v)) arguments.flags |= value_is_vectorized;
  bind_gates(given, sizes, call);
  bind_scalars(given, arguments);
  // Where neither k nor a gate has key heads, nothing depends on their number.
  if (!sizes.knows(Axis::heads)) sizes.set(Axis::heads, sizes[Axis::value_heads]);
  bind_packing(given, sizes, call);
  bind_states(given, sizes, call);
  if (is_given(log_decay_total)) {
    sizes.check(total_, log_decay_total);
    arguments.log_decay_total = log_decay_total.data;
    name_tensor(call, total_, log_decay_total, &arguments.log_decay_total);
  }
  if (arguments.final_state == nullptr && arguments.log_decay_total == nullptr)
    sizes.refuse("final_state", "there is nothing to write", "neither", "final_state, log_decay_total, or both");
  set_shape(sizes, call);
  bind_workspace(given, sizes, call);
  call.empty = arguments.sequences == 0;
  return call;
}

Call CallChecker::combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier) const {
  Call call;
  Sizes sizes = known_sizes();
  sizes.check(state_, state);
  sizes.check(earlier_, earlier);
  sizes.check(total_, log_decay_total);
  sizes.set(Axis::heads, sizes[Axis::value_heads]);
  sizes.set(Axis::batch, sizes[Axis::sequences]);
  sizes.set(Axis::tokens, 0);
  call.arguments.final_state = state.data;
  call.arguments.initial_state = earlier.data;
  call.arguments.log_decay_total = log_decay_total.data;
  name_tensor(call, state_, state, &call.arguments.final_state);
  if (!call.tensors.empty()) call.tensors.back().initialized = true;  // it is added to
  name_tensor(call, earlier_, earlier, &call.arguments.initial_state);
  name_tensor(call, total_, log_decay_total, &call.arguments.log_decay_total);
  if (!call.tensors.empty()) call.tensors.back().writable = false, call.tensors.back().initialized = true;  // now read
  set_shape(sizes, call);
  call.empty = call.arguments.sequences == 0;
  return call;
}

}  // namespace rankone
