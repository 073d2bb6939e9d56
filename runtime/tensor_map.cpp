// SPDX-License-Identifier: MIT
// What the maps of a call's tensors are, and whether there can be any.
#include "runtime/tensor_map.hpp"

#include <algorithm>
#include <limits>

#include "runtime/backend.hpp"

namespace rankone {
namespace {

constexpr std::int64_t unit = 16;                                             // of bases and strides, in bytes
constexpr std::int64_t first_too_far = std::int64_t{1} << 40;                 // of a stride
constexpr std::int64_t most_size = std::numeric_limits<std::int32_t>::max();  // coordinates have 32 bits and a sign

const TensorArgument& tensor_of(const Arguments& arguments, std::size_t index) {
  const TensorArgument* const first[] = {&arguments.query, &arguments.key, &arguments.value};
  return index < 3 ? *first[index] : arguments.inputs[index - 3];
}

}  // namespace

bool can_be_mapped(MappedTensor& tensor) {
  if (tensor.base == nullptr || reinterpret_cast<std::uintptr_t>(tensor.base) % unit != 0) return false;
  for (const std::int64_t size : tensor.sizes)
    if (size < 1 || size > most_size) return false;
  for (std::size_t i = 0; i < tensor.strides.size(); ++i) {
    std::int64_t& stride = tensor.strides[i];
    if (tensor.sizes[i + 1] == 1) stride = unit;
    if (stride < unit || stride >= first_too_far || stride % unit != 0) return false;
  }
  return true;
}

TensorMaps::TensorMaps(const Program& program) {
  if (!program.uses_tma) return;
  box_tokens_ = program.schedule.chunk;
  const CompileOptions& options = program.options;
  const int element = static_cast<int>(size_of(options.dtype));
  mapped_[0] = {options.key_dim, element, true};
  if (program.reads_key) mapped_[1] = {options.key_dim, element, true};
  mapped_[2] = {options.value_dim, element, false};
  for (std::size_t i = 3; const Port& input : ports_of(program.ports, PortRole::gate)) {
    if (input.axes.has(Axis::key))
      mapped_[i] = {options.key_dim, static_cast<int>(size_of(input.type)), input.axes.has(Axis::heads)};
    ++i;
  }
}

void TensorMaps::add(Call& call, const LoadedKernels& kernels) const {
  for (std::size_t i = 0; i < mapped_.size(); ++i) {
    const Mapped& each = mapped_[i];
    if (each.columns == 0) continue;
    const TensorArgument& tensor = tensor_of(call.arguments, i);
    const std::int64_t bytes = each.element_bytes;
    MappedTensor boxed{
        .base = tensor.data,
        .sizes = {each.columns, call.shape.tokens, each.has_key_heads ? call.shape.heads : call.shape.value_heads,
                  call.shape.batch},
        .strides = {tensor.token_stride * bytes, tensor.head_stride * bytes, tensor.batch_stride * bytes},
        .element_bytes = each.element_bytes,
        .box_tokens = box_tokens_};
    if (can_be_mapped(boxed) && kernels.encode(boxed, call.arguments.maps[i]))
      call.arguments.flags |= first_tensor_is_mapped << i;
  }
}

}  // namespace rankone
