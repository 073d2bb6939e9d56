// SPDX-License-Identifier: MIT
// One call's inputs on the host: random ones for checks and timing, or those of a file.
#include "proof/problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/chain.hpp"
#include "codegen/nearest.hpp"
#include "codegen/ports.hpp"
#include "codegen/program.hpp"
#include "proof/draw.hpp"
#include "proof/memory.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

// Large tensors repeat after so many elements: a prime, so that no stride divides it.
constexpr std::int64_t period = 4'194'301;

template <class Element> void fill(HostTensor& tensor, const Element& element) {
  const std::int64_t elements = static_cast<std::int64_t>(tensor.bytes.size() / size_of(tensor.type)),
                     fresh = std::min(elements, period);  // gaps too
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
double default_scalar(std::string_view name) {
  return name == "layer" ? 6 : name == "layers" ? 24 : name == "length" ? 4096 : 0.5;
}

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

// Whether some feature map's product of two rows may be below 0 in this feature, where all of them together are not: of
// pairs, those of two elements, and the elements beside them.
bool is_signed(const Variant& variant, std::int64_t key_dim, std::int64_t feature) {
  const Expression map = variant.formula(Formula::feature_map);
  if (!reads(map, Operation::other)) return false;
  for (int i = 0; i < count_pieces(map); ++i) {
    const Width width = piece_of(map, i).width;
    const std::int64_t features = features_of(width, key_dim);
    if (feature < features)
      return width == Width::elements || (width == Width::pairs && feature / key_dim != feature % key_dim);
    feature -= features;
  }
  return false;
}

// A normaliser's sum, [N, HV, F], which outputs are divided by what queries read of, or a key that will be added to it: one
// that keys can leave, so that none reads less than 0.
void fill_sum(HostTensor& tensor, const Variant& variant, std::int64_t key_dim, std::uint64_t seed,
              std::uint64_t stream) {
  fill(tensor, [&](std::uint64_t i) { return 1 + draw(Distribution::uniform, seed, stream, i); });
  const Tensor view = tensor.view();
  for (std::int64_t n = 0; n < view.shape[0]; ++n)
    for (std::int64_t head = 0; head < view.shape[1]; ++head)
      for (std::int64_t feature = 0; feature < view.shape[2]; ++feature)
        if (is_signed(variant, key_dim, feature))
          store(tensor.bytes.data(), tensor.type,
                n * view.strides[0] + head * view.strides[1] + feature * view.strides[2], 0);
}

double bytes_of(const Variant& variant, const CompileOptions& options, const Dims& dims, Pass pass) {
  double bytes = 0;
  for (const Port& port : ports(variant, options, pass))
    bytes += static_cast<double>(product(sizes_of(port.axes, dims))) * static_cast<double>(size_of(port.type));
  return bytes;
}

}  // namespace

HostTensor make_tensor(std::string name, dtype type, std::vector<std::int64_t> shape, std::int64_t slot_stride) {
  HostTensor tensor{
      .name = std::move(name), .type = type, .shape = std::move(shape), .bytes = {}, .slot_stride = slot_stride};
  const std::int64_t elements = product(slot_stride != 0 ? std::vector{tensor.shape[0], slot_stride} : tensor.shape);
  tensor.bytes.resize(static_cast<std::size_t>(elements) * size_of(type));
  return tensor;
}

Tensor HostTensor::at(void* data) const {
  Tensor tensor(data, type, shape);
  if (slot_stride != 0) tensor.strides[0] = slot_stride;
  return tensor;
}
Tensor HostTensor::view() const {
  Tensor tensor = at(const_cast<std::byte*>(bytes.data()));  // read_only says that nobody writes
  tensor.read_only = true;
  return tensor;
}

