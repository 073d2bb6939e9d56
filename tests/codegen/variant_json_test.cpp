// SPDX-License-Identifier: MIT
// Variants and schedules through JSON and back, and refused JSON.
#include <rankone/variant_json.hpp>

#include "codegen/schedule_json.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

void expect_same(const Variant& a, const Variant& b) {
  EXPECT_TRUE(a == b);
  EXPECT_EQ(a.name, b.name);
  for (const Slot& slot : formula_slots) {
    EXPECT_EQ(a.domain(slot.formula), b.domain(slot.formula)) << slot.name;
    EXPECT_TRUE(a.formula(slot.formula) == b.formula(slot.formula)) << slot.name;
  }
  EXPECT_EQ(a.scale_, b.scale_);
  EXPECT_EQ(a.steps_, b.steps_);
  EXPECT_EQ(a.chunk_, b.chunk_);
  EXPECT_EQ(a.level_, b.level_);
}

TEST(VariantJson, ReadsBackWhatItWrote) {
  for (const Variant& variant : catalogue()) {
    SCOPED_TRACE(std::string(variant.name.view()));
    const std::string text = variant_to_json(variant);
    const Variant read = variant_from_json(text);
    expect_same(variant, read);
    EXPECT_EQ(variant_to_json(read), text);
    EXPECT_EQ(variant_to_json(variant_from_json(variant_to_json(variant, 2))), text);
  }
}

TEST(VariantJson, HoldsEverythingThatADeclarationCan) {
  const Variant declared =
      variant("all_of_it")
          .decay(per_key(-softplus(input("x", head_axis | key_axis) + param("b", value_head_axis)) / 3))
          .key(key() * (1 - decay()))
          .write_scale(sigmoid(input("w")) * scalar("gain"))
          .feature_map(silu)
          .scale(0.3)
          .chunk(48)
          .level(Level::chunk);
  validate(declared);
  expect_same(declared, variant_from_json(variant_to_json(declared)));
}

// A chain's second pass is an object in the first, of formulas, a read and an order of erasures.
TEST(VariantJson, HoldsASecondPass) {
  const Variant chain =
      variant("chain")
          .decay(per_value(-softplus(input("g"))))
          .value(input("s", value_head_axis | Axes::slot) * param("c", {Axes::slot}))
          .reversed()
          .scale(2)
          .then(second_pass().key(input("s")).erase(0.5).erase_undecayed().exclusive().query(softmax(passed())));
  validate(chain);
  const std::string text = variant_to_json(chain);
  const Variant read = variant_from_json(text);
  EXPECT_TRUE(read == chain) << text;
  EXPECT_EQ(variant_to_json(read), text);
  EXPECT_FALSE(read == chain.with(Formula::bonus, 1.0));
  EXPECT_FALSE(holds(variant_to_json(variants::gla), "then"));
  const auto refusal = [](const std::string& then) {
    return refusal_of(
        [&] { variant_from_json(R"-({"name": "chain", "value": "input(s)", "then": )-" + then + "}", "file"); });
  };
  EXPECT_TRUE(holds(refusal(R"-({"key": "input(s)", "query": "input(x)"})-"), "passed() in its formula"));
  // Of the formula that it is said of.
  for (const auto& [then, where] :
       {std::pair(R"-({"key": "input(s)", "query": "input(x)"})-", "file.then.query: the query"),
        std::pair(R"-({"key": "input(s)"})-", "file.then.query: the query"),
        std::pair(R"-({"query": "passed()"})-", "file.then.key: a chain's second pass"),
        std::pair(R"-({"key": "key()", "query": "passed()"})-", "file.then.key: a chain's second pass"),
        std::pair(R"-({"key": "input(s)", "query": "passed()", "write_scale": "read()"})-", "file.then.write_scale: "),
        std::pair(R"-({"key": "input(s)", "query": "passed()", "bonus": "value()"})-",
                  "file.then.bonus: value() stands"),
        std::pair(R"-({"decay": {"kind": "per_key", "log_decay": "2"}, "key": "input(s)", "query": "passed()"})-",
                  "file.then.decay: ")})
    EXPECT_TRUE(holds(refusal(then), where)) << refusal(then);
  EXPECT_TRUE(holds(refusal(R"-({"key": "input(s)", "query": "passed()", "scale": 1})-"), "given \"scale\""));
  EXPECT_TRUE(holds(refusal(R"-({"key": "input(s", "query": "passed()"})-"), "file.then.key"));
}

// A phase has its kind as a decay has, and none is written where there is none.
TEST(VariantJson, HoldsAPhaseAndItsKind) {
  for (const Rate& angle : {constant(head() * 0.1), per_head(input("p")), per_key(input("p") * param("w"))}) {
    const Variant turning = variant("turning").decay(per_head(input("g"))).phase(angle).write_lagged(input("l") / 2);
    expect_same(turning, variant_from_json(variant_to_json(turning)));
  }
  EXPECT_FALSE(holds(variant_to_json(variants::gla), "phase"));
  const auto refusal = [](const std::string& phase) {
    return refusal_of([&] { variant_from_json(R"({"name": "turning", "phase": )" + phase + "}"); });
  };
  EXPECT_TRUE(holds(refusal(R"-({"kind": "full", "phase": "input(p)"})-"), "a phase is constant, per_head or per_key"));
  EXPECT_TRUE(holds(refusal(R"({"kind": "per_head"})"), "a phase of another kind than none has a formula"));
}

TEST(VariantJson, KeepsEveryDigitOfAConstant) {
  const Variant declared = variant("digits").decay(constant(-1.0 / 3)).scale(1.0 / 7);
  expect_same(declared, variant_from_json(variant_to_json(declared)));
}

TEST(VariantJson, AFunctionByItsNameIsAFeatureMap) {
  for (const char* name : {"relu", "relu(element())"})
    expect_same(variant("mapped").feature_map(relu),
                variant_from_json(std::string(R"({"name": "mapped", "feature_map": ")") + name + "\"}"));
  const auto refusal = [](const std::string& name) {
    return refusal_of([&] { variant_from_json(R"({"name": "mapped", "feature_map": ")" + name + "\"}"); });
  };
  for (const char* name : {"max", "-", "element"}) EXPECT_FALSE(refusal(name).empty()) << name;
}

