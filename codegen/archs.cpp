// SPDX-License-Identifier: MIT
// What each architecture offers to a block.
#include <rankone/error.hpp>

#include "codegen/program.hpp"

namespace rankone {
namespace {

constexpr int kilobytes(int n) { return n * 1024; }

// Close relatives of the known ones: accepted, under their own names.
const std::vector<ArchLimits>& relatives() {
  static const std::vector<ArchLimits> archs = {
      {"sm_87", kilobytes(163)}, {"sm_103a", kilobytes(227)}, {"sm_110a", kilobytes(227)}, {"sm_121a", kilobytes(99)}};
  return archs;
}

// "sm_90" and "sm_90a" name the same chip; the suffix only opens instructions that later chips lack.
bool same_chip(std::string_view known, std::string_view asked) {
  return known == asked || (known.ends_with('a') && known.substr(0, known.size() - 1) == asked);
}

}  // namespace

const std::vector<ArchLimits>& known_archs() {
  static const std::vector<ArchLimits> archs = {{"sm_80", kilobytes(163)},   {"sm_86", kilobytes(99)},
                                                {"sm_89", kilobytes(99)},    {"sm_90a", kilobytes(227)},
                                                {"sm_100a", kilobytes(227)}, {"sm_120a", kilobytes(99)}};
  return archs;
}

std::string arch_list() {
  std::string list;
  for (const ArchLimits& known : known_archs()) list += (list.empty() ? "" : ", ") + known.arch;
  return list;
}

ArchLimits arch_limits(std::string_view arch) {
  for (const auto* table : {&known_archs(), &relatives()})
    for (const ArchLimits& known : *table)
      if (same_chip(known.arch, arch)) return {std::string(arch), known.shared_bytes_per_block};
  std::string accepted = arch_list();
  for (const ArchLimits& known : relatives()) accepted += ", " + known.arch;
  throw Error(ErrorCode::invalid_argument, "unknown architecture", "'" + std::string(arch) + "'",
              accepted + ", with or without the suffix", "arch");
}

}  // namespace rankone
