// SPDX-License-Identifier: MIT
// Declarations drawn at random, from emission to the CPU device, forward, back and in decoding, against the oracle in
// float64: one of each batch, or 500 with RANKONE_TEST_ALL. A failure names the command that repeats it.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <rankone/error.hpp>

#include "codegen/ports.hpp"
#include "codegen/program.hpp"
#include "proof/verify.hpp"
#include "runtime/call.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cpu/emulator.hpp"
#include "tests/random/declarations.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone::test {
namespace {

constexpr std::uint64_t default_seed = 11;
constexpr int batches = 25, many = 20;  // of a batch

// Fills what a kernel has to write, so that what it leaves out is seen.
HostTensor poisoned(const Port& port, const Dims& dims) {
  HostTensor tensor = make_tensor(port.name, port.type, sizes_of(port.axes, dims));
  std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0xff});
  return tensor;
}

// All outputs of a call whose token tensors lie as was drawn.
template <class Arguments, class Call>
std::vector<HostTensor> run(const Operator& op, const Declared& declared, Problem problem, const Call& call) {
  Arguments arguments;
  arguments.scalars = problem.scalars;
  arguments.scale = problem.scale;
  const std::vector<Port> all = ports(declared.variant, declared.options, problem.pass);
  std::vector<HostTensor> results;
  std::vector<Laid> laid;
  results.reserve(all.size());
  laid.reserve(all.size());
  for (const Port& port : written_ports(problem)) results.push_back(poisoned(port, problem.dims));
  const auto bind = [&](HostTensor& tensor) {
    const Port* const port = find_port(all, tensor.name);
    const bool lies_anywhere = port->axes.has_tokens() && !port->contiguous;
    if (lies_anywhere) laid.emplace_back(tensor, declared.layouts[laid.size() % declared.layouts.size()]);
    const Tensor view = lies_anywhere ? laid.back().tensor() : tensor.view();
    if constexpr (std::is_same_v<Arguments, BackwardArguments>)
      if (port->role == PortRole::gradient) return bind_gradient(arguments, tensor.name, view);
    bind_tensor(arguments, tensor.name, view);
  };
  for (HostTensor& tensor : problem.tensors) bind(tensor);
  const std::size_t inputs = laid.size();
  for (HostTensor& tensor : results) bind(tensor);

  const Dims& dims = problem.dims;
  const Shape shape{dims.batch,     dims.tokens, dims.heads, dims.value_heads, declared.packed ? dims.sequences : 0,
                    dims.key_tokens};
  std::vector<std::byte> workspace(op.workspace_bytes(shape, problem.pass));
  arguments.workspace = workspace;
  call(arguments);
  std::size_t next = inputs;
  for (HostTensor& tensor : results)
    if (find_port(all, tensor.name)->axes.has_tokens()) tensor.bytes = laid[next++].gathered();
  return results;
}

Problem problem_of(const Declared& declared, int draw, Pass pass) {
  Dims dims = declared.dims;
  Inputs inputs = declared.inputs;
  if (pass == Pass::backward) {  // which takes some walks of each token, and whose errors are judged on random inputs
    dims.tokens = std::min<std::int64_t>(dims.tokens, 90);
    dims.key_tokens = std::min<std::int64_t>(dims.key_tokens, 90);
    inputs = Inputs::random;
  }
  const bool decodes = pass == Pass::decode;
  if (decodes) {
    dims.batch = 2;
    dims.tokens = std::min<std::int64_t>(dims.tokens, most_decoded_tokens);
  }
  Problem problem = random_problem(declared.variant, declared.options, dims,
                                   {.seed = 1000 + static_cast<std::uint64_t>(draw),
                                    .initial_state = declared.initial_state,
                                    .packed = declared.packed && !decodes,
                                    .scalars = declared.scalars,
                                    .kind = inputs,
                                    .pass = pass});
  problem.scale = declared.scale;
  if (!declared.start_positions && !decodes)  // which goes on from where it is told
    std::erase_if(problem.tensors, [](const HostTensor& each) { return each.name == "start_positions"; });
  return problem;
}

void expect_right(std::uint64_t seed, int index) {
  const Declared declared = random_declaration(seed, index);
  const std::string repeat = "RANKONE_RANDOM_CASE=" + std::to_string(seed) + ":" + std::to_string(index) +
                             " build/bin/random_declarations_test --gtest_filter='*Agree/0'";
  SCOPED_TRACE(repeat + "\n  " + declared.text);
  if (std::getenv("RANKONE_RANDOM_CASE") != nullptr) std::cout << declared.text << "\n";
  try {
    EmulationOptions emulation{.seed = declared.device_seed};
    emulation.maps_tensors = declared.maps;
    emulation.multiprocessors = declared.multiprocessors;
    const Operator op = compile(declared.variant, declared.options, cpu_device(emulation));
    // By an operator, or by a call of its own.
    const auto expect_close = [&](Pass pass, const auto& by) {
      constexpr int most_draws = 4;  // there are many declarations instead
      const auto problem = [&](int draw) { return problem_of(declared, draw, pass); };
      for (const TensorError& each : verify(by, problem, most_draws).tensors)
        EXPECT_TRUE(each.ok) << each.name << " is off by " << each.relative_error << ", its worst row by "
                             << each.worst_row << ", bound " << each.bound;
    };
    expect_close(Pass::forward, RunProblem([&](const Problem& problem) {
                   return run<ForwardArguments>(op, declared, problem,
                                                [&](const auto& arguments) { op.forward(arguments); });
                 }));
    if (op.supports(Pass::backward))
      expect_close(Pass::backward, RunProblem([&](const Problem& problem) {
                     return run<BackwardArguments>(op, declared, problem,
                                                   [&](const auto& arguments) { op.backward(arguments); });
                   }));
    if (op.supports(Pass::decode)) expect_close(Pass::decode, op);
  } catch (const Error& error) {
    ADD_FAILURE() << error.what();
  }
}

class RandomDeclarations : public testing::TestWithParam<int> {};

TEST_P(RandomDeclarations, Agree) {
  if (const char* const one = std::getenv("RANKONE_RANDOM_CASE")) {
    const std::string text = one;
    const std::size_t colon = text.find(':');
    ASSERT_NE(colon, text.npos) << "RANKONE_RANDOM_CASE=SEED:INDEX, given " << text;
    if (GetParam() == 0) expect_right(std::stoull(text.substr(0, colon)), std::stoi(text.substr(colon + 1)));
    return;
  }
  const int each = whole_matrix() ? many : 1;
  for (int i = 0; i < each; ++i) expect_right(default_seed, GetParam() * many + i);
}
INSTANTIATE_TEST_SUITE_P(Batch, RandomDeclarations, testing::Range(0, batches));

TEST(RandomDeclaration, IsTheSameForTheSameSeed) {
  for (int index = 0; index < 5; ++index) {
    EXPECT_EQ(random_declaration(3, index).text, random_declaration(3, index).text);
    EXPECT_NE(random_declaration(3, index).text, random_declaration(4, index).text);
  }
}

}  // namespace
}  // namespace rankone::test
