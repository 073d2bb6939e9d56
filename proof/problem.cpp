// SPDX-License-Identifier: MIT
// One forward call's inputs on the host: random ones for checks and timing, or those of a file.
#include "proof/problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/nearest.hpp"
#include "codegen/ports.hpp"
#include "proof/draw.hpp"
#include "proof/memory.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

// Large tensors repeat after so many elements: a prime, so that no stride divides it.
constexpr std::int64_t period = 4'194'301;

template <class Element> void fill(HostTensor& tensor, const Element& element) {
  const std::int64_t elements = product(tensor.shape), fresh = std::min(elements, period);
  for (std::int64_t i = 0; i < fresh; ++i)
    store(tensor.bytes.data(), tensor.type, i, element(static_cast<std::uint64_t>(i)));
  const auto block = static_cast<std::size_t>(fresh) * size_of(tensor.type);
  for (std::size_t done = block; done < tensor.bytes.size(); done += block)
    std::memcpy(tensor.bytes.data() + done, tensor.bytes.data(), std::min(block, tensor.bytes.size() - done));
}

// Boundaries of uneven sequences: the first, one inside and the last are empty.
std::vector<std::int64_t> uneven_boundaries(std::int64_t tokens, std::uint64_t seed) {
  std::vector<std::int64_t> cuts = {0, 0};
  const auto part = [&](std::uint64_t i) { return draw(Distribution::uniform, seed, 99, i); };
  const auto first = static_cast<std::int64_t>(part(0) * static_cast<double>(tokens));
  const auto second = first + static_cast<std::int64_t>(part(1) * static_cast<double>(tokens - first));
  for (const std::int64_t cut : {first, first, second, tokens, tokens}) cuts.push_back(cut);
  return cuts;
}

// Values that the formulas of the catalogue are meant for.
double default_scalar(std::string_view name) { return name == "layer" ? 6 : name == "layers" ? 24 : 0.5; }

std::vector<NamedScalar> complete(const Variant& variant, std::vector<NamedScalar> given) {
  std::vector<NamedScalar> result;
  for (const Leaf& leaf : scalars_of(variant)) {
    const std::string name(leaf.name.view());
    const auto found =
        std::find_if(given.begin(), given.end(), [&](const NamedScalar& each) { return each.name == name; });
    result.push_back(found != given.end() ? *found : NamedScalar{name, default_scalar(name)});
    if (found != given.end()) given.erase(found);
  }
  if (!given.empty()) {
    std::string accepted;
    const std::vector<std::string_view> names = [&] {
      std::vector<std::string_view> list;
      for (const NamedScalar& each : result) list.emplace_back(each.name);
      return list;
    }();
    for (const NamedScalar& each : result) accepted += (accepted.empty() ? "" : ", ") + each.name;
    throw Error(ErrorCode::invalid_argument, "the variant has no such scalar" + did_you_mean(given.front().name, names),
                given.front().name, accepted.empty() ? "none" : accepted, "scalar");
  }
  return result;
}

double bytes_of(const Variant& variant, const CompileOptions& options, const Dims& dims) {
  double bytes = 0;
  for (const Port& port : ports(variant, options))
    bytes += static_cast<double>(product(sizes_of(port.axes, dims))) * static_cast<double>(size_of(port.type));
  return bytes;
}

}  // namespace

HostTensor make_tensor(std::string name, dtype type, std::vector<std::int64_t> shape) {
  HostTensor tensor{.name = std::move(name), .type = type, .shape = std::move(shape), .bytes = {}};
  tensor.bytes.resize(static_cast<std::size_t>(product(tensor.shape)) * size_of(type));
  return tensor;
}

