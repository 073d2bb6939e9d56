// SPDX-License-Identifier: MIT
// One call's tensors, checked and laid out as kernels read them.
#pragma once

#include <string>
#include <vector>

#include <rankone/operator.hpp>

#include "codegen/program.hpp"
#include "runtime/call_tensor.hpp"
#include "runtime/tensor_check.hpp"
#include "templates/device/arguments.cuh"

namespace rankone {

struct Call {
  Arguments arguments{};
  Shape shape{};
  std::vector<CallTensor> tensors;  // its tensors, where kernels are checked against them
  bool empty = false;           // nothing to compute, nothing to write
};

// What the calls of one program have to look like; made once, used by every launch.
class CallChecker {
 public:
  CallChecker(const Program& program, bool on_cpu);  // then cu_seqlens can be read, and tensors are wanted

  Call forward(const ForwardArguments& given) const;
  Call states(const ForwardArguments& given, const Tensor& log_decay_total) const;
  Call combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier) const;

 private:
  const Program& program_;
  bool on_cpu_;
  std::string where_;
  Port query_, key_, value_, offsets_, output_, initial_state_, final_state_, total_, earlier_, state_;
  std::vector<Port> inputs_, parameters_;

  Sizes known_sizes() const;
  void bind_gates(const ForwardArguments& given, Sizes& sizes, Call& call) const;
  void bind_scalars(const ForwardArguments& given, Arguments& arguments) const;
  void bind_packing(const ForwardArguments& given, Sizes& sizes, Call& call) const;
  void bind_states(const ForwardArguments& given, Sizes& sizes, Call& call) const;
  void bind_workspace(const ForwardArguments& given, const Sizes& sizes, Call& call) const;
  void name_tensor(Call& call, const Port& port, const Tensor& tensor, const void* argument) const;
  void set_shape(Sizes& sizes, Call& call) const;
};

}  // namespace rankone
