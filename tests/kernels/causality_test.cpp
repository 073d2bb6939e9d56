// SPDX-License-Identifier: MIT
// What is not finite spoils what the recurrence says it does, and nothing else: no output before its token, no other
// value column, head or sequence.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "proof/bounds.hpp"
#include "proof/launch.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/cases.hpp"
#include "tests/kernels/parts.hpp"

namespace rankone::test {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
constexpr int heads = 2, bad_head = 1, bad_column = 5;

constexpr Variant scaled_keys = variant("scaled_keys").decay(per_key(input("g"))).write_scale(input("w")).checked();

struct Spoilt {
  const char* tensor;
  double value;
};

std::vector<Spoilt> ways_to_spoil(const Variant& variant) {
  const double of_key = variant.has(Formula::feature_map) ? infinity : -infinity;  // which silu would take to 0
  std::vector<Spoilt> ways = {{"q", nan}, {"q", infinity}, {"k", nan}, {"k", of_key}, {"v", nan}, {"v", infinity}};
  if (&variant == &variants::hgrn2) ways = {{"q", nan}, {"v", nan}, {"v", infinity}};
  for (const char* logit : {"x", "dt"})
    if (&variant == &variants::gla_sigmoid || &variant == &variants::hgrn2 || &variant == &variants::mamba2)
      if ((*logit == 'd') == (&variant == &variants::mamba2)) ways.push_back({logit, nan});
  const bool has_parts = std::ranges::find(parts::all, &variant) != std::end(parts::all);
  if (&variant == &variants::simple_gla || &variant == &variants::gla || &variant == &scaled_keys ||
      (has_parts && inputs_of(variant).index_of("g") >= 0)) {
    ways.push_back({"g", nan});
    ways.push_back({"g", infinity});
  }
  if (&variant == &scaled_keys || &variant == &parts::formulas) ways.push_back({"w", nan});
  if (&variant == &parts::formulas) ways.push_back({"z", nan});
  if (&variant == &parts::bonus) ways.push_back({"u", nan});
  if (&variant == &parts::sides) ways.insert(ways.end(), {{"x", nan}, {"h", nan}});
  return ways;
}

class Causality : public testing::TestWithParam<Case> {
 protected:
  bool in_segments() const { return GetParam().level == Level::segment; }
  // Of three packed sequences the second has the token, in its first chunk or its second segment.
  std::vector<std::int64_t> boundaries() const {
    return in_segments() ? std::vector<std::int64_t>{0, 20, 640, 660} : std::vector<std::int64_t>{0, 20, 120, 150};
  }
  std::int64_t bad_token() const { return boundaries()[1] + (in_segments() ? 569 : 59); }
  // Per key the Hopper family sums log-decays by products, 16 tokens at a time: where one is no number the outputs of all
  // 16 may be none, those of earlier tokens too (docs/declaring.md).
  bool may_be_reached(const Spoilt& spoilt, std::int64_t token) const { return stands_before(spoilt, token, 16); }
  // And those of the 16 before, the other half of a span, are computed by halves of halves, as under strong decays: they
  // are right, but rounded elsewhere.
  // So are those of a span of 32 tokens whose value columns decay, next to a column with such a log-decay.
  bool may_be_rounded_anew(const Spoilt& spoilt, std::int64_t token) const {
    const std::string_view what = spoilt.tensor;
    const bool is_decay = what == "h" || (what == "g" && is_of_column(spoilt));
    const std::int64_t begin = boundaries()[1], end = boundaries()[2];
    const auto span = [&](std::int64_t each) {
      return (GetParam().variant->reversed_ ? end - 1 - each : each - begin) / 32;
    };
    if (GetParam().family == Family::hopper && GetParam().variant->decays_by_value() && is_decay && token >= begin &&
        token < end && span(token) == span(bad_token()))
      return true;
    return stands_before(spoilt, token, 32);
  }
  // Whether the spoilt token is a log-decay that comes later in the same group of tokens, which the Hopper family sums
  // together.
  bool stands_before(const Spoilt& spoilt, std::int64_t token, std::int64_t group) const {
    const std::string_view what = spoilt.tensor;
    const Variant& variant = *GetParam().variant;
    if (GetParam().family != Family::hopper || !variant.decays_by_key()) return false;
    if (what != "g" && what != "x") return false;
    const std::int64_t begin = boundaries()[1], end = boundaries()[2];
    const auto walked = [&](std::int64_t each) { return variant.reversed_ ? end - 1 - each : each - begin; };
    const std::int64_t bad = walked(bad_token()), last = variant.reads_before() ? bad : bad - 1;
    return walked(token) >= bad / group * group && walked(token) <= last;
  }
  // Whether it belongs to a single value column.
  static bool is_of_column(const Spoilt& spoilt) {
    const Variant& variant = *GetParam().variant;
    const std::string_view what = spoilt.tensor;
    if (what == "g") return variant.decays_by_value() && !variant.decays_by_key();
    return what == "v" || what == "z" || what == "h" || (what == "w" && variant.has(Formula::value));
  }
  // Whether the recurrence says that the token's output, in its head and sequence, is no number.
  bool reaches(const Spoilt& spoilt, std::int64_t token, std::int64_t column) const {
    const Variant& variant = *GetParam().variant;
    const std::string_view what = spoilt.tensor;
    if (is_of_column(spoilt) && column != bad_column) return false;
    if (what == "q" || what == "u" || what == "z") return token == bad_token();
    // What the output reads of its token beside the state.
    if (what == "v" && reads(variant.formula(Formula::output), Operation::value) && token == bad_token()) return true;
    if (token == bad_token())
      return what == "g" || what == "x" || what == "h" ? !variant.reads_before() : !variant.exclusive_;
    return variant.reversed_ ? token < bad_token() : token > bad_token();
  }
  int dim() const { return GetParam().family == Family::portable ? 32 : GetParam().cluster > 1 ? 128 : 64; }