HostTensor* Problem::find(std::string_view name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const HostTensor& each) { return each.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

RowSlots slots_of(Problem& problem) {
  return {problem.find("state_read")->view(), problem.find("state_write")->view()};
}

std::vector<Port> written_ports(const Problem& problem) {
  std::vector<Port> all = ports(problem.variant, problem.options, problem.pass);
  std::erase_if(all, [](const Port& port) { return !port.writable; });
  return all;
}

namespace {

bool is_packed(const RandomInputs& inputs) { return inputs.packed || !inputs.boundaries.empty(); }
std::vector<std::int64_t> boundaries_of(const RandomInputs& inputs, std::int64_t tokens) {
  return inputs.boundaries.empty() ? uneven_boundaries(tokens, inputs.seed) : inputs.boundaries;
}
// Of the keys of a non-causal variant's sequences: elsewhere than those of its queries.
std::vector<std::int64_t> key_boundaries_of(const RandomInputs& inputs, const Dims& dims) {
  if (inputs.boundaries.empty()) return uneven_boundaries(dims.keys(), inputs.seed + 1);
  std::vector<std::int64_t> boundaries = inputs.boundaries;
  for (std::int64_t& each : boundaries) each = each * dims.keys() / std::max<std::int64_t>(dims.tokens, 1);
  return boundaries;
}

// Of one recurrence: `name` is what it calls the tensor.
double vector_scale_in(const Variant& variant, const Port& port, std::string_view name, std::int64_t key_dim,
                       std::int64_t value_dim) {
  if (!variant.erases()) return 1;
  const bool by_value = variant.has(Formula::value_erase);
  bool is_vector = by_value ? name == "v" : port.role == PortRole::input && port.axes.has(Axis::key);
  const auto stands_in = [&](std::initializer_list<Formula> formulas) {
    for (const Formula formula : formulas)
      for (const Node& node : variant.formula(formula))
        if (is_named(node.operation)) is_vector |= variant.formula(formula).leaf(node).view() == name;
  };
  if (by_value)
    stands_in({Formula::value, Formula::value_erase_read, Formula::value_erase_write});
  else
    stands_in({Formula::key, Formula::erase_read, Formula::erase_write});
  return is_vector ? 1 / std::sqrt(static_cast<double>(by_value ? value_dim : key_dim)) : 1;
}

// An erasure takes of the state what its keys or values hold, times their squares: those that are drawn have squares
// near 1, as the normalized keys of models do, else the state grows without bound. Of a chain either pass may erase.
double vector_scale(const Problem& problem, const Port& port) {
  double least = 1;
  for (const Recurrence& own : recurrences_of(problem.variant, problem.options)) {
    const Stage stage = own.variant.stage_;
    const std::optional<std::string> name = stage == Stage::only ? port.name : name_in(stage, port);
    if (!name) continue;
    const Dims dims = dims_in(stage, problem.dims);
    least = std::min(least, vector_scale_in(own.variant, port, *name, dims.key_dim, dims.value_dim));
  }
  return least;
}

// Sequences' boundaries, and positions of up to T.
void fill_integers(HostTensor& tensor, const Port& port, const RandomInputs& inputs, std::uint64_t stream,
                   const Dims& dims) {
  std::vector<std::int64_t> boundaries;
  if (port.role == PortRole::packing)
    boundaries = port.counted == Axis::tokens ? boundaries_of(inputs, dims.tokens) : key_boundaries_of(inputs, dims);
  for (std::int64_t i = 0; i < product(tensor.shape); ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    store(tensor.bytes.data(), tensor.type, i,
          port.role == PortRole::packing
              ? static_cast<double>(boundaries[index])
              : std::floor(draw(Distribution::uniform, inputs.seed, stream, index) * static_cast<double>(dims.tokens)));
  }
}

// The numbers below `count`, shuffled.
std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::uint64_t stream) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  for (std::size_t i = numbers.size(); i > 1; --i) {
    const double part = draw(Distribution::uniform, seed, stream, i);
    std::swap(numbers[i - 1], numbers[static_cast<std::size_t>(part * static_cast<double>(i))]);
  }
  return numbers;
}

// Each row has two slots of its own, of which it uses one or both; or one.
void draw_slots(Problem& problem, const RandomInputs& inputs) {
  const std::int64_t rows = problem.dims.sequences;
  if (inputs.in_place) {
    for (const char* const name : {"state_read", "state_write"})
      for (std::int64_t n = 0; n < rows; ++n)
        store(problem.find(name)->bytes.data(), problem.find(name)->type, n, static_cast<double>(n));
    return;
  }
  const std::vector<std::int64_t> slots = shuffled(problem.dims.slots, inputs.seed, 98);
  const auto shift = static_cast<std::int64_t>(inputs.seed % static_cast<std::uint64_t>(rows));
  HostTensor &read = *problem.find("state_read"), &write = *problem.find("state_write");
  for (std::int64_t n = 0; n < rows; ++n) {
    const auto own = static_cast<std::size_t>(2 * n);
    const std::int64_t kind = (n + shift) % rows;
    const bool reads_nothing = kind == 1 && rows >= 3, writes_nothing = kind == 2 && rows >= 4;
    const std::int64_t from = slots[kind % 2 == 0 ? own + 1 : own], to = slots[own];
    store(read.bytes.data(), read.type, n, reads_nothing ? -1 : static_cast<double>(from));
    store(write.bytes.data(), write.type, n, writes_nothing ? -1 : static_cast<double>(to));
  }
}

