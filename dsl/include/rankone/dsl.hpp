// SPDX-License-Identifier: MIT
// Declaring variants: everything that needs the standard library alone.
#pragma once

#include <rankone/dsl/declare.hpp>  // first: what a compiler prints of a wrong declaration begins with the way to it

#include <rankone/dsl/catalogue.hpp>
#include <rankone/dsl/chain.hpp>
#include <rankone/dsl/decay_sides.hpp>
#include <rankone/dsl/describe.hpp>
#include <rankone/dsl/evaluate.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/dsl/formula.hpp>
#include <rankone/dsl/gradients.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/parts.hpp>
#include <rankone/dsl/validate.hpp>
