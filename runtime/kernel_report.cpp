// SPDX-License-Identifier: MIT
// Emitted text to cubins by way of the cache, and what the assembler said of each kernel.
#include "runtime/kernel_report.hpp"

#include <algorithm>
#include <future>
#include <span>

#include <rankone/error.hpp>

#include "runtime/cache/file_cache.hpp"
#include "runtime/cache/hash.hpp"
#include "runtime/cuda/cubin_entry.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/log.hpp"

namespace rankone {
namespace {

const char* name_of(Pass pass) { return pass == Pass::forward ? "forward" : "states"; }

// `option` leaves exactly `kernels` of the text.
BuiltCubin build(const Plan& plan, const std::string& text, std::span<const KernelPlan> kernels,
                 const std::string& option) {
  const cuda::Nvrtc& nvrtc = cuda::nvrtc();
  std::string options;
  for (const std::string& each : nvrtc.options(plan.arch, option)) options += each + ' ';
  BuiltCubin built;
  built.key = cache_key({cuda::cubin_schema, text, options, nvrtc.identity(), plan.arch});
  const std::string name(plan.variant.name.view());
  const CacheItem item = FileCache::standard().get("cubin", built.key, [&] {
    const cuda::CompiledText compiled = nvrtc.compile(text, plan.arch, name, option);
    log(LogLevel::info, (kernels.size() == 1 ? kernels[0].entry : name) + ": compiled for " + plan.arch + " in " +
                            std::to_string(static_cast<int>(compiled.milliseconds)) + " ms (" +
                            to_string(plan.schedule) + ")");
    return cuda::pack_entry(compiled);
  });
  cuda::CompiledText compiled = cuda::unpack_entry(item.bytes);
  for (const KernelPlan& kernel : kernels) {
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

}  // namespace

BuiltCubin build_whole(const Plan& plan, const std::string& text) { return build(plan, text, plan.kernels, {}); }

std::vector<BuiltCubin> build_kernels(const Plan& plan, const std::string& text) {
  const auto alone = [&](std::size_t i) {
    return build(plan, text, std::span(plan.kernels).subspan(i, 1), option_for(plan, i));
  };
  // A future of std::async waits when it is destroyed, so that no thread outlives an exception; it is deferred where
  // the system gives no thread. The last kernel takes longest: where cores are few, it must not wait for another.
  std::vector<std::future<BuiltCubin>> others(plan.kernels.size());
  for (std::size_t i = plan.kernels.size() - 1; i > 0; --i)
    others[i] = std::async(std::launch::async | std::launch::deferred, alone, i);
  std::vector<BuiltCubin> built;
  built.push_back(alone(0));
  for (std::size_t i = 1; i < plan.kernels.size(); ++i) built.push_back(others[i].get());
  return built;
}

std::vector<KernelReport> compile_kernels(const Plan& plan) {
  std::vector<KernelReport> reports;
  for (const BuiltCubin& each : build_kernels(plan, emit(plan)))
    reports.insert(reports.end(), each.kernels.begin(), each.kernels.end());
  return reports;
}

}  // namespace rankone
