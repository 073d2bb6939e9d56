// SPDX-License-Identifier: MIT
// A problem in a device's memory: inputs uploaded, outputs poisoned and fenced, ready to run again and again.
#include "proof/launch.hpp"

#include <algorithm>
#include <utility>

#include <rankone/error.hpp>

#include "codegen/ports.hpp"
#include "runtime/given_arguments.hpp"

namespace rankone {
namespace {

constexpr std::size_t fence = 512;  // bytes on both sides of an output; keeps its alignment
constexpr std::byte fence_pattern{0xA5};

// Too large a problem is the caller's to change, not a failed launch.
void* allocate(const Device& device, std::size_t bytes) {
  try {
    return device.allocate(std::max<std::size_t>(bytes, 1));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::launch_failed) throw;
    throw Error(ErrorCode::unsupported, error.message(), error.given(), "smaller tensors, or a device with more memory",
                device.name());
  }
}

}  // namespace

DeviceBuffer::DeviceBuffer(const Device& device, std::size_t bytes)
    : device_(device), data_(allocate(device, bytes)), bytes_(bytes) {}
DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(std::move(other.device_)), data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
DeviceBuffer::~DeviceBuffer() {
  if (data_ != nullptr) device_.release(data_);
}

Launch::Launch(const Operator& op, const Problem& problem, bool want_optional_outputs)
    : op_(op), pass_(problem.pass), shape_(problem.dims.shape()) {
  const Device& device = op.device();
  const std::vector<Port> all = ports(problem.variant, problem.options, problem.pass);
  for (const HostTensor& tensor : problem.tensors) {
    bytes_ += tensor.bytes.size();
    if (const Port* const port = find_port(all, tensor.name); port != nullptr && port->updated) {
      HostTensor layout = tensor;
      layout.bytes.clear();
      add_output(std::move(layout), port->role, tensor.bytes.size(), tensor.bytes);
      continue;
    }
    const DeviceBuffer& buffer = buffers_.emplace_back(device, tensor.bytes.size());
    device.upload(buffer.data(), tensor.bytes.data(), tensor.bytes.size());
    bind(tensor.name, PortRole::input, tensor.at(buffer.data()));
  }
  for (const Port& port : all) {
    if (port.role != PortRole::output && port.role != PortRole::gradient) continue;
    if (port.optional && port.role == PortRole::output && !want_optional_outputs) continue;
    HostTensor layout{.name = port.name, .type = port.type, .shape = sizes_of(port.axes, problem.dims), .bytes = {}};
    const std::size_t bytes = static_cast<std::size_t>(product(layout.shape)) * size_of(port.type);
    add_output(std::move(layout), port.role, bytes, {});
  }
  if (!arguments_.cu_seqlens && !backward_.cu_seqlens) shape_.sequences = 0;
  arguments_.scalars = backward_.scalars = decode_.scalars = problem.scalars;
  arguments_.scale = backward_.scale = decode_.scale = problem.scale;
  use(op);
}

void Launch::bind(const std::string& name, PortRole role, const Tensor& tensor) {
  if (role == PortRole::gradient)
    bind_gradient(backward_, name, tensor);
  else if (pass_ == Pass::backward)
    bind_tensor(backward_, name, tensor);
  else if (pass_ == Pass::decode)
    bind_tensor(decode_, name, tensor);
  else
    bind_tensor(arguments_, name, tensor);
}

void Launch::add_output(HostTensor layout, PortRole role, std::size_t bytes, std::vector<std::byte> before) {
  const DeviceBuffer& buffer = buffers_.emplace_back(op_.device(), bytes + 2 * fence);
  bind(layout.name, role, layout.at(static_cast<std::byte*>(buffer.data()) + fence));
  outputs_.push_back({std::move(layout), bytes, buffers_.size() - 1, std::move(before)});
  bytes_ += bytes;
}

void Launch::use(const Operator& op) {
  op_ = op;
  const std::size_t bytes = op.workspace_bytes(shape_, pass_);
  if (workspace_ && workspace_->bytes() >= bytes) return;
  workspace_.reset();
  if (bytes == 0) return;
  workspace_.emplace(op.device(), bytes);
  arguments_.workspace = backward_.workspace = decode_.workspace = {static_cast<std::byte*>(workspace_->data()), bytes};
}

void Launch::poison(std::byte with) {
  const auto fill = [&](void* to, std::size_t bytes, std::byte pattern) {
    const std::vector<std::byte> block(std::min<std::size_t>(bytes, 64 << 20), pattern);
    for (std::size_t done = 0; done < bytes; done += block.size())
      op_.device().upload(static_cast<std::byte*>(to) + done, block.data(), std::min(block.size(), bytes - done));
  };
  for (const Output& output : outputs_) {
    auto* start = static_cast<std::byte*>(buffers_[output.buffer].data());
    fill(start, fence, fence_pattern);
    if (output.before.empty())
      fill(start + fence, output.bytes, with);
    else
      op_.device().upload(start + fence, output.before.data(), output.bytes);
    fill(start + fence + output.bytes, fence, fence_pattern);
  }
  if (workspace_) fill(workspace_->data(), workspace_->bytes(), with);
  op_.device().synchronize();
}

void Launch::run(void* stream) const {
  switch (pass_) {
    case Pass::backward: return op_.backward(backward_, stream);
    case Pass::decode: return op_.decode(decode_, stream);
    default: return op_.forward(arguments_, stream);
  }
}

std::vector<HostTensor> Launch::outputs() const {
  std::vector<HostTensor> results;
  for (const Output& output : outputs_) {
    std::vector<std::byte> whole(output.bytes + 2 * fence);
    op_.device().download(whole.data(), buffers_[output.buffer].data(), whole.size());
    op_.device().synchronize();
    const auto begin = whole.begin() + fence, end = begin + static_cast<std::ptrdiff_t>(output.bytes);
    const auto intact = [](std::byte each) { return each == fence_pattern; };
    if (!std::all_of(whole.begin(), begin, intact) || !std::all_of(end, whole.end(), intact))
      throw Error(ErrorCode::check_failed, "a kernel wrote outside its output", output.layout.name,
                  "writes within the tensor", op_.schedule());
    HostTensor result = output.layout;
    result.bytes.assign(begin, end);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace rankone
