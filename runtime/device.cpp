// SPDX-License-Identifier: MIT
// Devices by name.
#include <rankone/device.hpp>

#include <charconv>
#include <map>
#include <mutex>

#include <rankone/error.hpp>

#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/log.hpp"
#include "runtime/paths.hpp"

namespace rankone {
namespace {

constexpr const char* accepted_names = "auto, cpu, cuda, cuda:N";

template <class Number> bool parse(std::string_view text, Number& number) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc() && end == text.data() + text.size();
}

// Of a copy.
void require_ends(const void* to, const void* from, std::size_t bytes, const char* where) {
  if (bytes == 0 || (to != nullptr && from != nullptr)) return;
  throw Error(
      ErrorCode::invalid_argument, "a pointer is null",
      std::string(to == nullptr ? "none to copy to" : "none to copy from") + ", " + std::to_string(bytes) + " bytes",
      "memory on both sides", where);
}

std::uint64_t seed_from_environment() {
  const auto given = environment("RANKONE_SEED");
  std::uint64_t seed = 1;
  if (given && !parse(*given, seed))
    throw Error(ErrorCode::invalid_argument, "not a seed", *given, "a number from 0 to 2^64 - 1", "RANKONE_SEED");
  return seed;
}

}  // namespace

int cuda_ordinal(std::string_view name) {
  if (name == "auto" || name == "cpu") return -1;
  if (name == "cuda") return 0;
  int ordinal = 0;
  if (name.starts_with("cuda:") && parse(name.substr(5), ordinal) && ordinal >= 0) return ordinal;
  throw Error(ErrorCode::invalid_argument, "an unknown name", "'" + std::string(name) + "'", accepted_names, "device");
}

Device cpu_device(std::uint64_t seed) { return cpu_device(EmulationOptions{.seed = seed}); }
Device cpu_device(const EmulationOptions& options) { return make_device(make_cpu_backend(options)); }

Device Device::cpu() {
  static const std::shared_ptr<DeviceBackend> backend =
      make_cpu_backend(EmulationOptions{.seed = seed_from_environment()});
  return Device(backend);
}

Device Device::cuda(int ordinal) {
  // Never destroyed: the driver shuts down in an order of its own when the process ends.
  static auto* const mutex = new std::mutex;
  static auto* const devices = new std::map<int, std::shared_ptr<DeviceBackend>>;
  const std::lock_guard guard(*mutex);
  auto& backend = (*devices)[ordinal];
  if (backend == nullptr) backend = make_cuda_backend(ordinal);
  return Device(backend);
}

Device Device::best() {
  const int count = cuda_device_count();
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    try {
      return cuda(ordinal);
    } catch (const Error& error) {
      log(LogLevel::warn, error.what());
    }
  }
  log(LogLevel::info, "no GPU that serves: kernels run on the CPU device, which is right but slow");
  return cpu();
}

Device Device::named(std::string_view name) {
  const int ordinal = cuda_ordinal(name);
  return ordinal >= 0 ? cuda(ordinal) : name == "cpu" ? cpu() : best();
}

detail::DeviceBackend& Device::backend() const {
  if (backend_ == nullptr)
    throw Error(ErrorCode::invalid_argument, "there is no device to ask", "an empty device",
                "one of Device::best(), cpu(), cuda() or named()", "Device");
  return *backend_;
}

bool Device::is_cpu() const { return backend().is_cpu(); }
int Device::ordinal() const { return backend().ordinal(); }
std::string Device::name() const { return backend().name(); }
std::string Device::arch() const { return backend().arch(); }
std::size_t Device::shared_memory_per_block() const { return backend().shared_memory_per_block(); }
int Device::multiprocessors() const { return backend().multiprocessors(); }

void* Device::allocate(std::size_t bytes) const { return backend().allocate(bytes); }
void Device::release(void* pointer) const noexcept {
  if (backend_ != nullptr) backend_->release(pointer);  // an empty device has given nothing
}
void Device::upload(void* to, const void* from, std::size_t bytes, void* stream) const {
  DeviceBackend& own = backend();
  require_ends(to, from, bytes, "Device::upload");
  if (bytes != 0) own.upload(to, from, bytes, stream);
}
void Device::download(void* to, const void* from, std::size_t bytes, void* stream) const {
  DeviceBackend& own = backend();
  require_ends(to, from, bytes, "Device::download");
  if (bytes != 0) own.download(to, from, bytes, stream);
}
void Device::synchronize(void* stream) const { backend().synchronize(stream); }

}  // namespace rankone
