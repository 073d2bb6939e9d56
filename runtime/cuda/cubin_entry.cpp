// SPDX-License-Identifier: MIT
// A compiled text as the bytes of a cache entry: a few lines, then the cubin.
#include "runtime/cuda/cubin_entry.hpp"

#include <sstream>

#include <rankone/error.hpp>

namespace rankone::cuda {

std::string pack_entry(const CompiledText& compiled) {
  std::ostringstream text;
  text.imbue(std::locale::classic());  // whatever the program has set
  text << cubin_schema << "\nmilliseconds " << compiled.milliseconds << "\nkernels " << compiled.kernels.size() << "\n";
  for (const KernelResources& kernel : compiled.kernels) {
    text << kernel.entry << ' ' << kernel.registers << ' ' << kernel.shared_bytes << ' ' << kernel.spill_bytes << ' '
         << kernel.remarks.size() << '\n';
    for (const std::string& remark : kernel.remarks) text << remark << '\n';
  }
  return text.str() + compiled.cubin;
}

CompiledText unpack_entry(const std::string& bytes) {
  std::istringstream text(bytes);
  text.imbue(std::locale::classic());
  std::string schema, word;
  std::size_t count = 0;
  CompiledText compiled;
  std::getline(text, schema);
  text >> word >> compiled.milliseconds >> word >> count;
  if (schema != cubin_schema || !text || count > bytes.size())
    throw Error(ErrorCode::internal, "a cache entry of another form", schema, cubin_schema);
  compiled.kernels.resize(count);
  for (KernelResources& kernel : compiled.kernels) {
    std::size_t remarks = 0;
    text >> kernel.entry >> kernel.registers >> kernel.shared_bytes >> kernel.spill_bytes >> remarks;
    text.get();  // the line's end
    for (std::size_t i = 0; i < remarks && std::getline(text, word); ++i) kernel.remarks.push_back(word);
  }
  if (count == 0) text.get();
  if (!text) throw Error(ErrorCode::internal, "a cache entry that ends early", schema, cubin_schema);
  compiled.cubin = bytes.substr(static_cast<std::size_t>(text.tellg()));
  return compiled;
}

}  // namespace rankone::cuda
