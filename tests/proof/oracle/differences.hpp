// SPDX-License-Identifier: MIT
// The oracle's gradients against central differences of its outputs, in float64.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <rankone/oracle.hpp>

#include "codegen/ports.hpp"
#include "proof/problem.hpp"
#include "runtime/convert.hpp"
#include "runtime/given_arguments.hpp"
#include "tests/proof/oracle/array.hpp"

namespace rankone {

// A problem in float64, and slopes of a loss with respect to its outputs: the loss is their product with these.
class Differences {
 public:
  explicit Differences(const Problem& problem) : problem_(problem), names_(problem.tensors.size()) {
    std::mt19937 source(7);
    for (std::size_t i = 0; i < problem.tensors.size(); ++i) {
      const HostTensor& from = problem.tensors[i];
      names_[i] = from.name;
      const bool integers = from.type == dtype::i32 || from.type == dtype::i64;
      Array& array = arrays_.emplace_back(from.shape);
      for (std::size_t at = 0; at < array.values.size(); ++at)
        array.values[at] = load(from.bytes.data(), from.type, static_cast<std::int64_t>(at));
      if (integers) lists_.push_back(i);
    }
    const Dims& dims = problem.dims;
    do_ = Array::random({dims.batch, dims.tokens, dims.value_heads, dims.value_dim}, source);
    const std::vector<Port> all = ports(problem.variant, problem.options, Pass::backward);
    dfinal_ = Array::random(sizes_of(find_port(all, "dfinal_state")->axes, dims), source);
    for (const Port& port : all)
      if (port.name.starts_with("dfinal_state_") && port.role == PortRole::state)
        carried_.push_back({port.name, Array::random(sizes_of(port.axes, dims), source)});
  }
  Array& operator[](const std::string& name) {
    return arrays_[static_cast<std::size_t>(std::ranges::find(names_, name) - names_.begin())];
  }

  // Of each tensor all elements together; `step` times the element's magnitude, at least itself, is what they are moved by.
  // Each loss is rounded, as is each of the terms it is summed from: that is all that small gradients are off by.
  void expect_agreement(double bound = 1e-6, double step = 1e-5) {
    maxima_.clear();
    const std::vector<NamedOracleTensor> gradients = oracle_gradients(problem_.variant, backward(), problem_.options);
    const double middle = loss();
    const double rounded = 2 * 0x1p-53 * terms_ / step;
    for (const NamedOracleTensor& each : gradients) {
      const auto found = std::ranges::find(names_, each.name.substr(1));
      if (found == names_.end()) continue;  // no initial state
      Array& moved = arrays_[static_cast<std::size_t>(found - names_.begin())];
      ASSERT_EQ(moved.values.size(), each.tensor.values.size()) << each.name;
      double error = 0, norm = 0, own = 0;
      std::size_t kinks = 0;
      for (std::size_t i = 0; i < moved.values.size(); ++i) {
        const double difference = slope(moved.values[i], step, middle), gradient = each.tensor.values[i];
        if (std::isnan(difference)) ++kinks;
        if (std::isnan(difference)) continue;
        error += (difference - gradient) * (difference - gradient);
        norm += difference * difference, own += gradient * gradient;
      }
      const double size = std::max({std::sqrt(norm), std::sqrt(own), 1e-3}),
                   of_rounding = rounded * std::sqrt(static_cast<double>(moved.values.size()));
      EXPECT_TRUE(std::sqrt(error) <= bound * size + of_rounding)
          << each.name << " is off by " << std::sqrt(error) << ", of " << size << ", where rounding gives "
          << of_rounding;
      EXPECT_LE(kinks, moved.values.size() / 8 + 1) << each.name;
      EXPECT_TRUE(kinks == 0 || kinks < moved.values.size()) << each.name << " is not judged";
    }
  }
  std::vector<NamedOracleTensor> gradients() {
    return oracle_gradients(problem_.variant, backward(), problem_.options);
  }

