// SPDX-License-Identifier: MIT
// The tensors of a pass: what a caller gives and gets. Everything that knows of tensors derives from this one table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>
#include <rankone/options.hpp>

#include "codegen/axis.hpp"

namespace rankone {

enum class PortRole : unsigned char {
  input,      // q, k, v
  gate,       // a token input of the variant's formulas
  parameter,  // of the formulas
  state,      // what a call starts from
  saved,      // what forward leaves for backward
  output,
  gradient,  // of an input, a gate, a parameter or an initial state
  packing,   // where sequences begin and end
  index,     // rows of other tensors
  workspace
};

// Where the element type comes from.
enum class TypeRule : unsigned char {
  storage,  // CompileOptions::dtype
  own,      // CompileOptions::input_types, or else the role's default
  state,    // CompileOptions::state_dtype
  fixed,    // always the same
  integer   // i32 or i64, as each call has it
};

struct Port {
  std::string name;  // "q", "x", "A_log", "final_state", ...
  PortRole role = PortRole::input;
  PortRole of = PortRole::input;  // of a gradient: what its tensor is
  AxisList axes{};
  dtype type = dtype::f32;  // of TypeRule::integer the wider one
  TypeRule rule = TypeRule::fixed;
  int alignment = 1;  // bytes of base and strides that the fast path needs, else a slower one serves; 1: it has none
  bool contiguous = false;  // else all strides but the last dimension's are free
  bool in_slots = false;    // contiguous, but for the stride of the first dimension
  bool writable = false;
  bool updated = false;  // writable, and read before
  bool optional = false;
  bool positions = false;       // each element is where a sequence goes on
  bool names_slots = false;     // each element is a slot of `state`
  Axis counted = Axis::tokens;  // of offsets: what they are boundaries of
  bool names_tokens = false;    // each element is a token of a row, and all of them are there once
  std::string needs{};          // the port that has to be given with this one, and stands before it
  std::string_view holds{};     // for people; empty where the name says it
  std::string_view absent{};    // what its absence means
  int slot = 0;                 // in PortArguments::ports
};

// How many a pass has at most beside gates, parameters and their gradients, and how many of them are inputs.
inline constexpr std::size_t most_own_ports = 24, most_own_inputs = 4;

// Inputs, gates and parameters, then the rest. K and V may be left open (0) in `options`.
std::vector<Port> ports(const Variant& variant, const CompileOptions& options, Pass pass = Pass::forward);
// All that have a slot in the pass's launches, whether or not the pass and the variant have them.
std::vector<Port> slots(const Variant& variant, const CompileOptions& options, Pass pass);
// Those of one role, in order.
std::vector<Port> ports_of(const std::vector<Port>& ports, PortRole role);
const Port* find_port(const std::vector<Port>& ports, std::string_view name);  // null: there is none

// Whether it is read by the variant's formulas, or is the gradient of what they read.
inline bool is_of_formulas(const Port& port) {
  const PortRole role = port.role == PortRole::gradient ? port.of : port.role;
  return role == PortRole::gate || role == PortRole::parameter;
}
// Whether a call's tensor may have this type.
inline bool accepts(const Port& port, dtype type) {
  return type == port.type || (port.rule == TypeRule::integer && type == dtype::i32);
}
// The element types that the port may have, under any options.
std::vector<dtype> possible_types(const Port& port);
std::vector<std::string> names_of(const std::vector<dtype>& types);

}  // namespace rankone
