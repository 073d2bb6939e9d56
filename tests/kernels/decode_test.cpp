// SPDX-License-Identifier: MIT
// Decoding on the CPU device: against the recurrence, behind a prefill, and what it leaves alone.
#include <cstdlib>
#include <functional>
#include <limits>

#include <rankone/compare.hpp>

#include "codegen/choose.hpp"
#include "codegen/ports.hpp"
#include "codegen/program.hpp"
#include "proof/decode.hpp"
#include "proof/launch.hpp"
#include "runtime/call.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/operator_impl.hpp"
#include "tests/kernels/value_erasures.hpp"
#include "tests/refusal.hpp"

namespace rankone::test {
namespace {

constexpr Variant aging = variant("aging").decay(per_key(log_sigmoid(input("x")) - position() / 400)).checked();

Problem decode_problem(const Variant& variant, const CompileOptions& options, std::int64_t rows, std::int64_t tokens,
                       std::uint64_t seed) {
  return random_problem(variant, options,
                        {.batch = rows,
                         .tokens = tokens,
                         .heads = 1,
                         .value_heads = 3,
                         .key_dim = options.key_dim,
                         .value_dim = options.value_dim},
                        {.seed = seed, .pass = Pass::decode});
}

class DecodeMatrix : public CaseTest {};

TEST_P(DecodeMatrix, AgreesWithTheRecurrence) {
  const Case& c = GetParam();
  const CompileOptions options = options_of(c, 24, 20, 0);
  const Operator op = compile(*c.variant, options, cpu_device(3));
  for (const auto& [tokens, seed] : {std::pair{1, 10u}, {8, 11u}}) {  // slots with either gap
    Problem problem = decode_problem(*c.variant, options, 5, tokens, seed);
    spread_gates(problem, seed);
    expect_right(op, problem, c.name() + ", T = " + std::to_string(tokens));
  }
}

std::vector<Case> decoded_cases() {
  std::vector<Case> cases = recurrent_cases();
  const std::vector<Case> more = value_erasures::cases();
  cases.insert(cases.end(), more.begin(), more.end());
  std::erase_if(cases, [](const Case& each) { return !why_not_admitted(*each.variant, Pass::decode).empty(); });
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Catalogue, DecodeMatrix, testing::ValuesIn(decoded_cases()),
                         [](const auto& info) { return info.param.name(); });

// Thirty-two columns of float32 states or sixty-four of 16 bits, or sixteen where the keys of a column are side by side;
// and whatever is pinned.
TEST(Decode, AgreesForEveryStateAndTiling) {
  std::uint64_t seed = 20;
  std::size_t number = 0;
  for (const auto& [key_dim, value_dim] : {std::pair{64, 64}, {21, 75}, {128, 20}})
    for (const bool value_major : {false, true})
      for (const dtype state : {dtype::f32, dtype::bf16, dtype::f16}) {
        const CompileOptions options{.key_dim = key_dim,
                                     .value_dim = value_dim,
                                     .state_dtype = state,
                                     .value_major_state = value_major,
                                     .pins = {.family = Family::recurrent}};
        for (const Variant* variant : {&variants::kda, &value_erasures::apart}) {
          if (!runs_in_turn(number++, 5)) continue;
          const Operator op = compile(*variant, options, cpu_device(seed));
          for (int i = 0; i < 2; ++i) {
            Problem problem = decode_problem(*variant, options, 4, 3, ++seed);
            expect_right(op, problem, std::string(name_of(state)) + (value_major ? " by columns" : ""));
          }
        }
      }
  for (const auto& [tile, warps] : {std::pair{16, 1}, {16, 8}, {128, 8}}) {
    const CompileOptions options{.key_dim = 40,
                                 .value_dim = 36,
                                 .dtype = dtype::f32,
                                 .value_major_state = true,
                                 .pins = {.family = Family::recurrent, .value_tile = tile, .warps = warps}};
    const Operator op = compile(variants::dfw, options, cpu_device(seed));
    EXPECT_EQ(impl_of(op).program(Pass::decode).schedule.value_tile, tile);
    EXPECT_EQ(impl_of(op).program(Pass::decode).schedule.warps, warps);
    Problem problem = decode_problem(variants::dfw, options, 4, 2, ++seed);
    expect_right(op, problem, "tile " + std::to_string(tile));
  }
}

// A problem's tensors on the host, which is the CPU device's memory, with outputs of their own.
struct HostCall {
  explicit HostCall(Problem& problem)
      : o(make_tensor("o", problem.options.dtype,
                      {problem.dims.batch, problem.dims.tokens, problem.dims.value_heads, problem.dims.value_dim})) {
    for (HostTensor& tensor : problem.tensors) bind_tensor(arguments, tensor.name, tensor.view());
    arguments.scalars = problem.scalars;
    arguments.o = o.view();
  }
  HostTensor o;
  DecodeArguments arguments;
};

// `steps`: that the tensor has for each token.
Tensor tokens_of(HostTensor& tensor, std::int64_t first, std::int64_t count, std::int64_t steps = 1) {
  Tensor part = tensor.view();
  part.data = tensor.bytes.data() + first * steps * part.strides[1] * static_cast<std::int64_t>(size_of(tensor.type));
  part.shape[1] = count * steps;
  return part;
}

// Of one row, what is carried from token to token: the state first.
std::vector<HostTensor> states_of(const Problem& problem) {
  std::vector<HostTensor> states;
  for (const Port& port : ports(problem.variant, problem.options))
    if (port.name.starts_with("final_state"))
      states.push_back(make_tensor(port.name.substr(std::string_view("final_").size()), port.type,
                                   sizes_of(port.axes, problem.dims)));
  return states;
}

// One row, whose sequence is a prefill and then steps of decoding.
void run_in_steps(const Operator& op, Problem& problem, std::int64_t prefill, std::int64_t step, HostTensor& o,
                  std::vector<HostTensor>& states) {
  const std::vector<Port> all = ports(op.variant(), op.options());
  const std::int64_t tokens = problem.dims.tokens;
  const auto bind = [&](auto& arguments, std::int64_t first, std::int64_t count) {
    for (HostTensor& tensor : problem.tensors) {
      const Port& port = *find_port(all, tensor.name);
      if (port.role == PortRole::index) continue;
      const std::int64_t steps = port.axes.has(Axis::steps) ? op.variant().steps_ : 1;
      bind_tensor(arguments, tensor.name,
                  port.axes.has_tokens() ? tokens_of(tensor, first, count, steps) : tensor.view());
    }
    arguments.scalars = problem.scalars;
    arguments.o = tokens_of(o, first, count);
  };
  std::int64_t position = 0;
  std::int32_t slot = 0;
  const Shape most{.batch = 1, .tokens = tokens, .heads = problem.dims.heads, .value_heads = problem.dims.value_heads};
  std::vector<float> workspace(op.workspace_bytes(most) / 4 + 4);
  const std::span<std::byte> space = std::as_writable_bytes(std::span(workspace));
  const bool reads_position = find_port(all, "start_positions") != nullptr;
  if (prefill > 0) {
    ForwardArguments arguments;
    bind(arguments, 0, prefill);
    for (HostTensor& state : states) bind_tensor(arguments, "final_" + state.name, state.at(state.bytes.data()));
    arguments.workspace = space;
    op.forward(arguments);
  }
  for (std::int64_t first = prefill; first < tokens; first += step) {
    DecodeArguments arguments;
    bind(arguments, first, std::min(step, tokens - first));
    position = first;
    if (reads_position) arguments.start_positions = Tensor(&position, dtype::i64, {1});
    for (HostTensor& state : states) bind_tensor(arguments, state.name, state.at(state.bytes.data()));
    arguments.state_read = arguments.state_write = Tensor(&slot, dtype::i32, {1});
    arguments.workspace = space;  // a chain's: of fewer tokens than forward()'s
    op.decode(arguments);
  }
}

// Where the same arithmetic serves both, to the bit: the state between them is float32, as it is within a pass, and the schedule
// the same, which says in what order keys are summed.
TEST(Decode, BehindAPrefillIsOneSequence) {
  constexpr int D = 32, tokens = 21;
  for (const Variant* variant : {&variants::gla, &variants::kda, &variants::rwkv6, &variants::mamba1,
                                 &variants::gateloop, &variants::mamba3, &variants::gsa, &aging}) {
    const CompileOptions options{
        .key_dim = D, .value_dim = D, .pins = {.family = Family::recurrent, .value_tile = 32, .warps = 4}};
    const Operator op = compile(*variant, options, cpu_device(1));
    Problem problem = random_problem(
        *variant, options, {.batch = 1, .tokens = tokens, .heads = 1, .value_heads = 2, .key_dim = D, .value_dim = D},
        {.seed = 5, .initial_state = false});
    HostTensor whole = make_tensor("o", options.dtype, {1, tokens, 2, D});
    std::vector<HostTensor> last = states_of(problem);
    run_in_steps(op, problem, tokens, 1, whole, last);
    for (const auto& [prefill, step] : {std::pair{0, 8}, {1, 1}, {13, 3}, {20, 1}}) {
      HostTensor o = make_tensor("o", options.dtype, whole.shape);
      std::vector<HostTensor> states = states_of(problem);
      run_in_steps(op, problem, prefill, step, o, states);
      EXPECT_EQ(o.bytes, whole.bytes) << variant->name.view() << ", " << prefill << " tokens first";
      for (std::size_t i = 0; i < states.size(); ++i)
        EXPECT_EQ(states[i].bytes, last[i].bytes)
            << variant->name.view() << " " << states[i].name << ", " << prefill << " tokens first";
    }
  }
}

TEST(Decode, BehindAPrefillInChunksIsOneSequence) {
  constexpr int D = 32, tokens = 40;
  const CompileOptions options{.key_dim = D,
                               .value_dim = D,
                               .dtype = dtype::f32,
                               .precision = Precision::f32,
                               .pins = {.family = Family::portable}};
  for (const Variant* variant : {&variants::gla, &variants::mamba2}) {
    const Operator op = compile(*variant, options, cpu_device(1));
    Problem problem = random_problem(
        *variant, options, {.batch = 1, .tokens = tokens, .heads = 1, .value_heads = 1, .key_dim = D, .value_dim = D},
        {.seed = 6, .initial_state = false});
    HostTensor o = make_tensor("o", dtype::f32, {1, tokens, 1, D});
    std::vector<HostTensor> states = states_of(problem);
    run_in_steps(op, problem, 33, 4, o, states);
    for (HostTensor& expected : reference_outputs(problem)) {
      const HostTensor& result = expected.name == "o" ? o : states.front();
      EXPECT_TRUE(compare(result.view(), expected.view(), 2e-6).ok) << variant->name.view() << " " << expected.name;
    }
  }
}

// Slots that no row reads hold what may be anything: it stays there, or is written over.
TEST(Decode, NothingOfASlotReachesOthers) {
  const CompileOptions options{.key_dim = 32, .value_dim = 32, .pins = {.family = Family::recurrent}};
  const Operator op = compile(variants::gated_delta, options, cpu_device(1));
  Problem problem = decode_problem(variants::gated_delta, options, 6, 4, 7);
  const RowSlots rows = slots_of(problem);
  std::vector<bool> is_read(static_cast<std::size_t>(problem.dims.slots));
  int overwritten = 0;
  for (std::int64_t row = 0; row < 6; ++row)
    if (!rows.is_idle(row)) is_read[static_cast<std::size_t>(integer_at(rows.read, row))] = true;
  HostTensor& state = *problem.find("state");
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(state.bytes.size() / 4); ++i) {
    const std::int64_t slot = i / state.slot_stride, element = i % state.slot_stride;
    if (!is_read[static_cast<std::size_t>(slot)] || element >= 3 * 32 * 32)
      store(state.bytes.data(), state.type, i, std::numeric_limits<double>::quiet_NaN());
  }
  for (std::int64_t row = 0; row < 6; ++row)
    overwritten += !rows.is_idle(row) && !is_read[static_cast<std::size_t>(integer_at(rows.write, row))];
  EXPECT_GE(overwritten, 2);
  expect_right(op, problem, "a pool of NaNs");
}

// On a GPU nobody looks at the lists before kernels do.
TEST(Decode, NumbersThatAreNoSlotsLeaveARowAlone) {
  const CompileOptions options{.key_dim = 32, .value_dim = 32, .pins = {.family = Family::recurrent}};
  const Operator op = compile(variants::gla, options, cpu_device(1));
  for (const bool writes : {false, true})
    for (const std::int32_t number :
         {-2, 5, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()}) {
      Problem problem = decode_problem(variants::gla, options, 2, 3, 8);  // 5 slots
      HostCall call(problem);
      std::fill(call.o.bytes.begin(), call.o.bytes.end(), std::byte{0xFF});
      const BoundCall bound = op.bind_decode(call.arguments);
      HostTensor& list = *problem.find(writes ? "state_write" : "state_read");
      const HostTensor read = *problem.find("state_read"), write = *problem.find("state_write"),
                       before = *problem.find("state");
      store(list.bytes.data(), list.type, 0, number);
      bound.launch();
      const std::size_t row = call.o.bytes.size() / 2;
      EXPECT_TRUE(std::all_of(call.o.bytes.begin(), call.o.bytes.begin() + static_cast<std::ptrdiff_t>(row),
                              [](std::byte each) { return each == std::byte{0xFF}; }));
      EXPECT_FALSE(std::all_of(call.o.bytes.begin() + static_cast<std::ptrdiff_t>(row), call.o.bytes.end(),
                               [](std::byte each) { return each == std::byte{0xFF}; }));
      const HostTensor& state = *problem.find("state");
      const std::int64_t written = integer_at(write.view(), 1), stride = state.slot_stride * 4;
      for (std::int64_t slot = 0; slot < 5; ++slot)
        EXPECT_EQ(std::equal(state.bytes.begin() + slot * stride, state.bytes.begin() + (slot + 1) * stride,
                             before.bytes.begin() + slot * stride),
                  slot != written)
            << slot;
    }
}

TEST(Decode, RefusesBeforeItLaunches) {
  const CompileOptions options{.key_dim = 32, .value_dim = 32, .pins = {.family = Family::recurrent}};
  const Operator op = compile(aging, options, cpu_device(1));
  const auto said = [&](const auto& change) {
    Problem problem = decode_problem(aging, options, 3, 2, 9);  // 7 slots
    const auto set = [&](const char* name, std::vector<int> slots) {
      HostTensor& list = *problem.find(name);
      for (std::size_t i = 0; i < slots.size(); ++i)
        store(list.bytes.data(), list.type, static_cast<std::int64_t>(i), slots[i]);
    };
    set("state_read", {0, 1, 2});
    set("state_write", {3, 4, 5});
    HostCall call(problem);
    const std::vector<std::byte> before = problem.find("state")->bytes;
    change(problem, call.arguments, set);
    const std::string text = refusal([&] { op.decode(call.arguments); });
    EXPECT_EQ(text == "accepted", problem.find("state")->bytes != before) << text;
    return text;
  };
  using Set = std::function<void(const char*, std::vector<int>)>;
  EXPECT_EQ(said([](Problem&, DecodeArguments&, const Set&) {}), "accepted");
  EXPECT_EQ(said([](Problem&, DecodeArguments&, const Set& set) { set("state_write", {0, 6, -1}); }), "accepted");
  EXPECT_EQ(
      said([](Problem&, DecodeArguments&, const Set& set) {
        set("state_read", {0, 7, 2});
      }),
      "aging, tensor 'state_read': there is no such slot; given state_read[1] = 7; accepted: 0 to P - 1 = 6, or -1 for "
      "a row that does nothing");
  EXPECT_NE(said([](Problem&, DecodeArguments&, const Set& set) {
              set("state_write", {3, 4, -2});
            }).find("tensor 'state_write': there is no such slot; given state_write[2] = -2"),
            std::string::npos);
  EXPECT_NE(said([](Problem&, DecodeArguments&, const Set& set) {
              set("state_write", {3, 4, 3});
            }).find("two rows write one slot; given state_write[0] = state_write[2] = 3"),
            std::string::npos);
  EXPECT_NE(said([](Problem&, DecodeArguments&, const Set& set) {
              set("state_write", {3, 2, 5});
            }).find("a row writes the slot that another reads; given state_write[1] = state_read[2] = 2"),
            std::string::npos);
  EXPECT_NE(said([](Problem& problem, DecodeArguments&, const Set&) {
              store(problem.find("start_positions")->bytes.data(), dtype::i64, 1, -1);
            }).find("start_positions[1] = -1"),
            std::string::npos);
  EXPECT_EQ(said([](Problem& problem, DecodeArguments&, const Set& set) {
              set("state_read", {0, -1, 2});
              store(problem.find("start_positions")->bytes.data(), dtype::i64, 1, -1);
            }),
            "accepted")
      << "a row that does nothing has no position";
  EXPECT_NE(said([](Problem&, DecodeArguments& call, const Set&) {
              call.start_positions = {};
            }).find("tensor 'start_positions': the tensor is missing"),
            std::string::npos);
  EXPECT_NE(said([](Problem&, DecodeArguments& call, const Set&) {
              call.state.strides[1] += 1;
            }).find("tensor 'state': a slot is not contiguous"),
            std::string::npos);
  EXPECT_NE(said([](Problem&, DecodeArguments& call, const Set&) {
              call.state.strides[0] = 5;
            }).find("tensor 'state': elements of an output share memory"),
            std::string::npos);
}

TEST(Decode, IsForFewTokensThatFollow) {
  const CompileOptions options{.key_dim = 32, .value_dim = 32, .pins = {.family = Family::recurrent}};
  const Program program =
      lower(variants::linear, options, decode_schedule(variants::linear, options, "sm_80"), "sm_80", Pass::decode);
  const CallChecker checker(program, false);
  std::vector<float> memory(1 << 16);
  const auto said = [&](std::int64_t tokens) {
    const auto tensor = [&](dtype type, SizeList shape) { return Tensor(memory.data(), type, shape); };
    const Tensor x = tensor(dtype::bf16, {2, tokens, 1, 32}), rows = tensor(dtype::i32, {2});
    return refusal([&] {
      const Call call = checker.decode({.q = x,
                                        .k = x,
                                        .v = x,
                                        .state = tensor(dtype::f32, {4, 1, 32, 32}),
                                        .state_read = rows,
                                        .state_write = rows,
                                        .o = x});
      EXPECT_EQ(call.arguments->state_slots, 4);
      EXPECT_EQ(call.arguments->tokens, tokens);
      EXPECT_EQ(call.arguments->sequences, 2);
    });
  };
  EXPECT_EQ(said(1), "accepted");
  EXPECT_EQ(said(8), "accepted");
  for (const int tokens : {0, 9})
    EXPECT_EQ(said(tokens), "linear, tensor 'q': decoding takes few tokens; given T = " + std::to_string(tokens) +
                                "; accepted: T from 1 to 8, or the forward pass");
  constexpr Variant backwards = variant("backwards").decay(per_head(input("g"))).reversed().checked();
  const Operator op = compile(backwards, options, cpu_device(1));
  EXPECT_FALSE(op.supports(Pass::decode));
  EXPECT_NE(refusal([&] { op.prepare_decode(); }).find("this variant's walk begins there; given decode"),
            std::string::npos)
      << refusal([&] { op.prepare_decode(); });
  EXPECT_NE(refusal([&] {
              lower(variants::gla, options, {.family = Family::portable}, "sm_80", Pass::decode);
            }).find("the recurrent family decodes"),
            std::string::npos);
}

}  // namespace
}  // namespace rankone::test
