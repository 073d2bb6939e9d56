// SPDX-License-Identifier: MIT
// What is refused at run time: the same declarations, by the same sentences, as at compile time.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <rankone/dsl.hpp>

namespace {

struct WrongDeclaration {
  const char* file;
  rankone::Variant (*declare)();
};
std::vector<WrongDeclaration>& wrong_declarations() {
  static std::vector<WrongDeclaration> all;
  return all;
}
struct Registration {
  Registration(const char* file, rankone::Variant (*declare)()) { wrong_declarations().push_back({file, declare}); }
};

}  // namespace

#define RANKONE_JOIN_(a, b) a##b
#define RANKONE_JOIN(a, b) RANKONE_JOIN_(a, b)
#define REFUSED(...)                                                           \
  static const Registration RANKONE_JOIN(registration_, __COUNTER__)(__FILE__, \
                                                                     [] { return rankone::Variant(__VA_ARGS__); });
#include "refused_declarations.inc"

namespace {

std::string line_after(const char* file, const std::string& start) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);)
    if (line.rfind(start, 0) == 0) return line.substr(start.size());
  ADD_FAILURE() << file << " has no line '" << start << "'";
  return {};
}

TEST(Validate, RefusesAtRunTimeBySameSentences) {
  EXPECT_GE(wrong_declarations().size(), 30u);
  for (const auto& [file, declare] : wrong_declarations()) {
    const std::string given = line_after(file, "// Given: ");
    try {
      validate(declare());
      ADD_FAILURE() << file << " is accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), line_after(file, "// Must not compile: "));
      EXPECT_EQ(error.given(), given) << file;
      EXPECT_FALSE(error.accepted().empty()) << file;
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    }
  }
}

std::string sentence(const Variant& variant) {
  try {
    validate(variant);
    return "accepted";
  } catch (const Error& error) {
    return error.message();
  }
}

// Graphs that the builders cannot make, but data can.
TEST(Validate, RefusesMalformedGraphs) {
  const Variant good = variant("good").decay(per_head(log_sigmoid(input("x"))));
  EXPECT_EQ(sentence(good), "accepted");
  const auto changed = [&](auto change) {
    Variant wrong = good;
    change(wrong.nodes);
    return sentence(wrong);
  };
  const std::string operands = "an operation has all of its operands, and they stand before it";
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[1].left = 1; }), operands);
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[1].left = -1; }), operands);
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[1].right = 0; }), operands);
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[0].left = 0; }), operands);
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[1].operation = static_cast<Operation>(99); }),
            "an operation is one that the enumeration lists");
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.size = 257; }), "a declaration has at most 256 different nodes");
  const std::string names = "inputs, parameters and scalars have a name, and nothing else has";
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[0].name = -1; }), names);
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[0].name = 1; }), names);
  EXPECT_EQ(changed([](Graph<max_nodes>& e) { e.nodes[1].name = 0; }), names);
  Variant rootless = good;
  rootless.results[0] = 3;
  EXPECT_EQ(sentence(rootless), "the result of a formula is one of the nodes");

  Expression loop = tanh(input("x"));
  loop.nodes[1].left = 1;
  EXPECT_THROW((void)variant("loop").decay(per_head(loop)), Error);
}

// Each formula in turn, beside a catalogue whose entries lack it.
TEST(Validate, DeclarationsLeaveOthersAlone) {
  static constexpr Variant others[] = {
      variant("a")
          .decay(per_key(input("g")))
          .query(2 * query())
          .key(1 - decay())
          .value(2 * value())
          .write_scale(input("b"))
          .erase(input("b"))
          .erase_read(key())
          .erase_write(-key())
          .bonus(param("u"))
          .output(2 * read())
          .feature_map(relu)
          .checked(),
      variant("b").feature_map(silu).checked(),
      variant("c").write_scale(input("b")).checked(),
      variant("d").phase(per_head(input("p"))).write_log_scale(input("i")).output(read() / unit()).checked(),
      variant("e").value_erase(input("b")).value_erase_read(value()).value_erase_write(-value()).checked(),
      variant("f").cumulative_sum(key()).query(query() * scanned()).checked(),
      variant("g").write_lagged(input("l")).checked()};
  for (const Slot& slot : formula_slots) {
    EXPECT_TRUE(std::ranges::any_of(others, [&](const Variant& other) { return other.has(slot.formula); }))
        << slot.name;
    EXPECT_FALSE(catalogue()[0].has(slot.formula)) << slot.name;
    EXPECT_FALSE(find_variant("gla")->has(slot.formula) && slot.formula != Formula::decay) << slot.name;
  }
  for (const Variant& variant : catalogue()) EXPECT_EQ(sentence(variant), "accepted") << variant.name.text;
}

// Of a formula that is replaced nothing stays, and the order of a declaration does not matter.
TEST(Validate, VariantsHoldTheirFormulasOnce) {
  const auto gate = [](const char* name) { return log_sigmoid(input(name)); };
  const Variant twice = variant("v").decay(per_head(gate("a"))).write_scale(gate("b")).decay(per_head(gate("c")));
  const Variant once = variant("v").write_scale(gate("b")).decay(per_head(gate("c")));
  EXPECT_TRUE(twice == once);
  EXPECT_EQ(twice.nodes.size, once.nodes.size);
  EXPECT_EQ(inputs_of(twice)[0].view(), "c");
  EXPECT_FALSE(once == once.decay(constant(-1)) || once == once.write_scale(gate("a")));
  EXPECT_EQ(variants::mamba2.nodes.size, 8);  // softplus(dt + dt_bias) stands once
  EXPECT_LT(sizeof(Variant), 6000u);
}

TEST(Validate, RefusesEnumeratorsThatDoNotExist) {
  Variant wrong = variant("wrong");
  wrong.level_ = static_cast<Level>(7);
  EXPECT_EQ(sentence(wrong), "a level is automatic, serial, chunk or segment");
  wrong = variant("wrong");
  wrong = wrong.decay({Axes::token | Axes::key, Expression(-1)});
  EXPECT_EQ(sentence(wrong), "a decay is none, constant, per_head, per_key, per_value or full");
  wrong = wrong.decay({Axes::none, Expression(-1)});
  EXPECT_EQ(sentence(wrong), "a decay of kind none has no formula");
}

// The edges of what is accepted.
constexpr auto sums = input("a") + input("b") + input("c") + input("d") + input("e") + input("f");
static_assert(inputs_of(variant("six").decay(per_head(sums)).checked()).size == 6);
static_assert(variant("small").chunk(16).checked().chunk_ == 16 && variant("large").chunk(128).checked().chunk_ == 128);
static_assert(variant("reset").decay(constant(0)).checked().decay_axes() == Axes::value_head);
static_assert(variant("negative").scale(-2).checked().scale_ == -2);
static_assert(variant("mixed")
                  .decay(per_key(input("x", value_head_axis) + param("b", key_axis) + param("c", head_axis)))
                  .checked()
                  .name == Name("mixed"));
static_assert(inputs_of(variant("named").decay(per_key(input("x", value_head_axis))).write_scale(input("x")).checked())
                  .size == 1);

}  // namespace
