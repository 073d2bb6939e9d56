// SPDX-License-Identifier: MIT
// Sizes and checks of one call of the oracle.
#include "proof/oracle/bind.hpp"

#include <algorithm>

#include <rankone/dsl/features.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/error.hpp>

#include "codegen/chain.hpp"
#include "codegen/ports.hpp"
#include "proof/memory.hpp"
#include "runtime/given_arguments.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone::recurrence {
namespace {

[[noreturn]] void refuse(std::string_view tensor, std::string message, std::string given, std::string accepted) {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted),
              std::string(tensor));
}

// The sizes that a call's tensors give, port by port.
class Binder {
 public:
  Binder(const Variant& variant, const CompileOptions& options, const GivenArguments& arguments, Pass pass)
      : variant_(variant), where_(variant.name.view()), reads_position_(reads_position(variant)),
        ports_(ports(variant, options, pass)), arguments_(arguments), sizes_(variant.steps_) {
    for (const auto& [name, size] : {std::pair{"K", options.key_dim}, std::pair{"V", options.value_dim}})
      if (size < 0)
        refuse(where_, std::string(name) + " is out of range", std::to_string(size), "0 or the tensors' own");
    if (options.key_dim != 0) set(Axis::key, options.key_dim);
    if (options.value_dim != 0) sizes_.set(Axis::value, options.value_dim);
    if (variant.chains_ && slots_of(options) != 0) sizes_.set(Axis::memory_slot, slots_of(options));
  }

  void run() {
    for (const Port& port : ports_) {
      const Tensor tensor = given(port);
      if (port.role != PortRole::packing && port.axes.has(Axis::sequences) && !sizes_.knows(Axis::sequences))
        sizes_.set(Axis::sequences, sizes_[Axis::batch]);
      if (is_given(tensor)) {
        if (!port.needs.empty() && !is_given(given(*find_port(ports_, port.needs))))
          refuse(port.needs, "a tensor is missing without which another has no meaning", port.name + " alone", "both");
        learn(port, tensor);
      } else if (!port.optional && !port.writable) {
        refuse(port.name, "the variant reads a tensor that is missing", "none", "a tensor on the host");
      }
    }
    if (!sizes_.knows(Axis::heads)) sizes_.set(Axis::heads, sizes_[Axis::value_heads]);
    require_packing_of_keys();
  }
  std::int64_t operator[](Axis axis) const { return sizes_[axis]; }

  // Of the tokens that the packing of this name counts.
  std::vector<Span> spans(std::string_view packing, Axis tokens) const {
    std::vector<Span> spans;
    const std::int64_t count = sizes_[Axis::sequences];
    require_memory(static_cast<double>(count) * sizeof(Span), "N=" + std::to_string(count), where_);
    const Port* const port = find_port(ports_, packing);
    const Tensor offsets = port != nullptr ? given(*port) : Tensor();
    const auto boundary = [&](std::int64_t i) { return integer_at(offsets, i); };
    const Tensor starts = reads_position_ ? placed("start_positions") : Tensor();
    for (std::int64_t n = 0; n < count; ++n) {
      const std::int64_t start = is_given(starts) ? integer_at(starts, n) : 0;
      spans.push_back(is_given(offsets) ? Span{0, boundary(n), boundary(n + 1), start}
                                        : Span{n, 0, sizes_[tokens], start});
    }
    return spans;
  }
  std::vector<std::int64_t> order() const {
    const Port* const port = find_port(ports_, "order");
    if (port == nullptr) return {};
    const Tensor tensor = given(*port);
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < tensor.shape[0]; ++i) order.push_back(integer_at(tensor, i));
    return order;
  }

 private:
  // Features follow from elements.
  void set(Axis axis, std::int64_t size) {
    sizes_.set(axis, size);
    if (axis == Axis::key) sizes_.set(Axis::feature, feature_dim(variant_, size));
  }
  void require_packing_of_keys() const {
    const Port* const keys = find_port(ports_, "cu_seqlens_k");
    if (keys != nullptr && !is_given(given(*keys)) && is_given(placed("cu_seqlens")))
      refuse(keys->name, "a tensor is missing without which another has no meaning", "cu_seqlens alone", "both");
  }
  Tensor given(const Port& port) const {
    const bool is_gradient = port.role == PortRole::gradient;
    const Tensor* const tensor =
        arguments_.find(place_of(port.name), is_gradient ? arguments_.gradients : arguments_.inputs, port.name);
    return tensor != nullptr ? *tensor : Tensor();
  }
  Tensor placed(std::string_view name) const { return *arguments_.placed[static_cast<std::size_t>(place_of(name))]; }
  std::string wanted(const Port& port) const {
    std::string text = "[";
    for (const Axis axis : port.axes)
      text += (text.size() > 1 ? ", " : "") + (sizes_.knows(axis) ? std::to_string(sizes_[axis]) : name_of(axis));
    return text + "]";
  }
  void learn(const Port& port, const Tensor& tensor) {
    require_readable(port.name, tensor);
    const bool integers = tensor.type == dtype::i32 || tensor.type == dtype::i64;
    if (const bool counts = port.type == dtype::i64 || port.type == dtype::i32; counts != integers)
      refuse(port.name, "a tensor has an element type that is not one of its port",
             name_of(tensor.type) + (counts ? shape_text(tensor) : ""),
             counts ? "i32 or i64" : "bf16, f16, f32 or f64");
    if (static_cast<std::size_t>(tensor.rank) != port.axes.size())
      refuse(port.name, "a tensor has the wrong rank", shape_text(tensor), wanted(port));
    if (port.role == PortRole::packing && sizes_[Axis::batch] != 1)
      refuse(port.name, "packed sequences lie in one batch row", "B=" + std::to_string(sizes_[Axis::batch]), "B=1");
    for (std::size_t i = 0; i < port.axes.size(); ++i) {
      if (sizes_.knows(port.axes[i]) && sizes_[port.axes[i]] != tensor.shape[i])
        refuse(port.name, "a tensor has the wrong shape", shape_text(tensor), wanted(port));
      set(port.axes[i], tensor.shape[i]);
      if (sizes_[port.axes[i]] != tensor.shape[i])
        refuse(port.name, "a token's steps are not complete", shape_text(tensor), wanted(port));
    }
    if (port.role == PortRole::packing) {
      if (!sizes_.knows(Axis::offsets)) refuse(port.name, "there is no boundary", shape_text(tensor), "[N+1]");
      check_offsets(port, tensor, sizes_[port.counted], where_);
    }
    if (port.positions) check_start_positions(tensor, nullptr, where_);
    if (port.names_tokens) check_order(tensor, where_);
    const std::int64_t heads = sizes_[Axis::heads], value_heads = sizes_[Axis::value_heads];
    if (sizes_.knows(Axis::heads) && sizes_.knows(Axis::value_heads) && (heads < 1 || value_heads % heads != 0))
      refuse(port.name, "the value heads are not a multiple of the heads of q and k",
             "HV=" + std::to_string(value_heads) + ", H=" + std::to_string(heads), "a multiple of H");
  }

  const Variant& variant_;
  std::string where_;
  bool reads_position_;
  std::vector<Port> ports_;
  GivenArguments arguments_;
  AxisSizes sizes_;
};

}  // namespace

