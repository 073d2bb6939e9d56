// SPDX-License-Identifier: MIT
// What times launches on a device: a graph on a GPU, the wall clock on the CPU.
#include "bench/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>

#include "proof/launch.hpp"

namespace rankone {
namespace {

constexpr std::size_t l2_multiple = 4;  // inputs in rotation take at least so many times the L2 cache
constexpr std::size_t most_rotations = 64, least_launches = 10;
constexpr int cpu_repeats = 1;  // emulation is slow
constexpr std::size_t host_copy_bytes = std::size_t{64} << 20;

template <class Work> double wall(const Work& work, int repeats) {
  std::vector<double> samples;
  for (int i = -1; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    if (i >= 0)
      samples.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return median(samples);
}

}  // namespace

Clock::Clock(const Device& device, int repeats) : repeats_(repeats) {
  if (!device.is_cpu()) gpu_.emplace(device.ordinal());
}

double Clock::copy_rate() const {
  if (gpu_) return gpu_->copy_rate();
  const std::vector<std::byte> from(host_copy_bytes, std::byte{1});
  std::vector<std::byte> to(host_copy_bytes);
  const double milliseconds = wall([&] { std::memcpy(to.data(), from.data(), host_copy_bytes); }, 5);
  return 2.0 * static_cast<double>(host_copy_bytes) / milliseconds * 1e-6;
}

double Clock::milliseconds(const Operator& op, const Problem& problem, std::size_t& bytes) const {
  std::deque<Launch> launches;
  launches.emplace_back(op, problem, false);
  bytes = launches.front().bytes();
  if (!gpu_) return wall([&] { launches.front().run(); }, repeats_ != 0 ? repeats_ : cpu_repeats);
  const std::size_t room = gpu_->free_bytes() / 2 / std::max<std::size_t>(launches.front().device_bytes(), 1);
  const std::size_t wanted = std::clamp<std::size_t>(l2_multiple * gpu_->l2_bytes() / bytes + 1, 2, most_rotations);
  while (launches.size() < std::min(wanted, 1 + room)) launches.emplace_back(op, problem, false);
  std::vector<GpuTimer::Work> works;
  while (works.size() < std::max(least_launches, launches.size()))
    works.emplace_back([&launch = launches[works.size() % launches.size()]](void* stream) { launch.run(stream); });
  return gpu_->in_graph(works, repeats_ != 0 ? repeats_ : 30);
}

}  // namespace rankone
