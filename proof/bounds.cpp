// SPDX-License-Identifier: MIT
// How far from the recurrence a right kernel may be.
#include "proof/bounds.hpp"

#include <algorithm>
#include <cmath>

#include <rankone/dsl.hpp>

#include "codegen/bounds.hpp"
#include "codegen/chain.hpp"
#include "codegen/kernels.hpp"

namespace rankone {
namespace {

// Relative errors of `o` and of states are at most 1.25 times what was measured over the catalogue, both families, all
// levels, gates from -1e-4 to -100 side by side, and on a GPU in f16. `digits`: the binary digits of a product's operands.
struct Limits {
  dtype type;
  Precision precision;  // of f32 alone
  int digits;
  double output, state;
};
constexpr Limits all_limits[] = {
    {dtype::bf16, Precision::tf32, 8, 3.2e-3, 2.4e-3},  // 2.97e-3 (hgrn2; others 2.82e-3), 1.95e-3
    {dtype::f16, Precision::tf32, 11, 7e-4, 3e-4},      // 5.5e-4, 2.4e-4
    {dtype::f32, Precision::tf32, 11, 7.6e-4, 3.9e-4},  // 6.1e-4 (mamba2 over few tokens; others 4.3e-4), 3.1e-4
    {dtype::f32, Precision::f32, 22, 4.6e-7, 3e-7},     // 3.7e-7, 2.4e-7
};

// The gradient of this name; null: the tensor is none.
const Port* find_gradient(const std::vector<Port>& ports, std::string_view tensor) {
  const Port* const port = find_port(ports, tensor);
  return port != nullptr && port->role == PortRole::gradient ? port : nullptr;
}

const Limits& limits_of(const CompileOptions& options) {
  return *std::ranges::find_if(all_limits, [&](const Limits& each) {
    return each.type == options.dtype && (each.type != dtype::f32 || each.precision == options.precision);
  });
}

bool has_token_leaf(const Expression& formula) {
  return reads(formula, Operation::input) || reads(formula, Operation::position);
}
bool value_varies(const Variant& variant) {
  const Expression value = variant.formula(Formula::value);
  return has_token_leaf(value) || reads(value, Operation::value);
}
bool key_varies(const Variant& variant) {
  const Expression key = variant.formula(Formula::key);
  return has_token_leaf(key) || (reads(key, Operation::decay) && has_token_leaf(variant.formula(Formula::decay)));
}

// What the variant's formulas round before a product takes it. A number is off by half a unit of its last digit at most,
// which is most of it just above a power of two; many such numbers by that over sqrt(3) in the root mean square. Keys that
// no token input enters may all be one number, and then all err alike.
struct Roundings {
  double query = 0, key = 0, value = 0;  // of the operand, in half units, squared
};
Roundings roundings_of(const Variant& variant) {
  constexpr double varied = 1.0 / 3, alike = 1;
  Roundings found;
  if (variant.has(Formula::feature_map)) found.query = found.key = varied;
  if (variant.has(Formula::query)) found.query = varied;
  if (variant.has(Formula::value)) found.value = value_varies(variant) ? varied : alike;
  if (!variant.has(Formula::key)) return found;
  // The catalogue's limit has one operand that is made of a token's gates (hgrn2's key).
  found.key = reads_key(variant) ? varied : key_varies(variant) ? 0.0 : alike;
  return found;
}

// By three products float32 errs alike on equal tokens: 7.2e-7 after 32,768 of them. Tensor cores cut sums short instead of
// rounding them: of each of the three products of eight keys half a unit on average, of a sum that is half there.
double float32_sums(const Problem& problem, bool on_tensor_cores) {
  const double of_tokens = 1.25e-11 * static_cast<double>(std::max(problem.dims.tokens, problem.dims.keys()));
  const double steps = 3 * (static_cast<double>(problem.dims.key_dim) / 8 + 8);
  return of_tokens + (on_tensor_cores ? steps * 0x1p-24 / 2 : 0);
}

// A logarithm in a decay's formula is right to 1e-6 of it, and all decays of equal tokens err the same way.
double float32_logarithms(const Problem& problem) {
  constexpr double of_one = 1e-6, most = 2e-6;
  if (problem.inputs != Inputs::equal) return 0;
  return std::min(of_one * growth_of_log_errors(problem.variant.formula(Formula::decay)), most);
}

// Angles of some radians are right to the last digit of float32, and turn what a state holds by their sum: what equal tokens are
// off by, adds up.
double turns(const Problem& problem) {
  constexpr double of_token = 2e-7;
  return problem.variant.is_complex() ? of_token * static_cast<double>(problem.dims.tokens) : 0;
}

// Of states that are stored in 16 bits; those of equal tokens are alike.
double state_rounding(const Problem& problem) {
  if (problem.options.state_dtype == dtype::f32) return 0;
  const double half_unit = problem.options.state_dtype == dtype::bf16 ? 0x1p-8 : 0x1p-11;
  return problem.inputs == Inputs::equal ? half_unit : half_unit / std::sqrt(3.0);
}

// Of `o` or a state of one recurrence.
double recurrence_bound(const Problem& problem, bool is_output, bool on_tensor_cores) {
  const Limits& limits = limits_of(problem.options);
  const Roundings roundings = roundings_of(problem.variant);
  const double limit = is_output ? limits.output : limits.state, half_unit = std::ldexp(1.0, -limits.digits);
  const double more = (is_output ? roundings.query : 0) + roundings.key + roundings.value;
  const double stored = is_output ? 0 : state_rounding(problem);
  const double bound = std::sqrt(limit * limit + more * half_unit * half_unit + stored * stored);
  const double of_all = bound + turns(problem);
  if (limits.precision != Precision::f32) return of_all;
  return of_all + float32_sums(problem, on_tensor_cores) + float32_logarithms(problem);
}

// A pass of a chain, or all there is, as a problem of its own, without tensors.
Problem problem_in(const Problem& chain, const Recurrence& pass) {
  return {.variant = pass.variant,
          .options = pass.options,
          .dims = dims_in(pass.variant.stage_, chain.dims),
          .inputs = chain.inputs,
          .pass = chain.pass};
}
// That has the tensor; `o` is of the second, and so is what is of both.
Problem problem_of(const Problem& problem, std::string_view tensor) {
  const std::vector<Recurrence> all = recurrences_of(problem.variant, problem.options);
  const std::vector<Port> known = ports(problem.variant, problem.options, problem.pass);
  const Port* const port = find_port(known, tensor);
  const bool is_of_second = port == nullptr || name_in(Stage::second, *port);
  return problem_in(problem, is_of_second ? all.back() : all.front());
}

}  // namespace

double gradient_bound(dtype type, double elements) {
  constexpr double sums = 2e-5;
  return sums * allowance_for(elements) + (type == dtype::bf16 ? 0x1p-8 : type == dtype::f16 ? 0x1p-11 : 0);
}

// Of tf32's measured: 1.02e-3, the slopes of decays per key that go from -1e-4 to -100 side by side.
ChunkRounding chunk_rounding(const Variant& variant, const CompileOptions& options) {
  if (options.pins.family == Family::recurrent || !portable::why_no_backward(variant, options).empty()) return {};
  if (options.dtype == dtype::bf16) return {4.5e-3, 0x1p15};
  if (options.dtype == dtype::f32 && options.precision == Precision::f32) return {2e-5, 1};
  return {1.3e-3, 0x1p12};
}

double gradient_bound(const Variant& variant, const CompileOptions& options, dtype type, double elements) {
  return std::hypot(gradient_bound(type, elements), chunk_rounding(variant, options).error * allowance_for(elements));
}

double error_bound(const Problem& problem, std::string_view tensor, bool on_tensor_cores) {
  const std::vector<Port> written = written_ports(problem);
  if (const Port* const gradient = find_gradient(written, tensor))
    return gradient_bound(problem.variant, problem.options, gradient->type) + turns(problem);
  const bool is_output = tensor == "o";
  const double own = recurrence_bound(problem_of(problem, tensor), is_output, on_tensor_cores);
  if (!problem.variant.chains_ || !is_output) return own;
  // What the first pass reads goes to the second in float32.
  Problem first = problem_in(problem, recurrences_of(problem.variant, problem.options).front());
  first.options.dtype = dtype::f32, first.options.precision = Precision::f32;
  return own + recurrence_bound(first, true, on_tensor_cores);
}

double allowance_for(double elements) {
  constexpr double always = 0.5625, of_one = 28;  // of the square: 1 from 4096 elements on, 5.3 for one
  return std::sqrt(std::max(1.0, always + of_one / std::sqrt(std::max(elements, 1.0))));
}

// The elements of a row share the roundings of its keys, of which `o` has K for each token and a state's row one: so many
// of them err by themselves. Of equal tokens all rows of a chunk err alike, and so do all of a state.
double independent_elements(const Problem& problem, std::string_view tensor, double effective_rows) {
  constexpr double tokens_of_chunk = 64;
  const Dims dims = problem_of(problem, tensor).dims;
  const std::int64_t tokens =
      std::max<std::int64_t>(dims.batch * dims.tokens / std::max<std::int64_t>(dims.sequences, 1), 1);
  const std::vector<Port> written = written_ports(problem);
  const Port* const gradient = find_gradient(written, tensor);
  const bool output = tensor == "o" || (gradient != nullptr && gradient->axes.has_tokens());
  if (problem.inputs == Inputs::equal) return output ? static_cast<double>(tokens) / tokens_of_chunk : 1;
  return effective_rows * static_cast<double>(std::min(dims.value_dim, output ? tokens * dims.key_dim : tokens));
}

}  // namespace rankone
