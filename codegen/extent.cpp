// SPDX-License-Identifier: MIT
// Extents: how each operation is evaluated and printed stands in one table.
#include "codegen/extent.hpp"

#include <algorithm>

namespace rankone {
namespace {

struct SizeRow {
  Size size;
  const char* name;  // in JSON, and in C a member of the shape
  std::int64_t Sizes64::*member;
};
constexpr SizeRow size_rows[] = {{Size::batch, "B", &Sizes64::batch},
                                 {Size::tokens, "T", &Sizes64::tokens},
                                 {Size::sequences, "N", &Sizes64::sequences},
                                 {Size::heads, "H", &Sizes64::heads},
                                 {Size::value_heads, "HV", &Sizes64::value_heads},
                                 {Size::packed, "packed", &Sizes64::packed},
                                 {Size::multiprocessors, "multiprocessors", &Sizes64::multiprocessors},
                                 {Size::key_tokens, "Tk", &Sizes64::key_tokens}};

const SizeRow& row_of(Size size) {
  return *std::find_if(std::begin(size_rows), std::end(size_rows),
                       [&](const SizeRow& row) { return row.size == size; });
}

// `c` has %0, %1, %2 where the operands stand and % where the prefix does.
struct OpRow {
  Extent::Op op;
  const char* name;
  const char* c;
  std::int64_t (*evaluate)(const std::int64_t* operands);
};
using Operands = const std::int64_t*;
constexpr OpRow op_rows[] = {
    {Extent::Op::add, "add", "(%0 + %1)", [](Operands x) { return x[0] + x[1]; }},
    {Extent::Op::subtract, "subtract", "(%0 - %1)", [](Operands x) { return x[0] - x[1]; }},
    {Extent::Op::multiply, "multiply", "(%0 * %1)", [](Operands x) { return x[0] * x[1]; }},
    {Extent::Op::divide, "divide", "(%0 / %1)", [](Operands x) { return x[0] / x[1]; }},
    {Extent::Op::ceil_div, "ceil_div", "%_ceil_div(%0, %1)", [](Operands x) { return (x[0] + x[1] - 1) / x[1]; }},
    {Extent::Op::min, "min", "%_min(%0, %1)", [](Operands x) { return std::min(x[0], x[1]); }},
    {Extent::Op::max, "max", "%_max(%0, %1)", [](Operands x) { return std::max(x[0], x[1]); }},
    {Extent::Op::less, "less", "(%0 < %1)", [](Operands x) { return std::int64_t{x[0] < x[1]}; }},
    {Extent::Op::select, "select", "(%0 ? %1 : %2)", [](Operands x) { return x[0] != 0 ? x[1] : x[2]; }}};

const OpRow& row_of(Extent::Op op) {
  return *std::find_if(std::begin(op_rows), std::end(op_rows), [&](const OpRow& row) { return row.op == op; });
}

}  // namespace

struct Extent::Node {
  Op op = Op::constant;
  std::int64_t value = 0;  // of a constant
  Size size{};
  std::string name{};
  std::vector<Extent> operands{};  // of a name its definition
};

Extent::Extent(std::int64_t constant) : node_(std::make_shared<const Node>(Node{.value = constant})) {}
Extent::Extent(Size size) : node_(std::make_shared<const Node>(Node{.op = Op::size, .size = size})) {}
Extent::Extent(Op op, std::vector<Extent> operands) {
  const bool constant =
      std::all_of(operands.begin(), operands.end(), [](const Extent& each) { return each.node_->op == Op::constant; });
  Node node{.op = op, .operands = std::move(operands)};
  if (constant) {
    std::int64_t values[3] = {};
    std::transform(node.operands.begin(), node.operands.end(), values,
                   [](const Extent& each) { return each.node_->value; });
    node = Node{.value = row_of(op).evaluate(values)};
  }
  // By one, and a sum with nothing, say nothing.
  const auto is = [&](std::size_t i, std::int64_t value) {
    return node.operands[i].node_->op == Op::constant && node.operands[i].node_->value == value;
  };
  if ((op == Op::multiply && !constant && is(1, 1)) || (op == Op::add && !constant && is(1, 0)))
    node_ = node.operands[0].node_;
  else if ((op == Op::multiply && !constant && is(0, 1)) || (op == Op::add && !constant && is(0, 0)))
    node_ = node.operands[1].node_;
  else
    node_ = std::make_shared<const Node>(std::move(node));
}

Extent Extent::named(std::string name) const {
  if (is_constant()) return *this;
  Extent result;
  result.node_ = std::make_shared<const Node>(Node{.op = Op::name, .name = std::move(name), .operands = {*this}});
  return result;
}

bool Extent::is_constant() const { return node_->op == Op::constant; }

std::int64_t Extent::evaluate(const Sizes64& sizes) const {
  switch (node_->op) {
    case Op::constant: return node_->value;
    case Op::size: return sizes.*row_of(node_->size).member;
    case Op::name: return node_->operands[0].evaluate(sizes);
    case Op::select: return node_->operands[node_->operands[0].evaluate(sizes) != 0 ? 1 : 2].evaluate(sizes);
    default: break;
  }
  std::int64_t values[3] = {};
  std::transform(node_->operands.begin(), node_->operands.end(), values,
                 [&](const Extent& each) { return each.evaluate(sizes); });
  return row_of(node_->op).evaluate(values);
}

std::string Extent::json() const {
  switch (node_->op) {
    case Op::constant: return std::to_string(node_->value);
    case Op::size: return std::string("\"") + row_of(node_->size).name + "\"";
    case Op::name: return "\"" + node_->name + "\"";
    default: break;
  }
  std::string list;
  for (const Extent& each : node_->operands) list += (list.empty() ? "" : ", ") + each.json();
  return std::string("{\"") + row_of(node_->op).name + "\": [" + list + "]}";
}

std::string Extent::c(std::string_view prefix) const {
  switch (node_->op) {
    case Op::constant: return std::to_string(node_->value);
    case Op::size: return std::string("s->") + row_of(node_->size).name;
    case Op::name: return std::string(prefix) + "_" + node_->name + "(s)";
    default: break;
  }
  std::string text;
  for (const char* at = row_of(node_->op).c; *at != 0; ++at) {
    if (*at != '%')
      text += *at;
    else if (at[1] >= '0' && at[1] <= '2')
      text += node_->operands[static_cast<std::size_t>(*++at - '0')].c(prefix);
    else
      text += prefix;
  }
  return text;
}

void Extent::collect(std::vector<std::pair<std::string, Extent>>& names) const {
  for (const Extent& each : node_->operands) each.collect(names);
  if (node_->op != Op::name) return;
  const auto same = [&](const auto& entry) { return entry.first == node_->name; };
  if (std::none_of(names.begin(), names.end(), same)) names.emplace_back(node_->name, node_->operands[0]);
}

Sizes64 sizes_of(const Shape& shape, int multiprocessors) {
  return {.batch = shape.batch,
          .tokens = shape.tokens,
          .sequences = shape.sequences != 0 ? shape.sequences : shape.batch,
          .heads = shape.heads,
          .value_heads = shape.value_heads != 0 ? shape.value_heads : shape.heads,
          .packed = shape.sequences != 0 ? 1 : 0,
          .multiprocessors = multiprocessors,
          .key_tokens = shape.key_tokens >= 0 ? shape.key_tokens : shape.tokens};
}

std::string extent_helpers(std::string_view prefix, bool has_key_tokens) {
  const std::string p(prefix);
  std::string members;
  for (const SizeRow& row : size_rows)
    if (row.size != Size::key_tokens || has_key_tokens)
      members += (members.empty() ? "" : ", ") + std::string(row.name);
  const auto helper = [&](const char* name, const char* value) {
    return "static inline int64_t " + p + "_" + name + "(int64_t a, int64_t b) { return " + value + "; }\n";
  };
  return "typedef struct {\n  int64_t " + members + ";\n} " + p + "_shape;\n\n" +
         helper("ceil_div", "(a + b - 1) / b") + helper("min", "a < b ? a : b") + helper("max", "a > b ? a : b");
}

std::string extent_function(std::string_view prefix, std::string_view name, const Extent& extent) {
  const std::string p(prefix);
  return "static inline int64_t " + p + "_" + std::string(name) + "(const " + p + "_shape* s) {\n" +
         (extent.is_constant() ? "  (void)s;\n" : "") + "  return " + extent.c(prefix) + ";\n}\n";
}

}  // namespace rankone
