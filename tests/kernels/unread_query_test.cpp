// SPDX-License-Identifier: MIT
// Queries that are not made of q on the CPU device, in every pass, beside all that such a query may stand beside.
#include "tests/kernels/every_pass.hpp"

namespace rankone::test {
namespace {

constexpr Variant unread[] = {
    variant("ones").decay(per_key(log_sigmoid(input("g")))).query(1).checked(),
    variant("neither").decay(per_head(log_sigmoid(input("g")))).key(input("x")).query(input("c")).checked(),
    variant("of_decays").decay(per_key(log_sigmoid(input("g")))).query(decay() * param("w")).exclusive().checked(),
    variant("of_keys").key(key() / 2).query(key() * sigmoid(input("c"))).bonus(param("u")).reversed().checked(),
    variant("erasing").query(tanh(input("c"))).feature_map(l2_normalize).erase(sigmoid(input("b"))).checked(),
    variant("steps").decay(per_head(log_sigmoid(input("g")))).query(input("c")).steps(2).checked(),
    variant("features").query(sigmoid(input("c"))).feature_map(taylor).permuted().checked(),
    variant("normalised").query(exp(input("c"))).feature_map(exp).normalised(1).checked(),
    variant("both_ways").query(input("c")).output(read() * sigmoid(value())).bidirectional().checked(),
    variant("turning").phase(per_key(input("p"))).query(input("c")).checked()};

TEST(UnreadQueries, StandBesideAllElse) { expect_each_right_in_every_pass(unread); }

}  // namespace
}  // namespace rankone::test
