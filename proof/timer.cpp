// SPDX-License-Identifier: MIT
// Milliseconds of launches on a GPU, by events: cold, or back to back in a graph.
#include "proof/timer.hpp"

#include <algorithm>

#include <rankone/error.hpp>

#include "runtime/cuda/context.hpp"
#include "runtime/cuda/driver.hpp"

namespace rankone {
namespace {

using namespace cuda;

constexpr int warm_up = 3;
constexpr int copies = 10, copy_samples = 9;
constexpr std::size_t largest_copy = std::size_t{1} << 30;

// RAII over what the driver hands out; to be used while the context is current.
class Memory {
 public:
  explicit Memory(std::size_t bytes) : bytes_(bytes) { check(driver().cuMemAlloc(&address_, bytes), "cuMemAlloc"); }
  ~Memory() { driver().cuMemFree(address_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  DevicePointer address() const { return address_; }
  std::size_t bytes() const { return bytes_; }

 private:
  DevicePointer address_ = 0;
  std::size_t bytes_;
};

class Stopwatch {
 public:
  Stopwatch() {
    check(driver().cuEventCreate(&start_, 0), "cuEventCreate");
    check(driver().cuEventCreate(&end_, 0), "cuEventCreate");
  }
  ~Stopwatch() {
    driver().cuEventDestroy(start_);
    driver().cuEventDestroy(end_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  void start(Stream stream) { check(driver().cuEventRecord(start_, stream), "cuEventRecord"); }
  double stop(Stream stream) {
    float milliseconds = 0;
    check(driver().cuEventRecord(end_, stream), "cuEventRecord");
    check(driver().cuEventSynchronize(end_), "cuEventSynchronize");
    check(driver().cuEventElapsedTime(&milliseconds, start_, end_), "cuEventElapsedTime");
    return milliseconds;
  }

 private:
  Event start_ = nullptr, end_ = nullptr;
};

Context primary_context(DeviceOrdinal device) {
  Context context = nullptr;
  check(driver().cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  return context;
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n == 0 ? 0 : n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct GpuTimer::State {
  Context context = nullptr;
  Stream stream = nullptr;
  int l2 = 0;

  explicit State(int ordinal) {
    DeviceOrdinal device = 0;
    check(driver().cuDeviceGet(&device, ordinal), "cuDeviceGet");
    check(driver().cuDeviceGetAttribute(&l2, l2_cache_bytes, device), "cuDeviceGetAttribute");
    context = primary_context(device);
    const CurrentContext current(driver(), context);
    check(driver().cuStreamCreate(&stream, stream_non_blocking), "cuStreamCreate");
  }
  ~State() {
    Context popped = nullptr;
    if (driver().cuCtxPushCurrent(context) != success) return;
    driver().cuStreamDestroy(stream);
    driver().cuCtxPopCurrent(&popped);
  }
};

GpuTimer::GpuTimer(int ordinal) : state_(std::make_unique<State>(ordinal)) {}
GpuTimer::~GpuTimer() = default;

std::size_t GpuTimer::l2_bytes() const { return static_cast<std::size_t>(state_->l2); }

std::size_t GpuTimer::free_bytes() const {
  const CurrentContext current(driver(), state_->context);
  std::size_t free = 0, total = 0;
  check(driver().cuMemGetInfo(&free, &total), "cuMemGetInfo");
  return free;
}

double GpuTimer::cold(const Work& work, int launches) const {
  const CurrentContext current(driver(), state_->context);
  const Memory flush(std::max<std::size_t>(3 * l2_bytes(), 1 << 20));
  Stopwatch watch;
  std::vector<double> samples;
  for (int i = -warm_up; i < launches; ++i) {
    check(driver().cuMemsetD8Async(flush.address(), static_cast<unsigned char>(i), flush.bytes(), state_->stream),
          "cuMemsetD8Async");
    watch.start(state_->stream);
    work(state_->stream);
    const double milliseconds = watch.stop(state_->stream);
    if (i >= 0) samples.push_back(milliseconds);
  }
  return median(std::move(samples));
}

double GpuTimer::in_graph(const std::vector<Work>& works, int replays) const {
  const CurrentContext current(driver(), state_->context);
  for (const Work& work : works) work(state_->stream);  // whatever loads on first use loads outside of the capture
  check(driver().cuStreamSynchronize(state_->stream), "cuStreamSynchronize");

  Graph graph = nullptr;
  check(driver().cuStreamBeginCapture(state_->stream, capture_thread_local), "cuStreamBeginCapture");
  try {
    for (const Work& work : works) work(state_->stream);
  } catch (...) {
    driver().cuStreamEndCapture(state_->stream, &graph);
    if (graph != nullptr) driver().cuGraphDestroy(graph);
    throw;
  }
  check(driver().cuStreamEndCapture(state_->stream, &graph), "cuStreamEndCapture");
  GraphExec executable = nullptr;
  const Result made = driver().cuGraphInstantiate(&executable, graph, 0);
  driver().cuGraphDestroy(graph);
  check(made, "cuGraphInstantiate");
  const struct Cleanup {
    GraphExec executable;
    ~Cleanup() { driver().cuGraphExecDestroy(executable); }
  } cleanup{executable};

  Stopwatch watch;
  std::vector<double> samples;
  for (int i = -warm_up; i < replays; ++i) {
    watch.start(state_->stream);
    check(driver().cuGraphLaunch(executable, state_->stream), "cuGraphLaunch");
    const double milliseconds = watch.stop(state_->stream);
    if (i >= 0) samples.push_back(milliseconds / static_cast<double>(works.size()));
  }
  return median(std::move(samples));
}

double GpuTimer::copy_rate() const {
  const CurrentContext current(driver(), state_->context);
  const std::size_t bytes = std::min(largest_copy, free_bytes() / 8);
  const Memory from(bytes), to(bytes);
  check(driver().cuMemsetD8Async(from.address(), 1, bytes, state_->stream), "cuMemsetD8Async");
  Stopwatch watch;
  std::vector<double> samples;
  for (int i = -1; i < copy_samples; ++i) {
    watch.start(state_->stream);
    for (int copy = 0; copy < copies; ++copy)
      check(driver().cuMemcpyDtoDAsync(to.address(), from.address(), bytes, state_->stream), "cuMemcpyDtoDAsync");
    const double milliseconds = watch.stop(state_->stream);
    if (i >= 0) samples.push_back(2.0 * static_cast<double>(bytes) * copies / milliseconds * 1e-6);
  }
  return median(std::move(samples));
}

}  // namespace rankone
