// SPDX-License-Identifier: MIT
// One call's tensors, checked and laid out as kernels read them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <rankone/operator.hpp>

#include "codegen/launch_arguments.hpp"
#include "codegen/program.hpp"
#include "runtime/call_tensor.hpp"
#include "runtime/given_arguments.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone {

struct Call {
  explicit Call(int ports = 0) : arguments(ports) {}

  LaunchArguments arguments;
  Shape shape{};
  std::vector<CallTensor> tensors;  // its tensors, where kernels are checked against them
  bool empty = false;               // nothing to compute, nothing to write
};

// What the calls of one program have to look like; made once, used by every launch.
class CallChecker {
 public:
  CallChecker(const Program& program, bool on_cpu);  // then cu_seqlens can be read, and tensors are wanted

  Call forward(const ForwardArguments& given) const { return check(GivenArguments(given)); }
  Call backward(const BackwardArguments& given) const { return check(GivenArguments(given)); }
  Call states(const ForwardArguments& given, const Tensor& log_decay_total) const;
  Call decode(const DecodeArguments& given) const { return check(GivenArguments(given)); }
  Call combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier) const;

 private:
  struct Bound {
    Port port;
    int place;  // of its name in a call's arguments
  };
  const Program& program_;
  bool on_cpu_;
  std::string where_;
  std::vector<Bound> ports_;

  Sizes known_sizes() const;
  Call check(const GivenArguments& given) const;
  void bind(const Port& port, const Tensor& tensor, Sizes& sizes, Call& call) const;
  void bind_packing(const Port& port, const Tensor& tensor, Sizes& sizes, Call& call) const;
  Tensor passed_tensor(int slot, void* data, const Sizes& sizes) const;
  void bind_scalars(const GivenArguments& given, Arguments& arguments) const;
  void bind_workspace(const GivenArguments& given, const Sizes& sizes, Call& call) const;
  void set_shape(const Sizes& sizes, Call& call) const;
  void set_slots(const Sizes& sizes, Call& call) const;  // of decoding
  void check_lists(const GivenArguments& given, const Sizes& sizes) const;
  void refuse_unknown(const GivenArguments& given, const Sizes& sizes) const;
  void refuse_carried_in_place(const Call& call, const Sizes& sizes) const;
  [[noreturn]] void refuse_writing_nothing(const Sizes& sizes) const;
  void name_tensor(Call& call, const Port& port, const Tensor& tensor, const void* argument) const;
};

}  // namespace rankone
