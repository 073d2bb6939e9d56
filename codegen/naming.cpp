// SPDX-License-Identifier: MIT
// Names of programs and entries.
#include "codegen/naming.hpp"

#include <cstdint>
#include <cstdio>

#include <rankone/variant_json.hpp>

#include "codegen/chain.hpp"
#include "codegen/names.hpp"
#include "codegen/schedule_json.hpp"

namespace rankone {
namespace {

// FNV-1a, folded to 32 bits.
std::string digest_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3u;
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(hash ^ hash >> 32));
  return digits;
}

// Everything that is fixed when a kernel is compiled.
std::string configuration_of(const Program& program) {
  const CompileOptions& options = program.options;
  std::string text = variant_to_json(program.variant) + '\n' + std::string(name_in(pass_names, program.pass)) + '\n' +
                     program.arch + '\n' + schedule_to_json(program.schedule) + '\n' + std::to_string(options.key_dim) +
                     ' ' + std::to_string(options.value_dim) + ' ' + name_of(options.dtype) + ' ' +
                     std::to_string(static_cast<int>(options.precision)) + ' ' +
                     std::to_string(options.value_major_state);
  if (program.variant.chains_) text += " slots " + std::to_string(slots_of(options));
  // Named where it is another, so that names of earlier versions stay.
  if (options.state_dtype != dtype::f32) text += std::string(" states ") + name_of(options.state_dtype);
  for (const Port& port : program.ports)
    if (port.rule == TypeRule::own) text += ' ' + std::string(name_of(port.type));
  return text;
}

}  // namespace

std::string name_of(const Program& program, std::string_view what) {
  const CompileOptions& options = program.options;
  return std::string(program.variant.name.view()) + '_' + std::string(what) + "_k" + std::to_string(options.key_dim) +
         (program.variant.chains_ ? 'm' + std::to_string(slots_of(options)) : "") + 'v' +
         std::to_string(options.value_dim) + '_' + name_of(options.dtype) + '_' + digest_of(configuration_of(program));
}

std::string name_of(const Program& program) { return name_of(program, name_in(pass_names, program.pass)); }

}  // namespace rankone
