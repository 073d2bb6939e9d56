// SPDX-License-Identifier: MIT
// A chain's passes as kernels have them: each a variant of its own, with sizes of its own, over the call's tensors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <rankone/dsl/chain.hpp>
#include <rankone/options.hpp>

#include "codegen/ports.hpp"

namespace rankone {

// M of a chain.
inline int slots_of(const CompileOptions& options) {
  return options.slot_dim != 0 ? options.slot_dim : options.key_dim;
}

// A recurrence, and what K and V are to it.
struct Recurrence {
  Variant variant{};
  CompileOptions options{};
};
// Both passes of a chain, in their order; of any other variant itself.
std::vector<Recurrence> recurrences_of(const Variant& variant, const CompileOptions& options);
// That of a pass under its chain's: where values erase, a tile of all of its own columns, whatever the other one has.
Schedule schedule_in(const Recurrence& pass, Schedule of_chain);

// What a pass of a chain calls a tensor of it; none where it has nothing to do with it.
std::optional<std::string> name_in(Stage stage, const Port& port);
// The tensors of a pass of a chain, as its own kernels call them, with the slots of the whole chain's launches: its
// state is `state`, what the first writes for the second is its `o`, and `passed` is an input of the second. Both of
// these, and the slope that goes back, stand in the workspace.
std::vector<Port> ports_of_stage(const Variant& chain, const CompileOptions& options, Pass pass, Stage stage);

// What a chain's passes leave each other: `passed`, and backward its slope.
std::vector<Port> passed_ports(const Variant& variant, const CompileOptions& options, Pass pass);

}  // namespace rankone
