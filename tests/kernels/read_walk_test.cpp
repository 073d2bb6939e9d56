// SPDX-License-Identifier: MIT
// What no kernel has yet, on the CPU device against a loop in float64: states in slots, under each read and walk.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "codegen/amalgamate.hpp"
#include "codegen/launch_arguments.hpp"
#include "runtime/cpu/emulator.hpp"

namespace rankone {
namespace {

constexpr int keys = 16, values = 16, tokens = 75;

struct Reading {
  const char *read = "inclusive", *walk = "ascending";
  bool exclusive() const { return std::string_view(read) != "inclusive"; }
};

std::vector<float> drawn(std::size_t count, float low, float high, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> number(low, high);
  std::vector<float> result(count);
  for (float& each : result) each = number(engine);
  return result;
}

// One sequence and head. `g` has one number a token; `state` is [K, V], in and out.
struct Sequence {
  std::vector<float> q = drawn(tokens * keys, -1, 1, 1), k = drawn(tokens * keys, -1, 1, 2),
                     v = drawn(tokens * values, -1, 1, 3), g, bonus = drawn(keys, 0, 2, 5);
  std::vector<double> state, o = std::vector<double>(tokens * values);

  void walk(const Reading& reading) {
    for (std::size_t i = 0; i < tokens; ++i) {
      const std::size_t t = std::string_view(reading.walk) == "ascending" ? i : tokens - 1 - i;
      const auto update = [&] {
        for (std::size_t key = 0; key < keys; ++key)
          for (std::size_t column = 0; column < values; ++column) {
            const double decay = std::exp(double{g[t]});
            double& s = state[key * values + column];
            s = decay * s + double{k[t * keys + key]} * v[t * values + column];
          }
      };
      if (!reading.exclusive()) update();
      for (std::size_t column = 0; column < values; ++column) {
        double sum = 0, own = 0;
        for (std::size_t key = 0; key < keys; ++key) {
          sum += q[t * keys + key] * state[key * values + column];
          own += double{q[t * keys + key]} * bonus[key] * k[t * keys + key];
        }
        if (std::string_view(reading.read) == "bonus") sum += own * v[t * values + column];
        o[t * values + column] = sum;
      }
      if (reading.exclusive()) update();
    }
  }
};

void expect_near(const std::vector<float>& given, const std::vector<double>& truth, double bound, const char* what) {
  double square = 0, size = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    square += (given[i] - truth[i]) * (given[i] - truth[i]);
    size += truth[i] * truth[i];
  }
  EXPECT_LT(std::sqrt(square / size), bound) << what;
}

// What those kernels take.
struct SmallArguments : Arguments {
  TensorArgument query, key, value, output, inputs[3];
  void *initial_state, *final_state;
};

// Token by token, a thread for each value column. Sequences of two heads have states in slots, one of them none.
std::string small_kernel(const Reading& reading, const char* state_type) {
  return amalgamate({"device/math.cuh", "kernels/read.cuh", "kernels/sequence.cuh", "kernels/states.cuh"}) +
         "namespace rankone {\nstruct Small {\n  static constexpr int key_dim = 16, value_dim = 16;\n"
         "  static constexpr bool value_major_state = false;\n  static constexpr Read read = Read::" +
         reading.read + ";\n  static constexpr Walk walk = Walk::" + reading.walk +
         ";\n  static constexpr ElementType state_type = ElementType::" + state_type +
         ";\n  static constexpr StateLayout state_layout = StateLayout::slots;\n};\n"
         "RK_DEVICE float at(const TensorArgument& x, long long sequence, long long token, int head, int column) {\n"
         "  return global_load<float>(global<const float>(x.data) + (sequence * x.batch_stride +\n"
         "      token * x.token_stride + head * x.head_stride + column));\n}\n}\n"
         "using namespace rankone;\n"
         "struct SmallArguments : Arguments {\n  TensorArgument query, key, value, output, inputs[3];\n"
         "  void *initial_state, *final_state;\n};\n"
         "extern \"C\" __global__ void kernel(SmallArguments const __grid_constant__ a) {\n"
         "  const int v = thread_index() % 16, head = thread_index() / 16;\n"
         "  const long long n = block_index();\n"
         "  const TensorArgument& slots = a.inputs[1];\n"
         "  const StateSlots where{slots.data, slots.batch_stride, slots.head_stride, slots.token_stride};\n"
         "  const States<Small, const void> from{a.initial_state, a.value_heads, where};\n"
         "  const States<Small, void> to{a.final_state, a.value_heads, where};\n"
         "  float s[16] = {};\n"
         "  for (int k = 0; k < 16; ++k)\n"
         "    if (from.exists(n)) s[k] = from.load(from.first(n, head) + k * from.key_step + v * from.column_step);\n"
         "  for (int i = 0; i < a.tokens; ++i) {\n"
         "    const long long t = token_of<Small>(0, a.tokens, i);\n"
         "    auto update = [&] {\n"
         "      for (int k = 0; k < 16; ++k)\n"
         "        s[k] = exp(at(a.inputs[0], n, t, head, 0)) * s[k] + at(a.key, n, t, head, k) * at(a.value, n, t, head, v);\n"
         "    };\n"
         "    if (reads<Small>(i, i)) update();\n"
         "    float o = 0, own = 0;\n"
         "    for (int k = 0; k < 16; ++k) {\n"
         "      o += at(a.query, n, t, head, k) * s[k];\n"
         "      own += at(a.query, n, t, head, k) * at(a.inputs[2], 0, 0, 0, k) * at(a.key, n, t, head, k);\n"
         "    }\n"
         "    if (Small::read == Read::bonus) o += own * at(a.value, n, t, head, v);\n"
         "    global_store<float>(global<float>(a.output.data) + (n * a.output.batch_stride + t * a.output.token_stride +\n"
         "                        head * a.output.head_stride + v), o);\n"
         "    if (!reads<Small>(i, i)) update();\n"
         "  }\n"
         "  for (int k = 0; k < 16; ++k)\n"
         "    if (to.exists(n)) to.store(to.first(n, head) + k * to.key_step + v * to.column_step, s[k]);\n"
         "}\n";
}

TEST(Reading, StatesStandInSlots) {
  constexpr std::size_t state = keys * values, gap = 5, head_stride = state + gap, slot_stride = 2 * head_stride + 3;
  for (const Reading& reading : {Reading{"bonus", "ascending"}, Reading{"exclusive", "descending"}, Reading{}}) {
    const std::string what = std::string(reading.read) + " " + reading.walk;
    const auto module = HostModule::build(small_kernel(reading, "f32"));
    std::vector<Sequence> all(6);  // sequences of two heads
    std::vector<float> pool = drawn(4 * slot_stride, -1, 1, 7), q, k, v, g, o(6 * tokens * values);
    std::vector<int> slots{2, -1, 0};
    constexpr long long count = 4;
    const std::vector<float> before = pool;
    for (std::size_t i = 0; i < all.size(); ++i) {
      Sequence& each = all[i];
      const unsigned seed = static_cast<unsigned>(10 * i);
      each.q = drawn(each.q.size(), -1, 1, seed + 1);
      each.k = drawn(each.k.size(), -1, 1, seed + 2);
      each.v = drawn(each.v.size(), -1, 1, seed + 3);
      each.g = drawn(tokens, -0.5f, 0, seed + 4);
      for (auto [from, to] : {std::pair{&each.q, &q}, {&each.k, &k}, {&each.v, &v}, {&each.g, &g}})
        to->insert(to->end(), from->begin(), from->end());
      each.state.assign(state, 0);
      if (const int slot = slots[i / 2]; slot >= 0) {
        const std::size_t first = static_cast<std::size_t>(slot) * slot_stride + i % 2 * head_stride;
        for (std::size_t j = 0; j < state; ++j) each.state[j] = pool[first + j];
      }
      each.walk(reading);
    }
    const auto tensor = [](std::vector<float>& data, long long columns) {  // [N, H, T, columns]
      return TensorArgument{data.data(), 2 * tokens * columns, columns, tokens * columns};
    };
    SmallArguments arguments{};
    arguments.query = tensor(q, keys);
    arguments.key = tensor(k, keys);
    arguments.value = tensor(v, values);
    arguments.output = tensor(o, values);
    arguments.inputs[0] = tensor(g, 1);
    arguments.inputs[1] = {slots.data(), slot_stride, count, head_stride};
    arguments.inputs[2] = {all[0].bonus.data(), 0, 0, 0};
    arguments.initial_state = arguments.final_state = pool.data();
    arguments.tokens = tokens;
    arguments.value_heads = 2;
    emulate(*module, {.entry = "kernel", .blocks = 3, .threads = 32}, arguments);
    std::vector<float> expected = before;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto begin = o.begin() + static_cast<std::ptrdiff_t>(i * tokens * values);
      expect_near({begin, begin + tokens * values}, all[i].o, 2e-6, what.c_str());
      const int slot = slots[i / 2];
      if (slot < 0) continue;
      const std::size_t first = static_cast<std::size_t>(slot) * slot_stride + i % 2 * head_stride;
      const auto at = pool.begin() + static_cast<std::ptrdiff_t>(first);
      expect_near({at, at + state}, all[i].state, 2e-6, what.c_str());
      std::copy(at, at + state, expected.begin() + static_cast<std::ptrdiff_t>(first));
    }
    EXPECT_EQ(pool, expected) << what << ": nothing but the states that have slots is written";
  }
}

