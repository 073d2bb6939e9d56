// SPDX-License-Identifier: MIT
// Every file of this folder is one wrong declaration in two voices. Compiled alone it must not compile, and the
// compiler prints the sentence of its second line; validate_test.cpp includes it, and the same sentence is the
// exception.
#pragma once

#include <rankone/dsl.hpp>

using namespace rankone;

#ifndef REFUSED
#define REFUSED(...) constexpr auto refused = (__VA_ARGS__).checked();
#endif