 private:
  template <class Arguments> void bind_inputs(Arguments& arguments) {
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const bool integers = std::ranges::find(lists_, i) != lists_.end();
      bind_tensor(arguments, names_[i], integers ? problem_.tensors[i].view() : arrays_[i].tensor());
    }
    arguments.scalars = problem_.scalars;
    arguments.scale = problem_.scale;
  }
  BackwardArguments backward() {
    BackwardArguments arguments;
    bind_inputs(arguments);
    arguments.do_ = do_.tensor();
    arguments.dfinal_state = dfinal_.tensor();
    for (auto& [name, slopes] : carried_) bind_tensor(arguments, name, slopes.tensor());
    return arguments;
  }
  double loss() {
    ForwardArguments arguments;
    bind_inputs(arguments);
    const OracleOutputs outputs = oracle(problem_.variant, arguments, problem_.options);
    double sum = 0;
    terms_ = 0;
    const auto add = [&](double slope, double value) {
      sum += slope * value;
      terms_ += std::abs(slope * value);
    };
    for (std::size_t i = 0; i < do_.values.size(); ++i) add(do_.values[i], outputs.o.values[i]);
    const auto units = units_of(outputs);
    for (std::size_t i = 0; i < dfinal_.values.size(); ++i)
      add(dfinal_.values[i], outputs.final_state.values[i] * units(i, dfinal_.values.size()));
    for (auto& [name, slopes] : carried_) {
      const auto gradient_of = [](const NamedOracleTensor& each) { return "d" + each.name; };
      const OracleTensor& state = std::ranges::find(outputs.carried, name, gradient_of)->tensor;
      for (std::size_t i = 0; i < slopes.values.size(); ++i)
        add(slopes.values[i], state.values[i] * units(i, slopes.values.size()));
    }
    return sum;
  }
  // Slopes of states beside a running maximum are those in the units that it has unmoved.
  std::function<double(std::size_t, std::size_t)> units_of(const OracleOutputs& outputs) {
    const auto is_max = [](const NamedOracleTensor& each) { return each.name == "final_state_max"; };
    const auto found = std::ranges::find_if(outputs.carried, is_max);
    if (found == outputs.carried.end()) return [](std::size_t, std::size_t) { return 1.0; };
    const std::vector<double>& maxima = found->tensor.values;
    if (maxima_.empty()) maxima_ = maxima;
    return [&](std::size_t i, std::size_t elements) {
      const std::size_t state = i / (elements / maxima.size());
      // Where nothing was written both are -inf.
      return maxima[state] == maxima_[state] ? 1 : std::exp(maxima[state] - maxima_[state]);
    };
  }
  // By four points: what is left is of the fourth order. NaN at a kink, of a minimum say, where the slopes to both sides
  // differ: it is not judged. `middle`: the loss of the call as it is.
  double slope(double& element, double step, double middle) {
    const double at = element, by = step * std::max(std::abs(at), 1.0);
    const auto moved = [&](double steps) {
      element = at + steps * by;
      return loss();
    };
    const double up = moved(1), down = moved(-1), far = moved(2) - moved(-2);
    element = at;
    const double near = up - down, slopes_apart = std::abs(up - 2 * middle + down) / by,
                 steps_apart = std::abs(2 * near - far) / by, size = std::abs(near) / by;
    const bool is_kink = slopes_apart > 1e-2 * std::max(size, 1e-3) || steps_apart > 1e-4 * std::max(size, 1e-4);
    return is_kink ? std::nan("") : (8 * near - far) / (12 * by);
  }

  const Problem& problem_;
  std::vector<std::string> names_;
  std::vector<Array> arrays_;
  std::vector<std::size_t> lists_;  // of integers
  double terms_ = 0;                // of the last loss, their sum without signs
  Array do_{{0}}, dfinal_{{0}};
  std::vector<double> maxima_;                          // of the call as it is
  std::vector<std::pair<std::string, Array>> carried_;  // of what the variant carries beside its state
};

}  // namespace rankone