// Of another type, they are rounded where they are stored.
TEST(Reading, StatesMayBeOf16Bits) {
  const auto module = HostModule::build(small_kernel({"inclusive", "ascending"}, "bf16"));
  // Two heads alike. 1 + 2^-8 is no bf16 number, and 0x4000 is 2.
  std::vector<float> one(keys, 1), v(values, 1.00390625f), g(1, 0), o(2 * values);
  std::vector<unsigned short> pool(2 * keys * values, 0x4000);
  std::vector<int> slots{0};
  SmallArguments arguments{};
  arguments.query.data = arguments.key.data = one.data();
  arguments.value.data = v.data();
  arguments.inputs[0].data = g.data();
  arguments.inputs[1] = {slots.data(), 0, 1, keys * values};
  arguments.inputs[2].data = one.data();
  arguments.output = {o.data(), 0, 0, values};
  arguments.initial_state = arguments.final_state = pool.data();
  arguments.tokens = 1;
  arguments.value_heads = 2;
  emulate(*module, {.entry = "kernel", .threads = 32}, arguments);
  EXPECT_EQ(o, std::vector<float>(2 * values, 16 * 3.00390625f));
  EXPECT_EQ(pool, std::vector<unsigned short>(2 * keys * values, 0x4040)) << "3";
}

}  // namespace
}  // namespace rankone
