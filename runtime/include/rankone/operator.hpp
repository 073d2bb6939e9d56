// SPDX-License-Identifier: MIT
// A compiled variant: launch it, ask what it needs, export it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <rankone/device.hpp>
#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>
#include <rankone/options.hpp>
#include <rankone/tensor.hpp>

namespace rankone {

namespace detail {  // the library's own
class OperatorImpl;
class BoundImpl;
struct OperatorAccess;
}  // namespace detail

// What a pass reads or writes.
struct TensorInfo {
  std::string name;                  // "q", "x", "final_state", ...
  std::string role;                  // "input", "gate", "parameter", "state", "packing", "index", "output", "gradient"
  std::vector<std::string> axes;     // outermost first: "B", "T", "H", "HV", "K", "V", "N", "N+1", "P"
  rankone::dtype type = dtype::f32;  // of cu_seqlens i32 serves, too
  // Bytes that the base and all strides but the last are multiples of where the fast path is to be taken; those of an
  // element always serve.
  std::size_t alignment = 1;
  bool contiguous = false;  // without gaps; else all strides but the last dimension's are free
  bool in_slots = false;    // contiguous, but for the stride of the first dimension
  bool writable = false;
  bool updated = false;  // writable, and read before
  bool optional = false;
};

// A call that was checked and laid out once, to be launched again and again, from any thread. It keeps the kernels, but
// no tensor: memory, sizes and strides have to stay as they were bound, and what the memory holds may change. On the CPU
// device cu_seqlens and slots are looked at when they are bound; kernels clamp the ones and leave out the others that are none
// in any case.
// A default-constructed or moved-from one is empty: launch() throws Error(invalid_argument).
class BoundCall {
 public:
  BoundCall() = default;
  explicit operator bool() const { return impl_ != nullptr; }
  // Asynchronous on `stream`, a CUstream. Nothing but the launches: no checks, no strings, no memory taken. Throws
  // Error(launch_failed) where the driver refuses one, and on the CPU device Error(check_failed).
  void launch(void* stream = nullptr) const;

 private:
  friend class Operator;
  explicit BoundCall(std::shared_ptr<const detail::BoundImpl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const detail::BoundImpl> impl_;
};

// A cheap handle of kernels that are immutable once compiled; a const operator may be launched from many threads.
// compile() gives one. A default-constructed or moved-from operator is empty: it may be assigned, destroyed and asked
// whether it is one, and every other call throws Error(invalid_argument).
class Operator {
 public:
  Operator() = default;
  explicit operator bool() const { return impl_ != nullptr; }

  // Asynchronous on `stream` (a CUstream). Throws Error(invalid_argument), which names the tensor or scalar, before
  // anything is launched where an argument is missing or does not fit; Error(unsupported) for a call of more than
  // 2^31 - 1 blocks; Error(launch_failed) where the driver refuses; and on the CPU device, which waits for the end,
  // Error(check_failed) where it finds a fault of the kernels.
  void forward(const ForwardArguments& arguments, void* stream = nullptr) const;
  // Asynchronous likewise. It saves nothing in forward(): it walks the tokens again, and takes a workspace of its own,
  // workspace_bytes(shape, Pass::backward). What stands outside of every packed sequence is not written; what does not
  // depend on a tensor gives it zeros. Throws as forward() and prepare_backward() do.
  void backward(const BackwardArguments& arguments, void* stream = nullptr) const;
  void prepare_backward() const;  // as prepare_states(); throws Error(unsupported) for a variant that lacks the pass
  // Builds and loads what states() and combine() use. Without it the first of their calls does, which takes about half
  // a second where nothing is cached, and must not happen while a graph is captured.
  void prepare_states() const;  // throws what compile() throws
  // The state-only pass: reads k, v and gates, writes final_state and, if given, the summed log-decay
  // ([N, HV] or [N, HV, K] float32), which combine() needs; one of the two is given. `o` and `q` are not used. It may take
  // a workspace of its own: workspace_bytes(shape, Pass::states). Throws as forward() and prepare_states() do.
  void states(const ForwardArguments& arguments, const Tensor& log_decay_total, void* stream = nullptr) const;
  // state := exp(log_decay_total) * earlier + state, exactly as if the two spans had been one. `state` and `earlier` are
  // [N, HV, K, V] of state_dtype, `log_decay_total` is what states() gave for the span of `state`; tensors() and errors call
  // them final_state, initial_state and log_decay_total. Throws as states() does.
  void combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier, void* stream = nullptr) const;

