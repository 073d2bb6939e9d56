// SPDX-License-Identifier: MIT
// A call from a file of tensors: sizes and types come from what stands there.
#include "tools/file_problem.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/ports.hpp"
#include "codegen/space.hpp"
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

// Sizes by axis, each with the tensor that gave it; features follow from elements.
class KnownSizes {
 public:
  explicit KnownSizes(const Variant& variant) : variant_(variant), sizes_(variant.steps_) {}
  void learn(const std::string& where, const Port& port, const SafetensorsEntry& entry) {
    const std::string place = where + ", tensor '" + port.name + "'";
    if (entry.shape.size() != port.axes.size())
      refuse(place, "a shape of another rank", shape_text(entry.shape), wanted(port));
    for (std::size_t i = 0; i < entry.shape.size(); ++i) {
      const Axis axis = port.axes[i];
      const std::int64_t size = entry.shape[i];
      if (axis == Axis::offsets && size < 2)
        refuse(place, "it has no sequence", shape_text(entry.shape), "[N+1] with N of at least 1");
      if (size < 1) refuse(place, "a size is 0", shape_text(entry.shape), wanted(port) + ", all of at least 1");
      if (!sizes_.knows(axis)) set(axis, size, port.name);
      if (sizes_[axis] != size)
        refuse(place,
               giver(axis) == port.name ? "a token's steps are not complete"
                                        : "the shape does not fit that of '" + giver(axis) + "'",
               shape_text(entry.shape), wanted(port));
    }
  }
  std::int64_t operator[](Axis axis) const { return sizes_[axis]; }
  void set(Axis axis, std::int64_t size, const std::string& giver) {
    sizes_.set(axis, size);
    givers_[place_of(axis)] = giver;
    if (axis == Axis::key) set(Axis::feature, feature_dim(variant_, size), giver);
  }
  bool knows(Axis axis) const { return sizes_.knows(axis); }
  const std::string& giver(Axis axis) const { return givers_[place_of(axis)]; }

 private:
  const Variant& variant_;
  AxisSizes sizes_;
  std::array<std::string, axis_count> givers_{};

  static std::size_t place_of(Axis axis) { return static_cast<std::size_t>(AxisSizes::counted_as(axis)); }
  std::string wanted(const Port& port) const {
    std::vector<std::string> axes;
    for (const Axis axis : port.axes)
      axes.push_back(name_of(axis) + (sizes_.knows(axis) ? "=" + std::to_string(sizes_[axis]) : ""));
    return "[" + joined(axes) + "]";
  }
};

dtype accepted_type(const std::string& where, const SafetensorsEntry& entry, const std::vector<dtype>& accepted) {
  if (entry.type && std::find(accepted.begin(), accepted.end(), *entry.type) != accepted.end()) return *entry.type;
  std::vector<std::string> names = names_of(accepted);
  for (std::string& name : names)
    for (char& letter : name) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
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

int dimension(const SafetensorsFile& file, const KnownSizes& sizes, Axis axis, int most) {
  const std::int64_t size = sizes[axis];
  if (size > most)
    refuse(file.where() + ", tensor '" + sizes.giver(axis) + "'", std::string(name_of(axis)) + " is out of range",
           std::string(name_of(axis)) + " = " + std::to_string(size), "1 to " + std::to_string(most));
  return static_cast<int>(size);
}

std::string names_in(const SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const SafetensorsEntry& each : file.entries()) names.push_back(each.name);
  return names.empty() ? "no tensor" : joined(names);
}

// What the file's tensors say of the call, in the order in which it is asked.
class Reader {
 public:
  Reader(const Variant& variant, const CompileOptions& options, Pass pass, const SafetensorsFile& file)
      : file_(file), ports_(ports(variant, options, pass)), sizes_(variant) {
    problem_.variant = variant;
    problem_.pass = pass;
    problem_.options = options;
  }

  FileProblem run() {
    read_tensors();
    set_dims();
    check_lists();
    read_numbers();
    FileProblem result{.problem = std::move(problem_), .ignored = {}};
    for (const SafetensorsEntry& each : file_.entries())
      if (std::find(used_.begin(), used_.end(), &each) == used_.end()) result.ignored.push_back(each.name);
    return result;
  }

 private:
  std::string tensor(const std::string& name) const { return file_.where() + ", tensor '" + name + "'"; }

  void read_tensors() {
    for (const Port& port : ports_) {
      if (port.writable && !port.updated) continue;
      const SafetensorsEntry* entry = file_.find(port.name);
      if (entry != nullptr)
        read(port, *entry);
      else if (!port.optional)
        throw Error(ErrorCode::not_found, "a tensor is missing", names_in(file_),
                    "'" + port.name + "' [" + joined(names_of(port.axes)) + "]", file_.where());
    }
    if (!sizes_.knows(Axis::sequences)) sequences_are_rows();
    if (!sizes_.knows(Axis::batch)) sizes_.set(Axis::batch, sizes_[Axis::sequences], sizes_.giver(Axis::sequences));
  }

