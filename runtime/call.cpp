// SPDX-License-Identifier: MIT
// One call's tensors, checked and laid out as kernels read them.
#include "runtime/call.hpp"

#include <algorithm>
#include <limits>
#include <sstream>
#include <utility>

#include <rankone/dsl/features.hpp>
#include <rankone/dsl/math.hpp>
#include <rankone/dsl/scale.hpp>
#include <rankone/error.hpp>

#include "codegen/chain.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

// Strides in elements; those of dimensions that the tensor lacks are never used. Where there is one element, kernels reach
// for the next one all the same, to read nothing of it: it is to have an address like the first.
TensorArgument argument_of(const Tensor& tensor) {
  const auto stride = [&](std::size_t i) { return tensor.shape[i] > 1 ? tensor.strides[i] : 0; };
  return {tensor.data, stride(0), stride(1), stride(2)};
}

template <class Named> const Named* find(std::span<const Named> all, std::string_view name) {
  for (const Named& each : all)
    if (each.name == name) return &each;
  return nullptr;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

CallChecker::CallChecker(const Program& program, bool on_cpu)
    : program_(program), on_cpu_(on_cpu), where_(program.variant.name.view()) {
  for (const Port& port : program.ports) ports_.push_back({port, place_of(port.name)});
}

Sizes CallChecker::known_sizes() const {
  Sizes sizes(where_, program_.variant.steps_);
  sizes.set(Axis::key, program_.options.key_dim);
  sizes.set(Axis::feature, feature_dim(program_.variant, program_.options.key_dim));
  sizes.set(Axis::value, program_.options.value_dim);
  if (program_.variant.chains_) sizes.set(Axis::memory_slot, slots_of(program_.options));
  return sizes;
}

// What a chain's passes leave each other.
Tensor CallChecker::passed_tensor(int slot, void* data, const Sizes& sizes) const {
  const Port& port = *std::ranges::find(program_.passed_ports, slot, &Port::slot);
  std::vector<std::int64_t> shape;
  for (const Axis axis : port.axes) shape.push_back(sizes[axis]);
  return Tensor(data, port.type, shape);
}

// `argument`: the pointer's place in the call's arguments.
void CallChecker::name_tensor(Call& call, const Port& port, const Tensor& tensor, const void* argument) const {
  if (!on_cpu_ || tensor.data == nullptr) return;
  const auto place =
      static_cast<const unsigned char*>(argument) - reinterpret_cast<const unsigned char*>(&*call.arguments);
  CallTensor named{.name = port.name,
                   .data = tensor.data,
                   .rank = tensor.rank,
                   .element_bytes = static_cast<int>(size_of(tensor.type)),
                   .writable = port.writable,
                   .initialized = !port.writable || port.updated,
                   .argument = static_cast<std::size_t>(place)};
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.rank); ++i) {
    named.sizes[i] = tensor.shape[i];
    named.strides[i] = tensor.strides[i];
  }
  call.tensors.push_back(std::move(named));
}

void CallChecker::bind(const Port& port, const Tensor& tensor, Sizes& sizes, Call& call) const {
  if (const auto fault = rank_fault(tensor)) sizes.refuse(port.name, fault->message, fault->given, fault->accepted);
  // A parameter that runs over no axis is one number, in any shape.
  const bool number = port.axes.size() == 0 && is_given(tensor) && tensor.elements() == 1;
  sizes.check(port, number ? Tensor(tensor.data, tensor.type, {}) : tensor);
  const auto bit = 1ull << port.slot;
  TensorArgument& argument = call.arguments.port(port.slot);
  argument = argument_of(tensor);
  name_tensor(call, port, tensor, &argument.data);
  if (is_vectorized(port, tensor)) call.arguments->vectorized |= bit;
  if (tensor.type == dtype::i64) call.arguments->wide |= bit;
}