  // A few tokens of each of N rows, which go on from states in the slots of a pool, and leave there the states behind them.
  // A chain takes a workspace, workspace_bytes(shape, Pass::decode). Throws as forward() and prepare_decode() do, and Error(unsupported) where the variant walks its
  // tokens in reverse.
  void decode(const DecodeArguments& arguments, void* stream = nullptr) const;
  // Builds and loads what decode() uses, as prepare_states() does for states().
  void prepare_decode() const;

  // The same calls, bound: everything is checked here, tensor maps are made, and launch() only launches. Throw what the
  // calls throw before they launch.
  BoundCall bind(const ForwardArguments& arguments) const;
  BoundCall bind_backward(const BackwardArguments& arguments) const;
  BoundCall bind_states(const ForwardArguments& arguments, const Tensor& log_decay_total) const;
  BoundCall bind_combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier) const;
  BoundCall bind_decode(const DecodeArguments& arguments) const;

  // Whether this operator has the pass; one that it has is built when it is first used.
  bool supports(Pass pass) const;
  // The tensors of a pass but for the workspace, in the order of the call. Throws Error(unsupported) for a pass that it
  // does not have.
  std::vector<TensorInfo> tensors(Pass pass = Pass::forward) const;
  // Bytes of workspace that a call of this shape takes; 0: none. Throws Error(invalid_argument) for a shape that no call
  // has, and Error(unsupported) for a pass that it does not have.
  std::size_t workspace_bytes(const Shape& shape, Pass pass = Pass::forward) const;
  std::string schedule() const;           // "portable/serial chunk=64 ..." and where it came from
  std::string source() const;             // the emitted CUDA text of forward()
  const Variant& variant() const;         // these three live as long as the operator
  const CompileOptions& options() const;  // as they were given
  const Device& device() const;

 private:
  friend struct detail::OperatorAccess;
  explicit Operator(std::shared_ptr<const detail::OperatorImpl> impl) : impl_(std::move(impl)) {}
  const detail::OperatorImpl& impl() const;

  std::shared_ptr<const detail::OperatorImpl> impl_;
};

// Paths; `cubin` is empty where NVRTC is missing.
struct ExportedFiles {
  std::string source, header, cubin, manifest;
};
// Writes the forward pass as NAME.cu, NAME.h, NAME.ARCH.cubin and NAME.json into `directory`, all of them whole or none.
// NAME is readable and no other configuration's (variant, sizes, types, schedule, architecture, pass), so that any
// number of them stand side by side and link into one program. Throws Error(io) where the folder cannot be written.
ExportedFiles export_kernel(const Operator& op, const std::string& directory);

// The operator of an export. `path` is the manifest of a forward pass, NAME.json, or a folder that holds one; exports of
// its other passes beside it are used where they are needed, and otherwise compiled. A GPU loads the cubin, so that
// nothing is compiled and NVRTC is not needed; the CPU device runs the text.
// Throws Error(not_found) where there is no manifest, or a file that it names is missing; Error(invalid_argument) for a
// manifest that cannot be read, for a folder with several, and for a cubin that is not the one whose hash it holds; and
// Error(unsupported) for an architecture that does not run on the device, and for an export of another version of the
// library, which launches its kernels in another way.
Operator load_exported(const std::string& path, const Device& device);

}  // namespace rankone
