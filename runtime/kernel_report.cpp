// SPDX-License-Identifier: MIT
// Emitted text to a cubin by way of the cache, and what the assembler said of each kernel.
#include "runtime/kernel_report.hpp"

#include <algorithm>

#include <rankone/error.hpp>

#include "runtime/cache/file_cache.hpp"
#include "runtime/cache/hash.hpp"
#include "runtime/cuda/cubin_entry.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/log.hpp"

namespace rankone {
namespace {

const char* name_of(Pass pass) { return pass == Pass::forward ? "forward" : "states"; }

}  // namespace

BuiltKernels build_cubin(const Plan& plan, const std::string& text) {
  const cuda::Nvrtc& nvrtc = cuda::nvrtc();
  std::string options;
  for (const std::string& option : nvrtc.options(plan.arch)) options += option + ' ';
  BuiltKernels built;
  built.key = cache_key({cuda::cubin_schema, text, options, nvrtc.identity(), plan.arch});
  const std::string name(plan.variant.name.view());
  const CacheItem item = FileCache::standard().get("cubin", built.key, [&] {
    const cuda::CompiledText compiled = nvrtc.compile(text, plan.arch, name);
    log(LogLevel::info, name + ": compiled for " + plan.arch + " in " +
                            std::to_string(static_cast<int>(compiled.milliseconds)) + " ms (" +
                            to_string(plan.schedule) + ")");
    return cuda::pack_entry(compiled);
  });
  cuda::CompiledText compiled = cuda::unpack_entry(item.bytes);
  for (const KernelPlan& kernel : plan.kernels) {
    const auto found = std::find_if(compiled.kernels.begin(), compiled.kernels.end(),
                                    [&](const cuda::KernelResources& each) { return each.entry == kernel.entry; });
    if (found == compiled.kernels.end())
      throw Error(ErrorCode::internal, "the emitted text has no such kernel", kernel.entry, {}, name);
    built.kernels.push_back({kernel.entry, name_of(plan.pass), plan.arch, found->registers,
                             kernel.shared_bytes + found->shared_bytes, found->spill_bytes, compiled.milliseconds,
                             item.hit});
  }
  built.cubin = std::move(compiled.cubin);
  return built;
}

}  // namespace rankone
