// SPDX-License-Identifier: MIT
// Emission: a program becomes one self-contained CUDA text.
#include <set>

#include <rankone/dsl/describe.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/variant_json.hpp>
#include <rankone/version.hpp>

#include "codegen/amalgamate.hpp"
#include "codegen/chain.hpp"
#include "codegen/gate_text.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/manifest.hpp"
#include "codegen/names.hpp"
#include "codegen/program.hpp"

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
  const std::string features =
      has_features(program.variant)
          ? ", F = " + std::to_string(feature_dim(program.variant, options.key_dim)) + " features"
          : "";
  std::string text = "K = " + std::to_string(options.key_dim) + features +
                     (program.variant.chains_ ? ", M = " + std::to_string(slots_of(options)) + " slots" : "") +
                     ", V = " + std::to_string(options.value_dim) + "; q, k, v, o " + name_of(options.dtype);
  if (options.state_dtype != dtype::f32) text += std::string("; states ") + name_of(options.state_dtype);
  for (const Port& port : program.ports)
    if (port.rule == TypeRule::own) text += "; " + port.name + " " + name_of(port.type);
  for (const std::string& scalar : program.scalars) text += "; scalar " + scalar;
  return text;
}

std::string banner(const Program& program) {
  const Variant& variant = program.variant;
  std::string text = "// SPDX-License-Identifier: MIT\n// " + std::string(variant.name.view()) + ": the " +
                     std::string(name_in(pass_titles, program.pass)) +
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

// The host counted shared memory by the same function; a disagreement must not survive compilation.
std::string entry_text(const Kernel& kernel) {
  const std::string residents = kernel.residents != 0 ? ", " + std::to_string(kernel.residents) : "";
  const std::string cluster =
      kernel.cluster > 1 ? " __cluster_dims__(" + std::to_string(kernel.cluster) + ", 1, 1)" : "";
  return "static_assert(" + kernel.check + ");\nextern \"C\" __global__ void __launch_bounds__(" +
         std::to_string(kernel.threads) + residents + ")" + cluster + "\n" + kernel.entry +
         "(rankone::ArgumentsOf<rankone::" + kernel.policy + "> const __grid_constant__ arguments) {\n  " +
         kernel.call + "\n}\n\n";
}

constexpr std::string_view only = "RANKONE_ONLY";

// A text of one kernel needs no guard, and none shows.
std::string guarded(const Program& program, std::size_t kernel) {
  const std::string text = entry_text(program.kernels[kernel]);
  if (program.kernels.size() == 1) return text;
  const std::string name(only);
  return "#if !defined(" + name + ") || " + name + " == " + std::to_string(kernel) + "\n" +
         text.substr(0, text.size() - 1) + "#endif\n\n";
}

std::string comment_of_pass(const Program& pass) {
  const bool is_first = pass.variant.stage_ == Stage::first;
  return std::string(is_first ? "// The first pass, whose value columns are the slots: "
                              : "// The second pass, whose keys are the slots: ") +
         describe(pass.variant) + "\n";
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

// What differs from variant to variant; a chain has both for either pass.
std::string policies_text(const Program& program, bool has_gates) {
  if (!program.variant.chains_) return policy_text(program) + (has_gates ? "\n" + gate_text(program) : "");
  std::string text;
  for (const Stage stage : {Stage::first, Stage::second}) {
    const Program own = program_of(program, stage);
    text += (text.empty() ? "" : "\n") + comment_of_pass(own) + policy_text(own) + "\n" + gate_text(own);
  }
  return text;
}

}  // namespace

std::string option_for(const Program& program, std::size_t kernel) {
  return program.kernels.size() == 1 ? "" : "-D" + std::string(only) + "=" + std::to_string(kernel);
}

std::string emit(const Program& program) {
  std::set<std::string_view> headers;
  for (const Kernel& kernel : program.kernels) headers.insert(kernel.header);
  const bool has_gates = program.pass != Pass::combine;
  // Texts are linked together, and templates are instantiated with these two: their names are this text's alone.
  std::string own = "// ---- this variant ----\n\nnamespace rankone {\ninline namespace " + program.name + " {\n\n" +
                    policies_text(program, has_gates) + "\n}  // namespace " + program.name +
                    "\n}  // namespace rankone\n\n";
  if (program.kernels.size() > 1)
    own += "// -D" + std::string(only) +
           "=N leaves kernel N, from 0: compiled side by side they are ready sooner than in one go.\n\n";
  for (std::size_t i = 0; i < program.kernels.size(); ++i) own += guarded(program, i);
  own += "// What a loader of the cubin needs to know.\nextern \"C\" __constant__ char " + program.name +
         "_manifest[] =\n    " + quoted(launch_manifest(program)) + ";\n";
  return banner(program) + "\n" + amalgamate_for(own, {headers.begin(), headers.end()}) + own;
}

}  // namespace rankone
