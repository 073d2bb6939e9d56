// SPDX-License-Identifier: MIT
// Whether the numbers of a call are what a program's kernels are right for, where this process can read them.
#include "runtime/operand_check.hpp"

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>

#include <rankone/error.hpp>

#include "runtime/convert.hpp"

namespace rankone {
namespace {

std::string text_of(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

// The largest finite magnitude of a head in a row of the batch, and where it stands.
struct Largest {
  double magnitude = 0;
  std::int64_t row = 0, token = 0, head = 0, column = 0;
};

Largest largest_of(const CallTensor& tensor, dtype type, std::int64_t row, std::int64_t head) {
  Largest largest{.row = row, .head = head};
  for (std::int64_t token = 0; token < tensor.sizes[1]; ++token) {
    const std::int64_t first = row * tensor.strides[0] + token * tensor.strides[1] + head * tensor.strides[2];
    for (std::int64_t column = 0; column < tensor.sizes[3]; ++column) {
      const double magnitude = std::abs(load(tensor.data, type, first + column));
      if (!std::isfinite(magnitude) || magnitude <= largest.magnitude) continue;
      largest.magnitude = magnitude;
      largest.token = token, largest.column = column;
    }
  }
  return largest;
}

class OperandCheck {
 public:
  OperandCheck(const Program& program, const CallTensor& tensor) : program_(program), tensor_(tensor) {}

  // `message` says what is beyond the bound.
  void stay_below(double bound, const char* message) const {
    for_each_head([&](const Largest& largest) {
      if (largest.magnitude >= bound) refuse(message, largest, "magnitudes below " + text_of(bound));
    });
  }
  void keys_reach(double bound) const {
    for_each_head([&](const Largest& largest) {
      if (largest.magnitude > 0 && largest.magnitude < bound)
        refuse("a head's keys are all so small that these kernels lose their digits, times decays per key", largest,
               "a largest magnitude from " + text_of(bound) + ", or zeros");
    });
  }

 private:
  template <class Visit> void for_each_head(const Visit& visit) const {
    const dtype type = find_port(program_.ports, tensor_.name)->type;
    for (std::int64_t row = 0; row < tensor_.sizes[0]; ++row)
      for (std::int64_t head = 0; head < tensor_.sizes[2]; ++head) visit(largest_of(tensor_, type, row, head));
  }
  [[noreturn]] void refuse(const char* message, const Largest& found, const std::string& accepted) const {
    const auto index = [](std::int64_t i) { return std::to_string(i); };
    throw Error(ErrorCode::invalid_argument, message,
                text_of(found.magnitude) + " at [" + index(found.row) + ", " + index(found.token) + ", " +
                    index(found.head) + ", " + index(found.column) + "]",
                accepted + "; or the portable family, which takes any",
                std::string(program_.variant.name.view()) + ", tensor '" + tensor_.name + "'");
  }

  const Program& program_;
  const CallTensor& tensor_;
};

}  // namespace

void check_operands(const Program& program, const std::vector<CallTensor>& tensors) {
  if (tensors.empty()) return;
  const OperandRange range = operand_range(program);
  for (const CallTensor& tensor : tensors) {
    const OperandCheck check(program, tensor);
    if (tensor.name == "q" && std::isfinite(range.queries_below))
      check.stay_below(range.queries_below,
                       "a query is beyond what these kernels keep within float32, times decays per key");
    if (tensor.name == "v" && std::isfinite(values_below(program)))
      check.stay_below(values_below(program),
                       "a value is beyond what these kernels keep within float32, times decays of its column");
    if (tensor.name == "k" && range.keys_from > 0) check.keys_reach(range.keys_from);
  }
}

}  // namespace rankone
