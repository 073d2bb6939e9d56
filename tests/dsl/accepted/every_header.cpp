// SPDX-License-Identifier: MIT
// Each header serves alone and in any order: this one includes the last link of each chain first.
#include <rankone/dsl/variant.hpp>
//
#include <rankone/dsl/describe.hpp>
//
#include <rankone/dsl/variants/hgrn2.hpp>
//
#include <rankone/dsl/latex.hpp>
//
#include <rankone/dsl/gradients.hpp>

static_assert(rankone::variants::hgrn2.decays_by_key());
static_assert(rankone::gradients(rankone::input("x")).size == 1);
