// SPDX-License-Identifier: MIT
// Inputs at the ends of what they may be, over every variant of the catalogue: decays that forget nothing or everything,
// keys that are zero, equal or long, erasures of nothing, all and twice as much, sequences of no and one token.
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>

#include "codegen/names.hpp"
#include "proof/launch.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/tensor_check.hpp"
#include "tests/kernels/extremes.hpp"
#include "tests/kernels/parts.hpp"

namespace rankone::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t tokens = 75;

std::vector<std::string> inputs_of(const Expression& formula) {
  std::vector<std::string> names;
  for (const Node& node : formula)
    if (node.operation == Operation::input) names.emplace_back(formula.leaf(node).view());
  return names;
}
bool is_an_input(const Expression& formula) {
  return formula.size == 1 && formula.root().operation == Operation::input;
}
// Of keys and of value columns, where each has one of its own.
std::vector<Expression> log_decays_of(const Variant& variant) {
  if (const DecaySides sides = decay_sides(variant)) return {sides.of_keys, sides.of_values};
  return {variant.formula(Formula::decay)};
}

// The log-decay where all its inputs are `x`.
double log_decay_at(const Expression& decay, double x) {
  return evaluate(decay, [&](const Leaf& leaf) {
    switch (leaf.operation) {
      case Operation::input: return x;
      case Operation::head: return 0.0;
      case Operation::position: return 1.0;
      case Operation::parameter: return 0.5;
      default: return 1.0;
    }
  });
}

// What the inputs of a decay are for it to come near `log_decay`: itself, or what the formula takes there.
double input_for(const Expression& decay, double log_decay) {
  if (is_an_input(decay)) return log_decay;
  double best = 0, nearest = infinity;
  for (double magnitude = 0.0625; magnitude < 20000; magnitude *= 2)
    for (const double x : {magnitude, -magnitude}) {
      const double reached = std::max(log_decay_at(decay, x), -1e30),
                   off = std::abs(reached - std::max(log_decay, -1e30));
      if (off < nearest) nearest = off, best = x;
    }
  return best;
}

struct Hard {
  const char* name;
  std::function<bool(const Variant&)> applies;
  std::function<void(Problem&)> make;
};

void set_log_decays(Problem& problem, const std::function<double(std::int64_t)>& of_token) {
  for (const Expression& decay : log_decays_of(problem.variant))
    for (const std::string& name : inputs_of(decay))
      change(problem, name.c_str(),
             [&](std::int64_t token, double, std::int64_t) { return input_for(decay, of_token(token)); });
}
Hard decays(const char* name, double (*of_token)(std::int64_t)) {
  return {name, [](const Variant& variant) { return !inputs_of(variant.formula(Formula::decay)).empty(); },
          [of_token](Problem& problem) { set_log_decays(problem, of_token); }};
}
Hard keys(const char* name, const Change& to) {
  return {name, [](const Variant& variant) { return reads_key(variant); },
          [to](Problem& problem) { change(problem, "k", to); }};
}
// Keys, or values that erase, come near length 1: what is erased twice over does not make the state grow then.
Formula erase_scale_of(const Variant& variant) {
  return variant.has(Formula::value_erase) ? Formula::value_erase : Formula::erase;
}
Hard erasures(const char* name, double scale) {
  return {name, [](const Variant& variant) { return is_an_input(variant.formula(erase_scale_of(variant))); },
          [scale](Problem& problem) {
            for (const std::string& input : inputs_of(problem.variant.formula(erase_scale_of(problem.variant))))
              change(problem, input.c_str(), all(scale));
          }};
}

double drawn_log(std::int64_t token) { return -2000.0 * static_cast<double>(token * 37 % 64) / 63; }

const Hard hard[] = {
    decays("log_decays_from_0_to_minus_2000", drawn_log),
    decays("nothing_is_forgotten", [](std::int64_t) { return 0.0; }),
    decays("all_is_forgotten_at_each_token", [](std::int64_t) { return -infinity; }),
    decays("log_decays_of_minus_2000", [](std::int64_t) { return -2000.0; }),
    decays("single_resets", [](std::int64_t token) { return token % 29 == 11 ? -infinity : -0.5; }),
    decays("decays_of_1e-38", [](std::int64_t token) { return token % 3 == 0 ? -87.498 : 0.0; }),
    decays("saturated_for_whole_chunks", [](std::int64_t token) { return token / 64 % 2 == 0 ? 0.0 : -2000.0; }),
    keys("keys_of_zero", all(0)),
    keys("equal_keys", all(0.125)),
    keys("keys_of_zero_at_some_tokens",
         [](std::int64_t token, double drawn, std::int64_t) { return token % 5 < 2 ? 0 : drawn; }),
    erasures("nothing_is_erased", 0),
    erasures("all_is_erased", 1),
    erasures("twice_is_erased", 2),
};

