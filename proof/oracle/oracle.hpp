// SPDX-License-Identifier: MIT
// The definition of every variant: its recurrence, token by token, in float64.
#pragma once

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

// Reads and writes host memory, any strides, any floating element type; `o` and `final_state` are rounded once, into
// their own types. Without `o`, only the state is computed and `q` is not read. Of `options` it uses key_dim and
// value_dim (0: as the tensors have them) and value_major_state. Throws Error before anything is written.
void oracle_forward(const Variant& variant, const CompileOptions& options, const ForwardArguments& arguments);

// The same of decoding, into `o`, the slots of `state` that rows write, and `token_states` where it is given.
void oracle_decode(const Variant& variant, const CompileOptions& options, const DecodeArguments& arguments);

}  // namespace rankone
