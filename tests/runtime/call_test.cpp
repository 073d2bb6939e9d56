// SPDX-License-Identifier: MIT
// What a call refuses, in which words, and what it hands to kernels.
#include "runtime/call.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/choose.hpp"

namespace rankone {
namespace {

constexpr std::int64_t B = 2, T = 5, H = 2, HV = 6, K = 64, V = 32;

alignas(16) char memory[16 * 64];  // stands for any tensor: nothing here reads through the pointers

Program program_of(const char* name, Level level = Level::serial, Pass pass = Pass::forward) {
  CompileOptions options{.key_dim = K, .value_dim = V, .dtype = dtype::bf16};
  options.pins.level = level;
  const Variant& variant = variant_named(name);
  const Schedule forward = default_schedule(variant, options, "sm_90a");
  return lower(variant, options, schedule_for(pass, variant, options, "sm_90a", {forward}), "sm_90a", pass);
}

ForwardArguments good() {
  ForwardArguments given;
  given.q = given.k = Tensor(memory, dtype::bf16, {B, T, H, K});
  given.v = given.o = Tensor(memory, dtype::bf16, {B, T, HV, V});
  given.inputs = {{"x", Tensor(memory, dtype::bf16, {B, T, HV, K})}};
  return given;
}

using Names = std::vector<std::string>;

// The ports of which the call says that they may be read by 16 bytes.
Names vectorized(const Program& program, const Call& call) {
  Names names;
  for (const Port& port : program.ports)
    if ((call.arguments->vectorized >> port.slot & 1u) != 0) names.push_back(port.name);
  return names;
}
const TensorArgument& argument(const Program& program, const Call& call, const char* name) {
  return call.arguments.port(find_port(program.ports, name)->slot);
}

// What forward() of `checker` says to the arguments that `change` has made of good ones.
std::string refusal(const CallChecker& checker, const std::function<void(ForwardArguments&)>& change) {
  ForwardArguments given = good();
  change(given);
  try {
    checker.forward(given);
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
}

class Refusals : public testing::Test {
 protected:
  const Program program = program_of("gla_sigmoid");
  const CallChecker checker{program, true};
  std::string after(const std::function<void(ForwardArguments&)>& change) const { return refusal(checker, change); }
};

TEST_F(Refusals, GoodArgumentsAreAccepted) {
  const Call call = checker.forward(good());
  EXPECT_EQ(call.arguments->heads, H);
  EXPECT_EQ(call.arguments->value_heads, HV);
  EXPECT_EQ(call.arguments->tokens, T);
  EXPECT_EQ(call.arguments->sequences, B);
  EXPECT_EQ(argument(program, call, "q").batch_stride, T * H * K);
  EXPECT_EQ(argument(program, call, "q").token_stride, H * K);
  EXPECT_EQ(argument(program, call, "v").head_stride, V);
  EXPECT_FLOAT_EQ(call.arguments->scale, 1 / std::sqrt(64.0f));
  EXPECT_EQ(vectorized(program, call), (Names{"q", "k", "v", "x", "o"}));
  EXPECT_EQ(call.shape.sequences, 0);
  EXPECT_FALSE(call.empty);
}

TEST_F(Refusals, MissingTensors) {
  EXPECT_EQ(after([](auto& a) { a.q = {}; }),
            "gla_sigmoid, tensor 'q': the tensor is missing; given nothing; accepted: [B, T, H, K = 64] of bf16");
  EXPECT_EQ(
      after([](auto& a) { a.inputs.clear(); }),
      "gla_sigmoid, tensor 'x': the tensor is missing; given nothing; accepted: [B = 2, T = 5, HV = 6, K = 64] of bf16");
  EXPECT_NE(after([](auto& a) { a.o = {}; }).find("tensor 'o': the tensor is missing"), std::string::npos);
}

TEST_F(Refusals, NamesThatTheVariantDoesNotRead) {
  EXPECT_EQ(after([](auto& a) {
              a.inputs.push_back({"gate", a.q});
            }),
            "gla_sigmoid, tensor 'gate': the variant does not read this tensor; given gate; accepted: x");
  EXPECT_EQ(after([](auto& a) { a.inputs.push_back(a.inputs[0]); }),
            "gla_sigmoid, tensor 'x': the tensor is given twice; given x and x; accepted: each once");
  EXPECT_EQ(after([](auto& a) {
              a.scalars = {{"layer", 1}};
            }),
            "gla_sigmoid: the variant does not read this scalar; given layer; accepted: none");
}

TEST_F(Refusals, TypesRanksAndShapes) {
  EXPECT_EQ(after([](auto& a) { a.v.type = dtype::f16; }),
            "gla_sigmoid, tensor 'v': another type is wanted; given f16; accepted: bf16");
  EXPECT_EQ(
      after([](auto& a) { a.inputs[0].tensor.type = dtype::f32; }),
      "gla_sigmoid, tensor 'x': another type is wanted; given f32; accepted: bf16, from input_types of the compile "
      "options or, without an entry there, the type of q");
  EXPECT_EQ(
      after([](auto& a) {
        a.k = Tensor(memory, dtype::bf16, {B, T, K});
      }),
      "gla_sigmoid, tensor 'k': another rank is wanted; given [2, 5, 64]; accepted: [B = 2, T = 5, H = 2, K = 64]");
  EXPECT_EQ(
      after([](auto& a) {
        a.k = Tensor(memory, dtype::bf16, {B, T + 1, H, K});
      }),
      "gla_sigmoid, tensor 'k': the shape does not fit; given [2, 6, 2, 64]; accepted: [B = 2, T = 5, H = 2, K = 64]");
  EXPECT_NE(after([](auto& a) { a.q.shape[1] = -1; }).find("a size is negative"), std::string::npos);
  EXPECT_NE(after([](auto& a) {
              a.o = Tensor(memory, dtype::bf16, {B, T, HV, V + 1});
            }).find("tensor 'o': the shape"),
            std::string::npos);
}

TEST_F(Refusals, MembersThatNobodySetRightly) {
  for (const int rank : {-1, 9})
    EXPECT_NE(after([&](ForwardArguments& a) {
                a.k.rank = rank;
              }).find("given " + std::to_string(rank) + "; accepted: 0 to 5"),
              std::string::npos);
  EXPECT_NE(after([&](ForwardArguments& a) { a.k.type = static_cast<dtype>(99); }).find("no element type"),
            std::string::npos);
}

TEST_F(Refusals, HeadsThatDoNotShare) {
  EXPECT_EQ(
      after([](auto& a) {
        a.v = a.o = Tensor(memory, dtype::bf16, {B, T, 5, V});
        a.inputs[0].tensor = Tensor(memory, dtype::bf16, {B, T, 5, K});
      }),
      "gla_sigmoid: value heads do not share the key heads evenly; given H = 2, HV = 5; accepted: H from 1, and HV "
      "a multiple of H, below 2^31");
  EXPECT_NE(after([](auto& a) {
              a.q = a.k = Tensor(memory, dtype::bf16, {B, T, 0, K});
            }).find("heads are out of range"),
            std::string::npos);
}

TEST_F(Refusals, StridesAndPointers) {
  EXPECT_NE(after([](auto& a) {
              a.q.strides = {T * H * K, H * K, 1, H};
            }).find("the last dimension is not contiguous"),
            std::string::npos);
  EXPECT_NE(after([](auto& a) {
              a.q.data = memory + 1;
            }).find("the pointer is not aligned; given an address 1 bytes past a multiple; accepted"),
            std::string::npos);
  EXPECT_NE(after([](auto& a) { a.q.data = nullptr; }).find("the pointer is null"), std::string::npos);
  EXPECT_NE(after([](auto& a) { a.q.strides[0] = std::int64_t{1} << 60; }).find("offsets do not fit"),
            std::string::npos);
  EXPECT_NE(after([](auto& a) { a.o.strides[1] = 0; }).find("elements of an output share memory"), std::string::npos);
  EXPECT_NE(after([](auto& a) { a.o.strides[2] = V - 1; }).find("elements of an output share memory"),
            std::string::npos);
  EXPECT_EQ(after([](auto& a) { a.q.strides[0] = 0; }), "accepted") << "an input may be read twice";
  EXPECT_EQ(after([](auto& a) { a.o.strides = {HV * V, B * HV * V, V, 1}; }), "accepted") << "dimensions in any order";
}

TEST_F(Refusals, States) {
  EXPECT_NE(after([](auto& a) {
              a.initial_state = Tensor(memory, dtype::bf16, {B, HV, K, V});
            }).find("another type"),
            std::string::npos);
  EXPECT_NE(
      after([](auto& a) {
        a.final_state = Tensor(memory, dtype::f32, {B, H, K, V});
      })
          .find("tensor 'final_state': the shape does not fit; given [2, 2, 64, 32]; accepted: [N = 2, HV = 6, K = 64, "
                "V = 32]"),
      std::string::npos);
  EXPECT_NE(after([](auto& a) {
              a.final_state = Tensor(memory, dtype::f32, {B, HV, K, V}, {2 * HV * K * V, K * V, V, 1});
            }).find("not contiguous"),
            std::string::npos);
}

TEST_F(Refusals, Packing) {
  const auto packed = [&](std::vector<std::int64_t> offsets, int batch = 1) {
    return after([&](auto& a) {
      a.q = a.k = Tensor(memory, dtype::bf16, {batch, T, H, K});
      a.v = a.o = Tensor(memory, dtype::bf16, {batch, T, HV, V});
      a.inputs[0].tensor = Tensor(memory, dtype::bf16, {batch, T, HV, K});
      a.cu_seqlens = Tensor(offsets.data(), dtype::i64, {static_cast<std::int64_t>(offsets.size())});
    });
  };
  EXPECT_EQ(packed({0, 0, 2, 2, 5, 5}), "accepted");
  EXPECT_EQ(packed({0, 3, 2, 5}),
            "gla_sigmoid, tensor 'cu_seqlens': offsets decrease; given cu_seqlens[2] = 2; accepted: offsets that never "
            "decrease, between 0 and T = 5");
  EXPECT_NE(packed({0, 6}).find("an offset overruns the tokens; given cu_seqlens[1] = 6"), std::string::npos);
  EXPECT_NE(packed({-1, 5}).find("an offset is negative"), std::string::npos);
  EXPECT_NE(packed({0, 5}, 2).find("packed sequences stand in one row; given B = 2"), std::string::npos);
  EXPECT_NE(packed({}).find("tensor 'cu_seqlens'"), std::string::npos);
  EXPECT_NE(after([](auto& a) { a.cu_seqlens = Tensor(memory, dtype::f32, {2}); }).find("cu_seqlens"),
            std::string::npos);
}

TEST(Call, OffsetsOnAGpuAreNotRead) {
  const Program program = program_of("linear");
  ForwardArguments given;
  given.q = given.k = Tensor(memory, dtype::bf16, {1, T, H, K});
  given.v = given.o = Tensor(memory, dtype::bf16, {1, T, HV, V});
  given.cu_seqlens = Tensor(reinterpret_cast<void*>(16), dtype::i32, {4});
  const Call call = CallChecker(program, false).forward(given);
  EXPECT_EQ(call.arguments->sequences, 3);
  EXPECT_EQ(call.shape.sequences, 3);
  EXPECT_EQ(call.arguments->wide, 0u);
}

TEST(Call, VectorFlagsFollowBasesAndStrides) {
  const Program program = program_of("gla_sigmoid");
  const CallChecker checker(program, true);
  ForwardArguments given = good();
  given.q.data = memory + 2;
  given.k.strides[2] = K + 4;
  given.v.strides[1] = HV * V + 8;
  given.inputs[0].tensor.strides[0] += 1;
  EXPECT_EQ(vectorized(program, checker.forward(given)), (Names{"v", "o"}));
  given = good();
  given.q = Tensor(memory, dtype::bf16, {1, T, H, K}, {3, H * K, K, 1});
  given.k = Tensor(memory, dtype::bf16, {1, T, H, K});
  given.v = given.o = Tensor(memory, dtype::bf16, {1, T, HV, V});
  given.inputs[0].tensor = Tensor(memory, dtype::bf16, {1, T, HV, K});
  EXPECT_EQ(vectorized(program, checker.forward(given)).front(), "q") << "a stride that is never taken";
}

// Of tensors that no path reads by vectors there is no flag, and no need to align them.
TEST(Call, VectorFlagsAreThoseOfPortsWithAFastPath) {
  const Program program = program_of("simple_gla");
  ForwardArguments given = good();
  given.inputs = {{"g", Tensor(memory, dtype::bf16, {B, T, 8})}};
  given.v = given.o = Tensor(memory, dtype::bf16, {B, T, 8, V});
  ASSERT_EQ(find_port(program.ports, "g")->alignment, 1);
  EXPECT_EQ(vectorized(program, CallChecker(program, true).forward(given)), (Names{"q", "k", "v", "o"}));
}

TEST(Call, StridesOfOneElementAreNobodys) {
  const Program program = program_of("gla_sigmoid");
  ForwardArguments given;
  given.q = given.k = Tensor(memory, dtype::bf16, {1, 1, H, K});
  given.v = given.o = Tensor(memory, dtype::bf16, {1, 1, HV, V});
  given.inputs = {{"x", Tensor(memory, dtype::bf16, {1, 1, HV, K})}};
  given.q.strides[0] = given.q.strides[1] = 33;  // no multiple of 16 bytes, and never between two tokens
  const Call call = CallChecker(program, true).forward(given);
  EXPECT_EQ(argument(program, call, "q").batch_stride, 0);
  EXPECT_EQ(argument(program, call, "q").token_stride, 0);
  EXPECT_EQ(argument(program, call, "q").head_stride, K);
}

TEST(Call, ScalarsAndScale) {
  const Program program = program_of("lightning");
  const CallChecker checker(program, true);
  ForwardArguments given = good();
  given.inputs.clear();
  given.scalars = {{"layers", 24}, {"layer", 3}};
  given.scale = 0.5;
  const Arguments arguments = *checker.forward(given).arguments;
  EXPECT_EQ(arguments.scale, 0.5f);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(arguments.scalars[i], program.scalars[i] == "layer" ? 3.0f : 24.0f);
  given.scalars.pop_back();
  EXPECT_THROW(checker.forward(given), Error);
  given.scalars = {{"layer", 3}, {"layers", 24}};
  for (const double scale : {double{NAN}, 1e300, -1e39, 1e-300}) {
    given.scale = scale;
    EXPECT_THROW(checker.forward(given), Error) << scale;
  }
  given.scale = 0;
  for (const double layer : {double{NAN}, 1e300, -1e300}) {
    given.scalars[0].value = layer;
    EXPECT_THROW(checker.forward(given), Error) << layer;
  }
}

TEST(Call, WorkspaceOfTheChunkLevel) {
  const Program program = program_of("gla_sigmoid", Level::chunk);
  const CallChecker checker(program, true);
  const auto bytes = workspace_of(program).evaluate(sizes_of({B, T, H, HV, 0}));
  ASSERT_GT(bytes, 0);
  EXPECT_NE(
      refusal(checker, [](auto&) {})
          .find("tensor 'workspace': the workspace is missing; given nothing; accepted: " + std::to_string(bytes)),
      std::string::npos);
  auto* const place = reinterpret_cast<std::byte*>(memory);
  const auto size = static_cast<std::size_t>(bytes);
  EXPECT_NE(refusal(checker, [&](auto& a) { a.workspace = {place, size - 1}; }).find("too small"), std::string::npos);
  EXPECT_NE(refusal(checker,
                    [&](auto& a) {
                      a.workspace = {place + 8, size};
                    })
                .find("is not aligned; given an address 8 bytes past a multiple"),
            std::string::npos);
  EXPECT_EQ(refusal(checker, [&](auto& a) { a.workspace = {place, size}; }), "accepted");
  // A view of no memory that says it has some, whether or not the call wants any.
  const Program needs_none = program_of("gla_sigmoid");
  for (const Program* each : {&program, &needs_none}) {
    const CallChecker takes(*each, true);
    EXPECT_NE(refusal(takes,
                      [&](auto& a) {
                        a.workspace = {static_cast<std::byte*>(nullptr), size};
                      })
                  .find("tensor 'workspace': the pointer is null; given " + std::to_string(size) + " bytes"),
              std::string::npos);
  }
  EXPECT_EQ(refusal(CallChecker(needs_none, true), [](auto&) {}), "accepted");
}

TEST(Call, StartsLieWhereATokenCan) {
  const Variant aging = variant("aging").decay(per_head(input("x") - position())).checked();
  const CompileOptions options{.key_dim = K, .value_dim = V};
  const Program program = lower(aging, options, default_schedule(aging, options, "sm_90a"), "sm_90a", Pass::forward);
  constexpr std::int64_t most = std::int64_t{1} << 62;
  const auto said = [&](bool on_cpu, std::int64_t second) {
    std::int64_t starts[B] = {7, second};
    return refusal(CallChecker(program, on_cpu), [&](auto& a) {
      a.inputs = {{"x", Tensor(memory, dtype::bf16, {B, T, HV})}};
      a.start_positions = Tensor(starts, dtype::i64, {B});
    });
  };
  for (const std::int64_t start : {std::int64_t{-1}, most + 1, std::int64_t{INT64_MAX}, std::int64_t{INT64_MIN}}) {
    EXPECT_EQ(said(true, start),
              "aging, tensor 'start_positions': a start lies where no token can; given "
              "start_positions[1] = " +
                  std::to_string(start) + "; accepted: 0 to 2^62");
    EXPECT_EQ(said(false, start), "accepted") << "a GPU's memory is not read";
  }
  for (const std::int64_t start : {std::int64_t{0}, most}) EXPECT_EQ(said(true, start), "accepted");
}

// Tiles of value columns share it: one would overwrite what another has still to read. What has value columns: the tests of
// lagged writes.
TEST(Call, WhatAllTilesReadIsNotWrittenInPlace) {
  alignas(16) static char elsewhere[16];
  const CompileOptions options{.key_dim = K, .value_dim = V, .dtype = dtype::bf16};
  for (const char* name : {"performer", "mlstm", "lightnet"}) {
    const Variant& variant = variant_named(name);
    const Program program = lower(variant, options, default_schedule(variant, options, "sm_80"), "sm_80");
    const CallChecker checker(program, false);
    const auto refusal_of = [&](std::string_view part) {
      return refusal(checker, [&](ForwardArguments& given) {
        given.initial_state = given.final_state = Tensor(memory, dtype::f32, {B, HV, K, V});
        given.inputs.clear();
        for (const Port& port : program.ports) {
          if (place_of(port.name) != no_place || port.role == PortRole::workspace) continue;
          const bool written = port.name.starts_with("final_state_");
          char* const place = written && port.name != part ? elsewhere : memory;
          given.inputs.push_back({port.name, port.name == "f" || port.name == "i"
                                                 ? Tensor(place, dtype::bf16, {B, T, HV})
                                             : port.name.ends_with("_max") ? Tensor(place, dtype::f32, {B, HV})
                                                                           : Tensor(place, dtype::f32, {B, HV, K})});
        }
      });
    };
    EXPECT_EQ(refusal_of(""), "accepted") << name;
    for (const char* part : {"final_state_sum", "final_state_max", "final_state_scan"}) {
      if (find_port(program.ports, part) == nullptr) continue;
      EXPECT_NE(refusal_of(part).find("the tensor is written while others still read it; given the memory of initial_"),
                std::string::npos)
          << name << ": " << refusal_of(part);
    }
  }
}

TEST(Call, EmptyCalls) {
  const Program program = program_of("linear");
  const CallChecker checker(program, true);
  ForwardArguments given;
  given.q = given.k = Tensor(nullptr, dtype::bf16, {B, 0, H, K});
  given.v = given.o = Tensor(nullptr, dtype::bf16, {B, 0, HV, V});
  EXPECT_TRUE(checker.forward(given).empty) << "no tokens and no final state";
  given.final_state = Tensor(memory, dtype::f32, {B, HV, K, V});
  EXPECT_FALSE(checker.forward(given).empty) << "the final state is the initial one";
  given = {};
  given.q = given.k = Tensor(nullptr, dtype::bf16, {0, T, H, K});
  given.v = given.o = Tensor(nullptr, dtype::bf16, {0, T, HV, V});
  EXPECT_TRUE(checker.forward(given).empty) << "no rows";
}

TEST(Call, StatesAndCombine) {
  const Program program = program_of("gla_sigmoid", Level::serial, Pass::states);
  const CallChecker checker(program, true);
  ForwardArguments given = good();
  given.q = given.o = {};
  given.final_state = Tensor(memory, dtype::f32, {B, HV, K, V});
  const Tensor total(memory, dtype::f32, {B, HV, K});
  EXPECT_EQ(argument(program, checker.states(given, total), "log_decay_total").data, static_cast<void*>(memory));
  EXPECT_EQ(argument(program, checker.states(given, {}), "log_decay_total").data, nullptr);
  EXPECT_THROW(checker.states(given, Tensor(memory, dtype::f32, {B, HV})), Error);
  given.final_state = {};
  EXPECT_THROW(checker.states(given, {}), Error) << "nothing to write";

  const Tensor state(memory, dtype::f32, {3, HV, K, V});
  const Program joining = program_of("gla_sigmoid", Level::serial, Pass::combine);
  const CallChecker joins(joining, true);
  const Tensor sums = Tensor::view(memory, dtype::f32, {3, HV, K}),
               earlier = Tensor::view(memory, dtype::f32, {3, HV, K, V});
  const Call call = joins.combine(state, sums, earlier);
  EXPECT_EQ(call.arguments->sequences, 3);
  EXPECT_EQ(joining.kernels[0].items.evaluate(sizes_of(call.shape)), 3 * HV);
  for (const CallTensor& each : call.tensors) {
    EXPECT_TRUE(each.initialized) << each.name;
    EXPECT_EQ(each.writable, each.name == "final_state") << each.name;
  }
  EXPECT_EQ(call.tensors.size(), 3u);
  EXPECT_THROW(joins.combine(state, total, earlier), Error) << "N differs";
  EXPECT_THROW(joins.combine(earlier, sums, earlier), Error) << "a view is not written";
  EXPECT_THROW(joins.combine(state, {}, earlier), Error);
}

// What a backward call is checked by: its table of ports alone.
Program backward_program(const Variant& variant) {
  Program program;
  program.variant = variant;
  program.options = {.key_dim = K, .value_dim = V};
  program.pass = Pass::backward;
  program.ports = ports(variant, program.options, Pass::backward);
  program.port_slots = static_cast<int>(slots(variant, program.options, Pass::backward).size());
  return program;
}
BackwardArguments good_backward() {
  BackwardArguments given;
  given.q = given.k = given.dq = given.dk = Tensor(memory, dtype::bf16, {B, T, H, K});
  given.v = given.do_ = given.dv = Tensor(memory, dtype::bf16, {B, T, HV, V});
  const Tensor x(memory, dtype::bf16, {B, T, HV, K}), bias(memory, dtype::bf16, {HV, K});
  given.inputs = {{"x", x}, {"bias", bias}};
  given.gradients = {{"dx", x}, {"dbias", Tensor(memory, dtype::f32, {HV, K})}};
  given.dfinal_state = given.dinitial_state = Tensor(memory, dtype::f32, {B, HV, K, V});
  return given;
}

constexpr auto biased = variant("biased").decay(per_key(log_sigmoid(input("x") + param("bias")))).checked();

class BackwardCall : public testing::Test {
 protected:
  Program program = [] {
    Program made = backward_program(biased);
    made.options.input_types = {{"bias", dtype::bf16}};
    made.ports = ports(biased, made.options, Pass::backward);
    return made;
  }();
  const CallChecker checker{program, true};
  std::string after(const std::function<void(BackwardArguments&)>& change) const {
    BackwardArguments given = good_backward();
    change(given);
    try {
      checker.backward(given);
      return "accepted";
    } catch (const Error& error) {
      return error.what();
    }
  }
};

TEST_F(BackwardCall, BindsEveryTensorByItsPort) {
  const Call call = checker.backward(good_backward());
  for (const Port& port : program.ports) {
    const bool absent = port.name == "cu_seqlens" || port.name == "initial_state";
    EXPECT_EQ(call.arguments.port(port.slot).data, absent ? nullptr : static_cast<void*>(memory)) << port.name;
  }
  ASSERT_EQ(call.tensors.size(), program.ports.size() - 2);
  for (const CallTensor& each : call.tensors) {
    const bool writes = each.name.starts_with("d") && each.name != "do" && each.name != "dfinal_state";
    EXPECT_EQ(each.writable, writes) << each.name;
    EXPECT_EQ(each.initialized, !writes) << each.name;
  }
  EXPECT_EQ(call.arguments->value_heads, HV);
}

TEST_F(BackwardCall, TakesAnyGradientAlone) {
  for (const char* name : {"dq", "dk", "dv", "dx", "dbias", "dinitial_state"}) {
    const BackwardArguments all = good_backward();
    EXPECT_EQ(after([&](auto& given) {
                given.dq = given.dk = given.dv = given.dinitial_state = {};
                given.gradients.clear();
                const Port& port = *find_port(program.ports, name);
                const Tensor* const tensor = GivenArguments(all).find(place_of(name), all.gradients, name);
                ASSERT_NE(tensor, nullptr);
                EXPECT_TRUE(port.optional);
                bind_gradient(given, name, *tensor);
              }),
              "accepted")
        << name;
  }
}

TEST_F(BackwardCall, SaysWhatDoesNotFit) {
  EXPECT_NE(after([](auto& given) { given.do_ = {}; }).find("'do': the tensor is missing"), std::string::npos);
  EXPECT_NE(after([](auto& given) { given.do_.type = dtype::f32; }).find("'do'"), std::string::npos);
  EXPECT_NE(after([](auto& given) { given.gradients[1].tensor.type = dtype::bf16; }).find("'dbias'"),
            std::string::npos);
  EXPECT_NE(after([](auto& given) { given.dq.read_only = true; }).find("'dq': a tensor that is written"),
            std::string::npos);
  EXPECT_NE(after([](auto& given) {
              given.gradients.push_back({"dy", given.dv});
            }).find("'dy': no tensor that is given by name has this gradient; given dy; accepted: dx, dbias"),
            std::string::npos);
  EXPECT_NE(after([](auto& given) { given.gradients.push_back(given.gradients[0]); }).find("given twice"),
            std::string::npos);
  EXPECT_NE(after([](auto& given) {
              given.inputs.push_back({"dx", given.inputs[0].tensor});
            }).find("the variant does not read this tensor"),
            std::string::npos);
  EXPECT_NE(after([](auto& given) {
              given.dq = given.dk = given.dv = given.dinitial_state = {};
              given.gradients.clear();
            })
                .find("'dq': there is nothing to write; given none of its outputs; accepted: dq, dk, dv, "
                      "dinitial_state, dx, dbias: at least one of them"),
            std::string::npos);
}

// Sums over no token are zeros, which somebody has to write.
TEST_F(BackwardCall, WithoutTokensOrSequencesStillWritesSums) {
  const auto sized = [&](std::int64_t rows, std::int64_t tokens, bool sums) {
    BackwardArguments given = good_backward();
    given.q = given.k = given.dq = given.dk = Tensor(memory, dtype::bf16, {rows, tokens, H, K});
    given.v = given.do_ = given.dv = Tensor(memory, dtype::bf16, {rows, tokens, HV, V});
    given.inputs[0].tensor = given.gradients[0].tensor = Tensor(memory, dtype::bf16, {rows, tokens, HV, K});
    given.dfinal_state = given.dinitial_state = {};
    if (!sums) given.gradients.pop_back();
    return checker.backward(given).empty;
  };
  EXPECT_TRUE(sized(0, T, false) && sized(B, 0, false));
  EXPECT_FALSE(sized(0, T, true) || sized(B, 0, true));
}

// A variant that makes its keys of gates has no gradient of k.
TEST(Call, BackwardOfKeysThatAreNotRead) {
  const Program program = backward_program(variants::hgrn2);
  EXPECT_EQ(find_port(program.ports, "dk"), nullptr);
  EXPECT_NE(find_port(program.ports, "dv"), nullptr);
}

}  // namespace
}  // namespace rankone
