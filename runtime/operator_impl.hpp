// SPDX-License-Identifier: MIT
// What an operator holds: the plan, its text and its loaded kernels.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <rankone/operator.hpp>

#include "codegen/plan.hpp"
#include "runtime/backend.hpp"
#include "runtime/call.hpp"

namespace rankone {

class OperatorImpl {
 public:
  OperatorImpl(Plan plan, std::string text, std::string origin, const Device& device);
  OperatorImpl(const OperatorImpl&) = delete;  // the checker refers to the plan
  OperatorImpl& operator=(const OperatorImpl&) = delete;

  void forward(const ForwardArguments& given, void* stream) const;
  void states(const ForwardArguments& given, const Tensor& log_decay_total, void* stream) const;
  void combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier, void* stream) const;
  std::size_t workspace_bytes(const Shape& shape) const;

  const Plan& plan() const { return plan_; }
  const std::string& text() const { return text_; }
  const std::string& origin() const { return origin_; }  // of the schedule: "pinned", "default", or what the database says
  const Device& device() const { return device_; }

 private:
  Plan plan_;
  std::string text_, origin_;
  Device device_;
  std::shared_ptr<const LoadedKernels> kernels_;
  CallChecker checker_;
  std::vector<std::size_t> forward_;  // kernels of a forward pass, in order
  std::size_t states_ = 0, combine_ = 0;

  void launch(const Call& call, const std::size_t* first, std::size_t count, void* stream) const;
};

// An operator with exactly this schedule, as the tuner needs it.
Operator compile_schedule(const Variant& variant, const CompileOptions& options, const Schedule& schedule,
                          const Device& device, const std::string& origin = "pinned");

}  // namespace rankone
