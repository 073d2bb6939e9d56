// SPDX-License-Identifier: MIT
// A forward call from a file of tensors: sizes and types come from what stands there.
#include "tools/file_problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/space.hpp"
#include "codegen/tensors.hpp"
#include "runtime/tensor_check.hpp"
#include "tools/request.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

[[noreturn]] void refuse(const std::string& where, std::string message, std::string given, std::string accepted) {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted), where);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + joined(sizes) + "]";
}

// Sizes by axis, each with the tensor that gave it.
class KnownSizes {
 public:
  void learn(const std::string& where, const TensorPlan& plan, const SafetensorsEntry& entry) {
    const std::string place = where + ", tensor '" + plan.name + "'";
    if (entry.shape.size() != plan.axes.size())
      refuse(place, "a shape of another rank", shape_text(entry.shape), wanted(plan));
    for (std::size_t i = 0; i < entry.shape.size(); ++i) {
      const bool offsets = plan.axes[i] == "N+1";
      const std::string axis = offsets ? "N" : plan.axes[i];
      const std::int64_t size = offsets ? entry.shape[i] - 1 : entry.shape[i];
      if (size < 1 && offsets)
        refuse(place, "it has no sequence", shape_text(entry.shape), "[N+1] with N of at least 1");
      if (size < 1) refuse(place, "a size is 0", shape_text(entry.shape), wanted(plan) + ", all of at least 1");
      const auto [known, fresh] = sizes_.try_emplace(axis, size, plan.name);
      if (!fresh && known->second.first != size)
        refuse(place, "the shape does not fit that of '" + known->second.second + "'", shape_text(entry.shape),
               wanted(plan));
    }
  }
  std::int64_t operator[](const std::string& axis) const { return sizes_.at(axis).first; }
  void set(const std::string& axis, std::int64_t size, const std::string& giver) { sizes_[axis] = {size, giver}; }
  bool knows(const std::string& axis) const { return sizes_.contains(axis); }

 private:
  std::map<std::string, std::pair<std::int64_t, std::string>> sizes_;

  std::string wanted(const TensorPlan& plan) const {
    std::vector<std::string> axes;
    for (const std::string& axis : plan.axes) {
      const bool offsets = axis == "N+1";
      const auto known = sizes_.find(offsets ? "N" : axis);
      axes.push_back(known == sizes_.end() ? axis : axis + "=" + std::to_string(known->second.first + offsets));
    }
    return "[" + joined(axes) + "]";
  }
};

dtype accepted_type(const std::string& where, const SafetensorsEntry& entry, std::initializer_list<dtype> accepted) {
  if (entry.type && std::find(accepted.begin(), accepted.end(), *entry.type) != accepted.end()) return *entry.type;
  std::vector<std::string> names;
  for (const dtype type : accepted) {
    names.emplace_back(name_of(type));
    for (char& letter : names.back()) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  refuse(where + ", tensor '" + entry.name + "'", "a type that this tensor cannot have", entry.type_name,
         joined(names));
}

double metadata_number(const SafetensorsFile& file, const std::string& name) {
  const std::string where = file.where() + ", metadata '" + name + "'";
  const double value = parse_number(file.metadata().at(name), where);
  if (!math::is_finite_float(value))
    refuse(where, "a number that does not fit float32", file.metadata().at(name), "magnitudes up to 3.4e38");
  return value;
}

std::vector<NamedScalar> read_scalars(const Variant& variant, const SafetensorsFile& file) {
  std::vector<NamedScalar> scalars;
  for (const Leaf& leaf : scalars_of(variant)) {
    const std::string name(leaf.name.view());
    if (!file.metadata().contains(name))
      refuse(file.where(), "a run-time scalar is missing", "no metadata '" + name + "'", "a decimal string");
    scalars.push_back({name, metadata_number(file, name)});
  }
  return scalars;
}

int dimension(const SafetensorsFile& file, const KnownSizes& sizes, const char* axis, const char* tensor, int most) {
  const std::int64_t size = sizes[axis];
  if (size > most)
    refuse(file.where() + ", tensor '" + tensor + "'", std::string(axis) + " is out of range",
           std::string(axis) + " = " + std::to_string(size), "1 to " + std::to_string(most));
  return static_cast<int>(size);
}

std::string names_in(const SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const SafetensorsEntry& each : file.entries()) names.push_back(each.name);
  return names.empty() ? "no tensor" : joined(names);
}

}  // namespace

