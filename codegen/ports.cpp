// SPDX-License-Identifier: MIT
// The table of ports.
#include "codegen/ports.hpp"

#include <algorithm>

#include <rankone/dsl/leaves.hpp>

#include "codegen/names.hpp"

namespace rankone {
namespace {

constexpr unsigned in(Pass pass) { return 1u << static_cast<unsigned>(pass); }
constexpr unsigned over_tokens = in(Pass::forward) | in(Pass::states), every_pass = ~0u;
constexpr int vector_bytes = 16;  // what one access of the fast paths takes

// A port, and where it exists. What stands here is all that the rest of the library knows of it, but for the code that
// computes with it.
struct Row {
  Port port;
  unsigned passes = over_tokens;
  bool exists = true;
};

AxisList state_axes(const CompileOptions& options) {
  return options.value_major_state ? AxisList{Axis::sequences, Axis::value_heads, Axis::value, Axis::key}
                                   : AxisList{Axis::sequences, Axis::value_heads, Axis::key, Axis::value};
}

AxisList total_axes(const Variant& variant) {
  AxisList axes = {Axis::sequences, Axis::value_heads};
  if (variant.decays_by_key()) axes.add(Axis::key);
  return axes;
}

std::vector<Row> fixed_rows(const Variant& variant, const CompileOptions& options) {
  using enum PortRole;
  using enum TypeRule;
  const AxisList query = {Axis::batch, Axis::tokens, Axis::heads, Axis::key};
  const AxisList value = {Axis::batch, Axis::tokens, Axis::value_heads, Axis::value};
  const AxisList matrix = state_axes(options), total = total_axes(variant);
  const dtype type = options.dtype, f32 = dtype::f32, i64 = dtype::i64;
  const auto token = [&](const char* name, PortRole role, const AxisList& axes) {
    return Port{.name = name,
                .role = role,
                .axes = axes,
                .type = type,
                .rule = storage,
                .alignment = vector_bytes,
                .writable = role == output};
  };
  const auto whole = [&](const char* name, PortRole role, const AxisList& axes, int alignment) {
    return Port{.name = name,
                .role = role,
                .axes = axes,
                .type = f32,
                .alignment = alignment,
                .contiguous = true,
                .writable = role == output,
                .optional = true};
  };
  const auto list = [&](const char* name, PortRole role, const AxisList& axes, TypeRule rule) {
    return Port{
        .name = name, .role = role, .axes = axes, .type = i64, .rule = rule, .contiguous = true, .optional = true};
  };
  const bool positions = !leaves_of(variant, Operation::position).empty();
  Port initial = whole("initial_state", PortRole::state, matrix, vector_bytes);
  if (positions) initial.needs = "start_positions";  // a call that goes on has to say from where
  return {{token("q", input, query), in(Pass::forward)},
          {token("k", input, query), over_tokens, reads_key(variant)},
          {token("v", input, value)},
          {list("cu_seqlens", packing, {Axis::offsets}, integer)},  // before what counts sequences
          {list("start_positions", PortRole::index, {Axis::sequences}, fixed), over_tokens, positions},
          {initial, every_pass},
          {token("o", output, value), in(Pass::forward)},
          {whole("final_state", output, matrix, vector_bytes), every_pass},
          {whole("log_decay_total", output, total, 1), in(Pass::states) | in(Pass::combine)}};
}

// Of a token input or a parameter.
Port port_of(const Leaf& leaf, PortRole role, AxisList axes, dtype otherwise, const CompileOptions& options) {
  if (leaf.axes.has(Axes::head)) axes.add(Axis::heads);
  if (leaf.axes.has(Axes::value_head)) axes.add(Axis::value_heads);
  if (leaf.axes.has(Axes::key)) axes.add(Axis::key);
  Port port{.name = std::string(leaf.name.view()),
            .role = role,
            .axes = axes,
            .type = otherwise,
            .rule = TypeRule::own,
            .alignment = role == PortRole::gate && axes.has(Axis::key) ? vector_bytes : 1,
            .contiguous = role == PortRole::parameter};
  for (const auto& [name, type] : options.input_types)
    if (name == port.name) port.type = type;
  return port;
}

// Of all passes: a pass that lacks a port leaves its slot empty.
std::vector<Row> rows_of(const Variant& variant, const CompileOptions& options) {
  std::vector<Row> rows = fixed_rows(variant, options), leaves;
  for (const Leaf& leaf : inputs_of(variant))
    leaves.push_back({port_of(leaf, PortRole::gate, {Axis::batch, Axis::tokens}, options.dtype, options)});
  for (const Leaf& leaf : parameters_of(variant))
    leaves.push_back({port_of(leaf, PortRole::parameter, {}, dtype::f32, options)});
  const auto rest = std::ranges::find_if(rows, [](const Row& row) { return row.port.role != PortRole::input; });
  rows.insert(rest, leaves.begin(), leaves.end());
  for (int slot = 0; Row & row : rows) row.port.slot = slot++;
  return rows;
}

}  // namespace

std::vector<Port> ports(const Variant& variant, const CompileOptions& options, Pass pass) {
  std::vector<Port> list;
  for (Row& row : rows_of(variant, options))
    if (row.exists && (row.passes & in(pass)) != 0) list.push_back(std::move(row.port));
  return list;
}

std::vector<Port> slots(const Variant& variant, const CompileOptions& options) {
  std::vector<Port> list;
  for (Row& row : rows_of(variant, options)) list.push_back(std::move(row.port));
  return list;
}

std::vector<Port> ports_of(const std::vector<Port>& ports, PortRole role) {
  std::vector<Port> list;
  std::ranges::copy_if(ports, std::back_inserter(list), [&](const Port& port) { return port.role == role; });
  return list;
}

const Port* find_port(const std::vector<Port>& ports, std::string_view name) {
  const auto found = std::ranges::find(ports, name, &Port::name);
  return found == ports.end() ? nullptr : &*found;
}

std::vector<dtype> possible_types(const Port& port) {
  switch (port.rule) {
    case TypeRule::storage:
    case TypeRule::own: {
      std::vector<dtype> types;
      for (const auto& entry : storage_type_names) types.push_back(entry.value);
      return types;
    }
    case TypeRule::integer: return {dtype::i32, dtype::i64};
    case TypeRule::fixed: break;
  }
  return {port.type};
}

std::vector<std::string> names_of(const std::vector<dtype>& types) {
  std::vector<std::string> names;
  for (const dtype type : types) names.emplace_back(name_of(type));
  return names;
}

}  // namespace rankone
