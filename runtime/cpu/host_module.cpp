// SPDX-License-Identifier: MIT
// Emitted text as a loaded shared object: built once, cached as a file, shared while somebody holds it.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <mutex>

#include <rankone/error.hpp>

#include "runtime/cache/file_cache.hpp"
#include "runtime/cache/hash.hpp"
#include "runtime/cpu/block.hpp"
#include "runtime/cpu/emulator.hpp"
#include "runtime/cpu/host_compiler.hpp"

namespace rankone {
namespace {

constexpr const char* schema = "host 1";

using Bind = int (*)(const HostInterface*);

[[noreturn]] void refuse(ErrorCode code, const std::string& what) { throw Error(code, what, {}, {}, "CPU device"); }

// What is loaded now, by key.
struct Loaded {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<HostModule>> modules;
};
Loaded& loaded() {
  static auto* state = new Loaded;  // never destroyed: modules may outlive main()
  return *state;
}

}  // namespace

std::shared_ptr<HostModule> HostModule::build(const std::string& emitted_text) {
  const HostCompiler compiler = find_host_compiler();
  std::string user_flags;
  for (std::size_t i = 1; i < compiler.command.size(); ++i) user_flags += compiler.command[i] + " ";
  const std::string key =
      cache_key({schema, host_prelude(), emitted_text, compiler.identity, user_flags, host_flags()});
  {
    const std::lock_guard guard(loaded().mutex);
    if (const auto found = loaded().modules.find(key); found != loaded().modules.end())
      if (auto module = found->second.lock()) return module;
  }
  const auto begin = std::chrono::steady_clock::now();
  // The file cache sees to it that threads and processes that come here at once compile only once.
  const CacheItem item =
      FileCache::standard().get("host", key, [&] { return compile_on_host(compiler, emitted_text); });
  std::shared_ptr<HostModule> module(new HostModule);
  module->cached_ = item.hit;
  // Where the cache folder lies on a file system without execution, nothing loads from it.
  if (item.file.empty() || !module->load(item.file.string())) module->load_from_memory(item.bytes);
  module->build_ms_ = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  const std::lock_guard guard(loaded().mutex);
  std::erase_if(loaded().modules, [](const auto& each) { return each.second.expired(); });
  auto& entry = loaded().modules[key];
  if (auto earlier = entry.lock()) return earlier;
  entry = module;
  return module;
}

bool HostModule::load(const std::string& path) {
  library_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library_ == nullptr) return false;
  const auto bind = reinterpret_cast<Bind>(::dlsym(library_, "rankone_host_bind"));
  if (bind == nullptr) refuse(ErrorCode::compile_failed, "the built kernel lacks rankone_host_bind: " + path);
  const int bound = bind(&host_words);
  parts_ = (bound & host_parts_flag) != 0;
  granule_ = bound & ~host_parts_flag;
  return true;
}

// Without a cache there is no file. The descriptor stays open: the loader knows modules by name, so that the number in
// it must not come again while this one is loaded.
void HostModule::load_from_memory(const std::string& bytes) {
  descriptor_ = ::memfd_create("rankone-host", MFD_CLOEXEC);
  for (std::size_t done = 0; descriptor_ >= 0 && done < bytes.size();) {
    const auto written = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (written <= 0) refuse(ErrorCode::unsupported, "the built kernel does not fit into memory");
    done += static_cast<std::size_t>(written);
  }
  if (descriptor_ < 0) refuse(ErrorCode::unsupported, "the system gives no file in memory for the built kernel");
  if (!load("/proc/self/fd/" + std::to_string(descriptor_)))
    refuse(ErrorCode::compile_failed, std::string("the built kernel cannot be loaded: ") + ::dlerror());
}

HostModule::~HostModule() {
  if (library_ != nullptr) ::dlclose(library_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void* HostModule::entry(const std::string& name) const {
  if (void* const address = ::dlsym(library_, name.c_str())) return address;
  throw Error(ErrorCode::not_found, "the built kernel has no such entry", name, {}, "CPU device");
}

}  // namespace rankone