  Problem clean_problem() const {
    return random_problem(*GetParam().variant, options(),
                          {.batch = 1,
                           .tokens = boundaries().back(),
                           .heads = heads,
                           .value_heads = heads,
                           .key_dim = dim(),
                           .value_dim = dim()},
                          {.seed = 5, .boundaries = boundaries()});
  }
  // o and final_state.
  std::vector<HostTensor> run(const Operator& op, const Spoilt* spoilt) const {
    Problem problem = clean_problem();
    if (spoilt != nullptr) {
      HostTensor& tensor = *problem.find(spoilt->tensor);
      const std::int64_t width = tensor.shape.size() == 4 ? tensor.shape[3] : 1;
      store(tensor.bytes.data(), tensor.type, (bad_token() * heads + bad_head) * width + (width > 1 ? bad_column : 0),
            spoilt->value);
    }
    Launch launch(op, problem, true);
    launch.poison();
    launch.run();
    return launch.outputs();
  }
  CompileOptions options() const {
    CompileOptions all = options_of(GetParam(), dim(), dim(), 64);
    if (GetParam().family == Family::hopper && GetParam().cluster > 1) all.pins.value_tile = 64;
    return all;
  }
};

TEST_P(Causality, HoldsForWhatIsNotFinite) {
  if (!GetParam().is_short) RANKONE_SKIP_UNLESS_WHOLE();
  const Operator op = compile(*GetParam().variant, options(), cpu_device(5));
  const std::vector<HostTensor> clean = run(op, nullptr);
  const double bound = error_bound(clean_problem(), "o", false);
  const auto at = [](const HostTensor& tensor, std::int64_t i) { return load(tensor.bytes.data(), tensor.type, i); };
  for (const Spoilt& spoilt : ways_to_spoil(*GetParam().variant)) {
    const std::vector<HostTensor> results = run(op, &spoilt);
    const char what = *spoilt.tensor;
    const std::int64_t columns = dim(), end = boundaries()[2];
    std::vector<double> rounded_anew, before;  // rows
    for (std::int64_t i = 0; i < boundaries().back() * heads * columns; ++i) {
      const std::int64_t token = i / columns / heads, head = i / columns % heads, column = i % columns;
      const bool reached =
          token >= boundaries()[1] && token < end && head == bad_head && reaches(spoilt, token, column);
      const double value = at(results[0], i), expected = at(clean[0], i);
      const std::string where = std::string(spoilt.tensor) + " = " + std::to_string(spoilt.value) + ", o at token " +
                                std::to_string(token) + ", head " + std::to_string(head) + ", column " +
                                std::to_string(column) + ", the token is " + std::to_string(bad_token());
      if (head == bad_head && may_be_reached(spoilt, token)) continue;
      ASSERT_EQ(std::isfinite(value), !reached) << where;
      if (reached) continue;
      if (head == bad_head && may_be_rounded_anew(spoilt, token))
        rounded_anew.push_back(value), before.push_back(expected);
      else
        ASSERT_EQ(value, expected) << where;
    }
    const std::vector<std::int64_t> rows = {static_cast<std::int64_t>(before.size()) / columns, columns};
    EXPECT_TRUE(compare(Tensor::of(rounded_anew.data(), rows), Tensor::of(before.data(), rows), 2 * bound).ok)
        << spoilt.tensor << " = " << spoilt.value << ": both are within their bound";
    for (std::int64_t i = 0; i < 3 * heads * columns * columns; ++i) {
      const std::int64_t matrix = i / columns / columns, key = i / columns % columns, column = i % columns;
      const bool of_column = is_of_column(spoilt);
      bool reached = matrix == heads + bad_head && what != 'q' && what != 'u' && what != 'z';
      if (of_column) reached = reached && column == bad_column;
      if (what == 'k' || GetParam().variant->decays_by_key())
        reached = reached && (of_column || what == 'w' || key == bad_column);
      ASSERT_EQ(std::isfinite(at(results[1], i)), !reached)
          << spoilt.tensor << " = " << spoilt.value << ", the state of sequence and head " << matrix << ", key " << key
          << ", column " << column;
    }
  }
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Variant* variant : {&variants::linear, &variants::retnet, &variants::simple_gla, &variants::mamba2,
                                 &variants::gla, &variants::hgrn2, &scaled_keys})
    for (const Numbers& numbers : all_numbers) {
      cases.push_back({variant, Level::serial, numbers});
      if (variant == &variants::simple_gla || variant == &variants::gla)
        cases.push_back({variant, Level::chunk, numbers});
      if (numbers.type == dtype::f32 || (variant == &scaled_keys && numbers.type == dtype::f16)) continue;
      cases.push_back({variant, Level::serial, numbers, Family::hopper});
      if (variant == &variants::simple_gla || variant == &variants::gla)
        cases.push_back({variant, Level::segment, numbers, Family::hopper});
      if (variant == &variants::gla) cases.push_back({variant, Level::serial, numbers, Family::hopper, 1, true});
    }
  cases.push_back({&variants::gla, Level::serial, bf16_numbers, Family::hopper, 2});
  for (const Variant* variant : parts::all)
    if (part_beyond(*variant, hopper_family.parts).empty())
      for (const Numbers& numbers : all_numbers)
        if (numbers.type == dtype::bf16 || (numbers.type == dtype::f16 && why_beyond_f16(*variant).empty()))
          cases.push_back({variant, Level::serial, numbers, Family::hopper});
  for (const Variant* variant : parts::all)
    for (const Numbers& numbers : all_numbers)
      for (const Level level : {Level::serial, Level::chunk}) cases.push_back({variant, level, numbers});
  return cases;
}

