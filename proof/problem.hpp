// SPDX-License-Identifier: MIT
// One call's inputs on the host: random ones for checks and timing, or those of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

#include "codegen/ports.hpp"
#include "proof/dims.hpp"
#include "proof/draw.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone {

struct HostTensor {
  std::string name;
  rankone::dtype type = rankone::dtype::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
  std::int64_t slot_stride = 0;  // of the first dimension, in elements; 0: there are no gaps

  Tensor at(void* data) const;  // in other memory
  Tensor view() { return at(bytes.data()); }
  Tensor view() const;  // not to be written
};
HostTensor make_tensor(std::string name, dtype type, std::vector<std::int64_t> shape, std::int64_t slot_stride = 0);

struct Problem {
  Variant variant{};
  CompileOptions options{};
  Dims dims{};
  std::vector<HostTensor> tensors{};  // inputs alone
  std::vector<NamedScalar> scalars{};
  double scale = 0;  // 0: the variant's own
  Inputs inputs = Inputs::random;
  Pass pass = Pass::forward;

  HostTensor* find(std::string_view name);
};

struct RandomInputs {
  std::uint64_t seed = 1;
  bool initial_state = true;
  bool packed = false;  // dims.tokens split into uneven sequences; the first, one inside and the last are empty
  std::vector<NamedScalar> scalars{};      // those left out have defaults
  std::vector<std::int64_t> boundaries{};  // packed sequences of the caller's, as in cu_seqlens, instead of `packed`
  double gate_scale = 1;                   // token inputs of gates are multiplied with it
  Inputs kind = Inputs::random;
  // Of decoding, dims.batch counts rows. Some read one slot and write another, and of three rows and more one does nothing, of
  // four two; slots have gaps between them, of 16 bytes or of three elements.
  Pass pass = Pass::forward;
  bool in_place = false;  // instead each row of decoding has one slot, which it reads and writes, and there are no gaps
};

// What random_problem() refuses, without the tensors; else the sizes with the number of sequences.
Dims require_drawable(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs);

// Whether inputs of its kind suit the variant's formulas; random ones always, or else they are refused.
bool is_drawable(const Variant& variant, const Dims& dims, const RandomInputs& inputs);

// Where a decode problem's rows have their states.
RowSlots slots_of(Problem& problem);
// What a problem's pass writes.
std::vector<Port> written_ports(const Problem& problem);

// Inputs drawn so that every log-decay is at most 0, as it has to be. With `packed`, dims.batch must be 1.
Problem random_problem(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs);

}  // namespace rankone
