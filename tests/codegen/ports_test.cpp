// SPDX-License-Identifier: MIT
// The table of ports: which tensors a pass has, and what is said of each.
#include "codegen/ports.hpp"

#include <set>

#include <nlohmann/json.hpp>

#include <rankone/dsl.hpp>

#include "codegen/c_header.hpp"
#include "codegen/chain.hpp"
#include "codegen/manifest.hpp"
#include "codegen/names.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

const CompileOptions square_128{.key_dim = 128, .value_dim = 128};

std::vector<std::string> names(const std::vector<Port>& all) {
  std::vector<std::string> list;
  for (const Port& port : all) list.push_back(port.name);
  return list;
}

TEST(Ports, NameEverythingThatAPassReadsAndWrites) {
  EXPECT_EQ(
      names(ports(variants::hgrn2, square_128)),
      (std::vector<std::string>{"q", "v", "x", "lower_bound", "cu_seqlens", "initial_state", "o", "final_state"}));
  EXPECT_EQ(names(ports(variants::hgrn, square_128)),
            (std::vector<std::string>{"v", "g", "cu_seqlens", "initial_state", "o", "final_state"}));
  EXPECT_EQ(names(ports(variants::hgrn, square_128, Pass::backward)),
            (std::vector<std::string>{"v", "do", "g", "cu_seqlens", "initial_state", "dfinal_state", "dv",
                                      "dinitial_state", "dg"}));
  EXPECT_EQ(names(ports(variants::hgrn, square_128, Pass::decode)),
            (std::vector<std::string>{"v", "g", "state_read", "state_write", "state", "o", "token_states"}));
  EXPECT_EQ(names(ports(variants::gla, square_128, Pass::states)),
            (std::vector<std::string>{"k", "v", "g", "cu_seqlens", "initial_state", "final_state", "log_decay_total"}));
}