class HardInputs : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!GetParam().is_short) RANKONE_SKIP_UNLESS_WHOLE();
  }
  const Variant& variant() const { return *GetParam().variant; }
  CompileOptions options() const { return options_of(GetParam(), 32, 32, 0); }
  Problem problem(std::uint64_t seed, const std::vector<std::int64_t>& boundaries = {}) const {
    const CompileOptions all = options();
    return random_problem(
        variant(), all,
        {.batch = 1, .tokens = tokens, .heads = 1, .value_heads = 2, .key_dim = all.key_dim, .value_dim = 32},
        {.seed = seed, .boundaries = boundaries});
  }
};

TEST_P(HardInputs, AreRight) {
  const Operator op = compile(variant(), options(), cpu_device(1));
  for (const Hard& each : hard) {
    if (!each.applies(variant())) continue;
    Problem changed = problem(21);
    each.make(changed);
    expect_right(op, changed, each.name);
  }
}

// Sequences of no token, of one, and of a tail behind a chunk.
TEST_P(HardInputs, InShortSequencesAreRight) {
  const Operator op = compile(variant(), options(), cpu_device(1));
  Problem packed = problem(22, {0, 0, 1, 2, 2, 67, 74, 75, 75});
  expect_right(op, packed, "short sequences");
}

// All that a sequence holds is no number: its neighbours' outputs and states have the bits that they have without it.
TEST_P(HardInputs, OfOneSequenceReachNoOther) {
  const std::vector<std::int64_t> boundaries = {0, 20, 45, tokens};
  const Operator op = compile(variant(), options(), cpu_device(1));
  // Sequences are ranges of places.
  Problem drawn_problem = problem(23, boundaries);
  std::vector<std::int64_t> places(static_cast<std::size_t>(tokens));
  const HostTensor* const order = drawn_problem.find("order");
  for (std::int64_t place = 0; place < tokens; ++place)
    places[static_cast<std::size_t>(order != nullptr ? integer_at(order->view(), place) : place)] = place;
  const auto inside = [&](std::int64_t token) {
    const std::int64_t place = places[static_cast<std::size_t>(token)];
    return place >= boundaries[1] && place < boundaries[2];
  };
  const auto run = [&](bool spoilt) {
    Problem packed = drawn_problem;
    if (spoilt)
      for (const char* name : {"q", "k", "v"})
        if (const HostTensor* const tensor = packed.find(name)) {
          const std::int64_t steps = tensor->shape[1] / tokens;  // rows of a token
          change(packed, name, [&](std::int64_t row, double drawn, std::int64_t) {
            return inside(row / steps) ? std::nan("") : drawn;
          });
        }
    Launch launch(op, packed, true);
    launch.poison();
    launch.run();
    return launch.outputs();
  };
  const std::vector<HostTensor> clean = run(false), spoilt = run(true);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    // o is [1, T, HV, V], the final state [N, HV, K, V].
    const bool by_token = clean[i].name == "o";
    const std::size_t rows = static_cast<std::size_t>(by_token ? tokens : 3), row = clean[i].bytes.size() / rows;
    for (std::size_t at = 0; at < rows; ++at) {
      const auto index = static_cast<std::int64_t>(at);
      if (by_token ? inside(index) : index == 1) continue;
      ASSERT_TRUE(std::equal(clean[i].bytes.begin() + static_cast<std::ptrdiff_t>(at * row),
                             clean[i].bytes.begin() + static_cast<std::ptrdiff_t>((at + 1) * row),
                             spoilt[i].bytes.begin() + static_cast<std::ptrdiff_t>(at * row)))
          << clean[i].name << ", row " << at;
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  std::size_t number = 0;
  std::vector<const Variant*> variants(std::begin(parts::all), std::end(parts::all));
  for (const Variant& variant : catalogue()) variants.push_back(&variant);
  for (const Variant* variant : variants) {
    const auto runs_in = [&](const KernelFamily& family) { return part_beyond(*variant, family.parts).empty(); };
    const bool by_hopper = runs_in(hopper_family), in_chunks = runs_in(portable_family);
    // The short run has every third of those that would do for a variant.
    const auto add = [&](bool would_do, Family family, Level level, const Numbers& numbers) {
      const bool is_short = would_do && number++ % 3 == 0;
      all.push_back({.variant = variant, .level = level, .numbers = numbers, .family = family, .is_short = is_short});
    };
    if (by_hopper) add(true, Family::hopper, Level::serial, bf16_numbers);
    if (in_chunks)
      add(!by_hopper, Family::portable, variant->non_causal_ ? Level::serial : Level::chunk, all_numbers[3]);
    add(!in_chunks, Family::recurrent, Level::automatic, bf16_numbers);
    add(false, Family::recurrent, Level::automatic, all_numbers[2]);
  }
  return all;
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  return std::string(name_in(family_names, info.param.family)) + "_" + info.param.name();
}

INSTANTIATE_TEST_SUITE_P(Catalogue, HardInputs, testing::ValuesIn(cases()), name_of_case);

}  // namespace
}  // namespace rankone::test
