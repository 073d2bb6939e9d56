// SPDX-License-Identifier: MIT
// Walks in an order that a call gives, on the CPU device: as if its tensors had been gathered before, and whatever stands in
// the order nothing is read or written beside them.
#include <cstring>
#include <limits>
#include <map>
#include <type_traits>

#include <rankone/error.hpp>

#include "codegen/program.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/refusal.hpp"

namespace rankone::test {
namespace {

constexpr std::int64_t tokens = 150;
const CompileOptions options{
    .key_dim = 12, .value_dim = 20, .dtype = dtype::f32, .pins = {.family = Family::recurrent}};

// A problem's tensors, its outputs and its workspace, all in this process's memory.
template <class Arguments> struct HostCall {
  std::map<std::string, HostTensor> tensors, outputs;
  std::vector<std::byte> workspace;
  Arguments arguments{};

  HostCall(const Operator& op, const Problem& problem) {
    for (const HostTensor& each : problem.tensors) tensors.emplace(each.name, each);
    for (const Port& port : written_ports(problem)) {
      HostTensor tensor = make_tensor(port.name, port.type, sizes_of(port.axes, problem.dims));
      std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0xff});
      outputs.emplace(port.name, std::move(tensor));
    }
    for (auto& [name, tensor] : tensors) bind_tensor(arguments, name, tensor.view());
    for (auto& [name, tensor] : outputs) {
      if constexpr (std::is_same_v<Arguments, BackwardArguments>)
        bind_gradient(arguments, name, tensor.view());
      else
        bind_tensor(arguments, name, tensor.view());
    }
    arguments.scalars = problem.scalars;
    Shape shape = problem.dims.shape();
    if (!arguments.cu_seqlens) shape.sequences = 0;
    workspace.resize(op.workspace_bytes(shape, problem.pass));
    arguments.workspace = workspace;
  }
};

Problem problem_of(const Variant& variant, Pass pass, bool packed) {
  const Dims dims{.batch = packed ? 1 : 2,
                  .tokens = tokens,
                  .heads = 1,
                  .value_heads = 2,
                  .key_dim = options.key_dim,
                  .value_dim = options.value_dim};
  return random_problem(variant, options, dims, {.seed = 9, .packed = packed, .pass = pass});
}

std::vector<std::int64_t> order_of(Problem& problem) {
  std::vector<std::int64_t> order;
  const HostTensor& tensor = *problem.find("order");
  for (std::int64_t i = 0; i < tokens; ++i) order.push_back(std::int64_t(load(tensor.bytes.data(), tensor.type, i)));
  return order;
}

// Token order[i] of each row comes to place i.
HostTensor gathered(const HostTensor& tensor, const std::vector<std::int64_t>& order) {
  HostTensor result = tensor;
  const std::size_t row = tensor.bytes.size() / static_cast<std::size_t>(tensor.shape[0] * tokens);
  for (std::int64_t b = 0; b < tensor.shape[0]; ++b)
    for (std::int64_t i = 0; i < tokens; ++i)
      std::memcpy(result.bytes.data() + static_cast<std::size_t>(b * tokens + i) * row,
                  tensor.bytes.data() + static_cast<std::size_t>(b * tokens + order[static_cast<std::size_t>(i)]) * row,
                  row);
  return result;
}
bool has_tokens(const HostTensor& tensor) { return tensor.shape.size() >= 3 && tensor.shape[1] == tokens; }

template <class Arguments, class Run>
void expect_as_if_gathered(Variant variant, Pass pass, bool packed, const Run& run) {
  const Operator permuted = compile(variant, options, cpu_device(3));
  Problem problem = problem_of(variant, pass, packed);
  const std::vector<std::int64_t> order = order_of(problem);
  variant.permuted_ = false;
  const Operator natural = compile(variant, options, cpu_device(3));
  Problem moved = problem;
  moved.variant = variant;
  std::erase_if(moved.tensors, [](const HostTensor& each) { return each.name == "order"; });
  for (HostTensor& each : moved.tensors)
    if (has_tokens(each)) each = gathered(each, order);
  HostCall<Arguments> call(permuted, problem), expected(natural, moved);
  run(permuted, call.arguments);
  run(natural, expected.arguments);
  for (const auto& [name, tensor] : call.outputs)
    EXPECT_EQ(has_tokens(tensor) ? gathered(tensor, order).bytes : tensor.bytes, expected.outputs.at(name).bytes)
        << variant.name.view() << " " << name;
}

