// SPDX-License-Identifier: MIT
// Decoding in float64: the recurrence over each row, token by token, from its slot.
#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include <rankone/dsl/validate.hpp>

#include "codegen/ports.hpp"
#include "codegen/program.hpp"
#include "proof/oracle/oracle.hpp"
#include "runtime/convert.hpp"
#include "runtime/given_arguments.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone {
namespace {

// One index of a dimension, which then has the size 1; or the `index`-th so many of them.
Tensor part_of(Tensor tensor, std::size_t dimension, std::int64_t index, std::int64_t count = 1) {
  const std::int64_t elements = index * count * tensor.strides[dimension];
  tensor.data = static_cast<std::byte*>(tensor.data) + elements * static_cast<std::int64_t>(size_of(tensor.type));
  tensor.shape[dimension] = count;
  return tensor;
}

// Between two tensors of one shape, but for dimensions of size 1 that `to` has before.
void copy_state(const Tensor& from, const Tensor& to) {
  const auto rank = static_cast<std::size_t>(from.rank), skipped = static_cast<std::size_t>(to.rank) - rank;
  std::array<std::int64_t, max_rank> index{};
  for (std::int64_t left = from.elements(); left > 0; --left) {
    std::int64_t source = 0, target = 0;
    for (std::size_t i = 0; i < rank; ++i)
      source += index[i] * from.strides[i], target += index[i] * to.strides[skipped + i];
    store(to.data, to.type, target, load(from.data, from.type, source));
    for (std::size_t i = rank; i-- > 0 && ++index[i] == from.shape[i];) index[i] = 0;
  }
}

// What a row carries from token to token, and where that stands: "state", and what the variant has beside it.
struct Held {
  std::string name{};
  Tensor pool{}, token_states{}, own{};
  std::vector<double> values{};
};

class RowDecoder {
 public:
  RowDecoder(const Variant& variant, const CompileOptions& options, const DecodeArguments& given)
      : variant_(variant), options_(options), given_(given), gates_(ports_of(ports(variant, options), PortRole::gate)) {
    const GivenArguments tensors(given);
    const std::vector<Port> all = ports(variant, options, Pass::decode);
    for (const Port& port : all)
      if (port.in_slots) hold(tensors, port.name);
    std::erase_if(given_.inputs, [&](const NamedTensor& each) {
      const Port* const port = find_port(all, each.name);
      return port != nullptr && (port->in_slots || port->writable);
    });
  }

  void run(std::int64_t row, std::int64_t from, std::int64_t to) {
    for (const Held& each : held_) copy_state(part_of(each.pool, 0, from), each.own);
    for (std::int64_t token = 0; token < given_.v.shape[1] / variant_.steps_; ++token) {
      step(row, token);
      for (const Held& each : held_)
        if (each.token_states) copy_state(each.own, part_of(part_of(each.token_states, 0, row), 1, token));
    }
    for (const Held& each : held_) copy_state(each.own, part_of(each.pool, 0, to));
  }

 private:
  void hold(const GivenArguments& given, const std::string& name) {
    const auto tensor = [&](const std::string& of) {
      const Tensor* const found = given.find(place_of(of), given.inputs, of);
      return found != nullptr ? *found : Tensor();
    };
    Held& held = held_.emplace_back();
    held.name = name;
    held.pool = tensor(name);
    held.token_states = tensor("token_states" + name.substr(std::string_view("state").size()));
    held.own = held.pool;
    held.own.shape[0] = 1;
    held.values.resize(static_cast<std::size_t>(held.own.elements()));
    held.own = Tensor(held.values.data(), dtype::f64,
                      std::span(held.own.shape).first(static_cast<std::size_t>(held.own.rank)));
  }
  void step(std::int64_t row, std::int64_t token) {
    const auto at = [&](const Tensor& tensor, std::int64_t steps = 1) {
      return tensor ? part_of(part_of(tensor, 0, row), 1, token, steps) : tensor;
    };
    ForwardArguments arguments{.q = at(given_.q),
                               .k = at(given_.k, variant_.steps_),
                               .v = at(given_.v, variant_.steps_),
                               .inputs = given_.inputs,
                               .scalars = given_.scalars,
                               .scale = given_.scale,
                               .o = at(given_.o)};
    for (NamedTensor& each : arguments.inputs)
      if (const Port* const gate = find_port(gates_, each.name); gate != nullptr)
        each.tensor = at(each.tensor, gate->axes.has(Axis::steps) ? variant_.steps_ : 1);
    for (const Held& each : held_)
      for (const char* const end : {"initial_", "final_"}) bind_tensor(arguments, end + each.name, each.own);
    std::int64_t position = token;
    if (given_.start_positions) position += integer_at(given_.start_positions, row);
    arguments.start_positions = Tensor(&position, dtype::i64, {1});
    oracle_forward(variant_, options_, arguments);
  }

  const Variant& variant_;
  const CompileOptions& options_;
  DecodeArguments given_;
  std::vector<Port> gates_;
  std::deque<Held> held_;
};

}  // namespace

void oracle_decode(const Variant& variant, const CompileOptions& options, const DecodeArguments& arguments) {
  validate(variant);
  require_admitted(variant, Pass::decode);
  const RowSlots rows{arguments.state_read, arguments.state_write};
  check_row_slots(rows, arguments.state.shape[0], variant.name.view());
  RowDecoder decoder(variant, options, arguments);
  for (std::int64_t row = 0; row < arguments.v.shape[0]; ++row)
    if (!rows.is_idle(row)) decoder.run(row, integer_at(rows.read, row), integer_at(rows.write, row));
}

}  // namespace rankone
