// SPDX-License-Identifier: MIT
// What an operator holds: the program, its text and its loaded kernels.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <rankone/operator.hpp>

#include "codegen/choose.hpp"
#include "codegen/program.hpp"
#include "runtime/backend.hpp"
#include "runtime/call.hpp"
#include "runtime/tensor_map.hpp"

namespace rankone {

// One pass: its program and text, built and loaded.
class PassKernels {
 public:
  PassKernels(Program program, const Device& device);
  PassKernels(const PassKernels&) = delete;  // the checker refers to the program
  PassKernels& operator=(const PassKernels&) = delete;

  const Program& program() const { return program_; }
  const std::string& text() const { return text_; }
  const CallChecker& checker() const { return checker_; }
  // All kernels of the program, or none.
  void launch(Call&& call, void* stream) const;  // maps are added to `call`

 private:
  Program program_;
  std::string text_;
  std::shared_ptr<const LoadedKernels> kernels_;
  CallChecker checker_;
  TensorMaps maps_;
  int multiprocessors_;
};

// Throws Error if a size is negative, or all together are beyond what is counted.
void check_shape(const Shape& shape, const Variant& variant);

class OperatorImpl {
 public:
  OperatorImpl(Program forward, std::string origin, const Device& device);

  void forward(const ForwardArguments& given, void* stream) const;
  void prepare_states() const;
  void states(const ForwardArguments& given, const Tensor& log_decay_total, void* stream) const;
  void combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier, void* stream) const;
  std::size_t workspace_bytes(const Shape& shape, Pass pass) const;

  const Program& program() const { return forward_.program(); }
  const std::string& text() const { return forward_.text(); }
  const std::string& origin() const {
    return origin_;
  }  // of the schedule: "pinned", "default", or what the database says
  const Device& device() const { return device_; }

 private:
  // Another pass, built when it is first used.
  struct LazyPass {
    std::once_flag once;
    std::unique_ptr<const PassKernels> kernels;
  };
  Program lowered(Pass pass) const;
  const PassKernels& built(LazyPass& lazy, Pass pass) const;

  PassKernels forward_;
  std::string origin_;
  Device device_;
  mutable LazyPass states_, combine_;
};

namespace detail {
struct OperatorAccess {
  static Operator make(std::shared_ptr<const OperatorImpl> impl) { return Operator(std::move(impl)); }
  static const OperatorImpl& impl(const Operator& op) { return op.impl(); }
};
}  // namespace detail
inline const OperatorImpl& impl_of(const Operator& op) { return detail::OperatorAccess::impl(op); }

// The architecture that kernels are compiled for: the options', or else the device's own. Throws Error for one that is
// unknown, or whose code does not run there.
std::string kernel_arch(const CompileOptions& options, const Device& device);

ChosenSchedule chosen_schedule(const Operator& op);

// An operator with exactly this schedule. Whoever calls has chosen it: this room chooses none.
Operator compile_schedule(const Variant& variant, const CompileOptions& options, const ChosenSchedule& chosen,
                          const Device& device);

}  // namespace rankone
