// SPDX-License-Identifier: MIT
// Sizes past 32 bits: strides beyond 2^31 elements, and more blocks than a grid's second axis could hold.
#include <sys/mman.h>

#include "proof/oracle/compare.hpp"
#include "proof/oracle/oracle.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

// Address space without memory behind it: only the pages that are touched exist.
class SparseTensor {
 public:
  SparseTensor(dtype type, std::initializer_list<std::int64_t> shape, std::initializer_list<std::int64_t> strides) {
    std::int64_t last = 0;
    auto stride = strides.begin();
    for (const std::int64_t size : shape) last += (size - 1) * *stride++;
    bytes_ = static_cast<std::size_t>(last + 1) * size_of(type);
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data_ == MAP_FAILED) throw std::runtime_error("no address space");
    tensor_ = Tensor(data_, type, shape, strides);
  }
  ~SparseTensor() { munmap(data_, bytes_); }
  SparseTensor(const SparseTensor&) = delete;
  const Tensor& tensor() const { return tensor_; }

  void fill(std::uint64_t stream) {
    std::uint64_t count = 0;
    for (std::int64_t b = 0; b < tensor_.shape[0]; ++b)
      for (std::int64_t t = 0; t < tensor_.shape[1]; ++t)
        for (std::int64_t h = 0; h < tensor_.shape[2]; ++h)
          for (std::int64_t i = 0; i < tensor_.shape[3]; ++i)
            store(data_, tensor_.type, b * tensor_.strides[0] + t * tensor_.strides[1] + h * tensor_.strides[2] + i,
                  draw(Distribution::normal, 7, stream, count++));
  }

 private:
  void* data_;
  std::size_t bytes_;
  Tensor tensor_;
};

TEST(Grid, StridesPastTwoToThe31) {
  constexpr std::int64_t batch = 2, tokens = 20, dim = 16, token_stride = (std::int64_t{1} << 27) + 8;
  constexpr std::int64_t batch_stride = tokens * token_stride;
  static_assert(batch_stride > std::int64_t{1} << 31);
  const auto sparse = [&](dtype type) {
    return std::make_unique<SparseTensor>(type, std::initializer_list<std::int64_t>{batch, tokens, 1, dim},
                                          std::initializer_list<std::int64_t>{batch_stride, token_stride, dim, 1});
  };
  const auto q = sparse(dtype::bf16), k = sparse(dtype::bf16), v = sparse(dtype::bf16), o = sparse(dtype::bf16);
  q->fill(1);
  k->fill(2);
  v->fill(3);
  std::vector<double> reference(batch * tokens * dim);
  ForwardArguments arguments{.q = q->tensor(), .k = k->tensor(), .v = v->tensor(), .o = o->tensor()};
  for (const Level level : {Level::serial, Level::chunk}) {
    const CompileOptions options{.key_dim = dim, .value_dim = dim, .pins = {.level = level, .chunk = 16}};
    const Operator op = compile(variants::linear, options, cpu_device(3));
    std::vector<std::byte> workspace(op.workspace_bytes({.batch = batch, .tokens = tokens}) + 256);
    const auto aligned = (reinterpret_cast<std::uintptr_t>(workspace.data()) + 255) / 256 * 256;
    arguments.workspace = {reinterpret_cast<std::byte*>(aligned), workspace.size() - 256};
    op.forward(arguments);
    ForwardArguments exact = arguments;
    exact.o = Tensor(reference.data(), dtype::f64, {batch, tokens, 1, dim});
    oracle_forward(variants::linear, options, exact);
    const Comparison result = compare(o->tensor(), exact.o, 3.2e-3);
    EXPECT_TRUE(result.ok) << result.relative_error;
  }
}

TEST(Grid, MoreBlocksThanA16BitAxis) {
  const CompileOptions options{.key_dim = 16, .value_dim = 16, .pins = {.level = Level::serial, .chunk = 16}};
  Problem problem = random_problem(
      variants::simple_gla, options,
      {.batch = 33000, .tokens = 1, .heads = 2, .value_heads = 2, .key_dim = 16, .value_dim = 16, .sequences = 33000},
      {.seed = 4});
  expect_right(compile(variants::simple_gla, options, cpu_device(4)), problem, "66,000 blocks");
}

}  // namespace
}  // namespace rankone::test