constexpr Variant all_parts = variant("all_parts")
                                  .decay(per_key(log_sigmoid(input("x")) - position() / 400))
                                  .erase(sigmoid(input("b")))
                                  .value(value() * input("z"))
                                  .bonus(param("u"))
                                  .output(read() * sigmoid(value()))
                                  .reversed()
                                  .permuted()
                                  .checked();

TEST(Order, IsThatOfTensorsGatheredBefore) {
  for (const Variant* variant : {&variants::dig, &all_parts})
    for (const bool packed : {false, true}) {
      expect_as_if_gathered<ForwardArguments>(*variant, Pass::forward, packed,
                                              [](const Operator& op, const auto& given) { op.forward(given); });
      expect_as_if_gathered<BackwardArguments>(*variant, Pass::backward, packed,
                                               [](const Operator& op, const auto& given) { op.backward(given); });
    }
}

// The check has been passed: what is there when kernels run is the caller's.
TEST(Order, LetsNothingBeReadOrWrittenOutsideWhateverItHolds) {
  const Operator op = compile(all_parts, options, cpu_device(4));
  // The first token and the last one, by numbers far beyond them: clamped they are still an order.
  const auto spoil = [](HostTensor& order) {
    for (std::int64_t i = 0; i < tokens; ++i) {
      const auto token = static_cast<std::int64_t>(load(order.bytes.data(), order.type, i));
      if (token == 0) store(order.bytes.data(), order.type, i, std::numeric_limits<int>::min());
      if (token == tokens - 1) store(order.bytes.data(), order.type, i, std::numeric_limits<int>::max());
    }
  };
  const auto launch = [&](const PassKernels& kernels, HostTensor& order, Call&& call) {
    const BoundLaunch bound = kernels.bind(std::move(call));
    spoil(order);
    kernels.launch(bound, nullptr);
  };
  HostCall<ForwardArguments> forward(op, problem_of(all_parts, Pass::forward, false));
  const PassKernels& there = impl_of(op).forward();
  EXPECT_EQ(refusal([&] { launch(there, forward.tensors.at("order"), there.checker().forward(forward.arguments)); }),
            "accepted");
  HostCall<BackwardArguments> backward(op, problem_of(all_parts, Pass::backward, false));
  const PassKernels& back = impl_of(op).backward();
  EXPECT_EQ(refusal([&] { launch(back, backward.tensors.at("order"), back.checker().backward(backward.arguments)); }),
            "accepted");
}

TEST(Order, IsRefusedWhereItLacksAToken) {
  const Operator op = compile(variants::dig, options, cpu_device(1));
  const auto said = [&](std::int64_t i, double token) {
    Problem problem = problem_of(variants::dig, Pass::forward, false);
    HostTensor& order = *problem.find("order");
    for (std::int64_t at = 0; at < tokens; ++at) store(order.bytes.data(), order.type, at, static_cast<double>(at));
    store(order.bytes.data(), order.type, i, token);
    HostCall<ForwardArguments> call(op, problem);
    return refusal([&] { op.forward(call.arguments); });
  };
  EXPECT_EQ(said(3, 3), "accepted");
  EXPECT_EQ(said(3, 2),
            "dig, tensor 'order': an order names a token twice; given order[3] = 2; accepted: each token from 0 to "
            "T - 1 = 149 once");
  for (const double token : {-1.0, 150.0})
    EXPECT_NE(said(5, token).find("an order names a token that there is not; given order[5] = "), std::string::npos);
  HostCall<ForwardArguments> call(op, problem_of(variants::dig, Pass::forward, false));
  std::erase_if(call.arguments.inputs, [](const NamedTensor& each) { return each.name == "order"; });
  EXPECT_NE(refusal([&] { op.forward(call.arguments); }).find("tensor 'order': the tensor is missing"),
            std::string::npos);
}

TEST(Order, IsOfWholeSequences) {
  const Operator op = compile(variants::dig, options, cpu_device(1));
  for (const Pass pass : {Pass::decode, Pass::states, Pass::combine}) EXPECT_FALSE(op.supports(pass));
  EXPECT_NE(refusal([&] { op.prepare_decode(); }).find("an order that is given for all of them"), std::string::npos);
}

}  // namespace
}  // namespace rankone::test
