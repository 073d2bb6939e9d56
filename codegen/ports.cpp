// SPDX-License-Identifier: MIT
// The table of ports.
#include "codegen/ports.hpp"

#include <algorithm>
#include <utility>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/chain.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/error.hpp>

#include "codegen/names.hpp"

namespace rankone {
namespace {

constexpr unsigned in(Pass pass) { return 1u << static_cast<unsigned>(pass); }
constexpr unsigned over_spans = in(Pass::forward) | in(Pass::states) | in(Pass::combine);
constexpr unsigned over_tokens = in(Pass::forward) | in(Pass::states) | in(Pass::backward);
constexpr unsigned of_slopes = in(Pass::backward), decode = in(Pass::decode);
constexpr unsigned with_formulas = over_tokens | decode, with_output = in(Pass::forward) | decode,
                   of_queries = with_output | of_slopes;
// Passes of one group have the same slots, since instances of the same templates serve them. A launch has no room for
// what passes of other groups take.
constexpr unsigned slot_groups[] = {over_spans};
constexpr unsigned group_of(Pass pass) {
  for (const unsigned group : slot_groups)
    if ((group & in(pass)) != 0) return group;
  return in(pass);
}
constexpr int vector_bytes = 16;  // what one access of the fast paths takes

// A port, and where it exists. What stands here is all that the rest of the library knows of it, but for the code that
// computes with it.
struct Row {
  Port port;
  unsigned passes = over_spans;
  bool exists = true;
  bool keeps_slot = true;  // where it does not exist
};

// The rows and the columns of a state.
struct StateAxes {
  Axis rows, columns;
};

// What formulas of keys run over: q and k stand before the feature map, and have K elements whatever it makes of them.
Axis rows_axis(const Variant& variant) { return has_features(variant) ? Axis::feature : Axis::key; }

// A state's keys: of a chain, whose state is that of its second pass, the slots.
Axis key_axis_of(const Variant& variant) { return variant.chains_ ? Axis::memory_slot : rows_axis(variant); }

// `outer`: what counts states, outermost first.
AxisList state_axes(const CompileOptions& options, const StateAxes& state, AxisList outer) {
  outer.add(Axis::value_heads);
  outer.add(options.value_major_state ? state.columns : state.rows);
  outer.add(options.value_major_state ? state.rows : state.columns);
  return outer;
}
AxisList state_axes(const Variant& variant, const CompileOptions& options, AxisList outer = {Axis::sequences}) {
  return state_axes(options, {key_axis_of(variant), Axis::value}, outer);
}
// What counts the rows of a token's tensors: decoding has a sequence in each.
Axis row_axis(Pass pass) { return pass == Pass::decode ? Axis::sequences : Axis::batch; }

AxisList total_axes(const Variant& variant) {
  AxisList axes = {Axis::sequences, Axis::value_heads};
  if (variant.decays_by_key()) axes.add(rows_axis(variant));
  if (variant.decays_by_value()) axes.add(Axis::value);
  return axes;
}

// A tensor that has a token's vectors.
Port token_port(const char* name, PortRole role, Axis rows, Axis heads, Axis columns, dtype type,
                Axis tokens = Axis::tokens) {
  return {.name = name,
          .role = role,
          .axes = {rows, tokens, heads, columns},
          .type = type,
          .rule = TypeRule::storage,
          .alignment = vector_bytes,
          .writable = role == PortRole::output};
}

// Of the gradient of a port. Parameters' are float32, whatever they are.
Port gradient_of(Port port) {
  port.name = "d" + port.name;
  if (port.role == PortRole::parameter) port.type = dtype::f32, port.rule = TypeRule::fixed;
  port.of = std::exchange(port.role, PortRole::gradient);
  port.writable = port.optional = true;
  port.needs.clear(), port.holds = {};
  port.absent = "not wanted";
  return port;
}

// What counts the tokens of keys and values.
Axis key_tokens(const Variant& variant) { return variant.non_causal_ ? Axis::key_tokens : Axis::tokens; }
// What counts written keys and values.
Axis written_tokens(const Variant& variant) { return variant.steps_ > 1 ? Axis::steps : key_tokens(variant); }

// Integers that a call may do without.
Port list_port(const char* name, PortRole role, Axis axis, TypeRule rule, std::string_view holds,
               std::string_view absent) {
  return {.name = name,
          .role = role,
          .axes = {axis},
          .type = dtype::i64,
          .rule = rule,
          .contiguous = true,
          .optional = true,
          .holds = holds,
          .absent = absent};
}

Port initial_state(const Variant& variant, const CompileOptions& options, bool combines) {
  Port port{.name = "initial_state",
            .role = PortRole::state,
            .axes = state_axes(variant, options),
            .type = options.state_dtype,
            .rule = TypeRule::state,
            .alignment = vector_bytes,
            .contiguous = true,
            .optional = !combines,
            .holds = combines ? "the first span's state" : "the state before the first token",
            .absent = "zeros"};
  // A call that goes on has to say from where.
  if (reads_position(variant) && !combines) port.needs = "start_positions";
  return port;
}

// Of what a variant carries beside its state. `outer`: what counts states, outermost first.
Port carried_port(const CarriedState& state, const Variant& variant, const CompileOptions& options, const char* prefix,
                  PortRole role, AxisList outer) {
  const bool written = role == PortRole::output;
  Port port{.name = prefix + std::string(state.name),
            .role = role,
            .contiguous = true,
            .writable = written,
            .optional = true,
            .holds = state.holds,
            .absent = written ? "not wanted" : state.start};
  if (state.is_matrix()) {
    port.axes = variant.chains_ ? state_axes(options, {rows_axis(variant), Axis::memory_slot}, outer)
                                : state_axes(variant, options, outer);
    port.type = options.state_dtype, port.rule = TypeRule::state, port.alignment = vector_bytes;
    return port;
  }
  outer.add(Axis::value_heads);
  const bool is_of_columns = variant.stage_ == Stage::first;  // whose slots they are
  if (state.axes.has(Axes::key)) outer.add(is_of_columns ? Axis::value : key_axis_of(variant));
  if (state.axes.has(Axes::value)) outer.add(Axis::value);
  port.axes = outer;
  return port;
}

Port final_state(const Variant& variant, const CompileOptions& options, bool combines) {
  return {.name = "final_state",
          .role = PortRole::output,
          .axes = state_axes(variant, options),
          .type = options.state_dtype,
          .rule = TypeRule::state,
          .alignment = vector_bytes,
          .contiguous = true,
          .writable = true,
          .updated = combines,
          .optional = !combines,
          .holds = combines ? "the second span's state, then that of both" : "the state after the last token",
          .absent = "not wanted"};
}

Port log_decay_total(const Variant& variant, bool combines) {
  return {.name = "log_decay_total",
          .role = combines ? PortRole::state : PortRole::output,
          .axes = total_axes(variant),
          .contiguous = true,
          .writable = !combines,
          .optional = !combines,
          .holds = combines ? "the sum of the second span's natural log-decays, as the state-only pass writes it"
                            : "the sum of each sequence's natural log-decays",
          .absent = "not wanted"};
}

// Decoding goes on, and has to say from where.
Port start_positions(Pass pass) {
  Port port = list_port("start_positions", PortRole::index, Axis::sequences, TypeRule::fixed,
                        "position() of each sequence's first token", "zeros");
  port.optional = pass != Pass::decode;
  port.positions = true;
  return port;
}

// Beside those of queries, of a non-causal variant.
Port key_offsets() {
  Port port = list_port("cu_seqlens_k", PortRole::packing, Axis::offsets, TypeRule::integer,
                        "where the keys of packed sequences begin and end", "Tk keys for each row");
  port.needs = "cu_seqlens";
  port.counted = Axis::key_tokens;
  return port;
}

Port token_order() {
  Port port = list_port("order", PortRole::index, Axis::tokens, TypeRule::fixed,
                        "the token of a row that is walked first, second, and so on, one order for all rows", {});
  port.type = dtype::i32;
  port.optional = false;
  port.names_tokens = true;
  return port;
}

// Of a bidirectional variant's walk from the last token to the first.
Port of_other_walk(Port port, std::string_view holds) {
  port.name += "_reversed";
  port.holds = holds;
  return port;
}

// Before the loss has gone back through the call.
Port slope_of(const Port& final_state, std::string_view holds) {
  Port port = gradient_of(final_state);
  port.role = PortRole::state;
  port.writable = false;
  port.holds = holds;
  port.absent = "zeros";
  return port;
}
Port final_state_slope(const Variant& variant, const CompileOptions& options) {
  return slope_of(final_state(variant, options, false), "the loss's slope with respect to final_state");
}

Port state_pool(const Variant& variant, const CompileOptions& options) {
  return {.name = "state",
          .role = PortRole::state,
          .axes = state_axes(variant, options, {Axis::slots}),
          .type = options.state_dtype,
          .rule = TypeRule::state,
          .alignment = vector_bytes,
          .contiguous = true,
          .in_slots = true,
          .writable = true,
          .updated = true,
          .holds = "the states of all sequences, each in a slot"};
}
Port slot_list(const char* name, std::string_view holds) {
  return {.name = name,
          .role = PortRole::index,
          .axes = {Axis::sequences},
          .type = dtype::i32,
          .contiguous = true,
          .names_slots = true,
          .holds = holds};
}
Port token_states(const Variant& variant, const CompileOptions& options) {
  return {.name = "token_states",
          .role = PortRole::output,
          .axes = state_axes(variant, options, {Axis::sequences, Axis::tokens}),
          .type = options.state_dtype,
          .rule = TypeRule::state,
          .alignment = vector_bytes,
          .contiguous = true,
          .writable = true,
          .optional = true,
          .holds = "the state after each token",
          .absent = "not wanted"};
}

std::vector<Row> fixed_rows(const Variant& variant, const CompileOptions& options, Pass pass) {
  using enum PortRole;
  const bool combines = pass == Pass::combine;
  const dtype type = options.dtype;
  const Axis rows = row_axis(pass);
  const Port q = token_port("q", input, rows, Axis::heads, Axis::key, type),
             k = token_port("k", input, rows, Axis::heads, Axis::key, type, written_tokens(variant)),
             v = token_port("v", input, rows, Axis::value_heads, Axis::value, type, written_tokens(variant)),
             start = initial_state(variant, options, combines);
  const Port other_start = of_other_walk(start, "the state before the last token, of the walk that begins there");
  const bool both = variant.bidirectional_;
  Port slope = token_port("do", input, rows, Axis::value_heads, Axis::value, type);
  slope.holds = "the loss's slope with respect to o";
  return {
      {q, of_queries, reads_query(variant)},
      {k, with_formulas, reads_key(variant)},
      {v, with_formulas, reads_value(variant)},
      {slope, of_slopes},
      // Before what counts sequences.
      {list_port("cu_seqlens", packing, Axis::offsets, TypeRule::integer,
                 "where packed sequences begin and end, then B = 1", "N = B, T tokens each"),
       over_tokens},
      {key_offsets(), over_tokens, variant.non_causal_, false},
      {slot_list("state_read", "the slot that a row's state is read from; -1: the row does nothing"), decode},
      {slot_list("state_write", "the slot where it goes, which no other row reads or writes; -1: the row does nothing"),
       decode},
      {start_positions(pass), with_formulas, reads_position(variant)},
      {token_order(), over_tokens, variant.permuted_, false},
      {start, over_spans | of_slopes},
      {other_start, over_spans | of_slopes, both, false},
      {state_pool(variant, options), decode},
      {token_port("o", output, rows, Axis::value_heads, Axis::value, type), with_output},
      {token_states(variant, options), decode},
      {final_state(variant, options, combines), over_spans},
      {of_other_walk(final_state(variant, options, combines),
                     "the state after the first token, of the walk that ends there"),
       over_spans, both, false},
      {log_decay_total(variant, combines), in(Pass::states) | in(Pass::combine)},
      {final_state_slope(variant, options), of_slopes},
      {of_other_walk(final_state_slope(variant, options), "the loss's slope with respect to final_state_reversed"),
       of_slopes, both, false},
      {gradient_of(q), of_slopes, reads_query(variant)},
      {gradient_of(k), of_slopes, reads_key(variant)},
      {gradient_of(v), of_slopes, reads_value(variant)},
      {gradient_of(start), of_slopes},
      {gradient_of(other_start), of_slopes, both, false}};
}

// The tensors of what a variant carries beside its state, if anything. A call that goes on gives it with the state.
void add_carried(const Variant& variant, const CompileOptions& options, std::vector<Row>& rows) {
  using enum PortRole;
  const auto state_row =
      std::ranges::find_if(rows, [](const Row& row) { return row.port.name == "initial_state"; }) - rows.begin();
  std::vector<Row> starts, others;
  for (const CarriedState& each : carried_states) {
    if (!each.is_in(variant)) continue;
    Port start = carried_port(each, variant, options, "initial_state_", state, {Axis::sequences});
    start.needs = std::exchange(rows[static_cast<std::size_t>(state_row)].port.needs, start.name);
    starts.push_back({start, in(Pass::forward) | of_slopes});
    Port pool = carried_port(each, variant, options, "state_", state, {Axis::slots});
    pool.in_slots = pool.writable = pool.updated = true;
    pool.optional = false;
    others.push_back({pool, decode});
    others.push_back(
        {carried_port(each, variant, options, "token_states_", output, {Axis::sequences, Axis::tokens}), decode});
    const Port end = carried_port(each, variant, options, "final_state_", output, {Axis::sequences});
    others.push_back({end, in(Pass::forward)});
    if (!each.has_slope) continue;
    others.push_back({slope_of(end, each.holds), of_slopes});
    others.push_back({gradient_of(start), of_slopes});
  }
  rows.insert(rows.end(), others.begin(), others.end());
  rows.insert(rows.begin() + state_row, starts.begin(), starts.end());
}

// Of a token input or a parameter.
Port port_of(const Variant& variant, const Leaf& leaf, PortRole role, AxisList axes, dtype otherwise,
             const CompileOptions& options) {
  if (leaf.axes.has(Axes::head)) axes.add(Axis::heads);
  if (leaf.axes.has(Axes::value_head)) axes.add(Axis::value_heads);
  if (leaf.axes.has(Axes::key)) axes.add(rows_axis(variant));
  if (leaf.axes.has(Axes::slot)) axes.add(Axis::memory_slot);
  if (leaf.axes.has(Axes::value)) axes.add(Axis::value);
  Port port{.name = std::string(leaf.name.view()),
            .role = role,
            .axes = axes,
            .type = otherwise,
            .rule = TypeRule::own,
            .alignment = role == PortRole::gate && has_columns(axes) ? vector_bytes : 1,
            .contiguous = role == PortRole::parameter};
  for (const auto& [name, type] : options.input_types)
    if (name == port.name) port.type = type;
  return port;
}

// What the first pass of a chain leaves for the second, in the workspace: a slot of launches, and no tensor of a call.
Port passed_port(Axis rows) {
  return {.name = std::string(passed_input.view()),
          .role = PortRole::gate,
          .axes = {rows, Axis::tokens, Axis::value_heads, Axis::memory_slot},
          .contiguous = true,
          .holds = "what the first pass has read of each token"};
}

// The leaves of one kind; of a chain those of the first pass alone, of both, and of the second alone: either has its
// own in a row.
std::vector<Leaf> by_passes(const Variant& variant, Operation kind) {
  const Leaves all = leaves_of(variant, kind);
  std::vector<Leaf> list(all.begin(), all.end());
  if (!variant.chains_) return list;
  const Leaves of_first = leaves_of(stage(variant, Stage::first), kind),
               of_second = leaves_of(stage(variant, Stage::second), kind);
  std::ranges::stable_sort(list, {}, [&](const Leaf& leaf) {
    const bool in_first = of_first.index_of(leaf.view()) >= 0, in_second = of_second.index_of(leaf.view()) >= 0;
    return in_first ? (in_second ? 1 : 0) : 2;
  });
  return list;
}

// Of all passes of its group: a pass that lacks a port leaves its slot empty.
std::vector<Row> rows_of(const Variant& variant, const CompileOptions& options, Pass pass) {
  std::vector<Row> rows = fixed_rows(variant, options, pass), leaves;
  add_carried(variant, options, rows);
  std::erase_if(rows,
                [&](const Row& row) { return (row.passes & group_of(pass)) == 0 || !(row.exists || row.keeps_slot); });
  for (const Leaf& leaf : by_passes(variant, Operation::input)) {
    const Axis tokens = is_of_steps(variant, leaf.view())         ? Axis::steps
                        : side_reads(variant, false, leaf.view()) ? key_tokens(variant)
                                                                  : Axis::tokens;
    leaves.push_back(
        {port_of(variant, leaf, PortRole::gate, {row_axis(pass), tokens}, options.dtype, options), with_formulas});
  }
  if (variant.chains_) leaves.push_back({passed_port(row_axis(pass)), with_formulas, false});
  for (const Leaf& leaf : by_passes(variant, Operation::parameter))
    leaves.push_back({port_of(variant, leaf, PortRole::parameter, {}, dtype::f32, options), with_formulas});
  const auto rest = std::ranges::find_if(rows, [](const Row& row) { return row.port.role != PortRole::input; });
  if (rows.size() > most_own_ports || static_cast<std::size_t>(rest - rows.begin()) > most_own_inputs)
    throw Error(ErrorCode::internal, "the table of ports has more rows than a launch has room for",
                std::to_string(rows.size()) + " rows", "what most_own_ports and most_own_inputs say", "ports");
  rows.insert(rest, leaves.begin(), leaves.end());
  if (pass == Pass::backward)
    for (const Row& leaf : leaves) rows.push_back({gradient_of(leaf.port), of_slopes, leaf.exists});
  for (int slot = 0; Row & row : rows) row.port.slot = slot++;
  return rows;
}

}  // namespace

std::vector<Port> ports(const Variant& variant, const CompileOptions& options, Pass pass) {
  std::vector<Port> list;
  for (Row& row : rows_of(variant, options, pass))
    if (row.exists && (row.passes & in(pass)) != 0) list.push_back(std::move(row.port));
  return list;
}

std::vector<Port> slots(const Variant& variant, const CompileOptions& options, Pass pass) {
  std::vector<Port> list;
  for (Row& row : rows_of(variant, options, pass)) list.push_back(std::move(row.port));
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
    case TypeRule::own:
    case TypeRule::state: {
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
