// SPDX-License-Identifier: MIT
// Any tensor may stand one element past a boundary of 16 bytes: every kernel gives the same bits as from the boundary.
#include <algorithm>
#include <cstring>

#include "codegen/ports.hpp"
#include "runtime/call.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"

namespace rankone::test {
namespace {

constexpr int T = 150, K = 64, V = 64;  // long enough for segments of 4 chunks of 16

constexpr Variant all_ports =
    variant("all_ports").decay(per_key(log_sigmoid(input("x") + param("bias")) - position() / 4096)).checked();

// A tensor's bytes, so many elements past a boundary.
class Placed {
 public:
  Placed(HostTensor tensor, bool moved) : tensor_(std::move(tensor)) {
    bytes_.resize(tensor_.bytes.size() + 32);
    const auto past = reinterpret_cast<std::uintptr_t>(bytes_.data()) % 16;
    offset_ = (past == 0 ? 0 : 16 - past) + (moved ? size_of(tensor_.type) : 0);
    std::memcpy(bytes_.data() + offset_, tensor_.bytes.data(), tensor_.bytes.size());
  }
  Tensor view() { return Tensor(bytes_.data() + offset_, tensor_.type, tensor_.shape); }
  std::vector<std::byte> contents() const {
    const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(offset_);
    return {begin, begin + static_cast<std::ptrdiff_t>(tensor_.bytes.size())};
  }
  const std::string& name() const { return tensor_.name; }

 private:
  HostTensor tensor_;
  std::vector<std::byte> bytes_;
  std::size_t offset_ = 0;
};

// What a call writes with the tensor `moved` one element on; an empty name moves none.
std::vector<std::vector<std::byte>> results(const Operator& op, const Problem& problem, const std::string& moved) {
  std::vector<Placed> placed;
  for (const HostTensor& tensor : problem.tensors) placed.emplace_back(tensor, tensor.name == moved);
  const std::size_t inputs = placed.size();
  for (const Port& port : ports_of(ports(problem.variant, problem.options), PortRole::output))
    placed.emplace_back(make_tensor(port.name, port.type, sizes_of(port.axes, problem.dims)), port.name == moved);
  Shape shape = problem.dims.shape();
  if (std::ranges::find(problem.tensors, "cu_seqlens", &HostTensor::name) == problem.tensors.end()) shape.sequences = 0;
  std::vector<std::byte> workspace(op.workspace_bytes(shape) + 16);
  ForwardArguments arguments{.scale = 0.5};
  for (Placed& each : placed) bind_tensor(arguments, each.name(), each.view());
  const auto past = reinterpret_cast<std::uintptr_t>(workspace.data()) % 16;
  arguments.workspace = {workspace.data() + (past == 0 ? 0 : 16 - past), op.workspace_bytes(shape)};
  op.forward(arguments);
  std::vector<std::vector<std::byte>> written;
  for (std::size_t i = inputs; i < placed.size(); ++i) written.push_back(placed[i].contents());
  return written;
}

struct Schedules {
  const char* name;
  CompileOptions options;
  friend void PrintTo(const Schedules& each, std::ostream* out) { *out << each.name; }
};
const Schedules schedules[] = {
    {"serial",
     {.key_dim = K, .value_dim = V, .pins = {.family = Family::portable, .level = Level::serial, .chunk = 32}}},
    {"chunk", {.key_dim = K, .value_dim = V, .pins = {.family = Family::portable, .level = Level::chunk, .chunk = 32}}},
    {"hopper", {.key_dim = K, .value_dim = V, .pins = {.family = Family::hopper, .level = Level::serial, .chunk = 32}}},
    {"segment",
     {.key_dim = K, .value_dim = V, .pins = {.family = Family::hopper, .level = Level::segment, .chunk = 32}}},
    {"prepared", {.key_dim = K, .value_dim = V, .pins = {.family = Family::hopper, .chunk = 32, .prepared = true}}}};

class Alignments : public testing::TestWithParam<Schedules> {};

TEST_P(Alignments, OneElementPastABoundaryChangesNothing) {
  const CompileOptions& options = GetParam().options;
  for (const bool packed : {false, true}) {
    const Dims dims{.batch = packed ? 1 : 2,
                    .tokens = T,
                    .heads = 1,
                    .value_heads = 1,
                    .key_dim = K,
                    .value_dim = V,
                    .sequences = packed ? 1 : 2};
    const Problem problem = random_problem(all_ports, options, dims, {.seed = 5, .packed = packed});
    const Operator op = compile(all_ports, options, cpu_device(5));
    const auto expected = results(op, problem, "");
    for (const Port& port : ports(all_ports, options)) {
      if (port.role == PortRole::packing && !packed) continue;
      EXPECT_EQ(results(op, problem, port.name), expected) << port.name << (packed ? ", packed" : "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EverySchedule, Alignments, testing::ValuesIn(schedules),
                         [](const auto& info) { return std::string(info.param.name); });

// The public state-only pass and what joins two spans.
TEST(Alignment, OfStatesAndTheirSums) {
  const CompileOptions options{.key_dim = K, .value_dim = V, .pins = {.family = Family::portable, .chunk = 32}};
  const Problem problem =
      random_problem(variants::gla, options, {.tokens = 70, .key_dim = K, .value_dim = V, .sequences = 1}, {.seed = 7});
  const Operator op = compile(variants::gla, options, cpu_device(7));
  std::vector<std::vector<std::byte>> expected;
  for (const std::string moved : {"", "final_state", "log_decay_total", "earlier"}) {
    std::vector<Placed> inputs;
    for (const HostTensor& tensor : problem.tensors) inputs.emplace_back(tensor, false);
    ForwardArguments arguments;
    for (Placed& each : inputs) bind_tensor(arguments, each.name(), each.view());
    Placed state(make_tensor("final_state", dtype::f32, {1, 1, K, V}), moved == "final_state"),
        total(make_tensor("log_decay_total", dtype::f32, {1, 1, K}), moved == "log_decay_total"),
        earlier(*std::ranges::find(problem.tensors, "initial_state", &HostTensor::name), moved == "earlier");
    arguments.final_state = state.view();
    op.states(arguments, total.view());
    op.combine(state.view(), total.view(), earlier.view());
    const std::vector written{state.contents(), total.contents()};
    if (expected.empty()) expected = written;
    EXPECT_EQ(written, expected) << moved;
  }
}

}  // namespace
}  // namespace rankone::test
