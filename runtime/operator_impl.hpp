// SPDX-License-Identifier: MIT
// What an operator holds: the program, its text and its loaded kernels.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rankone/operator.hpp>

#include "codegen/choose.hpp"
#include "codegen/names.hpp"
#include "codegen/program.hpp"
#include "runtime/backend.hpp"
#include "runtime/call.hpp"
#include "runtime/tensor_map.hpp"

namespace rankone {

// A program's text and its kernels, wherever they come from.
struct LoadedText {
  std::string text;
  std::shared_ptr<const LoadedKernels> kernels;
};
using Loader = std::function<LoadedText(const Program&, const Device&)>;
LoadedText emit_and_load(const Program& program, const Device& device);  // built, or from the cache

// One call, ready to be launched any number of times.
struct BoundLaunch {
  Call call;
  std::vector<KernelLaunch> launches{};  // none: there is nothing to do
};

// One pass: its program and text, built and loaded.
class PassKernels {
 public:
  PassKernels(Program program, const Device& device, const Loader& load);
  PassKernels(const PassKernels&) = delete;  // the checker refers to the program
  PassKernels& operator=(const PassKernels&) = delete;

  const Program& program() const { return program_; }
  const std::string& text() const { return loaded_.text; }
  const CallChecker& checker() const { return checker_; }
  // Blocks are counted and maps are made here: what follows only launches, all kernels of the program or none.
  BoundLaunch bind(Call&& call) const;
  void launch(const BoundLaunch& bound, void* stream) const;

 private:
  Program program_;
  LoadedText loaded_;
  CallChecker checker_;
  TensorMaps maps_;
  int multiprocessors_;
};

// Throws Error if a size is negative, or all together are beyond what is counted.
void check_shape(const Shape& shape, const Variant& variant);

namespace detail {
class OperatorImpl {
 public:
  OperatorImpl(Program forward, std::string origin, const Device& device, Loader load = emit_and_load);

  const PassKernels& forward() const { return forward_; }
  const PassKernels& backward() const { return built(Pass::backward); }
  const PassKernels& states() const { return built(Pass::states); }
  const PassKernels& combine() const { return built(Pass::combine); }
  const PassKernels& decode() const { return built(Pass::decode); }
  std::size_t workspace_bytes(const Shape& shape, Pass pass) const;

  const Program& program() const { return forward_.program(); }
  const Program& program(Pass pass) const;
  const std::string& text() const { return forward_.text(); }
  const std::string& origin() const {
    return origin_;
  }  // of the schedule: "pinned", "default", or what the database says
  const Device& device() const { return device_; }

 private:
  // Another pass, lowered and built when that is first asked for.
  struct LazyPass {
    std::once_flag lowered, built;
    std::optional<Program> program;
    std::optional<PassKernels> kernels;
  };
  LazyPass& lazy(Pass pass) const;
  const PassKernels& built(Pass pass) const;

  Loader load_;
  PassKernels forward_;
  std::string origin_;
  Device device_;
  mutable std::array<LazyPass, std::size(pass_names)> others_;
};

class BoundImpl {
 public:
  BoundImpl(std::shared_ptr<const OperatorImpl> owner, const PassKernels& pass, Call&& call)
      : owner_(std::move(owner)), pass_(pass), bound_(pass.bind(std::move(call))) {}
  void launch(void* stream) const { pass_.launch(bound_, stream); }

 private:
  std::shared_ptr<const OperatorImpl> owner_;  // of the pass
  const PassKernels& pass_;
  BoundLaunch bound_;
};

struct OperatorAccess {
  static Operator make(std::shared_ptr<const OperatorImpl> impl) { return Operator(std::move(impl)); }
  static const OperatorImpl& impl(const Operator& op) { return op.impl(); }
};
}  // namespace detail
using detail::OperatorImpl;
inline const OperatorImpl& impl_of(const Operator& op) { return detail::OperatorAccess::impl(op); }

// The architecture that kernels are compiled for: the options', or else the device's own. Throws Error for one that is
// unknown, or whose code does not run there.
std::string kernel_arch(const CompileOptions& options, const Device& device);

ChosenSchedule chosen_schedule(const Operator& op);

// An operator with exactly this schedule. Whoever calls has chosen it: this room chooses none.
Operator compile_schedule(const Variant& variant, const CompileOptions& options, const ChosenSchedule& chosen,
                          const Device& device);

}  // namespace rankone
