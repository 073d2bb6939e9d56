// SPDX-License-Identifier: MIT
// Whether this machine has the memory that sizes ask for.
#include "proof/memory.hpp"

#include <unistd.h>
#include <rankone/error.hpp>

namespace rankone {

void require_memory(double bytes, const std::string& sizes, const std::string& where) {
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (bytes <= memory / 2) return;
  const auto mebibytes = [](double all) { return std::to_string(static_cast<long long>(all / 0x1p20)) + " MiB"; };
  throw Error(ErrorCode::unsupported, "the tensors do not fit in memory", sizes + ", which takes " + mebibytes(bytes),
              "at most " + mebibytes(memory / 2) + ", half of what this machine has", where);
}

}  // namespace rankone
