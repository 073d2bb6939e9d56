// SPDX-License-Identifier: MIT
// A lowered variant: everything that emission, compilation, launch and export need to know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>
#include <rankone/options.hpp>

#include "codegen/extent.hpp"
#include "codegen/ports.hpp"
#include "templates/device/arguments.cuh"

namespace rankone {

// A part of the workspace, at a multiple of 16 bytes behind the one before.
struct Region {
  std::string name;
  std::string holds;  // for people
  void* Arguments::*argument = nullptr;
  Extent bytes{};  // a multiple of 16
  int port = -1;   // instead of `argument`: the slot of a launch's tensor that stands there, contiguous (passed_ports)
};

inline constexpr int most_decoded_tokens = 8;

// Backward, what the other pass of a chain has among the slopes of each token, and of each sequence.
struct SlopesBeside {
  int token_floats_before = 0, token_floats_behind = 0, sequence_floats_before = 0, sequence_floats_behind = 0;
};

// Finite magnitudes that a kernel is right for, of what callers give.
struct OperandRange {
  double queries_below = std::numeric_limits<double>::infinity();
  double keys_from = 0;  // of a head's largest key, unless all are zero
};

struct Kernel {
  std::string name;    // of what it does: "scan", "join", ...
  std::string entry;   // its extern "C" name
  std::string header;  // of its skeleton, below templates/
  std::string call;    // the skeleton's function, as the entry calls it
  std::string policy = "Policy";  // that it is an instance of
  std::string check;   // holds where what the host counted is what the kernel uses
  Schedule schedule{};
  int threads = 0;
  int shared_bytes = 0;  // dynamic
  int cluster = 1;       // blocks of a cluster; the grid is a multiple of it
  int residents = 0;     // blocks that a multiprocessor is meant to hold; 0: the compiler's choice
  OperandRange range{};
  Extent items{};   // pieces of work: at most 2^31 - 1
  Extent blocks{};  // of a launch; with fewer than `items` a block walks several. 0: it is left out
};

// What a pass beside the forward pass runs with, and why: "tuned for this shape", ...
struct PassSchedule {
  Pass pass = Pass::forward;
  Schedule schedule{};
  std::string origin{};
};

// Order in `scalars` is the order in Arguments.
struct Program {
  Variant variant{};
  CompileOptions options{};
  Schedule schedule{};                 // as it was chosen; kernels have their own
  std::optional<Shape> expected{};     // of the coming calls, where it is known
  std::vector<PassSchedule> beside{};  // of passes for which there is more than a default
  std::string arch;
  Pass pass = Pass::forward;
  std::string name;  // readable, and no other configuration's: of its entry and its files
  std::vector<Port> ports;
  std::vector<Port> passed_ports;     // of a chain's launches: what its passes leave each other, in the workspace
  int port_slots = 0, map_slots = 0;  // of what a kernel is launched with
  std::vector<std::string> scalars;
  bool reads_key = true;        // false where the key expression does not use k
  bool uses_tma = false;        // tensors that have maps come by boxes
  std::vector<Region> regions;  // of the workspace, in this order
  std::vector<Kernel> kernels;  // in launch order
  Extent segment_tokens{};      // a multiple of the chunk; 0: sequences are walked whole
  SlopesBeside beside_slopes{};  // of a chain's pass
};
// A pass of a chain's program as one that would compute it alone, for its part of the text.
Program program_of(const Program& chain, Stage stage);

struct ArchLimits {
  std::string arch;            // "sm_90a"
  int shared_bytes_per_block;  // opt-in maximum
};
const std::vector<ArchLimits>& known_archs();   // sm_80, 86, 89, 90a, 100a, 120a
std::string arch_list();                        // their names: "sm_80, sm_86, ..."
ArchLimits arch_limits(std::string_view arch);  // these and their close relatives; else throws Error

// Why a variant has no such pass, in words; empty where it has one.
std::string why_not_admitted(const Variant& variant, Pass pass);
std::vector<std::string> passes_of(const Variant& variant);  // the names of those that it has
void require_admitted(const Variant& variant, Pass pass);    // throws Error where it has none

// variant + schedule -> program
Program lower(const Variant&, const CompileOptions&, const Schedule&, std::string_view arch, Pass pass = Pass::forward);
std::string emit(const Program&);  // program -> CUDA text
// The compiler's option that leaves of that text only this one of `kernels`; empty where there is no other.
std::string option_for(const Program&, std::size_t kernel);

// What all kernels of a program are right for.
OperandRange operand_range(const Program&);
// Of values, where decays of their columns multiply them.
double values_below(const Program&);
// Bytes of all regions, and of those before one.
Extent workspace_of(const Program&);
Extent offset_of(const Program&, std::size_t region);
// Every named extent of a program, each before those that refer to it.
std::vector<std::pair<std::string, Extent>> definitions_of(const Program&);

}  // namespace rankone