const Tensor* find(std::span<const NamedTensor> tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& each) { return each.name == name; });
  return found == tensors.end() ? nullptr : &found->tensor;
}
const NamedScalar* find(std::span<const NamedScalar> scalars, std::string_view name) {
  const auto found = std::find_if(scalars.begin(), scalars.end(), [&](const auto& each) { return each.name == name; });
  return found == scalars.end() ? nullptr : &*found;
}

namespace {

Sizes bind(const Variant& variant, const CompileOptions& options, const GivenArguments& arguments, Pass pass) {
  Binder binder(variant, options, arguments, pass);
  binder.run();
  for (const Leaf& leaf : scalars_of(variant))
    if (!find(arguments.scalars, leaf.view()))
      refuse(leaf.view(), "the variant reads a scalar that is missing", "none", "a number");
  return {.batch = binder[Axis::batch],
          .tokens = binder[Axis::tokens],
          .heads = binder[Axis::heads],
          .value_heads = binder[Axis::value_heads],
          .key_dim = binder[Axis::key],
          .features = binder[Axis::feature],
          .value_dim = binder[Axis::value],
          .slot_dim = binder[Axis::memory_slot],
          .steps = variant.steps_,
          .key_tokens = binder[variant.non_causal_ ? Axis::key_tokens : Axis::tokens],
          .sequences = binder.spans("cu_seqlens", Axis::tokens),
          .keys = variant.non_causal_ ? binder.spans("cu_seqlens_k", Axis::key_tokens) : std::vector<Span>{},
          .order = binder.order()};
}

}  // namespace

std::vector<std::int64_t> shape_of(const Port& port, const Sizes& sizes) {
  AxisSizes known(sizes.steps);
  known.set(Axis::batch, sizes.batch), known.set(Axis::tokens, sizes.tokens);
  known.set(Axis::key_tokens, sizes.key_tokens);
  known.set(Axis::heads, sizes.heads), known.set(Axis::value_heads, sizes.value_heads);
  known.set(Axis::key, sizes.key_dim), known.set(Axis::feature, sizes.features),
      known.set(Axis::value, sizes.value_dim);
  known.set(Axis::memory_slot, sizes.slot_dim);
  known.set(Axis::sequences, static_cast<std::int64_t>(sizes.sequences.size()));
  std::vector<std::int64_t> shape;
  for (const Axis axis : port.axes) shape.push_back(known[axis]);
  return shape;
}

Sizes bind(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments) {
  const bool reads = is_given(arguments.o);
  if (!reads && !is_given(arguments.final_state))
    refuse("o", "there is nothing to compute", "neither o nor final_state", "at least one of them");
  return bind(variant, options, GivenArguments(arguments), reads ? Pass::forward : Pass::states);
}
Sizes bind(const Variant& variant, const CompileOptions& options, const BackwardArguments& arguments) {
  return bind(variant, options, GivenArguments(arguments), Pass::backward);
}

}  // namespace rankone::recurrence
