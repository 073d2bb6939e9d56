// SPDX-License-Identifier: MIT
// Is a kernel right? Its outputs on random inputs against the oracle, under the bounds that its types allow.
#include <rankone/check.hpp>

#include <algorithm>

#include "proof/verify.hpp"

namespace rankone {

CheckReport check(const Operator& op, const CheckOptions& options) {
  const Dims dims = drawn_dims(op.options(), options.shape, "check");
  PooledErrors errors = verify(op, [&](int i) {
    return random_problem(op.variant(), op.options(), dims,
                          {.seed = seed_of_draw(options.seed, i),
                           .initial_state = options.initial_state,
                           .packed = options.packed,
                           .scalars = options.scalars});
  });
  const bool ok = std::ranges::all_of(errors.tensors, &TensorError::ok);
  return {ok, std::move(errors.tensors), errors.draws};
}

}  // namespace rankone
