// SPDX-License-Identifier: MIT
// Uploads what one layer hands to its attention, launches, downloads the result.
#include "attention.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

namespace text_model {

namespace {

// Between float and the elements of the kernel's type, bf16 or f32.
std::vector<std::byte> encode(const Vector& values, rankone::dtype type) {
  std::vector<std::byte> bytes(values.size() * rankone::size_of(type));
  if (type == rankone::dtype::f32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const auto rounded = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // to nearest even
    std::memcpy(bytes.data() + 2 * i, &rounded, 2);
  }
  return bytes;
}

Vector decode(const std::vector<std::byte>& bytes, rankone::dtype type) {
  Vector values(bytes.size() / rankone::size_of(type));
  if (type == rankone::dtype::f32) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t high;
    std::memcpy(&high, bytes.data() + 2 * i, 2);
    values[i] = std::bit_cast<float>(std::uint32_t(high) << 16);
  }
  return values;
}

}  // namespace

Attention::Attention(const rankone::Device& device, rankone::dtype type, std::size_t heads, std::size_t key_dim,
                     std::size_t value_dim)
    : device_(device), type_(type), heads_(std::int64_t(heads)), key_dim_(std::int64_t(key_dim)),
      value_dim_(std::int64_t(value_dim)),
      op_(rankone::compile(
          rankone::variants::gla_sigmoid,
          {.key_dim = int(key_dim), .value_dim = int(value_dim), .dtype = type, .precision = rankone::Precision::f32},
          device)) {}

State Attention::zero_state() const {
  const Vector zeros(std::size_t(heads_ * key_dim_ * value_dim_), 0.0f);
  const std::size_t bytes = zeros.size() * sizeof(float);
  State state{support::Buffer(device_, bytes), support::Buffer(device_, bytes)};
  state.current.upload(zeros.data());
  return state;
}

Vector Attention::forward(const Vector& q, const Vector& k, const Vector& v, const Vector& x, State& state) const {
  const std::int64_t tokens = std::int64_t(q.size()) / (heads_ * key_dim_);
  const auto upload = [&](const Vector& values) {
    const auto bytes = encode(values, type_);
    support::Buffer buffer(device_, bytes.size());
    buffer.upload(bytes.data());
    return buffer;
  };
  const auto tensor = [&](const support::Buffer& buffer, std::int64_t dim) {
    return rankone::Tensor(buffer.data(), type_, {1, tokens, heads_, dim});
  };
  const auto state_tensor = [&](const support::Buffer& buffer) {
    return rankone::Tensor(buffer.data(), rankone::dtype::f32, {1, heads_, key_dim_, value_dim_});
  };

  const auto q_buffer = upload(q), k_buffer = upload(k), v_buffer = upload(v), x_buffer = upload(x);
  const support::Buffer o_buffer(device_, v_buffer.bytes());
  const std::size_t workspace_bytes = op_.workspace_bytes({.batch = 1, .tokens = tokens, .heads = heads_});
  const support::Buffer workspace(device_, workspace_bytes);

  rankone::ForwardArguments arguments{.q = tensor(q_buffer, key_dim_),
                                      .k = tensor(k_buffer, key_dim_),
                                      .v = tensor(v_buffer, value_dim_),
                                      .inputs = {{"x", tensor(x_buffer, key_dim_)}},
                                      .initial_state = state_tensor(state.current),
                                      .o = tensor(o_buffer, value_dim_),
                                      .final_state = state_tensor(state.next)};
  if (workspace_bytes > 0)
    arguments.workspace = rankone::Tensor(workspace.data(), rankone::dtype::f32, {std::int64_t(workspace_bytes / 4)});
  op_.forward(arguments);
  std::swap(state.current, state.next);

  std::vector<std::byte> bytes(o_buffer.bytes());
  o_buffer.download(bytes.data());
  return decode(bytes, type_);
}

}  // namespace text_model
