// SPDX-License-Identifier: MIT
// Formulas and recurrences as people read them.
#include <gtest/gtest.h>

#include <rankone/dsl.hpp>

using namespace rankone;

namespace {

TEST(Describe, FormulasWithTheFewestParentheses) {
  const auto a = input("a"), b = param("b"), c = scalar("c");
  EXPECT_EQ(to_string(a + b + c), "a + b + c");
  EXPECT_EQ(to_string(a + (b + c)), "a + (b + c)");
  EXPECT_EQ(to_string(a - (b - c)), "a - (b - c)");
  EXPECT_EQ(to_string(a * (b + c) / 16), "a * (b + c) / 16");
  EXPECT_EQ(to_string(a / (b * c)), "a / (b * c)");
  EXPECT_EQ(to_string(-a * b), "-a * b");
  EXPECT_EQ(to_string(-(a * b)), "-(a * b)");
  EXPECT_EQ(to_string(a - -b), "a - -b");
  EXPECT_EQ(to_string(a * -2), "a * -2");
  EXPECT_EQ(to_string(min(a, b + 1) * exp(-c)), "min(a, b + 1) * exp(-c)");
  EXPECT_EQ(to_string(head() / heads() + position() * 0.1), "head / heads + position * 0.1");
  EXPECT_EQ(to_string(Expression()), "");
}

TEST(Describe, Recurrences) {
  const auto of = [](const char* name) { return describe(variant_named(name)); };
  EXPECT_EQ(of("linear"), "S_t = S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t");
  EXPECT_EQ(of("retnet"),
            "S_t = (1 - exp(-0.6931471805599453 * (5 + head))) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t");
  EXPECT_EQ(describe(variant("both").decay(per_head(input("g"))).bonus(param("u")).bidirectional()),
            "S_t = exp(g) S_{t-1} + k_t^T v_t; R_t = exp(g) R_{t+1} + k_t^T v_t; "
            "o_t = K^-0.5 q_t (S_{t-1} + Diag(u) k_t^T v_t + R_{t+1})");
  EXPECT_EQ(describe(variant("all").non_causal()), "S_t = S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_{Tk}");
  EXPECT_EQ(of("dig"), "S_t = Diag(exp(g)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t; token_t = order_t");
  EXPECT_EQ(of("gla_sigmoid"), "S_t = Diag(exp(log_sigmoid(x) / 16)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t");
  EXPECT_EQ(
      of("mamba2"),
      "S_t = exp(-exp(A_log) * softplus(dt + dt_bias)) S_{t-1} + softplus(dt + dt_bias) k_t^T v_t; o_t = q_t S_t");
  EXPECT_EQ(of("gateloop"),
            "S_t = Diag(exp(i theta)) Diag(exp(log_sigmoid(a))) S_{t-1} + k_t^T v_t; o_t = q_t Re(S_t)");
  const Variant turning = variant("turning").decay(per_head(input("g"))).phase(per_head(input("p") + param("c")));
  EXPECT_EQ(describe(turning.bonus(param("u")).scale(1)),
            "S_t = exp(i (p + c)) exp(g) S_{t-1} + k_t^T v_t; o_t = q_t (Re(S_{t-1}) + Diag(u) k_t^T v_t)");
  EXPECT_EQ(of("hgrn"), "S_t = S_{t-1} Diag(exp(g)) + 1^T v_t; o_t = 1 S_t");
  EXPECT_EQ(of("mamba3"),
            "S_t = exp(adt) (S_{t-1} + (1 - sigmoid(trap)) * dt k_{t-1}^T v_{t-1}) + sigmoid(trap) * dt k_t^T v_t; "
            "o_t = q_t S_t");
  EXPECT_EQ(
      describe(variant("again").key(2 * key()).value(silu(value())).write_lagged(input("l")).reversed().scale(1)),
      "key_t = 2 * k_t; value_t = silu(v_t); S_t = (S_{t+1} + l key_{t+1}^T value_{t+1}) + (2 * k_t)^T silu(v_t); "
      "o_t = q_t S_t");
  EXPECT_EQ(of("hgrn2"),
            "S_t = Diag(a_t) S_{t-1} + (1 - a_t)^T v_t; a_t = lower_bound + (1 - lower_bound) * sigmoid(x); "
            "o_t = K^-0.5 q_t S_t");
  const Variant mapped =
      variant("mapped").feature_map(relu(element()) + 1).key(key() * input("b")).write_scale(param("w") + 1).scale(0.5);
  EXPECT_EQ(describe(variant("t1").decay(per_key(-square(exp(input("t1")) * exp(input("t1")))))),
            "S_t = Diag(exp(-square(t2 * t2))) S_{t-1} + k_t^T v_t; t2 = exp(t1); o_t = K^-0.5 q_t S_t");
  EXPECT_EQ(of("performer"),
            "S_t = S_{t-1} + exp(k_t)^T v_t; z_t = z_{t-1} + exp(k_t)^T; r_t = exp(q_t) S_t; n_t = exp(q_t) z_t; "
            "o_t = r_t / (n_t + 1e-06)");
  EXPECT_EQ(of("mlstm"),
            "S_t = exp(log_sigmoid(f)) S_{t-1} + exp(i) k_t^T v_t; z_t = exp(log_sigmoid(f)) z_{t-1} + exp(i) k_t^T; "
            "r_t = K^-0.5 q_t S_t; n_t = K^-0.5 q_t z_t; o_t = r_t / max(max(n_t, -n_t), 1)");
  const auto beta = sigmoid(input("b"));
  EXPECT_EQ(describe(variant("all").decay(per_head(input("g"))).erase(beta).bonus(param("u")).scale(1).normalised(1)),
            "S' = exp(g) S_{t-1}; S_t = S' - sigmoid(b) k_t^T (k_t S') + sigmoid(b) k_t^T v_t; z' = exp(g) z_{t-1}; "
            "z_t = z' - sigmoid(b) k_t^T (k_t z') + sigmoid(b) k_t^T; r_t = q_t (S_{t-1} + Diag(u) k_t^T v_t); "
            "n_t = q_t (z_{t-1} + Diag(u) k_t^T); o_t = r_t / (n_t + 1)");
  EXPECT_EQ(
      of("delta_product"),
      "S_{t,0} = exp(g) S_{t-1}; S_{t,r} = S_{t,r-1} - beta k_{t,r}^T (k_{t,r} S_{t,r-1}) + beta k_{t,r}^T v_{t,r}, "
      "r = 1 .. 2; S_t = S_{t,2}; o_t = K^-0.5 q_t S_t");
  EXPECT_EQ(of("gated_oja"),
            "S' = S_{t-1} Diag(exp(gv)); S_t = S' - (S' v_t^T) beta v_t + beta k_t^T v_t; o_t = K^-0.5 q_t S_t");
  EXPECT_EQ(describe(variant("apart")
                         .value(value() * input("w"))
                         .value_erase(1)
                         .value_erase_read(tanh(value()))
                         .value_erase_write(param("d") + 1)
                         .steps(2)),
            "S_{t,0} = S_{t-1}; S_{t,r} = S_{t,r-1} - (S_{t,r-1} tanh(v_{t,r})^T) (d + 1) + k_{t,r}^T (v_{t,r} * w), "
            "r = 1 .. 2; S_t = S_{t,2}; o_t = K^-0.5 q_t S_t");
  // Of a chain both passes, and the scan once.
  EXPECT_EQ(
      of("gsa"),
      "A_t = A_{t-1} Diag(exp(g)) + k_t^T (1 - exp(g)); p_t = K^-0.5 q_t A_t; "
      "B_t = Diag(exp(g)) B_{t-1} + (1 - exp(g))^T v_t; t1 = exp(p_t - key_max(p_t)); o_t = (t1 / key_sum(t1)) B_t");
  EXPECT_EQ(describe(variant("scanning")
                         .cumulative_sum(input("s"))
                         .value(tanh(scanned()))
                         .output(tanh(read()))
                         .scale(2)
                         .then(second_pass().key(exp(scanned())).query(passed()).exclusive())),
            "c_t = c_{t-1} + s; A_t = A_{t-1} + k_t^T tanh(c_t); r_t = 2 q_t A_t; p_t = tanh(r_t); "
            "B_t = B_{t-1} + exp(c_t)^T v_t; o_t = p_t B_{t-1}");
  EXPECT_EQ(describe(mapped), "S_t = S_{t-1} + (w + 1) ((relu(k_t) + 1) * b)^T v_t; o_t = 0.5 (relu(q_t) + 1) S_t");
}

}  // namespace
