// SPDX-License-Identifier: MIT
// Writes struct Policy: what is fixed of a kernel, as constants that the templates read.
#include <rankone/dsl/leaves.hpp>

#include "codegen/bounds.hpp"
#include "codegen/gate_text.hpp"
#include "codegen/kernels.hpp"
#include "codegen/names.hpp"
#include "codegen/space.hpp"

namespace rankone {
namespace {

const char* element_name(dtype type) { return type == dtype::f32 ? "float" : name_of(type); }

// As templates name the bits of a set, innermost axis last.
std::string text_of(Axes axes) {
  constexpr std::pair<Axes, const char*> names[] = {{Axes::token, "token_axis"},
                                                    {Axes::head, "query_head_axis"},
                                                    {Axes::value_head, "value_head_axis"},
                                                    {Axes::key, "key_axis"},
                                                    {Axes::value, "value_axis"}};
  std::string text;
  for (const auto& [axis, name] : names)
    if (axes.has(axis)) text += (text.empty() ? "" : " | ") + std::string(name);
  return text.empty() ? "0" : text;
}

// A gate's tokens and batch rows are not said.
Axes axes_of(const Port& port) {
  constexpr std::pair<Axis, Axes> said[] = {{Axis::heads, Axes::head},
                                            {Axis::value_heads, Axes::value_head},
                                            {Axis::key, Axes::key},
                                            {Axis::value, Axes::value}};
  Axes axes = Axes::none;
  for (const auto& [axis, bit] : said)
    if (port.axes.has(axis)) axes = axes | bit;
  return axes;
}

std::string names_of(const std::vector<Port>& ports) {
  std::string list;
  for (const Port& port : ports) list += (list.empty() ? "  // " : ", ") + port.name;
  return list;
}

class PolicyWriter {
 public:
  explicit PolicyWriter(const Program& program) : program_(program) {}

  std::string run() {
    const Variant& variant = program_.variant;
    const CompileOptions& options = program_.options;
    const Schedule& schedule = program_.schedule;
    const HopperParts parts{.has_gate_group = !schedule.prepared};
    const int warps = schedule.family == Family::hopper ? hopper_layout(variant, options, schedule, parts).threads / 32
                                                        : schedule.warps;
    text_ = "struct Policy {\n";
    line(std::string("using Storage = ") + element_name(options.dtype) + ";");
    line(std::string("using Operand = ") +
         (operand_bytes(options, schedule.family) == 2 ? name_of(options.dtype) : "float") + ";");
    flags({{"split_products", options.precision == Precision::f32}});
    line("static constexpr unsigned char decay_axes = " + text_of(variant.decay_axes()) + ";");
    integers({{"key_dim", options.key_dim}, {"value_dim", options.value_dim}});
    integers({{"chunk", schedule.chunk},
              {"value_tile", schedule.value_tile},
              {"warps", warps},
              {"stages", schedule.stages}});
    if (schedule.family == Family::hopper) integers({{"cluster", schedule.cluster}});
    if (schedule.family == Family::hopper)
      flags({{"splits_sequences", schedule.level == Level::segment},
             {"keys_are_prepared", schedule.prepared},
             {"uses_tma", program_.uses_tma},
             {"state_only", program_.pass == Pass::states}});
    std::vector<std::pair<std::string, bool>> given;
    for (const Slot& slot : formula_slots)
      if (!slot.has_domains) given.emplace_back("has_" + std::string(slot.name), variant.has(slot.formula));
    given.emplace_back("reads_key", program_.reads_key);
    given.emplace_back("reads_position", reads_position(program_.variant));
    flags(given);
    if (schedule.family == Family::hopper && options.dtype == dtype::f16)
      integers({{"key_growth_log2", key_growth_log2(variant)}});
    line("static constexpr Read read = Read::inclusive;");
    line("static constexpr Walk walk = Walk::ascending;");
    line("static constexpr ElementType state_type = ElementType::f32;");
    line("static constexpr StateLayout state_layout = StateLayout::dense;");
    flags({{"value_major_state", options.value_major_state}});

    const std::vector<Port> inputs = ports_of(program_.ports, PortRole::gate),
                            parameters = ports_of(program_.ports, PortRole::parameter);
    integers({{"input_count", static_cast<int>(inputs.size())}}, names_of(inputs));
    array("ElementType input_types", inputs, element_type, "ElementType::f32");
    array("unsigned char input_axes", inputs, axes_text, "0");
    integers({{"parameter_count", static_cast<int>(parameters.size())}}, names_of(parameters));
    array("ElementType parameter_types", parameters, element_type, "ElementType::f32");
    array("unsigned char parameter_axes", parameters, axes_text, "0");
    ports();
    return text_ + "};\n";
  }

 private:
  static std::string boolean(bool value) { return value ? "true" : "false"; }
  static std::string axes_text(const Port& port) { return text_of(axes_of(port)); }
  static std::string element_type(const Port& port) { return std::string("ElementType::") + name_of(port.type); }

  // Where tensors stand in PortArguments, by their names; gates and parameters from their first one on.
  void ports() {
    std::string list;
    std::size_t line_start = 0;
    const auto add = [&](const std::string& name, int value) {
      if (!list.empty())
        list += list.size() - line_start > 80 ? (line_start = list.size() + 2, ",\n                         ") : ", ";
      list += name + " = " + std::to_string(value);
    };
    int slot = 0;
    bool inputs = false, parameters = false;
    for (const Port& port : slots(program_.variant, program_.options)) {
      slot = port.slot;
      if (!inputs && port.role != PortRole::input) add("first_input", slot), inputs = true;
      if (!parameters && port.role != PortRole::input && port.role != PortRole::gate)
        add("first_parameter", slot), parameters = true;
      if (port.rule != TypeRule::own) add(port.name, slot);
    }
    add("count", program_.port_slots);
    add("maps", program_.map_slots);
    line("struct Ports {");
    line("  static constexpr int " + list + ";");
    line("};");
  }
  void line(const std::string& content) { text_ += "  " + content + "\n"; }

  template <class Value> using List = std::initializer_list<std::pair<const char*, Value>>;
  void integers(List<int> list, const std::string& comment = {}) {
    std::string content;
    for (const auto& [name, value] : list)
      content += std::string(content.empty() ? "static constexpr int " : ", ") + name + " = " + std::to_string(value);
    line(content + ";" + comment);
  }
  void flags(List<bool> list) { flags({list.begin(), list.end()}); }
  void flags(const std::vector<std::pair<std::string, bool>>& list) {
    std::string content;
    for (const auto& [name, value] : list)
      content += std::string(content.empty() ? "static constexpr bool " : ", ") + name + " = " + boolean(value);
    line(content + ";");
  }
  // Never empty: C++ has no arrays of length zero.
  template <class Text>
  void array(const char* declaration, const std::vector<Port>& ports, const Text& text, const char* dummy) {
    std::string content;
    for (const Port& port : ports) content += (content.empty() ? "" : ", ") + text(port);
    line(std::string("static constexpr ") + declaration + "[] = {" + (content.empty() ? dummy : content) + "};");
  }

  const Program& program_;
  std::string text_;
};

}  // namespace

std::string policy_text(const Program& program) { return PolicyWriter(program).run(); }

}  // namespace rankone
