// SPDX-License-Identifier: MIT
// Uploads what one layer hands to its attention, launches, downloads the result.
#include "attention.hpp"

#include <utility>

#include "../support/floats.hpp"

namespace text_model {

Attention::Attention(const rankone::Device& device, rankone::dtype type, std::size_t heads, std::size_t key_dim,
                     std::size_t value_dim)
    : device_(device), type_(type), heads_(std::int64_t(heads)), key_dim_(std::int64_t(key_dim)),
      value_dim_(std::int64_t(value_dim)),
      op_(rankone::compile(
          rankone::variants::gla_sigmoid,
          {.key_dim = int(key_dim),
           .value_dim = int(value_dim),
           .dtype = type,
           .precision = type == rankone::dtype::f32 ? rankone::Precision::f32 : rankone::Precision::tf32},
          device)) {}

State Attention::zero_state() const {
  const Vector zeros(std::size_t(heads_ * key_dim_ * value_dim_), 0.0f);
  return {support::upload(device_, zeros, rankone::dtype::f32), support::upload(device_, zeros, rankone::dtype::f32)};
}

Vector Attention::forward(const Vector& q, const Vector& k, const Vector& v, const Vector& x, State& state) const {
  const std::int64_t tokens = std::int64_t(q.size()) / (heads_ * key_dim_);
  const auto tensor = [&](const rankone::Buffer& buffer, std::int64_t dim) {
    return buffer.tensor(type_, {1, tokens, heads_, dim});
  };
  const auto state_tensor = [&](const rankone::Buffer& buffer) {
    return buffer.tensor(rankone::dtype::f32, {1, heads_, key_dim_, value_dim_});
  };

  const auto q_there = support::upload(device_, q, type_), k_there = support::upload(device_, k, type_);
  const auto v_there = support::upload(device_, v, type_), x_there = support::upload(device_, x, type_);
  const rankone::Buffer o_there(device_, v_there.size());
  const rankone::Buffer workspace(device_, op_.workspace_bytes({.batch = 1, .tokens = tokens, .heads = heads_}));
  op_.forward({.q = tensor(q_there, key_dim_),
               .k = tensor(k_there, key_dim_),
               .v = tensor(v_there, value_dim_),
               .inputs = {{"x", tensor(x_there, key_dim_)}},
               .initial_state = state_tensor(state.current),
               .o = tensor(o_there, value_dim_),
               .final_state = state_tensor(state.next),
               .workspace = workspace.bytes()});
  std::swap(state.current, state.next);
  return support::download(o_there, type_);
}

}  // namespace text_model
