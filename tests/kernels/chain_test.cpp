// SPDX-License-Identifier: MIT
// Chains on the CPU device, in every pass: slots in another number than keys, several value tiles of either pass, and
// all that may stand in one.
#include "codegen/choose.hpp"
#include "codegen/program.hpp"
#include "runtime/cpu/device.hpp"
#include "tests/kernels/every_pass.hpp"
#include "tests/refusal.hpp"

namespace rankone::test {
namespace {

constexpr Axes of_slots{Axes::value_head, Axes::slot};

constexpr Variant chains[] = {
    variants::gsa, variants::abc,
    // Tensors of one pass, of both, and of all axes; what is read before a token, and outputs of formulas.
    variant("rich")
        .feature_map(silu)
        .decay(full(log_sigmoid(input("x", {Axes::value_head, Axes::key})) / 2 +
                    log_sigmoid(input("g", of_slots) + param("c", of_slots))))
        .value(tanh(input("s") * param("c")))
        .bonus(param("u"))
        .output(read() * sigmoid(input("s")))
        .then(second_pass()
                  .decay(per_key(log_sigmoid(input("g") + param("c"))))
                  .key(sigmoid(input("s", of_slots)) / 2)
                  .value(value() * input("w"))
                  .query(softmax(passed() * param("t", {Axes::slot})))
                  .output(read() + value() * param("d"))
                  .exclusive())
        .checked(),
    variant("erasing")
        .decay(per_head(log_sigmoid(input("f"))))
        .feature_map(l2_normalize)
        .value(sigmoid(input("s")))
        .erase(sigmoid(input("b")))
        .then(second_pass()
                  .decay(full(-softplus(input("s", of_slots) + param("e", {Axes::value}))))
                  .key(softmax(input("s")))
                  .erase(sigmoid(input("b")))
                  .query(l2_normalize(passed(), 1)))
        .reversed()
        .checked(),
    // Nothing that both read but the scan, and no tensor of the first pass's formulas alone.
    variant("sums")
        .cumulative_sum(-softplus(input("s") + param("c")))
        .decay(per_value((scanned() - scanned_before()) / 4))
        .value(exp(scanned() / 8) / (1 + position() / 64))
        .then(second_pass()
                  .decay(per_key((scanned() - scanned_before()) / 4))
                  .key(tanh(scanned_before() / 4))
                  .query(passed() + scanned() / 16))
        .permuted()
        .checked(),
    variant("bare").value(1).then(second_pass().key(0.5).query(passed() * input("x"))).checked(),
    // Names that end as those of the library's tensors do.
    variant("names")
        .decay(per_value(log_sigmoid(input("x_first"))))
        .value(sigmoid(input("my_state") + param("w_states")))
        .then(second_pass()
                  .decay(per_key(log_sigmoid(input("y_state_scan"))))
                  .key(sigmoid(input("x_first")))
                  .query(softmax(passed() + input("z_first"))))
        .checked()};

CompileOptions options_for(dtype type, bool value_major = false) {
  return {.key_dim = 24,
          .value_dim = 36,
          .slot_dim = 20,
          .dtype = type,
          .value_major_state = value_major,
          .pins = {.value_tile = 16}};
}

// B rows of T tokens with two value heads.
struct Rows {
  std::int64_t batch = 1, tokens = 1;
};
Dims dims_of(const CompileOptions& options, const Rows& rows) {
  return {.batch = rows.batch,
          .tokens = rows.tokens,
          .heads = 1,
          .value_heads = 2,
          .key_dim = options.key_dim,
          .value_dim = options.value_dim,
          .slot_dim = options.slot_dim,
          .sequences = rows.batch};
}

// Each in bf16 and f32; a short run takes every third.
TEST(Chains, AreRightInEveryPass) {
  std::uint64_t seed = 1;
  std::size_t number = 0;
  for (const Variant& variant : chains) {
    for (const dtype type : {dtype::bf16, dtype::f32}) {
      if (runs_in_turn(number++, 3))
        expect_right_in_every_pass(variant, options_for(type, seed % 2 == 0), seed, {.tokens = seed < 12 ? 70 : 21});
      seed += 3;
    }
  }
}

// What values erase is read of all columns: one tile of the pass that does, and others of the other one.
TEST(Chains, HaveOneTileWhereValuesErase) {
  constexpr Variant written = variant("oja").decay(per_value(log_sigmoid(input("g")))).value(sigmoid(input("s"))),
                    read = second_pass().key(sigmoid(input("s"))).query(softmax(passed()));
  constexpr Variant erasing[] = {written.value_erase(sigmoid(input("b")) / 4).then(read).checked(),
                                 written.then(read.value(value() / 4).value_erase(sigmoid(input("b")) / 4)).checked(),
                                 written.value_erase(sigmoid(input("b")) / 4)
                                     .then(read.value(value() / 4).value_erase(sigmoid(input("b")) / 4))
                                     .checked()};
  std::uint64_t seed = 40;
  for (const Variant& variant : erasing)
    for (const dtype type : {dtype::bf16, dtype::f32}) {
      CompileOptions options = options_for(type);
      options.pins = {};
      ++seed;
      if (runs_in_turn(seed, 3)) expect_right_in_every_pass(variant, options, seed, {.tokens = 21, .packs = false});
    }
}

// However wide the other pass is.
TEST(Chains, HaveSchedulesWhereOnePassIsWhole) {
  constexpr Variant narrow = variant("narrow").value(1).value_erase(0.5).then(second_pass().key(1).query(passed())),
                    wide = variant("wide").value(1).then(second_pass().key(1).query(passed()).value_erase(0.5));
  for (const Variant& variant : {narrow, wide})
    for (const Pass pass : {Pass::forward, Pass::backward, Pass::decode}) {
      const bool is_narrow = variant.name.view() == "narrow";
      const CompileOptions options{.key_dim = 64, .value_dim = is_narrow ? 512 : 128, .slot_dim = is_narrow ? 64 : 256};
      const std::vector<Schedule> all = schedules_of(pass, variant, options, "sm_90a");
      EXPECT_FALSE(all.empty()) << variant.name.view();
      for (const Schedule& each : all) EXPECT_LE(each.value_tile, 128) << "of the pass that may have several";
    }
}

// What the first pass is off by, a steep query enlarges: that is no error of the kernels.
TEST(Chains, AreJudgedByWhatTheirQueriesEnlarge) {
  constexpr Variant steep =
      variant("steep").value(input("s")).then(second_pass().key(input("s")).query(softmax(64 * passed()))).checked();
  CompileOptions options = options_for(dtype::f32);
  options.precision = Precision::f32;
  Problem problem = random_problem(steep, options, dims_of(options, {.tokens = 40}), {.seed = 5});
  expect_right(compile(steep, options, cpu_device(1)), problem, "steep");
}

// Slots as few as one and as many as there may be, of which each has a thread for the softmax.
TEST(Chains, AreRightForAnyNumberOfSlots) {
  for (const int slots : {1, 7, 64, 200, 256}) {
    const CompileOptions options{.key_dim = 16, .value_dim = 12, .slot_dim = slots, .dtype = dtype::f32};
    Problem problem = random_problem(variants::gsa, options, dims_of(options, {.tokens = 9}), {.seed = 3});
    expect_right(compile(variants::gsa, options, cpu_device(3)), problem, "M = " + std::to_string(slots));
  }
}

// The first pass's state may be written where it was read, as the second's may; a scan may not.
TEST(Chains, WriteBothStatesInPlace) {
  const CompileOptions options = options_for(dtype::f32);
  Problem problem = random_problem(variants::gsa, options, dims_of(options, {.batch = 2, .tokens = 20}), {.seed = 4});
  const Operator op = compile(variants::gsa, options, cpu_device(1));
  const std::vector<HostTensor> expected = reference_outputs(problem);
  HostTensor o = make_tensor("o", dtype::f32, {2, 20, 2, 36});
  ForwardArguments arguments;
  for (HostTensor& tensor : problem.tensors) bind_tensor(arguments, tensor.name, tensor.view());
  arguments.o = o.view();
  for (const char* which : {"state", "state_first"})
    bind_tensor(arguments, std::string("final_") + which, problem.find(std::string("initial_") + which)->view());
  std::vector<std::byte> workspace(op.workspace_bytes({.batch = 2, .tokens = 20, .heads = 1, .value_heads = 2}));
  arguments.workspace = workspace;
  op.forward(arguments);
  for (const HostTensor& truth : expected) {
    const bool is_output = truth.name == "o";
    const HostTensor& got = is_output ? o : *problem.find("initial_" + truth.name.substr(std::string("final_").size()));
    for (std::int64_t i = 0; i < truth.view().elements(); ++i)
      ASSERT_NEAR(load(got.bytes.data(), got.type, i), load(truth.bytes.data(), truth.type, i), 1e-4) << truth.name;
  }
}

// A row writes the slot that it reads: the scan, which both passes read, is written once the second has.
TEST(Chains, DecodeInPlace) {
  for (const Variant& variant : {variants::gsa, variants::abc})
    for (const dtype type : {dtype::bf16, dtype::f32}) {
      const CompileOptions options = options_for(type);
      Problem problem = random_problem(variant, options, dims_of(options, {.batch = 3, .tokens = 4}),
                                       {.seed = 6, .pass = Pass::decode, .in_place = true});
      expect_right(compile(variant, options, cpu_device(2)), problem, std::string(variant.name.view()));
    }
}

// A gradient that nobody wants is left out, whichever pass it is of; with equal bits on every run.
TEST(Chains, WriteTheGradientsThatAreWanted) {
  const Variant& rich = chains[2];
  const CompileOptions options = options_for(dtype::f32);
  BackwardProblem call(random_problem(rich, options, dims_of(options, {.tokens = 20}), {.seed = 9}), 9);
  const Operator op = compile(rich, options, cpu_device(1)), other = compile(rich, options, cpu_device(2));
  const std::vector<HostTensor> once = gradients_of(op, call), again = gradients_of(other, call);
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(once[i].bytes, again[i].bytes) << once[i].name;
  for (const Port& port : call.gradients())
    expect_right_gradients(op, call, "without " + port.name, {.unwanted = {port.name}});
}

// Slots are of chains alone, and in range.
TEST(Chains, AreGivenTheirSlots) {
  const auto said = [](const Variant& variant, const CompileOptions& options) {
    return refusal([&] { compile(variant, options, cpu_device(1)); });
  };
  EXPECT_EQ(said(variants::gsa, {.key_dim = 24, .value_dim = 36, .slot_dim = 257}),
            "gsa: M is out of range; given M = 257; accepted: 1 to 256");
  EXPECT_EQ(
      said(variants::gla, {.key_dim = 24, .value_dim = 36, .slot_dim = 16}),
      "gla: slots stand between the passes of a chain, and this variant has one pass; given M = 16; accepted: no M");
  const std::string in_chunks =
      said(variants::gsa, {.key_dim = 24, .value_dim = 36, .pins = {.family = Family::portable}});
  EXPECT_NE(in_chunks.find("the portable family has no form in chunks for a second pass"), std::string::npos)
      << in_chunks;
  const Operator op = compile(variants::gsa, {.key_dim = 24, .value_dim = 36, .slot_dim = 20}, cpu_device(1));
  EXPECT_EQ(op.workspace_bytes({.batch = 2, .tokens = 5, .heads = 1, .value_heads = 3}), 2u * 5 * 3 * 20 * 4);
  EXPECT_FALSE(op.supports(Pass::states));
}

}  // namespace
}  // namespace rankone::test