FileProblem problem_from_file(const Variant& variant, CompileOptions options, const SafetensorsFile& file) {
  FileProblem result;
  options.key_dim = options.value_dim = 0;
  KnownSizes sizes;
  std::vector<const SafetensorsEntry*> used;
  for (const TensorPlan& plan : tensors_of(variant, options)) {
    if (plan.role == "output") continue;
    const SafetensorsEntry* entry = file.find(plan.name);
    if (entry == nullptr) {
      if (plan.optional) continue;
      throw Error(ErrorCode::not_found, "a tensor is missing", names_in(file),
                  "'" + plan.name + "' [" + joined(plan.axes) + "]", file.where());
    }
    if (plan.role == "state" && !file.find("cu_seqlens")) sizes.set("N", sizes["B"], "q");
    sizes.learn(file.where(), plan, *entry);
    used.push_back(entry);
    const bool packing = plan.role == "packing", state = plan.role == "state";
    const dtype type = packing ? accepted_type(file.where(), *entry, {dtype::i32, dtype::i64})
                       : state ? accepted_type(file.where(), *entry, {dtype::f32})
                               : accepted_type(file.where(), *entry, {dtype::bf16, dtype::f16, dtype::f32});
    if (plan.name == "q") options.dtype = type;
    if (plan.role == "input" && type != options.dtype)
      refuse(file.where() + ", tensor '" + plan.name + "'", "q, k and v are of different types", entry->type_name,
             std::string(name_of(options.dtype)) + ", as q has it");
    if (plan.role == "gate" || plan.role == "parameter") options.input_types.emplace_back(plan.name, type);
    HostTensor& tensor = result.problem.tensors.emplace_back(make_tensor(plan.name, type, entry->shape));
    std::memcpy(tensor.bytes.data(), file.data(*entry), entry->bytes);
  }
  if (!sizes.knows("N")) sizes.set("N", sizes["B"], "q");
  if (sizes["HV"] % sizes["H"] != 0)
    refuse(file.where() + ", tensor 'v'", "its heads are not a multiple of those of q",
           "H=" + std::to_string(sizes["H"]) + ", HV=" + std::to_string(sizes["HV"]), "HV = H, 2H, 3H, ...");
  options.key_dim = dimension(file, sizes, "K", "q", max_key_dim);
  options.value_dim = dimension(file, sizes, "V", "v", max_value_dim);
  if (HostTensor* offsets = result.problem.find("cu_seqlens")) {
    if (sizes["B"] != 1)
      refuse(file.where() + ", tensor 'q'", "packed sequences lie in one batch row", "B=" + std::to_string(sizes["B"]),
             "B=1 with cu_seqlens");
    check_cu_seqlens(offsets->view(), sizes["T"], file.where());
  }

  result.problem.variant = variant;
  result.problem.options = options;
  result.problem.dims = {.batch = sizes["B"],
                         .tokens = sizes["T"],
                         .heads = sizes["H"],
                         .value_heads = sizes["HV"],
                         .key_dim = sizes["K"],
                         .value_dim = sizes["V"],
                         .sequences = sizes["N"]};
  result.problem.scalars = read_scalars(variant, file);
  if (file.metadata().contains("scale")) {
    result.problem.scale = metadata_number(file, "scale");
    if (math::is_zero_float(result.problem.scale))
      refuse(file.where() + ", metadata 'scale'", "a scale that is 0 in float32", file.metadata().at("scale"),
             "a magnitude from 1.5e-45 to 3.4e38");
  }
  for (const SafetensorsEntry& each : file.entries())
    if (std::find(used.begin(), used.end(), &each) == used.end()) result.ignored.push_back(each.name);
  return result;
}

void require_agreement(const Options& options, const Problem& problem) {
  if (!options.shapes.empty()) {
    const Dims asked = one_dims(options, problem.dims);
    if (to_string(asked) != to_string(problem.dims))
      refuse("--shape", "the file's tensors have another shape", to_string(asked),
             to_string(problem.dims) + ", or no --shape");
  }
  if (!options.dtype.empty() && options.dtype != name_of(problem.options.dtype))
    refuse("--dtype", "the file's tensors have another type", options.dtype,
           std::string(name_of(problem.options.dtype)) + ", or no --dtype");
}

}  // namespace rankone
