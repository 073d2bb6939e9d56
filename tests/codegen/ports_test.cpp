// SPDX-License-Identifier: MIT
// The table of ports: which tensors a pass has, and what is said of each.
#include <gtest/gtest.h>

#include <set>

#include <rankone/dsl.hpp>

#include "codegen/ports.hpp"

namespace rankone {
namespace {

constexpr CompileOptions square_128{.key_dim = 128, .value_dim = 128};

std::vector<std::string> names(const std::vector<Port>& all) {
  std::vector<std::string> list;
  for (const Port& port : all) list.push_back(port.name);
  return list;
}

TEST(Ports, NameEverythingThatAPassReadsAndWrites) {
  EXPECT_EQ(
      names(ports(variants::hgrn2, square_128)),
      (std::vector<std::string>{"q", "v", "x", "lower_bound", "cu_seqlens", "initial_state", "o", "final_state"}));
  EXPECT_EQ(names(ports(variants::gla, square_128, Pass::states)),
            (std::vector<std::string>{"k", "v", "g", "cu_seqlens", "initial_state", "final_state", "log_decay_total"}));
}

TEST(Ports, TellRolesAxesAndTypes) {
  const auto all = ports(variants::gla, {.input_types = {{"g", dtype::f32}}, .value_major_state = true});
  const Port& gate = *find_port(all, "g");
  EXPECT_EQ(gate.role, PortRole::gate);
  EXPECT_EQ(gate.type, dtype::f32);
  EXPECT_EQ(gate.axes, (AxisList{Axis::batch, Axis::tokens, Axis::value_heads, Axis::key}));
  const Port& state = *find_port(all, "initial_state");
  EXPECT_EQ(state.axes, (AxisList{Axis::sequences, Axis::value_heads, Axis::value, Axis::key}));
  EXPECT_TRUE(state.optional && state.contiguous && !state.writable);
  EXPECT_TRUE(find_port(all, "o")->writable);
  EXPECT_EQ(find_port(all, "k")->alignment, 16);
  EXPECT_TRUE(accepts(*find_port(all, "cu_seqlens"), dtype::i32));
  EXPECT_FALSE(accepts(*find_port(all, "q"), dtype::f32));
  EXPECT_EQ(find_port(all, "log_decay_total"), nullptr);
}

// A tensor has one slot in all passes, and shares it with no other.
TEST(Ports, KeepTheirSlots) {
  const auto forward = ports(variants::mamba2, square_128), states = ports(variants::mamba2, square_128, Pass::states);
  std::set<int> slots;
  for (const Port& port : forward) EXPECT_TRUE(slots.insert(port.slot).second) << port.name;
  for (const Port& port : states) {
    const Port* const same = find_port(forward, port.name);
    EXPECT_TRUE(same == nullptr || same->slot == port.slot) << port.name;
  }
}

// An input of such a name would be two tensors of one name.
TEST(Ports, OfEveryVariantHaveNamesThatNoInputTakes) {
  for (const Port& port : slots(variants::linear, square_128)) {
    Variant other = variant("other").decay(per_head(input("g")));
    EXPECT_NO_THROW(validate(other)) << "what is tried below differs by its name alone";
    other.nodes.names[0] = Name(port.name);
    EXPECT_THROW(validate(other), Error) << port.name;
  }
}

TEST(AxisSizes, OffsetsAreOneMoreThanSequences) {
  AxisSizes sizes;
  EXPECT_FALSE(sizes.knows(Axis::offsets));
  sizes.set(Axis::sequences, 3);
  EXPECT_EQ(sizes[Axis::offsets], 4);
  sizes.set(Axis::offsets, 6);
  EXPECT_EQ(sizes[Axis::sequences], 5);
}

}  // namespace
}  // namespace rankone
