// SPDX-License-Identifier: MIT
// Sizes and checks of one call of the oracle.
#include "proof/oracle/bind.hpp"

#include <algorithm>

#include <rankone/dsl/leaves.hpp>
#include <rankone/error.hpp>

#include "runtime/convert.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone::recurrence {
namespace {

using Extents = std::vector<std::int64_t>;

template <class Values> std::string list(const Values& values, std::size_t count) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) text += (i ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

[[noreturn]] void refuse(std::string_view tensor, std::string message, std::string given, std::string accepted) {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted),
              std::string(tensor));
}

// Memory stands behind all elements; without elements there needs to be none.
bool is_backed(const Tensor& tensor) {
  const auto end = tensor.shape.begin() + tensor.rank;
  return tensor.data != nullptr || std::find(tensor.shape.begin(), end, 0) != end;
}

void require(const Tensor& tensor, std::string_view name) {
  if (!is_backed(tensor)) refuse(name, "the variant reads a tensor that is missing", "none", "a tensor on the host");
}

void require_floats(const Tensor& tensor, std::string_view name) {
  if (tensor.type == dtype::i32 || tensor.type == dtype::i64)
    refuse(name, "a tensor has an element type that is not a number of the recurrence", name_of(tensor.type),
           "bf16, f16, f32 or f64");
}

void require_shape(const Tensor& tensor, std::string_view name, const Extents& wanted) {
  require_floats(tensor, name);
  const auto rank = static_cast<std::size_t>(tensor.rank);
  if (!std::equal(wanted.begin(), wanted.end(), tensor.shape.begin(), tensor.shape.begin() + tensor.rank))
    refuse(name, "a tensor has the wrong shape", list(tensor.shape, rank), list(wanted, wanted.size()));
}

void require_rank_4(const Tensor& tensor, std::string_view name) {
  if (tensor.rank != 4)
    refuse(name, "a tensor has the wrong rank", list(tensor.shape, static_cast<std::size_t>(tensor.rank)),
           "[B, T, heads, dim]");
}

std::vector<Span> sequences_of(const Variant& variant, const Tensor& cu_seqlens, const Sizes& sizes) {
  std::vector<Span> sequences;
  if (!is_backed(cu_seqlens)) {
    for (std::int64_t b = 0; b < sizes.batch; ++b) sequences.push_back({b, 0, sizes.tokens});
    return sequences;
  }
  const bool is_list = cu_seqlens.rank == 1 && cu_seqlens.shape[0] >= 1;
  if (!is_list || (cu_seqlens.type != dtype::i32 && cu_seqlens.type != dtype::i64))
    refuse("cu_seqlens", "boundaries of sequences have the wrong shape or type",
           name_of(cu_seqlens.type) + list(cu_seqlens.shape, static_cast<std::size_t>(cu_seqlens.rank)),
           "i32 or i64 [N+1]");
  if (sizes.batch != 1)
    refuse("cu_seqlens", "packed sequences lie in one batch row", "B=" + std::to_string(sizes.batch), "B=1");
  check_cu_seqlens(cu_seqlens, sizes.tokens, variant.name.view());
  const auto boundary = [&](std::int64_t i) {
    return static_cast<std::int64_t>(load(cu_seqlens.data, cu_seqlens.type, i * cu_seqlens.strides[0]));
  };
  for (std::int64_t i = 1; i < cu_seqlens.shape[0]; ++i) sequences.push_back({0, boundary(i - 1), boundary(i)});
  return sequences;
}