HostTensor* Problem::find(std::string_view name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const HostTensor& each) { return each.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

namespace {

bool is_packed(const RandomInputs& inputs) { return inputs.packed || !inputs.boundaries.empty(); }
std::vector<std::int64_t> boundaries_of(const RandomInputs& inputs, std::int64_t tokens) {
  return inputs.boundaries.empty() ? uneven_boundaries(tokens, inputs.seed) : inputs.boundaries;
}

// An erasure takes of the state what its keys hold, times their squares: those that are drawn have squares near 1, as the
// normalized keys of models do, else the state grows without bound.
double key_scale(const Variant& variant, const Port& port, std::int64_t key_dim) {
  if (!variant.has(Formula::erase)) return 1;
  bool is_key = port.role == PortRole::input && port.axes.has(Axis::key);
  for (const Formula formula : {Formula::key, Formula::erase_read, Formula::erase_write})
    for (const Node& node : variant.formula(formula))
      if (is_named(node.operation)) is_key |= variant.formula(formula).leaf(node).view() == port.name;
  return is_key ? 1 / std::sqrt(static_cast<double>(key_dim)) : 1;
}

// Sequences' boundaries, and positions of up to T.
void fill_integers(HostTensor& tensor, const Port& port, const RandomInputs& inputs, std::uint64_t stream,
                   std::int64_t tokens) {
  const std::vector<std::int64_t> boundaries =
      port.role == PortRole::packing ? boundaries_of(inputs, tokens) : std::vector<std::int64_t>{};
  for (std::int64_t i = 0; i < product(tensor.shape); ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    store(tensor.bytes.data(), tensor.type, i,
          port.role == PortRole::packing
              ? static_cast<double>(boundaries[index])
              : std::floor(draw(Distribution::uniform, inputs.seed, stream, index) * static_cast<double>(tokens)));
  }
}

// With the number of sequences.
Dims require_sizes(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs) {
  dims.sequences = dims.batch;
  if (is_packed(inputs)) {
    if (dims.batch != 1)
      throw Error(ErrorCode::invalid_argument, "packed sequences lie in one batch row",
                  "B=" + std::to_string(dims.batch), "B=1", "packed");
    dims.sequences = static_cast<std::int64_t>(boundaries_of(inputs, dims.tokens).size()) - 1;
  }
  require_memory(bytes_of(variant, options, dims), to_string(dims), "shape");
  return dims;
}

}  // namespace

Dims require_drawable(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs) {
  dims = require_sizes(variant, options, dims, inputs);
  choose_draws(variant, dims, complete(variant, inputs.scalars), inputs.kind);
  return dims;
}

bool is_drawable(const Variant& variant, const Dims& dims, const RandomInputs& inputs) {
  return inputs.kind == Inputs::random || find_draws(variant, dims, complete(variant, inputs.scalars), inputs.kind);
}

Problem random_problem(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs) {
  dims = require_sizes(variant, options, dims, inputs);
  Problem problem{.variant = variant, .options = options, .dims = dims, .inputs = inputs.kind};
  problem.scalars = complete(variant, inputs.scalars);
  const Draws draws = choose_draws(variant, dims, problem.scalars, inputs.kind);
  std::uint64_t stream = 0;
  for (const Port& port : ports(variant, options)) {
    ++stream;
    if (port.writable || (port.role == PortRole::state && !inputs.initial_state)) continue;
    const bool packing = port.role == PortRole::packing, integers = packing || port.role == PortRole::index;
    if (packing && !is_packed(inputs)) continue;
    const dtype type = !packing ? port.type : dims.tokens <= INT32_MAX ? dtype::i32 : dtype::i64;
    HostTensor& tensor = problem.tensors.emplace_back(make_tensor(port.name, type, sizes_of(port.axes, dims)));
    const bool mapped = port.role == PortRole::input && port.axes.has(Axis::key);  // by the feature map
    const double scale =
        (port.role == PortRole::gate ? inputs.gate_scale : 1.0) * key_scale(variant, port, dims.key_dim);
    if (integers)
      fill_integers(tensor, port, inputs, stream, dims.tokens);
    else if (mapped)
      fill(tensor, [&](std::uint64_t i) { return scale * draws.draw_element(inputs.seed, stream, i); });
    else
      fill(tensor, [&](std::uint64_t i) { return scale * draws.draw(port.name, inputs.seed, stream, i); });
  }
  return problem;
}

}  // namespace rankone