// A case of each kernel that differs in how it meets what is not finite.
std::vector<Case> short_cases() {
  const Numbers &bf16 = all_numbers[0], &f16 = all_numbers[1], &tf32 = all_numbers[2], &f32 = all_numbers[3];
  return {{&variants::simple_gla, Level::serial, bf16},
          {&variants::mamba2, Level::serial, f32},
          {&variants::gla, Level::chunk, tf32},
          {&parts::before, Level::serial, bf16},
          {&parts::before_keys, Level::chunk, tf32},
          {&parts::bonus, Level::serial, f16},
          {&parts::backwards_bonus, Level::serial, bf16},
          {&parts::backwards_before, Level::chunk, bf16},
          {&parts::formulas, Level::serial, bf16},
          {&parts::columns, Level::chunk, bf16},
          {&parts::columns_before, Level::serial, f32},
          {&parts::sides, Level::serial, f16},
          {&parts::normalised, Level::serial, bf16},
          {&parts::normalised_keys, Level::chunk, tf32},
          {&parts::normalised_alike, Level::serial, f32},
          {&variants::linear, Level::serial, bf16, Family::hopper},
          {&variants::mamba2, Level::serial, f16, Family::hopper},
          {&variants::simple_gla, Level::segment, bf16, Family::hopper},
          {&variants::gla, Level::serial, bf16, Family::hopper},
          {&variants::gla, Level::serial, f16, Family::hopper, 1, true},
          {&variants::hgrn2, Level::serial, bf16, Family::hopper},
          {&variants::gla, Level::serial, bf16, Family::hopper, 2},
          {&parts::before, Level::serial, f16, Family::hopper},
          {&parts::bonus, Level::serial, bf16, Family::hopper},
          {&parts::backwards_bonus, Level::serial, bf16, Family::hopper},
          {&parts::columns, Level::serial, bf16, Family::hopper},
          {&parts::sides, Level::serial, bf16, Family::hopper}};
}

std::string name_of(const Case& each) {
  return (each.family == Family::hopper ? "hopper_" : "portable_") + each.name();
}

std::vector<Case> cases() {
  std::vector<Case> all = all_cases();
  const std::vector<Case> shorter = short_cases();
  for (Case& each : all)
    each.is_short = std::ranges::any_of(shorter, [&](const Case& one) { return name_of(one) == name_of(each); });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Families, Causality, testing::ValuesIn(cases()),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace rankone::test