void fill_order(HostTensor& tensor, std::uint64_t seed, std::uint64_t stream) {
  const std::vector<std::int64_t> order = shuffled(tensor.shape[0], seed, stream);
  for (std::size_t i = 0; i < order.size(); ++i)
    store(tensor.bytes.data(), tensor.type, static_cast<std::int64_t>(i), static_cast<double>(order[i]));
}

// Of a pool of states, in elements.
std::int64_t slot_stride_of(const Port& port, const Dims& dims, std::uint64_t seed) {
  std::vector<std::int64_t> sizes = sizes_of(port.axes, dims);
  sizes.erase(sizes.begin());
  const auto unit = 16 / static_cast<std::int64_t>(size_of(port.type));
  return product(sizes) + (seed % 2 != 0 ? unit : 3);
}

// With the numbers of features, sequences and slots.
Dims require_sizes(const Variant& variant, const CompileOptions& options, Dims dims, const RandomInputs& inputs) {
  dims.sequences = dims.batch;
  dims.features = feature_dim(variant, dims.key_dim);
  if (dims.key_tokens >= 0 && !variant.non_causal_)
    throw Error(ErrorCode::invalid_argument, "keys are counted apart from queries in non-causal variants alone",
                "Tk=" + std::to_string(dims.key_tokens), "no Tk", "shape");
  dims.steps = variant.steps_;
  if (inputs.pass == Pass::decode) {
    if (dims.tokens > most_decoded_tokens || is_packed(inputs))
      throw Error(ErrorCode::invalid_argument, "decoding has rows of few tokens",
                  is_packed(inputs) ? "packed sequences" : "T=" + std::to_string(dims.tokens),
                  "T from 1 to " + std::to_string(most_decoded_tokens) + ", not packed", "shape");
    dims.slots = inputs.in_place ? dims.sequences : 2 * dims.sequences + 1;
  }
  if (is_packed(inputs)) {
    if (dims.batch != 1)
      throw Error(ErrorCode::invalid_argument, "packed sequences lie in one batch row",
                  "B=" + std::to_string(dims.batch), "B=1", "packed");
    dims.sequences = static_cast<std::int64_t>(boundaries_of(inputs, dims.tokens).size()) - 1;
  }
  require_memory(bytes_of(variant, options, dims, inputs.pass), to_string(dims), "shape");
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
  Problem problem{.variant = variant, .options = options, .dims = dims, .inputs = inputs.kind, .pass = inputs.pass};
  problem.scalars = complete(variant, inputs.scalars);
  const Draws draws = choose_draws(variant, dims, problem.scalars, inputs.kind);
  std::uint64_t stream = 0;
  for (const Port& port : ports(variant, options, inputs.pass)) {
    ++stream;
    if ((port.writable && !port.updated) || (port.name.starts_with("initial_state") && !inputs.initial_state)) continue;
    const bool packing = port.role == PortRole::packing, integers = packing || port.role == PortRole::index;
    if (packing && !is_packed(inputs)) continue;
    const dtype type = !packing ? port.type : dims.tokens <= INT32_MAX ? dtype::i32 : dtype::i64;
    HostTensor& tensor = problem.tensors.emplace_back(
        make_tensor(port.name, type, sizes_of(port.axes, dims),
                    port.in_slots && !inputs.in_place ? slot_stride_of(port, dims, inputs.seed) : 0));
    const bool is_sum =
        port.role == PortRole::state && port.of != PortRole::output &&
        (port.name.ends_with("state_sum") || (port.name.ends_with("state_key") && is_normalised(variant)));
    const bool mapped = port.role == PortRole::input && port.axes.has(Axis::key);  // by the feature map
    const double scale = (port.role == PortRole::gate ? inputs.gate_scale : 1.0) * vector_scale(problem, port);
    if (port.names_tokens)
      fill_order(tensor, inputs.seed, stream);
    else if (integers)
      fill_integers(tensor, port, inputs, stream, dims);
    else if (is_sum)
      fill_sum(tensor, variant, dims.key_dim, inputs.seed, stream);
    else if (mapped)
      fill(tensor, [&](std::uint64_t i) { return scale * draws.draw_element(inputs.seed, stream, i); });
    else
      fill(tensor, [&](std::uint64_t i) { return scale * draws.draw(port.name, inputs.seed, stream, i); });
  }
  if (inputs.pass == Pass::decode) draw_slots(problem, inputs);
  return problem;
}

}  // namespace rankone
