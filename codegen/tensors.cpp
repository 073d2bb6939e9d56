// SPDX-License-Identifier: MIT
// Lists the tensors of a pass, and checks what compile options say of them.
#include "codegen/tensors.hpp"

#include <algorithm>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/space.hpp"

namespace rankone {
namespace {

bool is_kernel_type(dtype type) { return type == dtype::bf16 || type == dtype::f16 || type == dtype::f32; }

dtype type_of(const Leaf& leaf, const CompileOptions& options, dtype otherwise) {
  for (const auto& [name, type] : options.input_types)
    if (name == leaf.name.view()) return type;
  return otherwise;
}

TensorPlan tensor_of(const Leaf& leaf, const char* role, std::vector<std::string> axes, dtype type) {
  const auto add = [&](unsigned char bit, const char* axis) {
    if (leaf.axes.bits & bit) axes.emplace_back(axis);
  };
  add(Axes::head, "H");
  add(Axes::value_head, "HV");
  add(Axes::key, "K");
  return {.name = std::string(leaf.name.view()), .role = role, .axes = std::move(axes), .type = type};
}

void check_range(const char* name, int value, int most, const std::string& where) {
  if (value < 1 || value > most)
    throw Error(ErrorCode::invalid_argument, std::string(name) + " is out of range",
                std::string(name) + " = " + std::to_string(value), "1 to " + std::to_string(most), where);
}

void check_type(const std::string& name, dtype type, const std::string& where) {
  if (!is_kernel_type(type))
    throw Error(ErrorCode::invalid_argument, "'" + name + "' cannot have this type", name_of(type), "bf16, f16, f32",
                where);
}

}  // namespace

void check_options(const Variant& variant, const CompileOptions& options) {
  const std::string where(variant.name.view());
  check_range("K", options.key_dim, max_key_dim, where);
  check_range("V", options.value_dim, max_value_dim, where);
  check_type("q, k, v and o", options.dtype, where);
  if (options.precision == Precision::f32 && options.dtype != dtype::f32)
    throw Error(ErrorCode::invalid_argument, "precision f32 is for f32 tensors", name_of(options.dtype),
                "dtype f32, or precision tf32", where);
  const Leaves inputs = inputs_of(variant), parameters = parameters_of(variant);
  for (const auto& [name, type] : options.input_types) {
    if (inputs.index_of(name) < 0 && parameters.index_of(name) < 0) {
      std::string accepted;
      for (const Leaves* leaves : {&inputs, &parameters})
        for (const Leaf& leaf : *leaves) accepted += (accepted.empty() ? "" : ", ") + std::string(leaf.name.view());
      throw Error(ErrorCode::invalid_argument, "a type is given for a tensor that the variant does not read",
                  "'" + name + "'", accepted.empty() ? "none: it reads q, k and v alone" : accepted, where);
    }
    check_type(name, type, where);
  }
}

std::vector<TensorPlan> gate_inputs(const Variant& variant, const CompileOptions& options) {
  std::vector<TensorPlan> list;
  for (const Leaf& leaf : inputs_of(variant))
    list.push_back(tensor_of(leaf, "gate", {"B", "T"}, type_of(leaf, options, options.dtype)));
  return list;
}

std::vector<TensorPlan> parameters(const Variant& variant, const CompileOptions& options) {
  std::vector<TensorPlan> list;
  for (const Leaf& leaf : parameters_of(variant))
    list.push_back(tensor_of(leaf, "parameter", {}, type_of(leaf, options, dtype::f32)));
  return list;
}

std::vector<TensorPlan> tensors_of(const Variant& variant, const CompileOptions& options, Pass pass) {
  using Names = std::vector<std::string>;
  const bool forward = pass == Pass::forward;
  const dtype type = options.dtype;
  const Names query_axes = {"B", "T", "H", "K"}, value_axes = {"B", "T", "HV", "V"};
  const Names state_axes = options.value_major_state ? Names{"N", "HV", "V", "K"} : Names{"N", "HV", "K", "V"};
  const Names total_axes = variant.decay_axes().has(Axes::key) ? Names{"N", "HV", "K"} : Names{"N", "HV"};
  std::vector<TensorPlan> list;
  if (forward) list.push_back({"q", "input", query_axes, type});
  if (reads_key(variant)) list.push_back({"k", "input", query_axes, type});
  list.push_back({"v", "input", value_axes, type});
  std::ranges::move(gate_inputs(variant, options), std::back_inserter(list));
  std::ranges::move(parameters(variant, options), std::back_inserter(list));
  list.push_back({"initial_state", "state", state_axes, dtype::f32, true});
  list.push_back({"cu_seqlens", "packing", {"N+1"}, dtype::i64, true});
  if (forward) list.push_back({"o", "output", value_axes, type});
  list.push_back({"final_state", "output", state_axes, dtype::f32, true});
  if (!forward) list.push_back({"log_decay_total", "output", total_axes, dtype::f32, true});
  return list;
}

}  // namespace rankone