void CallChecker::bind_packing(const Port& port, const Tensor& tensor, Sizes& sizes, Call& call) const {
  if (sizes[Axis::batch] != 1)
    sizes.refuse(port.name, "packed sequences stand in one row", "B = " + std::to_string(sizes[Axis::batch]), "B = 1");
  bind(port, tensor, sizes, call);
  if (!sizes.knows(Axis::offsets)) sizes.refuse(port.name, "there is no offset", shape_text(tensor), "[N + 1]");
  if (on_cpu_) check_offsets(port, tensor, sizes[port.counted], where_);
  call.shape.sequences = sizes[Axis::sequences];
}

void CallChecker::bind_scalars(const GivenArguments& given, Arguments& arguments) const {
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
  const double scale = scale_of(program_.variant, program_.options.key_dim, given.scale);
  if (!math::is_finite_float(scale) || math::is_zero_float(scale))
    refuse("the scale does not fit float32", text(scale),
           "a magnitude from 1.5e-45 to 3.4e38, or 0 for the variant's own");
  arguments.scale = static_cast<float>(scale);
}

void CallChecker::set_slots(const Sizes& sizes, Call& call) const {
  if (const std::int64_t tokens = sizes[Axis::tokens]; tokens < 1 || tokens > most_decoded_tokens)
    sizes.refuse(find_port(program_.ports, "q") != nullptr ? "q" : "v", "decoding takes few tokens",
                 "T = " + std::to_string(tokens),
                 "T from 1 to " + std::to_string(most_decoded_tokens) + ", or the forward pass");
  call.arguments->state_slots = sizes[Axis::slots];
}

// What stands in lists of integers, where this process can read them.
void CallChecker::check_lists(const GivenArguments& given, const Sizes& sizes) const {
  const auto tensor = [&](std::string_view name) { return given.find(place_of(name), {}, name); };
  RowSlots rows;
  const bool decodes = program_.pass == Pass::decode;
  if (decodes) {
    rows = {*tensor("state_read"), *tensor("state_write")};
    check_row_slots(rows, sizes[Axis::slots], where_);
  }
  for (const auto& [port, place] : ports_) {
    const Tensor* const list =
        port.positions || port.names_tokens ? given.find(place, given.inputs, port.name) : nullptr;
    if (list == nullptr || !is_given(*list)) continue;
    if (port.positions)
      check_start_positions(*list, decodes ? &rows : nullptr, where_);
    else
      check_order(*list, where_);
  }
}

void CallChecker::set_shape(const Sizes& sizes, Call& call) const {
  const auto refuse = [&](const char* message, const std::string& heads) {
    throw Error(ErrorCode::invalid_argument, message, heads, "H from 1, and HV a multiple of H, below 2^31", where_);
  };
  const std::int64_t heads = sizes[Axis::heads], value_heads = sizes[Axis::value_heads];
  const std::string text = "H = " + std::to_string(heads) + ", HV = " + std::to_string(value_heads);
  if (heads < 1 || value_heads < 1 || value_heads > std::numeric_limits<int>::max())
    refuse("heads are out of range", text);
  if (value_heads % heads != 0) refuse("value heads do not share the key heads evenly", text);
  call.arguments->heads = static_cast<int>(heads);
  call.arguments->value_heads = static_cast<int>(value_heads);
  call.arguments->tokens = sizes[Axis::tokens];
  call.arguments->sequences = sizes[Axis::sequences];
  call.shape = {sizes[Axis::batch], sizes[Axis::tokens],  heads,
                value_heads,        call.shape.sequences, sizes[Axis::key_tokens]};
  check_shape(call.shape, program_.variant);
}

