// SPDX-License-Identifier: MIT
// Emitted text to cubins by way of the cache, and what the assembler said of each kernel.
#include "runtime/kernel_report.hpp"

#include <algorithm>
#include <future>
#include <span>

#include <rankone/error.hpp>

#include "codegen/knob_text.hpp"
#include "codegen/names.hpp"
#include "runtime/cache/file_cache.hpp"
#include "runtime/cache/hash.hpp"
#include "runtime/cuda/cubin_entry.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/log.hpp"

namespace rankone {
namespace {

// `option` leaves exactly `kernels` of the text.
BuiltCubin build(const Program& program, const std::string& text, std::span<const Kernel> kernels,
                 const std::string& option) {
  const cuda::Nvrtc& nvrtc = cuda::nvrtc();
  std::string options;
  for (const std::string& each : nvrtc.options(program.arch, option)) options += each + ' ';
  BuiltCubin built;
  built.key = cache_key({cuda::cubin_schema, text, options, nvrtc.identity(), program.arch});
  const std::string name(program.variant.name.view());
  const CacheItem item = FileCache::standard().get("cubin", built.key, [&] {
    const cuda::CompiledText compiled = nvrtc.compile(text, program.arch, name, option);
    log(LogLevel::info, (kernels.size() == 1 ? kernels[0].entry : name) + ": compiled for " + program.arch + " in " +
                            std::to_string(static_cast<int>(compiled.milliseconds)) + " ms (" +
                            to_string(program.schedule) + ")");
    return cuda::pack_entry(compiled);
  });
  cuda::CompiledText compiled = cuda::unpack_entry(item.bytes);
  for (const Kernel& kernel : kernels) {
    const auto found = std::find_if(compiled.kernels.begin(), compiled.kernels.end(),
                                    [&](const cuda::KernelResources& each) { return each.entry == kernel.entry; });
    if (found == compiled.kernels.end())
      throw Error(ErrorCode::internal, "the emitted text has no such kernel", kernel.entry, {}, name);
    built.kernels.push_back({kernel.entry, std::string(name_in(pass_names, program.pass)), program.arch,
                             found->registers, kernel.shared_bytes + found->shared_bytes, found->spill_bytes,
                             compiled.milliseconds, item.hit, found->remarks});
  }
  built.cubin = std::move(compiled.cubin);
  return built;
}

}  // namespace

BuiltCubin build_whole(const Program& program, const std::string& text) {
  return build(program, text, program.kernels, {});
}

std::vector<BuiltCubin> build_kernels(const Program& program, const std::string& text) {
  const auto alone = [&](std::size_t i) {
    return build(program, text, std::span(program.kernels).subspan(i, 1), option_for(program, i));
  };
  // A future of std::async waits when it is destroyed, so that no thread outlives an exception; it is deferred where
  // the system gives no thread. The last kernel takes longest: where cores are few, it must not wait for another.
  std::vector<std::future<BuiltCubin>> others(program.kernels.size());
  for (std::size_t i = program.kernels.size() - 1; i > 0; --i)
    others[i] = std::async(std::launch::async | std::launch::deferred, alone, i);
  std::vector<BuiltCubin> built;
  built.push_back(alone(0));
  for (std::size_t i = 1; i < program.kernels.size(); ++i) built.push_back(others[i].get());
  return built;
}

std::vector<KernelReport> compile_kernels(const Program& program) {
  std::vector<KernelReport> reports;
  for (const BuiltCubin& each : build_kernels(program, emit(program)))
    reports.insert(reports.end(), each.kernels.begin(), each.kernels.end());
  return reports;
}

}  // namespace rankone
