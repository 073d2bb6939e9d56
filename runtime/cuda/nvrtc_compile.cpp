// SPDX-License-Identifier: MIT
// One CUDA text to one cubin.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <rankone/error.hpp>

#include "runtime/cuda/nvrtc.hpp"
#include "runtime/cuda/nvrtc_library.hpp"
#include "runtime/log.hpp"

namespace rankone::cuda {
namespace {

constexpr int first_with_own_cache = 1209;

class OwnedProgram {
 public:
  OwnedProgram(const NvrtcFunctions& functions, const std::string& text, const std::string& name)
      : functions_(functions) {
    if (const int result = functions.nvrtcCreateProgram(&program_, text.c_str(), name.c_str(), 0, nullptr, nullptr))
      throw Error(ErrorCode::compile_failed, "NVRTC cannot take the text", functions.nvrtcGetErrorString(result), {},
                  name);
  }
  ~OwnedProgram() { functions_.nvrtcDestroyProgram(&program_); }
  OwnedProgram(const OwnedProgram&) = delete;
  OwnedProgram& operator=(const OwnedProgram&) = delete;
  NvrtcProgram get() const { return program_; }

 private:
  const NvrtcFunctions& functions_;
  NvrtcProgram program_ = nullptr;
};

// As many compilers at once as there are cores: more would each take longer, and memory.
struct Places {
  std::mutex mutex;
  std::condition_variable freed;
  unsigned free = std::max(1u, std::thread::hardware_concurrency());
};
Places& places() {
  static auto* all = new Places;  // never destroyed: threads may outlive main()
  return *all;
}

class Place {
 public:
  Place() {
    std::unique_lock guard(places().mutex);
    places().freed.wait(guard, [] { return places().free > 0; });
    --places().free;
  }
  ~Place() {
    const std::lock_guard guard(places().mutex);
    ++places().free;
    places().freed.notify_one();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};

// "sm_90a" -> 90; 0 for what is no architecture.
int arch_number(std::string_view arch) {
  int number = 0;
  if (!arch.starts_with("sm_")) return 0;
  std::from_chars(arch.data() + 3, arch.data() + arch.size(), number);
  return number;
}

std::string version_text(int version) { return std::to_string(version / 100) + "." + std::to_string(version % 100); }

std::string_view first_error(std::string_view log) {
  const std::size_t at = log.find("error");
  if (at == log.npos) return log.substr(0, log.find('\n'));
  const std::size_t start = log.rfind('\n', at) + 1;  // npos + 1 is 0
  return log.substr(start, log.find('\n', at) - start);
}

// The number that ends right before `unit` in `line`.
int number_before(std::string_view line, std::string_view unit) {
  std::size_t end = line.find(unit);
  if (end == line.npos) return 0;
  std::size_t start = end;
  while (start > 0 && line[start - 1] >= '0' && line[start - 1] <= '9') --start;
  int number = 0;
  std::from_chars(line.data() + start, line.data() + end, number);
  return number;
}

// "C7512: wgmma.mma_async instructions are serialized due to ..." of a line in which the assembler says that; else empty.
std::string remark_of(std::string_view line) {
  constexpr std::string_view words = "Potential Performance Loss: ";
  const std::size_t at = line.find(words);
  if (at == line.npos) return {};
  const std::size_t open = line.find('('), close = line.find(')');
  const bool has_code = open < close && close < at;
  return (has_code ? std::string(line.substr(open + 1, close - open - 1)) + ": " : "") +
         std::string(line.substr(at + words.size()));
}

}  // namespace

bool Nvrtc::supports(std::string_view arch) const {
  return std::find(archs_.begin(), archs_.end(), arch_number(arch)) != archs_.end();
}

std::vector<std::string> Nvrtc::options(std::string_view arch, const std::string& option) const {
  // The text must also pass nvcc without options of its own, so nothing here changes its meaning.
  std::vector<std::string> all = {"--gpu-architecture=" + std::string(arch), "--std=c++20", "--ptxas-options=-v"};
  if (version_ >= first_with_own_cache) all.push_back("--no-cache");  // ours knows what it holds and who may clear it
  if (!option.empty()) all.push_back(option);
  return all;
}

CompiledText Nvrtc::compile(const std::string& text, const std::string& arch, const std::string& name,
                            const std::string& option) const {
  if (!supports(arch)) {
    std::string known;
    for (const int number : archs_) known += (known.empty() ? "sm_" : ", sm_") + std::to_string(number);
    throw Error(ErrorCode::unsupported, "this NVRTC does not compile for the architecture", arch,
                known + "; a newer toolkit knows more", "NVRTC " + version_text(version_) + ", " + path_);
  }
  const OwnedProgram program(*functions_, text, name + ".cu");
  const std::vector<std::string> given = options(arch, option);
  std::vector<const char*> pointers;
  for (const std::string& option : given) pointers.push_back(option.c_str());

  CompiledText compiled;
  const Place place;
  const auto start = std::chrono::steady_clock::now();
  const int result = functions_->nvrtcCompileProgram(program.get(), static_cast<int>(pointers.size()), pointers.data());
  compiled.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();

  std::size_t bytes = 0;
  if (functions_->nvrtcGetProgramLogSize(program.get(), &bytes) == 0 && bytes > 1) {
    compiled.log.resize(bytes);
    functions_->nvrtcGetProgramLog(program.get(), compiled.log.data());
    compiled.log.pop_back();  // the terminating zero
  }
  if (result != 0) {
    log(LogLevel::error, "NVRTC, " + name + " for " + arch + ":\n" + compiled.log);
    const std::string why(first_error(compiled.log));
    throw Error(ErrorCode::compile_failed, "NVRTC refused the text",
                why.empty() ? functions_->nvrtcGetErrorString(result) : why, {}, name + " for " + arch);
  }
  if (const int failed = functions_->nvrtcGetCUBINSize(program.get(), &bytes); failed != 0 || bytes == 0)
    throw Error(ErrorCode::compile_failed, "NVRTC gave no cubin", functions_->nvrtcGetErrorString(failed), {},
                name + " for " + arch);
  compiled.cubin.resize(bytes);
  functions_->nvrtcGetCUBIN(program.get(), compiled.cubin.data());
  compiled.kernels = parse_resources(compiled.log);
  return compiled;
}

std::vector<KernelResources> parse_resources(std::string_view log) {
  constexpr std::string_view entry_words = "Compiling entry function '";
  std::vector<KernelResources> kernels;
  std::vector<std::string> remarks;  // each names its kernel, and may stand before it
  while (!log.empty()) {
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    if (const std::size_t at = line.find(entry_words); at != line.npos) {
      const std::string_view rest = line.substr(at + entry_words.size());
      kernels.push_back({.entry = std::string(rest.substr(0, rest.find('\'')))});
    } else if (const std::string remark = remark_of(line); !remark.empty()) {
      remarks.push_back(remark);
    } else if (!kernels.empty() && line.find("bytes spill stores") != line.npos) {
      kernels.back().spill_bytes =
          number_before(line, " bytes spill stores") + number_before(line, " bytes spill loads");
    } else if (!kernels.empty() && line.find("Used ") != line.npos) {
      kernels.back().registers = number_before(line, " registers");
      kernels.back().shared_bytes = number_before(line, " bytes smem");
    }
  }
  for (KernelResources& kernel : kernels)
    for (const std::string& remark : remarks)
      if (remark.find("'" + kernel.entry + "'") != remark.npos) kernel.remarks.push_back(remark);
  return kernels;
}

}  // namespace rankone::cuda
