// SPDX-License-Identifier: MIT
// Writes the C header of a program.
#include "codegen/c_header.hpp"

#include <rankone/version.hpp>

#include "codegen/argument_fields.hpp"
#include "templates/device/arguments.cuh"

namespace rankone {
namespace {

class HeaderWriter {
 public:
  explicit HeaderWriter(const Program& program) : program_(program), name_(program.name) {}

  std::string run() {
    text_ = "// SPDX-License-Identifier: MIT\n// How to launch " + name_ + ", for " + program_.arch +
            ": its argument struct, sizes and kernels. Written by Rankone " RANKONE_VERSION
            " for C11 and C++17;\n// what each field means is in " +
            name_ + ".json, too.\n#ifndef " + name_ + "_H\n#define " + name_ +
            "_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n";
    types();
    sizes();
    kernels();
    return text_ + "#endif\n";
  }

 private:
  std::string own(const std::string& suffix) const { return name_ + "_" + suffix; }

  std::string declaration(const ArgumentField& field) const {
    const std::string type = field.type == "pointer"  ? "void*"
                             : field.type == "int64"  ? "int64_t"
                             : field.type == "int32"  ? "int32_t"
                             : field.type == "uint32" ? "uint32_t"
                             : field.type == "uint64" ? "uint64_t"
                             : field.type == "float"  ? "float"
                                                      : own(field.type);
    return type + " " + field.name + (field.count != 0 ? "[" + std::to_string(field.count) + "]" : "") + ";";
  }

  void types() {
    text_ +=
        "// Strides in elements; the last dimension is contiguous.\ntypedef struct {\n  void* data;\n"
        "  int64_t batch_stride, token_stride, head_stride;\n} " +
        own("tensor") + ";\n\n";
    if (program_.map_slots != 0)
      text_ += "// The bytes of a CUtensorMap.\ntypedef struct {\n#ifdef __cplusplus\n  alignas(" +
               std::to_string(alignof(TensorMap)) + ")\n#else\n  _Alignas(" + std::to_string(alignof(TensorMap)) +
               ")\n#endif\n  uint64_t words[" + std::to_string(sizeof(TensorMap) / 8) + "];\n} " + own("tensor_map") +
               ";\n\n";
    text_ += "// All kernels take one by value. Clear it first: what is not read is 0.\ntypedef struct {\n";
    const std::vector<ArgumentField> fields = argument_fields(program_);
    for (const ArgumentField& field : fields) text_ += "  " + declaration(field) + "  // " + field.about + "\n";
    text_ += "} " + own("arguments") + ";\n\n#ifdef __cplusplus\n#define " + own("assert") +
             " static_assert\n#else\n#define " + own("assert") + " _Static_assert\n#endif\n";
    const auto holds = [&](const std::string& what, std::size_t value) {
      text_ += own("assert") + "(" + what + " == " + std::to_string(value) + ", \"as the kernels read it\");\n";
    };
    holds("sizeof(" + own("arguments") + ")", argument_bytes(program_));
    for (const ArgumentField& field : fields)
      holds("offsetof(" + own("arguments") + ", " + field.name + ")", field.offset);
    text_ += "#undef " + own("assert") + "\n\n// Indices in `ports`, and numbers of their bits.\nenum {\n";
    for (const ArgumentPort& port : argument_ports(program_))
      text_ += "  " + own("port_" + port.name) + " = " + std::to_string(port.index) + ",  // " + port.about + "\n";
    text_ += "};\n\n";
  }

  void sizes() {
    text_ += "// Of a call; packed is 1 where there are cu_seqlens, else 0 and N is B; multiprocessors of the GPU.\n" +
             extent_helpers(name_, program_.variant.non_causal_) + "\n";
    for (const auto& [name, extent] : definitions_of(program_)) text_ += extent_function(name_, name, extent) + "\n";
    if (program_.segment_tokens.is_constant())
      text_ +=
          "// The field of that name.\n" + extent_function(name_, "segment_tokens", program_.segment_tokens) + "\n";
    for (std::size_t i = 0; i < program_.regions.size(); ++i)
      text_ += "// Where the workspace holds " + program_.regions[i].holds + ".\n" +
               extent_function(name_, program_.regions[i].name + "_offset", offset_of(program_, i)) + "\n";
    text_ += "// Bytes, 16-byte aligned; what they hold before a call does not matter.\n" +
             extent_function(name_, "workspace_bytes", workspace_of(program_)) + "\n";
  }

  void kernels() {
    text_ +=
        "// A kernel and how to launch it: a grid of `blocks`, 1 and 1; blocks of `threads`, 1 and 1.\ntypedef struct "
        "{\n  const char* entry;\n  int threads;\n  int shared_bytes;  // dynamic: allow them by "
        "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES\n  int cluster;       // compiled in; blocks are a multiple of "
        "it\n  int64_t blocks;    // 0: leave it out\n  int64_t items;     // at most 2^31 - 1, or the call is too "
        "large\n} " +
        own("kernel") + ";\nenum { " + own("kernels") + " = " + std::to_string(program_.kernels.size()) +
        " };\n\n// Launch 0 to " + own("kernels") + " - 1 in this order, on one stream.\nstatic inline " +
        own("kernel") + " " + own("kernel_at") + "(int index, const " + own("shape") + "* s) {\n  " + own("kernel") +
        " kernel = {0, 0, 0, 0, 0, 0};\n  (void)s;\n";
    for (std::size_t i = 0; i < program_.kernels.size(); ++i) {
      const Kernel& kernel = program_.kernels[i];
      text_ += "  if (index == " + std::to_string(i) + ") {\n    kernel.entry = \"" + kernel.entry +
               "\";\n    kernel.threads = " + std::to_string(kernel.threads) +
               ";\n    kernel.shared_bytes = " + std::to_string(kernel.shared_bytes) +
               ";\n    kernel.cluster = " + std::to_string(kernel.cluster) +
               ";\n    kernel.blocks = " + kernel.blocks.c(name_) + ";\n    kernel.items = " + kernel.items.c(name_) +
               ";\n  }\n";
    }
    text_ += "  return kernel;\n}\n\n";
  }

  const Program& program_;
  const std::string& name_;
  std::string text_;
};

}  // namespace

std::string c_header(const Program& program) { return HeaderWriter(program).run(); }

}  // namespace rankone