void check_named(const Variant& variant, const ForwardArguments& arguments, const Sizes& sizes) {
  const auto check = [&](const Leaves& leaves, bool per_token) {
    for (const Leaf& leaf : leaves) {
      const Tensor* tensor = find(arguments.inputs, leaf.view());
      require(tensor ? *tensor : Tensor{}, leaf.view());
      Extents wanted = per_token ? Extents{sizes.batch, sizes.tokens} : Extents{};
      if (leaf.axes.has(Axes::head)) wanted.push_back(sizes.heads);
      if (leaf.axes.has(Axes::value_head)) wanted.push_back(sizes.value_heads);
      if (leaf.axes.has(Axes::key)) wanted.push_back(sizes.key_dim);
      require_shape(*tensor, leaf.view(), wanted);
    }
  };
  check(inputs_of(variant), true);
  check(parameters_of(variant), false);
  for (const Leaf& leaf : scalars_of(variant))
    if (!find(arguments.scalars, leaf.view()))
      refuse(leaf.view(), "the variant reads a scalar that is missing", "none", "a number");
}

}  // namespace

const Tensor* find(const std::vector<NamedTensor>& tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& each) { return each.name == name; });
  return found == tensors.end() ? nullptr : &found->tensor;
}
const NamedScalar* find(const std::vector<NamedScalar>& scalars, std::string_view name) {
  const auto found = std::find_if(scalars.begin(), scalars.end(), [&](const auto& each) { return each.name == name; });
  return found == scalars.end() ? nullptr : &*found;
}

Sizes bind(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments) {
  const bool uses_key = reads_key(variant), reads_query = is_backed(arguments.o);
  if (!reads_query && !is_backed(arguments.final_state))
    refuse("o", "there is nothing to compute", "neither o nor final_state", "at least one of them");
  require(arguments.v, "v");
  require_rank_4(arguments.v, "v");
  if (reads_query) require(arguments.q, "q");
  if (uses_key) require(arguments.k, "k");

  Sizes sizes{.batch = arguments.v.shape[0],
              .tokens = arguments.v.shape[1],
              .value_heads = arguments.v.shape[2],
              .sequences = {}};
  sizes.value_dim = options.value_dim != 0 ? options.value_dim : arguments.v.shape[3];
  // H and K are those of whichever of q and k there is; without both, the states tell K, and H is HV.
  const bool has_query = is_backed(arguments.q), has_keys = has_query || is_backed(arguments.k);
  const Tensor& keys = has_query ? arguments.q : arguments.k;
  if (has_keys) require_rank_4(keys, has_query ? "q" : "k");
  const Tensor& state = arguments.final_state;
  sizes.heads = has_keys ? keys.shape[2] : sizes.value_heads;
  sizes.key_dim = options.key_dim != 0 ? options.key_dim
                  : has_keys           ? keys.shape[3]
                                       : state.shape[options.value_major_state ? 3 : 2];
  if (sizes.heads < 1 || sizes.value_heads % sizes.heads != 0)
    refuse("v", "the value heads are not a multiple of the heads of q and k",
           "HV=" + std::to_string(sizes.value_heads) + ", H=" + std::to_string(sizes.heads), "a multiple of H");

  const Extents key_shape = {sizes.batch, sizes.tokens, sizes.heads, sizes.key_dim};
  const Extents value_shape = {sizes.batch, sizes.tokens, sizes.value_heads, sizes.value_dim};
  if (reads_query) require_shape(arguments.q, "q", key_shape);
  if (uses_key) require_shape(arguments.k, "k", key_shape);
  require_shape(arguments.v, "v", value_shape);
  if (reads_query) require_shape(arguments.o, "o", value_shape);
  sizes.sequences = sequences_of(variant, arguments.cu_seqlens, sizes);
  Extents state_shape = {static_cast<std::int64_t>(sizes.sequences.size()), sizes.value_heads, sizes.key_dim,
                         sizes.value_dim};
  if (options.value_major_state) std::swap(state_shape[2], state_shape[3]);
  if (is_backed(arguments.initial_state)) require_shape(arguments.initial_state, "initial_state", state_shape);
  if (is_backed(arguments.final_state)) require_shape(arguments.final_state, "final_state", state_shape);
  check_named(variant, arguments, sizes);
  return sizes;
}

}  // namespace rankone::recurrence