void CallChecker::bind_workspace(const GivenArguments& given, const Sizes& sizes, Call& call) const {
  const Sizes64 of_call = sizes_of(call.shape);
  call.arguments->segment_tokens = program_.segment_tokens.evaluate(of_call);
  const auto wanted = static_cast<std::size_t>(workspace_of(program_).evaluate(of_call));
  const std::span<std::byte> space = given.workspace;
  if (space.data() == nullptr && !space.empty())
    sizes.refuse("workspace", "the pointer is null", std::to_string(space.size()) + " bytes",
                 "memory of the device, or an empty one where none is needed");
  if (wanted == 0) return;
  const std::string accepted = std::to_string(wanted) + " bytes of the device's memory, 16-byte aligned";
  if (space.data() == nullptr) sizes.refuse("workspace", "the workspace is missing", "nothing", accepted);
  if (space.size() < wanted)
    sizes.refuse("workspace", "the workspace is too small", std::to_string(space.size()) + " bytes", accepted);
  if (const std::size_t past = reinterpret_cast<std::uintptr_t>(space.data()) % 16; past != 0)
    sizes.refuse("workspace", "the workspace is not aligned",
                 "an address " + std::to_string(past) + " bytes past a multiple", accepted);
  for (std::size_t i = 0; i < program_.regions.size(); ++i) {
    const Region& region = program_.regions[i];
    void*& place = region.port < 0 ? (*call.arguments).*region.argument : call.arguments.port(region.port).data;
    place = space.data() + offset_of(program_, i).evaluate(of_call);
    if (region.port >= 0) call.arguments.port(region.port) = argument_of(passed_tensor(region.port, place, sizes));
    // Words of four bytes, as no kernel works on smaller ones there.
    const Port port{.name = "workspace." + region.name, .role = PortRole::workspace, .writable = true};
    name_tensor(call, port, Tensor(place, dtype::f32, {region.bytes.evaluate(of_call) / 4}), &place);
  }
}

void CallChecker::refuse_unknown(const GivenArguments& given, const Sizes& sizes) const {
  const auto refuse_of = [&](std::span<const NamedTensor> list, bool gradients, const char* message) {
    std::vector<std::string> known;
    for (const auto& [port, place] : ports_)
      if (place == no_place && (port.role == PortRole::gradient) == gradients) known.push_back(port.name);
    for (const NamedTensor& each : list) {
      if (std::ranges::find(known, each.name) == known.end())
        sizes.refuse(each.name, message, each.name, known.empty() ? "none" : joined(known));
      if (find(list, each.name) != &each)
        sizes.refuse(each.name, "the tensor is given twice", each.name + " and " + each.name, "each once");
    }
  };
  refuse_of(given.inputs, false, "the variant does not read this tensor");
  refuse_of(given.gradients, true, "no tensor that is given by name has this gradient");
}

void CallChecker::refuse_writing_nothing(const Sizes& sizes) const {
  std::vector<std::string> outputs;
  for (const Bound& bound : ports_)
    if (bound.port.writable) outputs.push_back(bound.port.name);
  const bool two = outputs.size() == 2;
  sizes.refuse(outputs.front(), "there is nothing to write", two ? "neither" : "none of its outputs",
               joined(outputs) + (two ? ", or both" : ": at least one of them"));
}

// What has value columns may be written where it was read, since each tile has its own: a state, its imaginary part, the last
// token's value. All else that is carried, all tiles read and one writes.
void CallChecker::refuse_carried_in_place(const Call& call, const Sizes& sizes) const {
  constexpr std::string_view before = "initial_state", after = "final_state";
  for (const auto& [port, place] : ports_) {
    const bool is_matrix = port.axes.has(Axis::value) || (port.axes.has(Axis::key) && port.axes.has(Axis::memory_slot));
    if (!port.writable || !port.name.starts_with(after) || is_matrix) continue;  // tiles have columns of their own
    const std::string read = std::string(before) + port.name.substr(after.size());
    const Port* const of_read = find_port(program_.ports, read);
    const void* const written = call.arguments.port(port.slot).data;
    if (of_read == nullptr || written == nullptr || written != call.arguments.port(of_read->slot).data) continue;
    sizes.refuse(
        port.name, "the tensor is written while others still read it", "the memory of " + read,
        "memory of its own; only what has value columns, as final_state has, may be written where it was read");
  }
}

