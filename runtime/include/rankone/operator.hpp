// SPDX-License-Identifier: MIT
// A compiled variant: launch it, ask what it needs, export it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <rankone/device.hpp>
#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

class OperatorImpl;
namespace detail {
struct OperatorAccess;  // the library's own: runtime/operator_impl.hpp
}

// What a pass reads or writes.
struct TensorInfo {
  std::string name;                  // "q", "x", "final_state", ...
  std::string role;                  // "input", "gate", "parameter", "state", "packing", "output"
  std::vector<std::string> axes;     // outermost first: "B", "T", "H", "HV", "K", "V", "N", "N+1"
  rankone::dtype type = dtype::f32;  // of cu_seqlens i32 serves, too
  // Bytes that the base and all strides but the last are multiples of where the fast path is to be taken; those of an
  // element always serve.
  std::size_t alignment = 1;
  bool contiguous = false;  // without gaps; else all strides but the last dimension's are free
  bool writable = false;
  bool optional = false;
};

// A cheap handle of kernels that are immutable once compiled; a const operator may be launched from many threads.
// compile() gives one. A default-constructed or moved-from operator is empty: it may be assigned, destroyed and asked
// whether it is one, and every other call throws Error(invalid_argument).
class Operator {
 public:
  Operator() = default;
  explicit operator bool() const { return impl_ != nullptr; }

  // Asynchronous on `stream` (a CUstream). Throws Error before anything is launched when an argument does not fit.
  void forward(const ForwardArguments& arguments, void* stream = nullptr) const;
  // Builds and loads what states() and combine() use. Without it the first of their calls does, which takes about half
  // a second where nothing is cached, and must not happen while a graph is captured.
  void prepare_states() const;
  // The state-only pass: reads k, v and gates, writes final_state and, if given, the summed log-decay
  // ([N, HV] or [N, HV, K] float32), which combine() needs. `o` and `q` are not used. At the level segment it takes a
  // workspace, as forward() does.
  void states(const ForwardArguments& arguments, Tensor log_decay_total, void* stream = nullptr) const;
  // state := exp(log_decay_total) * earlier + state, exactly as if the two spans had been one.
  void combine(Tensor state, Tensor log_decay_total, Tensor earlier, void* stream = nullptr) const;

  // Whether this operator has the pass; one that it has is built when it is first used.
  bool supports(Pass pass) const;
  // The tensors of a pass but for the workspace, in the order of the call. Throws Error(unsupported) for a pass that it
  // does not have.
  std::vector<TensorInfo> tensors(Pass pass = Pass::forward) const;
  // Bytes of workspace that a call of this shape takes; 0: none. Throws Error(invalid_argument) for a shape that no call
  // has, and Error(unsupported) for a pass that it does not have.
  std::size_t workspace_bytes(const Shape& shape, Pass pass = Pass::forward) const;
  std::string schedule() const;  // "portable/serial chunk=64 ..." and where it came from
  std::string source() const;    // the emitted CUDA text
  const Variant& variant() const;
  const CompileOptions& options() const;
  const Device& device() const;

 private:
  friend struct detail::OperatorAccess;
  explicit Operator(std::shared_ptr<const OperatorImpl> impl) : impl_(std::move(impl)) {}
  const OperatorImpl& impl() const;

  std::shared_ptr<const OperatorImpl> impl_;
};

// Paths; `cubin` is empty where NVRTC is missing.
struct ExportedFiles {
  std::string source, header, cubin, manifest;
};
// Writes the forward pass as NAME.cu, NAME.h, NAME.ARCH.cubin and NAME.json into `directory`, all of them whole or none.
// NAME is readable and no other configuration's (variant, sizes, types, schedule, architecture, pass), so that any
// number of them stand side by side and link into one program.
ExportedFiles export_kernel(const Operator& op, const std::string& directory);

}  // namespace rankone
