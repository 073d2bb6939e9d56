// SPDX-License-Identifier: MIT
// What float32 has to be off by where the definition is a small difference of large numbers.
#include "proof/sensitivity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "proof/oracle/compare.hpp"
#include "proof/verify.hpp"
#include "runtime/convert.hpp"

namespace rankone {
namespace {

constexpr double coarser = 0x1p29;  // a last digit of float32, in those of float64
constexpr int nudges = 4;           // one by itself may happen to move a single number by nothing

}  // namespace

Problem nudged(const Problem& problem, std::uint64_t seed) {
  Problem moved = problem;
  std::uint64_t stream = 1000;  // apart from those that inputs are drawn from
  for (HostTensor& tensor : moved.tensors) {
    ++stream;
    if (tensor.type == dtype::i32 || tensor.type == dtype::i64) continue;
    HostTensor wide = make_tensor(tensor.name, dtype::f64, tensor.shape, tensor.slot_stride);
    const auto elements = static_cast<std::int64_t>(tensor.bytes.size() / size_of(tensor.type));
    for (std::int64_t i = 0; i < elements; ++i) {
      const double value = load(tensor.bytes.data(), tensor.type, i);
      const bool up = draw(Distribution::uniform, seed, stream, static_cast<std::uint64_t>(i)) < 0.5;
      const double towards = up ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
      // What is 0 may not be more, and stays what it is; so do resets.
      store(wide.bytes.data(), dtype::f64, i,
            value == 0 || !std::isfinite(value) ? value : std::nextafter(value, towards));
    }
    tensor = std::move(wide);
  }
  return moved;
}

std::vector<Sensitivity> float32_sensitivities(const std::vector<Referred>& draws) {
  std::vector<Sensitivity> found;
  for (const HostTensor& each : *draws.front().reference) found.push_back({.name = each.name});
  for (int nudge = 0; nudge < nudges; ++nudge) {
    std::vector<std::vector<HostTensor>> moved;
    for (const Referred& each : draws) {
      Problem problem = nudged(each.problem, static_cast<std::uint64_t>(nudge));
      moved.push_back(reference_outputs(problem));
    }
    for (std::size_t tensor = 0; tensor < found.size(); ++tensor) {
      std::vector<Compared> compared;
      for (std::size_t i = 0; i < draws.size(); ++i)
        compared.push_back({moved[i][tensor].view(), (*draws[i].reference)[tensor].view()});
      const double relative = compare(compared, 0).relative_error;
      found[tensor].relative += relative * relative / nudges;
    }
  }
  for (Sensitivity& each : found) each.relative = coarser * std::sqrt(each.relative);
  return found;
}

}  // namespace rankone
