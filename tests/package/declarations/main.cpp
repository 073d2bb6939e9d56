// SPDX-License-Identifier: MIT
#include <cstdio>

#include <rankone/dsl.hpp>
#include <rankone/version.hpp>

using namespace rankone;

constexpr auto my_gla = variant("my_gla").decay(per_key(log_sigmoid(input("x") + param("bias")) / 16)).checked();
static_assert(my_gla.decays_by_key());

int main() { std::printf("%s, Rankone %s\n", my_gla.name.text, RANKONE_VERSION); }