TEST(Ports, OfBackwardAreWhatForwardReadsAndAGradientOfEach) {
  const CompileOptions options{
      .key_dim = 128, .value_dim = 128, .dtype = dtype::f16, .input_types = {{"A_log", dtype::bf16}}};
  const auto all = ports(variants::mamba2, options, Pass::backward), forward = ports(variants::mamba2, options);
  const std::vector<std::string> given = {"q",           "k",          "v",
                                          "do",          "dt",         "A_log",
                                          "dt_bias",     "cu_seqlens", "initial_state",
                                          "dfinal_state"},
                                 written = {"dq", "dk", "dv", "dinitial_state", "ddt", "dA_log", "ddt_bias"};
  std::vector<std::string> expected = given;
  expected.insert(expected.end(), written.begin(), written.end());
  EXPECT_EQ(names(all), expected);
  for (const Port& port : all) {
    const bool is_gradient = port.role == PortRole::gradient;
    EXPECT_EQ(is_gradient, std::ranges::find(written, port.name) != written.end()) << port.name;
    EXPECT_EQ(port.writable, is_gradient) << port.name;
    if (!is_gradient) continue;
    const Port& of = *find_port(forward, port.name.substr(1));
    EXPECT_EQ(port.axes, of.axes) << port.name;
    EXPECT_EQ(port.of, of.role) << port.name;
    EXPECT_EQ(port.type, of.role == PortRole::parameter ? dtype::f32 : of.type) << port.name;
    EXPECT_TRUE(port.optional && port.contiguous == of.contiguous) << port.name;
  }
  EXPECT_FALSE(find_port(all, "do")->optional);
  EXPECT_TRUE(find_port(all, "dfinal_state")->optional);
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

// What a variant carries beside its state has tensors in every pass, float32 whatever the state is.
TEST(Ports, OfWhatIsCarriedBesideTheState) {
  const CompileOptions options{.state_dtype = dtype::bf16, .value_major_state = true};
  const auto of = [&](Pass pass) { return ports(variants::performer, options, pass); };
  EXPECT_EQ(names(of(Pass::forward)),
            (std::vector<std::string>{"q", "k", "v", "cu_seqlens", "initial_state_sum", "initial_state", "o",
                                      "final_state", "final_state_sum"}));
  EXPECT_EQ(names(of(Pass::decode)), (std::vector<std::string>{"q", "k", "v", "state_read", "state_write", "state", "o",
                                                               "token_states", "state_sum", "token_states_sum"}));
  EXPECT_EQ(
      names(of(Pass::backward)),
      (std::vector<std::string>{"q", "k", "v", "do", "cu_seqlens", "initial_state_sum", "initial_state", "dfinal_state",
                                "dq", "dk", "dv", "dinitial_state", "dfinal_state_sum", "dinitial_state_sum"}));
  const auto forward = of(Pass::forward), decode = of(Pass::decode), backward = of(Pass::backward);
  const Port &start = *find_port(forward, "initial_state_sum"), &pool = *find_port(decode, "state_sum"),
             &kept = *find_port(decode, "token_states_sum"), &slope = *find_port(backward, "dfinal_state_sum"),
             &gradient = *find_port(backward, "dinitial_state_sum");
  EXPECT_EQ(start.axes, (AxisList{Axis::sequences, Axis::value_heads, Axis::key}));
  EXPECT_EQ(pool.axes, (AxisList{Axis::slots, Axis::value_heads, Axis::key}));
  EXPECT_EQ(kept.axes, (AxisList{Axis::sequences, Axis::tokens, Axis::value_heads, Axis::key}));
  for (const Port* port : {&start, &pool, &kept, &slope, &gradient}) {
    EXPECT_EQ(port->type, dtype::f32) << port->name;
    EXPECT_EQ(possible_types(*port), std::vector{dtype::f32}) << port->name;
    EXPECT_EQ(port->optional, port != &pool) << port->name;
  }
  EXPECT_TRUE(pool.in_slots && pool.updated && pool.writable);
  EXPECT_EQ(gradient.role, PortRole::gradient);
  EXPECT_EQ(slope.role, PortRole::state);
  EXPECT_EQ(find_port(forward, "initial_state")->needs, "initial_state_sum") << "one without the other has no meaning";
  const Variant placed = variant("placed").write_scale(1 / (1 + position())).normalised(1);
  EXPECT_EQ(find_port(ports(placed, {}), "initial_state_sum")->needs, "start_positions");
  EXPECT_EQ(names(slots(variants::linear, options, Pass::backward)).size() + 3,
            slots(variants::performer, options, Pass::backward).size());
}

// Of a chain the first pass's state is carried beside the second's, and what is passed on has slots of launches alone.
// Inputs stand in the order of the passes that read them.
TEST(Ports, OfAChain) {
  const auto of = [&](Pass pass) { return ports(variants::abc, {}, pass); };
  EXPECT_EQ(names(of(Pass::forward)),
            (std::vector<std::string>{"q", "k", "v", "s", "cu_seqlens", "initial_state_scan", "initial_state_first",
                                      "initial_state", "o", "final_state", "final_state_scan", "final_state_first"}));
  EXPECT_EQ(find_port(of(Pass::forward), "s")->axes,
            (AxisList{Axis::batch, Axis::tokens, Axis::value_heads, Axis::memory_slot}));
  EXPECT_EQ(find_port(of(Pass::forward), "initial_state")->axes,
            (AxisList{Axis::sequences, Axis::value_heads, Axis::memory_slot, Axis::value}));
  EXPECT_EQ(find_port(of(Pass::decode), "state_first")->axes,
            (AxisList{Axis::slots, Axis::value_heads, Axis::key, Axis::memory_slot}));
  EXPECT_EQ(find_port(of(Pass::backward), "dfinal_state_scan")->axes,
            (AxisList{Axis::sequences, Axis::value_heads, Axis::memory_slot}));
  EXPECT_EQ(find_port(of(Pass::backward), "passed"), nullptr);
  const Variant chain = variant("chain")
                            .decay(per_value(-softplus(input("b"))))
                            .value(input("a"))
                            .then(second_pass().key(input("b")).value(value() * input("c")).query(passed()));
  const std::vector<Port> all = slots(chain, {}, Pass::backward);
  EXPECT_EQ(names(ports_of(all, PortRole::gate)), (std::vector<std::string>{"a", "b", "c", "passed"}));
  EXPECT_EQ(names(ports_of_stage(chain, {}, Pass::backward, Stage::first)),
            (std::vector<std::string>{"q", "k", "a", "b", "o", "cu_seqlens", "start_positions", "initial_state", "dq",
                                      "dk", "dfinal_state", "dinitial_state", "da", "db", "do"}));
}

// A running maximum is a constant to gradients.
TEST(Ports, OfARunningMaximum) {
  const auto of = [&](Pass pass) { return ports(variants::mlstm, {}, pass); };
  const auto forward = of(Pass::forward), decode = of(Pass::decode), backward = of(Pass::backward);
  for (const std::string name : {"initial_state_max", "final_state_max"}) {
    const Port* const port = find_port(forward, name);
    ASSERT_NE(port, nullptr) << name;
    EXPECT_EQ(port->axes, (AxisList{Axis::sequences, Axis::value_heads})) << name;
    EXPECT_EQ(port->type, dtype::f32) << name;
  }
  EXPECT_EQ(find_port(decode, "state_max")->axes, (AxisList{Axis::slots, Axis::value_heads}));
  EXPECT_EQ(find_port(decode, "token_states_max")->axes, (AxisList{Axis::sequences, Axis::tokens, Axis::value_heads}));
  EXPECT_NE(find_port(backward, "initial_state_max"), nullptr);
  EXPECT_NE(find_port(backward, "dinitial_state_sum"), nullptr);
  EXPECT_EQ(find_port(backward, "dfinal_state_max"), nullptr);
  EXPECT_EQ(find_port(backward, "dinitial_state_max"), nullptr);
  EXPECT_EQ(find_port(forward, "initial_state")->needs, "initial_state_max");
  EXPECT_EQ(find_port(forward, "initial_state_max")->needs, "initial_state_sum");
}

// A tensor has one slot in all passes of the same templates, and shares it with no other.
TEST(Ports, KeepTheirSlots) {
  const auto forward = ports(variants::mamba2, square_128), states = ports(variants::mamba2, square_128, Pass::states);
  std::set<int> slots;
  for (const Port& port : forward) EXPECT_TRUE(slots.insert(port.slot).second) << port.name;
  for (const Port& port : states) {
    const Port* const same = find_port(forward, port.name);
    EXPECT_TRUE(same == nullptr || same->slot == port.slot) << port.name;
  }
}

// What decoding takes beside a forward pass's tensors makes no other launch larger.
TEST(Ports, OfDecodingHaveNoSlotInOtherLaunches) {
  const std::vector<std::string> forward = names(slots(variants::linear, square_128, Pass::forward));
  EXPECT_EQ(forward, (std::vector<std::string>{"q", "k", "v", "cu_seqlens", "start_positions", "initial_state", "o",
                                               "final_state", "log_decay_total"}));
  for (const Pass pass : {Pass::states, Pass::combine})
    EXPECT_EQ(names(slots(variants::linear, square_128, pass)), forward);
  EXPECT_EQ(names(slots(variants::linear, square_128, Pass::decode)),
            (std::vector<std::string>{"q", "k", "v", "state_read", "state_write", "start_positions", "state", "o",
                                      "token_states"}));
}

TEST(Ports, OfDecodingSayWhereStatesStand) {
  const auto all = ports(variants::gla, {.state_dtype = dtype::bf16, .value_major_state = true}, Pass::decode);
  const Port &state = *find_port(all, "state"), &q = *find_port(all, "q"), &kept = *find_port(all, "token_states");
  EXPECT_EQ(state.axes, (AxisList{Axis::slots, Axis::value_heads, Axis::value, Axis::key}));
  EXPECT_TRUE(state.updated && state.writable && state.in_slots && !state.optional);
  EXPECT_EQ(state.type, dtype::bf16);
  EXPECT_EQ(q.axes, (AxisList{Axis::sequences, Axis::tokens, Axis::heads, Axis::key}));
  EXPECT_EQ(kept.axes, (AxisList{Axis::sequences, Axis::tokens, Axis::value_heads, Axis::value, Axis::key}));
  EXPECT_TRUE(kept.optional && kept.contiguous && kept.type == dtype::bf16);
  for (const char* list : {"state_read", "state_write"}) {
    EXPECT_TRUE(accepts(*find_port(all, list), dtype::i32)) << list;
    EXPECT_FALSE(accepts(*find_port(all, list), dtype::i64)) << list;
  }
}

// An input of such a name would be two tensors of one name: what declarations refuse is all of the table's names.
TEST(Ports, OfEveryVariantHaveNamesThatNoInputTakes) {
  for (const auto& [name, pass] : pass_names)
    for (const Port& port : slots(variants::performer, square_128, pass)) {
      Variant other = variant("other").decay(per_head(input("g")));
      EXPECT_NO_THROW(validate(other)) << "what is tried below differs by its name alone";
      other.nodes.names[0] = Name(port.name);
      EXPECT_THROW(validate(other), Error) << port.name;
    }
}

// From its row alone a port comes into the emitted text, the C header and the manifest, each time with its place.
TEST(Ports, FollowFromTheTable) {
  for (const Pass pass : {Pass::forward, Pass::states, Pass::combine, Pass::decode}) {
    const Program program = program_of(variants::mamba2, square_128, "sm_90a", pass);
    const std::string text = emit(program), header = c_header(program);
    const nlohmann::json manifest = nlohmann::json::parse(manifest_json(program));
    ASSERT_EQ(manifest.at("tensors").size(), program.ports.size());
    for (std::size_t i = 0; i < program.ports.size(); ++i) {
      const Port& port = program.ports[i];
      const std::string place = port.name + " = " + std::to_string(port.slot);
      EXPECT_TRUE(port.rule == TypeRule::own || text.find(" " + place) != std::string::npos) << place;
      EXPECT_NE(header.find("_port_" + place + ",  // "), std::string::npos) << place;
      EXPECT_EQ(manifest["tensors"][i].at("name"), port.name);
      const nlohmann::json& argument = manifest.at("arguments").at("ports").at(i);
      EXPECT_EQ(argument.at("index"), port.slot);
      EXPECT_NE(argument.at("about").get<std::string>().find(port.holds), std::string::npos) << argument;
      EXPECT_EQ(argument.at("may_be_null"), port.optional);
    }
  }
}

TEST(Ports, SayWhatCombiningWrites) {
  for (const Port& port : ports(variants::gla, square_128, Pass::combine)) {
    EXPECT_EQ(port.writable, port.name == "final_state") << port.name;
    EXPECT_EQ(port.updated, port.writable) << port.name;
    EXPECT_FALSE(port.optional) << port.name;
  }
  EXPECT_TRUE(find_port(ports(variants::gla, square_128, Pass::states), "log_decay_total")->writable);
}

TEST(Ports, StepsOfATokenStandSideBySide) {
  const std::vector<Port> all = ports(variants::delta_product, {.key_dim = 16, .value_dim = 16});
  const auto axes = [&](const char* name) { return find_port(all, name)->axes; };
  EXPECT_EQ(axes("k"), (AxisList{Axis::batch, Axis::steps, Axis::heads, Axis::key}));
  EXPECT_EQ(axes("v"), (AxisList{Axis::batch, Axis::steps, Axis::value_heads, Axis::value}));
  EXPECT_EQ(axes("beta"), (AxisList{Axis::batch, Axis::steps, Axis::value_heads}));
  EXPECT_EQ(axes("q"), (AxisList{Axis::batch, Axis::tokens, Axis::heads, Axis::key}));
  EXPECT_EQ(axes("g"), (AxisList{Axis::batch, Axis::tokens, Axis::value_heads}));
}

TEST(AxisSizes, StepsAreSoManyForEachToken) {
  AxisSizes sizes(3);
  EXPECT_FALSE(sizes.knows(Axis::steps));
  sizes.set(Axis::tokens, 5);
  EXPECT_EQ(sizes[Axis::steps], 15);
  sizes.set(Axis::steps, 7);
  EXPECT_NE(sizes[Axis::steps], 7) << "two tokens and a third of one";
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