Call CallChecker::check(const GivenArguments& given) const {
  Call call(program_.port_slots);
  Sizes sizes = known_sizes();
  bool is_packed = false, writes = false, writes_without_tokens = false, writes_without_sequences = false;
  unsigned long long bound = 0;
  std::size_t named = 0;
  for (const auto& [port, place] : ports_) {
    const Tensor* const found =
        given.find(place, port.role == PortRole::gradient ? given.gradients : given.inputs, port.name);
    if (found != nullptr && place == no_place) ++named;
    const Tensor tensor = found != nullptr ? *found : Tensor();
    // Packing comes before all that counts sequences; without it a sequence is a row of the batch, if there is one.
    if (port.role != PortRole::packing && port.axes.has(Axis::sequences) && !sizes.knows(Axis::sequences) &&
        sizes.knows(Axis::batch))
      sizes.set(Axis::sequences, sizes[Axis::batch]);
    if (port.optional && !is_given(tensor)) continue;
    if (!port.needs.empty() && (bound >> find_port(program_.ports, port.needs)->slot & 1u) == 0)
      sizes.refuse(port.needs, "the tensor is missing", port.name + " without it",
                   port.needs == "start_positions"
                       ? "both, since the variant reads position(): the sequence goes on from there"
                   : port.role == PortRole::packing ? "both, or none: queries and keys are packed alike"
                                                    : "both, since the variant carries both from token to token");
    is_packed = is_packed || port.role == PortRole::packing;
    if (port.role == PortRole::packing)
      bind_packing(port, tensor, sizes, call);
    else
      bind(port, tensor, sizes, call);
    bound |= 1ull << port.slot;
    if (!port.writable) continue;
    writes = true;
    writes_without_tokens = writes_without_tokens || !port.axes.has_tokens();
    writes_without_sequences =
        writes_without_sequences || !(port.axes.has(Axis::sequences) || port.axes.has(Axis::batch));
  }
  if (named != given.inputs.size() + given.gradients.size()) refuse_unknown(given, sizes);
  for (const auto& [port, place] : ports_)
    if (port.role == PortRole::packing && is_packed && (bound >> port.slot & 1u) == 0)
      sizes.refuse(port.name, "the tensor is missing", "cu_seqlens without it",
                   "both, or none: queries and keys are packed alike");
  bind_scalars(given, *call.arguments);
  if (!writes) refuse_writing_nothing(sizes);
  refuse_carried_in_place(call, sizes);
  // Where neither k nor a gate has key heads, nothing depends on their number.
  if (!sizes.knows(Axis::heads)) sizes.set(Axis::heads, sizes[Axis::value_heads]);
  if (!sizes.knows(Axis::batch)) sizes.set(Axis::batch, sizes[Axis::sequences]);
  if (!sizes.knows(Axis::tokens)) sizes.set(Axis::tokens, 0);
  if (program_.pass == Pass::decode) set_slots(sizes, call);
  if (on_cpu_) check_lists(given, sizes);
  set_shape(sizes, call);
  bind_workspace(given, sizes, call);
  // Without tokens there is no output, but the final state still is the initial one; without sequences, sums are zeros.
  call.empty = (call.arguments->sequences == 0 && !writes_without_sequences) ||
               (call.arguments->tokens == 0 && std::max<std::int64_t>(sizes[Axis::key_tokens], 0) == 0 &&
                !writes_without_tokens);
  return call;
}

Call CallChecker::states(const ForwardArguments& arguments, const Tensor& log_decay_total) const {
  GivenArguments given(arguments);
  given.at(place_of("log_decay_total")) = &log_decay_total;
  return check(given);
}
Call CallChecker::combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier) const {
  return states({.initial_state = earlier, .final_state = state}, log_decay_total);
}

}  // namespace rankone
