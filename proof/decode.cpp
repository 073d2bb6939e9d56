// SPDX-License-Identifier: MIT
// The rows of decoding that do something, and that nothing else has changed.
#include "proof/decode.hpp"

#include <algorithm>
#include <cstring>

#include <rankone/error.hpp>

#include "codegen/ports.hpp"
#include "proof/oracle/oracle.hpp"
#include "runtime/call.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

// The indices of a tensor's first dimension that are written, in the order of rows.
std::vector<std::int64_t> written_indices(const RowSlots& rows, bool is_pool) {
  std::vector<std::int64_t> indices;
  for (std::int64_t row = 0; row < rows.read.shape[0]; ++row)
    if (!rows.is_idle(row)) indices.push_back(is_pool ? integer_at(rows.write, row) : row);
  return indices;
}

struct Part {
  std::size_t begin, bytes;
};
Part part_of(const HostTensor& tensor, std::int64_t index) {
  std::vector<std::int64_t> sizes = tensor.shape;
  sizes.erase(sizes.begin());
  const auto elements = product(sizes), stride = tensor.slot_stride != 0 ? tensor.slot_stride : elements;
  return {static_cast<std::size_t>(index * stride) * size_of(tensor.type),
          static_cast<std::size_t>(elements) * size_of(tensor.type)};
}

HostTensor parts_of(const HostTensor& tensor, const std::vector<std::int64_t>& indices) {
  std::vector<std::int64_t> shape = tensor.shape;
  shape[0] = static_cast<std::int64_t>(indices.size());
  HostTensor parts = make_tensor(tensor.name, tensor.type, std::move(shape));
  std::byte* to = parts.bytes.data();
  for (const std::int64_t index : indices) {
    const auto [begin, bytes] = part_of(tensor, index);
    std::memcpy(to, tensor.bytes.data() + begin, bytes);
    to += bytes;
  }
  return parts;
}

// Whether all that is not written is as it was; empty `before`: all bits set.
bool is_untouched(HostTensor tensor, const std::vector<std::int64_t>& written, std::vector<std::byte> before) {
  before.resize(tensor.bytes.size(), std::byte{0xFF});
  for (const std::int64_t index : written) {
    const auto [begin, bytes] = part_of(tensor, index);
    std::memcpy(tensor.bytes.data() + begin, before.data() + begin, bytes);
  }
  return tensor.bytes == before;
}

bool is_pool(const std::vector<Port>& ports, const HostTensor& tensor) {
  return find_port(ports, tensor.name)->in_slots;
}

HostTensor in_float64(const HostTensor& tensor) {
  HostTensor wide = make_tensor(tensor.name, dtype::f64, tensor.shape, tensor.slot_stride);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(wide.bytes.size() / size_of(dtype::f64)); ++i)
    store(wide.bytes.data(), dtype::f64, i, load(tensor.bytes.data(), tensor.type, i));
  return wide;
}

}  // namespace

std::vector<HostTensor> decode_reference(Problem& problem) {
  DecodeArguments arguments{.scalars = problem.scalars, .scale = problem.scale};
  std::vector<HostTensor> results;
  const std::vector<Port> all = ports(problem.variant, problem.options, Pass::decode);
  results.reserve(all.size());  // the arguments point into them
  for (HostTensor& tensor : problem.tensors) {
    const bool updated = find_port(all, tensor.name)->updated;
    bind_tensor(arguments, tensor.name, updated ? results.emplace_back(in_float64(tensor)).view() : tensor.view());
  }
  for (const Port& port : ports_of(all, PortRole::output)) {
    HostTensor& tensor = results.emplace_back(make_tensor(port.name, dtype::f64, sizes_of(port.axes, problem.dims)));
    bind_tensor(arguments, tensor.name, tensor.view());
  }
  oracle_decode(problem.variant, problem.options, arguments);
  const RowSlots rows = slots_of(problem);
  for (HostTensor& each : results) each = parts_of(each, written_indices(rows, is_pool(all, each)));
  return results;
}

std::vector<HostTensor> written_rows(const Problem& problem, const std::vector<HostTensor>& outputs) {
  Problem given = problem;
  const std::vector<Port> all = ports(problem.variant, problem.options, Pass::decode);
  const RowSlots rows = slots_of(given);
  std::vector<HostTensor> results;
  for (const HostTensor& each : outputs) {
    const std::vector<std::int64_t> indices = written_indices(rows, is_pool(all, each));
    const HostTensor* const before = given.find(each.name);
    if (!is_untouched(each, indices, before != nullptr ? before->bytes : std::vector<std::byte>{}))
      throw Error(ErrorCode::check_failed, "a row that does nothing changed, or a slot that no row writes", each.name,
                  "writes to slots and outputs of the rows that do something",
                  std::string(problem.variant.name.view()));
    results.push_back(parts_of(each, indices));
  }
  return results;
}

}  // namespace rankone
