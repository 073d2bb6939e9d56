// SPDX-License-Identifier: MIT
// Expressions as formulas a person can read and write: "log_sigmoid(input(x) + param(bias)) / 16".
//
//   formula := { name '=' sum ';' } sum             a binding names what stands more than once
//   sum     := product { ('+' | '-') product }
//   product := factor { ('*' | '/') factor }
//   factor  := '-' factor | number | '(' sum ')' | call | name of a binding
//   call    := function '(' sum [',' sum] ')'       exp log sigmoid log_sigmoid softplus tanh sin cos silu relu sqrt
//                                                   square min max; concatenate takes more than two
//            | ('input' | 'param') '(' name [',' axis { '|' axis }] ')'      axes: H, HV, K, M, V
//            | 'scalar' '(' name ')'
//            | ('element' | 'other' | 'keys' | 'key' | 'decay' | 'head' | 'heads' | 'position') '(' ')'
#pragma once

#include <string>
#include <string_view>

#include <rankone/dsl/expression.hpp>

namespace rankone {

// Throws Error naming the position and what is accepted there; `where` says which formula it is.
Expression parse_formula(std::string_view text, std::string_view where = "formula");

// Reads back as the same graph.
std::string formula_text(const Expression& expression);

}  // namespace rankone