struct Refusal {
  const char* text;
  std::vector<const char*> said;
};

TEST(VariantJson, RefusesWithWhatIsAccepted) {
  const Refusal refusals[] = {
      {"", {"file.json", "not JSON"}},
      {"{\"name\": \"x\"", {"not JSON", "line 1"}},
      {"[1]", {"a JSON object is needed", "[1]"}},
      {"{}", {"'name' is missing"}},
      {R"-({"name": 3})-", {"file.json.name", "a string is needed", "given 3"}},
      {R"-({"name": "x", "decai": {}})-", {"unknown member", "\"decai\"", "decay, phase, query"}},
      {R"-({"name": "x", "name": "y"})-", {"stands twice"}},
      {R"-({"name": "x", "decay": "per_key"})-", {"file.json.decay", "a JSON object is needed"}},
      {R"-({"name": "x", "decay": {"kind": "per_token"}})-", {"unknown name", "'per_token'", "per_head, per_key"}},
      {R"-({"name": "x", "decay": {"kind": "per_token"}})-", {"accepted: none, constant, per_head, per_key"}},
      {R"-({"name": "x", "decay": {"kind": "per_key"}})-", {"file.json.decay: ", "has a formula"}},
      {R"-({"name": "x", "decay": {"kind": "per_key", "log_decay": "input(g"}})-",
       {"file.json.decay.log_decay", "input is not closed"}},
      {R"-({"name": "x", "decay": {"kind": "per_head", "log_decay": "input(g, HV | K)"}})-", {"no axis K"}},
      {R"-({"name": "x", "decay": {"kind": "constant", "log_decay": "0.5"}})-", {"at most 0"}},
      {R"-({"name": "x", "feature_map": "input(g)"})-", {"file.json.feature_map: ", "feature map"}},
      {R"-({"name": "x", "decay": {"kind": "per_key", "log_decay": "input(q)"}})-", {"taken", "given 'q'"}},
      {R"-({"name": "x", "scale": "big"})-", {"a number is needed"}},
      {R"-({"name": "x", "scale": 0})-", {"scale"}},
      {R"-({"name": "x", "scale": 1e999})-", {"a number is out of range; given 1e999"}},
      {R"-({"name": "x\u0000y"})-", {"file.json.name: ", "zero byte", "'x\\x00y'"}},
      {R"-({"name": "x", "chunk": 50})-", {"file.json.chunk: ", "multiple of 16", "given 50"}},
      {R"-({"name": "x", "chunk": 32.5})-", {"a whole number is needed"}},
      {R"-({"name": "x", "level": "block"})-", {"'block'", "serial, chunk, segment"}},
      {R"-({"name": "two words"})-", {"starts with a letter"}},
      {R"-({"name": "a_name_that_is_longer_than_accepted"})-", {"31 characters"}}};
  for (const Refusal& refusal : refusals) {
    const std::string sentence = refusal_of([&] { variant_from_json(refusal.text, "file.json"); });
    for (const char* part : refusal.said) EXPECT_TRUE(holds(sentence, part)) << refusal.text << "\n" << sentence;
  }
  std::string deep = "{\"name\": ";
  for (int i = 0; i < 100000; ++i) deep += "[";
  EXPECT_TRUE(holds(refusal_of([&] { variant_from_json(deep); }), "nested too deeply"));
}

TEST(ScheduleJson, ReadsBackWhatItWrote) {
  const Schedule schedule{.level = Level::chunk, .chunk = 48, .value_tile = 32, .warps = 1, .stages = 1};
  EXPECT_EQ(schedule_from_json(schedule_to_json(schedule)), schedule);
  EXPECT_TRUE(holds(refusal_of([] { schedule_from_json(R"-({"family": "portable"})-"); }), "'level' is missing"));
  EXPECT_TRUE(holds(refusal_of([] { schedule_from_json(R"-({"blocks": 1})-"); }), "unknown member"));
  EXPECT_TRUE(holds(refusal_of([] {
                      schedule_from_json(R"-({"family": "ampere", "level": "serial", "chunk": 64,
      "value_tile": 64, "warps": 4, "stages": 2})-");
                    }),
                    "portable"));
}

}  // namespace
}  // namespace rankone
