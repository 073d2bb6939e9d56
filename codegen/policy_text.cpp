// SPDX-License-Identifier: MIT
// Writes struct Policy: what is fixed of a kernel, as constants that the templates read.
#include <algorithm>

#include <rankone/dsl/features.hpp>
#include <rankone/dsl/leaves.hpp>

#include "codegen/family.hpp"
#include "codegen/gate_text.hpp"
#include "codegen/kernels.hpp"
#include "codegen/names.hpp"
#include "codegen/policy_lines.hpp"

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
                                            {Axis::feature, Axes::key},
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

class PolicyWriter : PolicyLines {
 public:
  explicit PolicyWriter(const Program& program) : program_(program) {}

  std::string run() {
    const Variant& variant = program_.variant;
    const CompileOptions& options = program_.options;
    const Schedule& schedule = program_.schedule;
    const KernelFamily& family = family_of(schedule.family);
    const KernelSource source{variant, options, schedule, program_.pass, program_.beside_slopes};
    line(std::string("using Storage = ") + element_name(options.dtype) + ";");
    line(std::string("using Operand = ") +
         (family.operand_bytes(options.dtype) == 2 ? name_of(options.dtype) : "float") + ";");
    flags({{"split_products", options.precision == Precision::f32}});
    line("static constexpr unsigned char decay_axes = " + text_of(variant.decay_axes()) + ";");
    integers({{"key_dim", static_cast<int>(feature_dim(variant, options.key_dim))}, {"value_dim", options.value_dim}});
    integers({{"chunk", schedule.chunk},
              {"value_tile", schedule.value_tile},
              {"warps", family.warps(source)},
              {"stages", schedule.stages}});
    family.write_policy(source, *this);
    List<bool> given;
    for (const Slot& slot : formula_slots)
      if (slot.formula != Formula::decay && !slot.absent.empty())
        given.emplace_back("has_" + std::string(slot.name), variant.has(slot.formula));
    given.emplace_back("reads_key", program_.reads_key);
    given.emplace_back("reads_position", reads_position(program_.variant));
    flags(given);
    line(std::string("static constexpr Read read = Read::") +
         (variant.has(Formula::bonus) ? "bonus"
          : variant.exclusive_        ? "exclusive"
                                      : "inclusive") +
         ";");
    line(std::string("static constexpr Walk walk = Walk::") + (variant.reversed_ ? "descending;" : "ascending;"));
    line(std::string("static constexpr ElementType state_type = ElementType::") + name_of(options.state_dtype) + ";");
    line(std::string("static constexpr StateLayout state_layout = StateLayout::") +
         (program_.pass == Pass::decode ? "slots;" : "dense;"));
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
    return "struct " + policy_name(variant) + " {\n" + text() + "};\n";
  }

 private:
  static std::string axes_text(const Port& port) { return text_of(axes_of(port)); }
  static std::string element_type(const Port& port) { return std::string("ElementType::") + name_of(port.type); }

  // The constants of Ports, in lines.
  class PortList {
   public:
    void add(const std::string& name, int value) {
      if (!list_.empty())
        list_ +=
            list_.size() - line_start_ > 80 ? (line_start_ = list_.size() + 2, ",\n                         ") : ", ";
      list_ += name + " = " + std::to_string(value);
    }
    void add(const Port& port) { add(port.name == "do" ? "output_slope" : port.name, port.slot); }  // `do` is a keyword
    const std::string& text() const { return list_; }

   private:
    std::string list_;
    std::size_t line_start_ = 0;
  };
  void write(PortList& list) {
    list.add("count", program_.port_slots);
    list.add("maps", program_.map_slots);
    line("struct Ports {");
    line("  static constexpr int " + list.text() + ";");
    line("};");
  }

  // Of a chain's pass: its own, whose tensors of formulas stand in a row among those of both passes. Of a kind of which
  // it has none, the first would stand before all.
  void ports_of_pass() {
    PortList list;
    const auto first_of = [&](PortRole role, PortRole of) {
      const auto found =
          std::ranges::find_if(program_.ports, [&](const Port& port) { return port.role == role && port.of == of; });
      return found != program_.ports.end() ? found->slot : 0;
    };
    const PortRole any = PortRole::input;
    list.add("first_input", first_of(PortRole::gate, any));
    list.add("first_parameter", first_of(PortRole::parameter, any));
    for (const Port& port : program_.ports)
      if (!is_of_formulas(port)) list.add(port);
    if (program_.pass == Pass::backward) {
      list.add("first_input_gradient", first_of(PortRole::gradient, PortRole::gate));
      list.add("first_parameter_gradient", first_of(PortRole::gradient, PortRole::parameter));
    }
    write(list);
  }

  // Where tensors stand in PortArguments, by their names; those of formulas, and their gradients, from the first one on.
  void ports() {
    if (program_.variant.stage_ != Stage::only) return ports_of_pass();
    PortList list;
    const auto add = [&](const std::string& name, int value) { list.add(name, value); };
    int slot = 0;
    bool inputs = false, parameters = false;
    for (const Port& port : slots(program_.variant, program_.options, program_.pass)) {
      slot = port.slot;
      if (!inputs && port.role != PortRole::input) add("first_input", slot), inputs = true;
      if (!parameters && port.role != PortRole::input && port.role != PortRole::gate)
        add("first_parameter", slot), parameters = true;
      if (!is_of_formulas(port)) list.add(port);
    }
    if (program_.pass == Pass::backward) {
      const int parameters_end = program_.port_slots,
                inputs_end = parameters_end - static_cast<int>(ports_of(program_.ports, PortRole::parameter).size());
      add("first_input_gradient", inputs_end - static_cast<int>(ports_of(program_.ports, PortRole::gate).size()));
      add("first_parameter_gradient", inputs_end);
    }
    write(list);
  }
  // Never empty: C++ has no arrays of length zero.
  template <class Text>
  void array(const char* declaration, const std::vector<Port>& ports, const Text& text, const char* dummy) {
    std::string content;
    for (const Port& port : ports) content += (content.empty() ? "" : ", ") + text(port);
    line(std::string("static constexpr ") + declaration + "[] = {" + (content.empty() ? dummy : content) + "};");
  }

  const Program& program_;
};

}  // namespace

std::string policy_text(const Program& program) { return PolicyWriter(program).run(); }

}  // namespace rankone
