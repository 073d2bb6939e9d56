// SPDX-License-Identifier: MIT
// What each variant of the catalogue reads, and the values of its formulas.
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <string>
#include <string_view>

#include <rankone/dsl.hpp>

using namespace rankone;

namespace {

static_assert(catalogue().size() == 42);
static_assert(find_variant("gla") == &catalogue()[6] && find_variant("nothing") == nullptr);
static_assert(*find_variant("mamba2") == variants::mamba2);

constexpr bool reads_one_input(const Variant& variant, const char* name, Axes axes) {
  const Leaves inputs = inputs_of(variant);
  return inputs.size == 1 && inputs[0].view() == name && inputs[0].axes == axes;
}
static_assert(reads_one_input(variants::gated_retention, "x", value_head_axis));
static_assert(reads_one_input(variants::simple_gla, "g", value_head_axis));
static_assert(reads_one_input(variants::gla, "g", value_head_axis | key_axis));
static_assert(reads_one_input(variants::gla_sigmoid, "x", value_head_axis | key_axis));
static_assert(reads_one_input(variants::mamba2, "dt", value_head_axis));
static_assert(reads_one_input(variants::hgrn2, "x", value_head_axis | key_axis));
static_assert(inputs_of(variants::linear).empty() && inputs_of(variants::retnet).empty());

// In the order of first use: decay, key, write scale.
static_assert(parameters_of(variants::mamba2)[0].view() == "A_log" &&
              parameters_of(variants::mamba2)[1].view() == "dt_bias");
static_assert(parameters_of(variants::hgrn2)[0].axes == (value_head_axis | key_axis));
static_assert(scalars_of(variants::lightning).index_of("layer") == 0 &&
              scalars_of(variants::lightning).index_of("layers") == 1);
static_assert(reads_one_input(variants::gsa, "g", value_head_axis | Axes::slot) &&
              reads_one_input(variants::abc, "s", value_head_axis | Axes::slot));
static_assert(reads_key(variants::gsa) && reads_query(variants::abc) &&
              !reads_value(stage(variants::gsa, Stage::first)));
static_assert(!reads_key(variants::hgrn2) && reads_key(variants::gla));
static_assert(!reads_query(variants::hgrn) && !reads_key(variants::hgrn) && reads_query(variants::hgrn2));
static_assert(reads_query(variant("own").query(query() * input("x"))) &&
              !reads_query(variant("other").query(input("x"))));
static_assert(variants::mamba2.scale_ == 1 && variants::gla.scale_ == 0);

// A quotient takes the place of what was read, wherever that stands.
constexpr Variant gated = variant("gated").output(read() * sigmoid(read() + value())).normalised(0.5);
constexpr Expression quotient = read() / (normaliser() + 0.5);
static_assert(gated.formula(Formula::output) == quotient * sigmoid(quotient + value()));
static_assert(variant("plain").normalised(0.5).formula(Formula::output) == quotient);
static_assert(is_normalised(variants::performer) && is_normalised(gated) && !is_normalised(variants::linear));

// Whatever the state's units are, an output is the same: what it divides has as many as what it is divided by.
constexpr bool is_free_of_units(const Expression& output) {
  return !judge(variant("free").write_log_scale(input("i")).output(output));
}
constexpr Expression most = max(abs(normaliser()), unit());
static_assert(is_free_of_units(read() / most * sigmoid(value())) && is_free_of_units(sqrt(square(read() / unit()))));
static_assert(is_free_of_units(read() / sqrt(square(normaliser()) + square(unit()))));
static_assert(is_free_of_units(tanh(read() / unit())) && is_free_of_units(step(read()) + relu(read()) / unit() * 0));
static_assert(is_free_of_units(max(read(), 0) / most + value()) && is_free_of_units(min(read(), unit()) / most));
static_assert(!is_free_of_units(read()) && !is_free_of_units(read() / (most + 1)) && !is_free_of_units(tanh(read())));
static_assert(!is_free_of_units(read() * most) && !is_free_of_units(sqrt(read()) / most));
static_assert(!is_free_of_units(square(read()) / most) && !is_free_of_units(read() / max(abs(normaliser()), 1)));

// A decay of elements that is a product of two, in whatever order its terms stand; what stands for no side is the keys'.
constexpr Expression of_key = -exp(input("a", value_head_axis | key_axis)),
                     of_value = -exp(input("b", value_head_axis | value_axis)),
                     of_head = -exp(param("c", value_head_axis));
constexpr DecaySides of_terms = decay_sides(variant("terms").decay(full(of_value + (of_head + of_key) + of_value / 2)));
static_assert(of_terms.of_keys == of_head + of_key && of_terms.of_values == of_value + of_value / 2);
static_assert(decay_sides(variants::dfw) && !decay_sides(variants::mamba1) && !decay_sides(variants::gla));
static_assert(!decay_sides(variant("product").decay(full(of_key * of_value))));
static_assert(!decay_sides(variant("keys").decay(full(of_key + of_head))));

TEST(Catalogue, LogDecays) {
  const auto of = [](const char* name) { return find_variant(name)->formula(Formula::decay); };
  for (int h = 0; h < 16; ++h)
    EXPECT_NEAR(evaluate(of("retnet"), {.head = double(h)}), std::log(1 - std::pow(2.0, -5 - h)), 1e-16) << h;
  EXPECT_DOUBLE_EQ(evaluate(of("lightning"), {.named = {{"layer", 3}, {"layers", 24}}, .head = 5, .heads = 16}),
                   -8.0 / 16 * (1 - 3.0 / 24) * 5);
  EXPECT_DOUBLE_EQ(evaluate(of("gated_retention"), {.named = {{"x", 0.5}}}), std::log(1 / (1 + std::exp(-0.5))) / 16);
  EXPECT_DOUBLE_EQ(evaluate(of("gla_sigmoid"), {.named = {{"x", -2}}}), std::log(1 / (1 + std::exp(2.0))) / 16);
  EXPECT_DOUBLE_EQ(evaluate(of("gla"), {.named = {{"g", -0.25}}}), -0.25);
  EXPECT_DOUBLE_EQ(evaluate(of("mamba2"), {.named = {{"A_log", 0.7}, {"dt", 0.2}, {"dt_bias", -1}}}),
                   -std::exp(0.7) * std::log1p(std::exp(-0.8)));
  EXPECT_DOUBLE_EQ(evaluate(of("hgrn2"), {.named = {{"lower_bound", 0.3}, {"x", 1}}}),
                   std::log(0.3 + 0.7 / (1 + std::exp(-1.0))));
}

TEST(Catalogue, EachEntrySaysWhatItIsAndWhereItComesFrom) {
  for (const Entry& entry : catalogue()) {
    const auto& [about, title, authors, arxiv, open] = entry.source;
    for (const std::string_view part : {about, title, authors}) EXPECT_FALSE(part.empty()) << entry.name.text;
    EXPECT_TRUE(std::islower(static_cast<unsigned char>(about.front()))) << about;
    EXPECT_NE(about.back(), '.') << about;
    const bool is_number =
        arxiv.size() == 10 && arxiv[4] == '.' && arxiv.find_first_not_of(".0123456789") == arxiv.npos;
    EXPECT_TRUE(is_number || (arxiv.empty() && title.starts_with("flash-linear-attention: "))) << entry.name.text;
    EXPECT_TRUE(open.empty() || open.back() == '.') << open;
  }
  EXPECT_EQ(variant_named("gla").source.arxiv, "2312.06635");
}

TEST(Catalogue, AnUnknownNameIsRefusedWithTheList) {
  try {
    (void)variant_named("glaa");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_EQ(error.given(), "glaa");
    for (const Variant& variant : catalogue()) EXPECT_NE(error.accepted().find(variant.name.text), std::string::npos);
  }
}

}  // namespace
