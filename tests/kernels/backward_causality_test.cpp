// SPDX-License-Identifier: MIT
// The backward pass in chunks: what is not finite spoils the gradients that the recurrence says it does, and to the last bit
// no others. Slopes of log-decays are sums over a chunk, and are spared by `do` and q alone.
#include <limits>
#include <string_view>

#include "runtime/cpu/device.hpp"
#include "tests/kernels/backward_calls.hpp"

namespace rankone::test {
namespace {

constexpr int tokens = 140, heads = 2, bad_head = 1, bad_column = 5, keys = 24, values = 20;
constexpr std::int64_t bad_place = 100;  // within its sub-chunk and its chunk

constexpr Variant by_head = variant("by_head").decay(per_head(log_sigmoid(input("g")))).checked();
constexpr Variant backwards = variant("backwards").decay(per_head(log_sigmoid(input("g")))).reversed().checked();
constexpr Variant exclusive = variant("exclusive").decay(per_head(log_sigmoid(input("g")))).exclusive().checked();
constexpr Variant bonus = variant("bonus").decay(per_head(log_sigmoid(input("g")))).bonus(param("u")).checked();
constexpr Variant by_key = variant("by_key").decay(per_key(log_sigmoid(input("g")))).checked();

struct Spoilt {
  const Variant* variant;
  dtype type;
};

class BackwardCausality : public testing::TestWithParam<std::size_t> {
 protected:
  static constexpr Spoilt all[] = {{&variants::linear, dtype::bf16}, {&by_head, dtype::bf16},  {&by_head, dtype::f32},
                                   {&backwards, dtype::bf16},        {&exclusive, dtype::f16}, {&bonus, dtype::bf16},
                                   {&by_key, dtype::bf16},           {&by_key, dtype::f32}};
  static const Variant& form() { return *all[GetParam()].variant; }
  static bool is_known(std::string_view gradient, std::string_view tensor) {
    if (gradient == "dg") return tensor == "do" || tensor == "q";
    return gradient == "dq" || gradient == "dk" || gradient == "dv";
  }
  // At a place of the walk and a column, in the head of what is spoilt.
  static bool reaches(std::string_view tensor, std::string_view gradient, std::int64_t place, std::int64_t column) {
    const bool in_column = column == bad_column, is_own = place == bad_place, counts_own = !form().exclusive_;
    const bool before = place < bad_place || (is_own && counts_own),
               behind = place > bad_place || (is_own && counts_own);
    if (gradient == "dg") {
      const bool decays = place < bad_place || (is_own && !form().reads_before());
      return decays && (tensor == "do" || !form().decays_by_key() || in_column);
    }
    if (tensor == "do") return gradient == "dq" ? is_own : before && (gradient == "dk" || in_column);
    if (tensor == "q") return gradient != "dq" && before && (gradient == "dv" || in_column);
    if (gradient == "dq") return behind && (tensor == "v" || in_column);
    return is_own && gradient == (tensor == "k" ? "dv" : "dk");
  }
};

TEST_P(BackwardCausality, HoldsForWhatIsNotFinite) {
  const CompileOptions options{.key_dim = keys, .value_dim = values, .dtype = all[GetParam()].type};
  const Dims dims{
      .batch = 1, .tokens = tokens, .heads = heads, .value_heads = heads, .key_dim = keys, .value_dim = values};
  const Operator op = compile(form(), options, cpu_device(5));
  ASSERT_EQ(impl_of(op).program(Pass::backward).schedule.family, Family::portable);
  BackwardProblem call(random_problem(form(), options, dims, {.seed = 5}), 5);
  const std::vector<HostTensor> clean = gradients_of(op, call);
  for (const char* tensor : {"do", "q", "k", "v"}) {
    const std::string_view what = tensor;
    HostTensor& spoilt = what == "do" ? call.output_slope : *call.problem.find(tensor);
    const HostTensor kept = spoilt;
    const std::int64_t width = spoilt.shape[3], bad = form().reversed_ ? tokens - 1 - bad_place : bad_place;
    store(spoilt.bytes.data(), spoilt.type, (bad * heads + bad_head) * width + bad_column,
          std::numeric_limits<double>::infinity());
    const std::vector<HostTensor> results = gradients_of(op, call);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const HostTensor& each = results[i];
      if (!is_known(each.name, what)) continue;
      const std::int64_t columns = each.shape.size() == 4 ? each.shape[3] : 1;
      for (std::int64_t at = 0; at < each.view().elements(); ++at) {
        const std::int64_t token = at / columns / heads, head = at / columns % heads;
        const double value = load(each.bytes.data(), each.type, at),
                     expected = load(clean[i].bytes.data(), each.type, at);
        const bool reached =
            head == bad_head && reaches(what, each.name, form().reversed_ ? tokens - 1 - token : token, at % columns);
        const std::string where = std::string(tensor) + ", " + each.name + " at token " + std::to_string(token) +
                                  ", head " + std::to_string(head) + ", column " + std::to_string(at % columns);
        ASSERT_EQ(std::isfinite(value), !reached) << where;
        if (reached) continue;
        ASSERT_EQ(value, expected) << where;
      }
    }
    spoilt = kept;
  }
}
INSTANTIATE_TEST_SUITE_P(Forms, BackwardCausality, testing::Range(std::size_t{0}, std::size_t{8}));

}  // namespace
}  // namespace rankone::test
