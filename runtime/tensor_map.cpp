// SPDX-License-Identifier: MIT
// What the maps of a call's tensors are, and whether there can be any.
#include "runtime/tensor_map.hpp"

#include <algorithm>
#include <limits>

#include "runtime/backend.hpp"

namespace rankone {
namespace {

constexpr std::size_t mapped_axes = 4;                                        // batch, tokens, heads and columns
constexpr std::int64_t granule = 16;                                          // of bases and strides, in bytes
constexpr std::int64_t first_too_far = std::int64_t{1} << 40;                 // of a stride
constexpr std::int64_t most_size = std::numeric_limits<std::int32_t>::max();  // coordinates have 32 bits and a sign

}  // namespace

bool can_be_mapped(MappedTensor& tensor) {
  if (tensor.base == nullptr || reinterpret_cast<std::uintptr_t>(tensor.base) % granule != 0) return false;
  for (const std::int64_t size : tensor.sizes)
    if (size < 1 || size > most_size) return false;
  for (std::size_t i = 0; i < tensor.strides.size(); ++i) {
    std::int64_t& stride = tensor.strides[i];
    if (tensor.sizes[i + 1] == 1) stride = granule;
    if (stride < granule || stride >= first_too_far || stride % granule != 0) return false;
  }
  return true;
}

TensorMaps::TensorMaps(const Program& program) : box_tokens_(program.schedule.chunk) {
  AxisSizes fixed;
  fixed.set(Axis::key, program.options.key_dim);
  fixed.set(Axis::value, program.options.value_dim);
  for (const Port& port : program.ports) {
    if (port.slot >= program.map_slots || port.axes.size() != mapped_axes) continue;
    mapped_.push_back({.slot = port.slot,
                       .columns = fixed[port.axes[mapped_axes - 1]],
                       .element_bytes = static_cast<int>(size_of(port.type)),
                       .has_key_heads = port.axes.has(Axis::heads)});
  }
}

void TensorMaps::add(Call& call, const LoadedKernels& kernels) const {
  for (const Mapped& each : mapped_) {
    const TensorArgument& tensor = call.arguments.port(each.slot);
    const std::int64_t bytes = each.element_bytes;
    MappedTensor mapped{
        .base = tensor.data,
        .sizes = {each.columns, call.shape.tokens, each.has_key_heads ? call.shape.heads : call.shape.value_heads,
                  call.shape.batch},
        .strides = {tensor.token_stride * bytes, tensor.head_stride * bytes, tensor.batch_stride * bytes},
        .element_bytes = each.element_bytes,
        .box_tokens = box_tokens_};
    const auto slot = static_cast<std::size_t>(each.slot);
    if (can_be_mapped(mapped) && kernels.encode(mapped, call.arguments.map(slot)))
      call.arguments->mapped |= 1u << each.slot;
  }
}

}  // namespace rankone
