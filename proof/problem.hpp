// SPDX-License-Identifier: MIT
// One forward call's inputs on the host: random ones for checks and timing, or those of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

#include "proof/dims.hpp"
#include "proof/draw.hpp"

namespace rankone {

struct HostTensor {
  std::string name;
  rankone::dtype type = rankone::dtype::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  Tensor view() { return Tensor(bytes.data(), type, shape); }
  Tensor view() const { return Tensor::view(bytes.data(), type, shape); }
};
HostTensor make_tensor(std::string name, dtype type, std::vector<std::int64_t> shape);

struct Problem {
  Variant variant{};
  CompileOptions options{};
  Dims dims{};
  std::vector<HostTensor> tensors{};  // inputs alone
  std::vector<NamedScalar> scalars{};
  double scale = 0;  // 0: the variant's own
  Inputs inputs = Inputs::random;

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
};

// What random_problem() refuses, without the tensors; else the sizes with the number of sequences.
Dims require_drawable(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs);

// Whether inputs of its kind suit the variant's formulas; random ones always, or else they are refused.
bool is_drawable(const Variant& variant, const Dims& dims, const RandomInputs& inputs);

// Inputs drawn so that every log-decay is at most 0, as it has to be. With `packed`, dims.batch must be 1.
Problem random_problem(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs);

}  // namespace rankone
