// SPDX-License-Identifier: MIT
// Emission: a program becomes one self-contained CUDA text.
#include <rankone/dsl/describe.hpp>
#include <rankone/version.hpp>

#include "codegen/amalgamate.hpp"
#include "codegen/gate_text.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/manifest.hpp"
#include "codegen/program.hpp"
#include "codegen/variant_json.hpp"

namespace rankone {
namespace {

std::string comment_lines(const std::string& text) {
  std::string result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    result += "//   " + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return result;
}

std::string sizes_text(const Program& program) {
  const CompileOptions& options = program.options;
  std::string text = "K = " + std::to_string(options.key_dim) + ", V = " + std::to_string(options.value_dim) +
                     "; q, k, v, o " + name_of(options.dtype);
  for (const Port& port : program.ports)
    if (port.rule == TypeRule::own) text += "; " + port.name + " " + name_of(port.type);
  for (const std::string& scalar : program.scalars) text += "; scalar " + scalar;
  return text;
}

std::string banner(const Program& program) {
  const Variant& variant = program.variant;
  std::string text = "// SPDX-License-Identifier: MIT\n// " + std::string(variant.name.view()) + ": the " +
                     (program.pass == Pass::forward ? "forward" : "state-only") +
                     " pass of a linear attention, written by Rankone " RANKONE_VERSION ".\n//\n" +
                     comment_lines(describe(variant)) + "//\n";
  text += "// sizes     " + sizes_text(program) + "\n";
  text += "// schedule  " + to_string(program.schedule) + "\n";
  for (const Kernel& kernel : program.kernels)
    text += "// kernel    " + kernel.entry + ": " + std::to_string(kernel.threads) + " threads, " +
            std::to_string(kernel.shared_bytes) + " bytes of dynamic shared memory\n";
  text += "// spec      " + variant_to_json(variant) + "\n//\n";
  text +=
      program.schedule.family == Family::hopper
          ? "// Stands alone, for sm_90a: nvcc -gencode=arch=compute_90a,code=sm_90a -c, or NVRTC; C++17 or later.\n"
          : "// Stands alone, for sm_80 and later: nvcc -arch=sm_80 -c, or NVRTC; C++17 or later.\n";
  return text;
}

const char* role_name(KernelRole role) {
  switch (role) {
    case KernelRole::scan: return "scan";
    case KernelRole::states: return "states";
    case KernelRole::output: return "output";
    case KernelRole::join: return "join";
    case KernelRole::prepare: return "prepare";
    case KernelRole::combine: return "combine";
  }
  return "";
}

// The host counted shared memory by the same function; a disagreement must not survive compilation.
std::string entry_text(const Kernel& kernel, Family family) {
  const bool moves_states = kernel.role == KernelRole::combine || kernel.role == KernelRole::join;
  const bool hopper = family == Family::hopper && !moves_states;
  const std::string role = std::string("rankone::Role::") + role_name(kernel.role);
  const std::string threads = std::to_string(kernel.threads);
  std::string text, bounds = threads, call;
  if (moves_states) {
    text = std::string("static_assert(rankone::") + role_name(kernel.role) + "_threads == " + threads + ");\n";
    call = std::string("rankone::") + role_name(kernel.role) + "<rankone::Policy>(arguments);";
  } else {
    const std::string traits =
        std::string("rankone::") + (hopper ? "HopperTraits" : "Traits") + "<rankone::Policy, " + role + ">";
    text = "static_assert(" + traits + "::layout.bytes == " + std::to_string(kernel.shared_bytes) + ");\n";
    call = std::string("rankone::") + (hopper ? "hopper_forward" : "scan") + "<rankone::Policy, rankone::Gate, " +
           role + ">(arguments);";
    if (hopper) bounds += ", " + std::to_string(kernel.residents);
  }
  const std::string cluster =
      kernel.cluster > 1 ? " __cluster_dims__(" + std::to_string(kernel.cluster) + ", 1, 1)" : "";
  return text + "extern \"C\" __global__ void __launch_bounds__(" + bounds + ")" + cluster + "\n" + kernel.entry +
         "(const __grid_constant__ rankone::Arguments arguments) {\n  " + call + "\n}\n\n";
}

constexpr std::string_view only = "RANKONE_ONLY";

// A text of one kernel needs no guard, and none shows.
std::string guarded(const Program& program, std::size_t kernel) {
  const std::string text = entry_text(program.kernels[kernel], program.schedule.family);
  if (program.kernels.size() == 1) return text;
  const std::string name(only);
  return "#if !defined(" + name + ") || " + name + " == " + std::to_string(kernel) + "\n" +
         text.substr(0, text.size() - 1) + "#endif\n\n";
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

}  // namespace

std::string option_for(const Program& program, std::size_t kernel) {
  return program.kernels.size() == 1 ? "" : "-D" + std::string(only) + "=" + std::to_string(kernel);
}

std::string emit(const Program& program) {
  std::string text = banner(program) + "\n" +
                     (program.schedule.level == Level::segment ? amalgamate({"hopper/forward.cuh", "hopper/join.cuh"})
                      : program.schedule.family == Family::hopper ? amalgamate({"hopper/forward.cuh"})
                      : program.pass == Pass::forward             ? amalgamate({"kernels/scan.cuh"})
                                                      : amalgamate({"kernels/scan.cuh", "kernels/combine.cuh"}));
  text += "// ---- this variant ----\n\nnamespace rankone {\n\n" + policy_text(program) + "\n" + gate_text(program) +
          "\n}  // namespace rankone\n\n";
  if (program.kernels.size() > 1)
    text += "// -D" + std::string(only) +
            "=N leaves kernel N, from 0: compiled side by side they are ready sooner than in one go.\n\n";
  for (std::size_t i = 0; i < program.kernels.size(); ++i) text += guarded(program, i);
  text += "// What a loader of the cubin needs to know.\nextern \"C\" __constant__ char " +
          std::string(program.variant.name.view()) + (program.pass == Pass::forward ? "" : "_states") +
          "_manifest[] =\n    " + quoted(launch_manifest(program)) + ";\n";
  return text;
}

}  // namespace rankone
