// SPDX-License-Identifier: MIT
// One token of linear attention on the CPU device, against o = K^-0.5 (q . k) v worked out by hand.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <rankone/rankone.hpp>

int main() {
  using namespace rankone;
  constexpr int dim = 16;
  std::vector<float> q(dim, 0.5f), k(dim, 0.25f), v(dim), o(dim, -1.0f);
  for (int i = 0; i < dim; ++i) v[std::size_t(i)] = float(i);

  const Operator op = compile(variants::linear, {.key_dim = dim, .value_dim = dim, .dtype = dtype::f32}, Device::cpu());
  std::vector<std::byte> workspace(op.workspace_bytes({.batch = 1, .tokens = 1, .heads = 1}));
  op.forward({.q = {q.data(), dtype::f32, {1, 1, 1, dim}},
              .k = {k.data(), dtype::f32, {1, 1, 1, dim}},
              .v = {v.data(), dtype::f32, {1, 1, 1, dim}},
              .o = {o.data(), dtype::f32, {1, 1, 1, dim}},
              .workspace = workspace});

  for (int i = 0; i < dim; ++i)
    if (!(std::abs(o[std::size_t(i)] - 0.5f * float(i)) <= 1e-5f)) {
      std::printf("o[%d] is %g, not %g\n", i, double(o[std::size_t(i)]), 0.5 * i);
      return 1;
    }
  std::printf("right: %s\n", op.schedule().c_str());
}