  void read(const Port& port, const SafetensorsEntry& entry) {
    // Packing comes first: without it a sequence is a row of the batch.
    if (port.role != PortRole::packing && port.axes.has(Axis::sequences) && !sizes_.knows(Axis::sequences))
      sequences_are_rows();
    sizes_.learn(file_.where(), port, entry);
    used_.push_back(&entry);
    const dtype type = accepted_type(file_.where(), entry, possible_types(port));
    CompileOptions& options = problem_.options;
    if (port.rule == TypeRule::own) options.input_types.emplace_back(port.name, type);
    if (port.rule == TypeRule::state) options.state_dtype = type;
    if (port.rule == TypeRule::storage) {
      if (of_storage_ == nullptr) of_storage_ = &port, options.dtype = type;
      if (type != options.dtype)
        refuse(tensor(port.name), "q, k and v are of different types", entry.type_name,
               std::string(name_of(options.dtype)) + ", as " + of_storage_->name + " has it");
    }
    HostTensor& read = problem_.tensors.emplace_back(make_tensor(port.name, type, entry.shape));
    std::memcpy(read.bytes.data(), file_.data(entry), entry.bytes);
  }

  void sequences_are_rows() { sizes_.set(Axis::sequences, sizes_[Axis::batch], sizes_.giver(Axis::batch)); }

  void set_dims() {
    const std::int64_t heads = sizes_[Axis::heads], value_heads = sizes_[Axis::value_heads];
    if (value_heads % heads != 0)
      refuse(tensor(sizes_.giver(Axis::value_heads)),
             "its heads are not a multiple of those of " + sizes_.giver(Axis::heads),
             "H=" + std::to_string(heads) + ", HV=" + std::to_string(value_heads), "HV = H, 2H, 3H, ...");
    CompileOptions& options = problem_.options;
    options.key_dim = dimension(file_, sizes_, Axis::key, max_key_dim);
    options.value_dim = dimension(file_, sizes_, Axis::value, max_value_dim);
    if (problem_.variant.chains_ && sizes_.knows(Axis::memory_slot))  // else there are K
      options.slot_dim = dimension(file_, sizes_, Axis::memory_slot, max_key_dim);
    problem_.dims = {.batch = sizes_[Axis::batch],
                     .tokens = sizes_[Axis::tokens],
                     .heads = heads,
                     .value_heads = value_heads,
                     .key_dim = options.key_dim,
                     .features = sizes_[Axis::feature],
                     .value_dim = options.value_dim,
                     .slot_dim = options.slot_dim,
                     .sequences = sizes_[Axis::sequences],
                     .steps = problem_.variant.steps_};
    if (problem_.variant.non_causal_) problem_.dims.key_tokens = sizes_[Axis::key_tokens];
    if (problem_.pass == Pass::decode) problem_.dims.slots = sizes_[Axis::slots];
  }

  void check_lists() {
    for (const Port& port : ports_of(ports_, PortRole::packing)) {
      const HostTensor* const offsets = problem_.find(port.name);
      if (offsets == nullptr && port.needs.empty()) continue;
      if (offsets == nullptr) {
        if (problem_.find(std::string(port.needs)) == nullptr) continue;
        refuse(file_.where(), "keys of packed sequences have no boundaries", std::string(port.needs) + " alone",
               "'" + port.name + "', too, or neither");
      }
      if (!port.needs.empty() && problem_.find(std::string(port.needs)) == nullptr)
        refuse(file_.where(), "queries of packed sequences have no boundaries", port.name + " alone",
               "'" + std::string(port.needs) + "', too, or neither");
      if (problem_.dims.batch != 1)
        refuse(tensor(sizes_.giver(Axis::batch)), "packed sequences lie in one batch row",
               "B=" + std::to_string(problem_.dims.batch), "B=1 with " + port.name);
      check_offsets(port, offsets->view(), sizes_[port.counted], file_.where());
    }
    RowSlots rows;
    const bool decodes = problem_.pass == Pass::decode;
    if (decodes) {
      rows = slots_of(problem_);
      check_row_slots(rows, problem_.dims.slots, file_.where());
    }
    for (const Port& port : ports_) {
      const HostTensor* const list = port.positions || port.names_tokens ? problem_.find(port.name) : nullptr;
      if (list == nullptr) continue;
      if (port.positions)
        check_start_positions(list->view(), decodes ? &rows : nullptr, file_.where());
      else
        check_order(list->view(), file_.where());
    }
  }

  void read_numbers() {
    problem_.scalars = read_scalars(problem_.variant, file_);
    if (!file_.metadata().contains("scale")) return;
    problem_.scale = metadata_number(file_, "scale");
    if (math::is_zero_float(problem_.scale))
      refuse(file_.where() + ", metadata 'scale'", "a scale that is 0 in float32", file_.metadata().at("scale"),
             "a magnitude from 1.5e-45 to 3.4e38");
  }

  const SafetensorsFile& file_;
  std::vector<Port> ports_;
  Problem problem_;
  KnownSizes sizes_;
  std::vector<const SafetensorsEntry*> used_;
  const Port* of_storage_ = nullptr;  // the first of those that have one type
};

}  // namespace

FileProblem problem_from_file(const Variant& variant, CompileOptions options, Pass pass, const SafetensorsFile& file) {
  options.key_dim = options.value_dim = options.slot_dim = 0;
  return Reader(variant, options, pass, file).run();
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
  if (!options.state_dtype.empty() && options.state_dtype != name_of(problem.options.state_dtype))
    refuse("--state-dtype", "the file's states have another type", options.state_dtype,
           std::string(name_of(problem.options.state_dtype)) + ", or no --state-dtype");
}

}  // namespace rankone
