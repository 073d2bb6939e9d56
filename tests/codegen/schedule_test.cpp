// SPDX-License-Identifier: MIT
// Legal schedules, the default one, pins, and the sizes that follow from a program.
#include <algorithm>
#include <set>

#include "codegen/choose.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/schedule_json.hpp"
#include "codegen/space.hpp"
#include "tests/codegen/helpers.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone {
namespace {

const CompileOptions square_128{.key_dim = 128, .value_dim = 128};

TEST(Archs, AreKnownByName) {
  std::vector<std::string> names;
  for (const ArchLimits& arch : known_archs()) names.push_back(arch.arch);
  EXPECT_EQ(names, (std::vector<std::string>{"sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120a"}));
  EXPECT_EQ(arch_limits("sm_90a").shared_bytes_per_block, 227 * 1024);
  EXPECT_EQ(arch_limits("sm_90").arch, "sm_90");
  EXPECT_EQ(arch_limits("sm_86").shared_bytes_per_block, 99 * 1024);
  for (const char* wrong : {"sm_70", "sm_75", "sm_9", "", "h100", "sm_90aa", "sm_80a"})
    EXPECT_TRUE(holds(refusal_of([&] { arch_limits(wrong); }), "accepted: sm_80, sm_86")) << wrong;
}

TEST(Space, HasManyCandidatesAndNoneTwice) {
  for (const Variant& variant : catalogue()) {
    const CompileOptions options = usual_options(variant, square_128);
    const auto legal = legal_schedules(variant, options, "sm_90a");
    // Hundreds of features leave few ways to share them, both parts of a complex state and a chain's sum over slots, which
    // takes a thread for each of them, some, and values that erase one tile.
    const unsigned few = variant.has(Formula::value_erase) ? 3
                         : has_features(variant)           ? 4
                         : variant.is_complex()            ? 8
                         : variant.chains_                 ? 8
                                                           : 12;
    EXPECT_GE(legal.size(), part_without_chunks(variant).empty() ? 24u : few) << variant.name.view();
    std::set<std::string> texts;
    for (const Schedule& schedule : legal) texts.insert(to_string(schedule));
    EXPECT_EQ(texts.size(), legal.size());
    EXPECT_EQ(legal, legal_schedules(variant, options, "sm_90a"));
  }
}

TEST(Space, FitsEveryArchitectureAndSize) {
  std::size_t number = 0;
  for (const Variant& variant : catalogue())
    for (const ArchLimits& arch : known_archs())
      for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32})
        for (const auto& [keys, values] : {std::pair{1, 1}, {16, 512}, {20, 24}, {64, 128}, {256, 512}}) {
          if (!test::runs_in_turn(number++, 4)) continue;
          const CompileOptions options = usual_options(variant, {.key_dim = keys, .value_dim = values, .dtype = type});
          const Schedule chosen = default_schedule(variant, options, arch.arch);
          const Program program = lower(variant, options, chosen, arch.arch);
          for (const Kernel& kernel : program.kernels) EXPECT_LE(kernel.shared_bytes, arch.shared_bytes_per_block);
        }
}

// Inputs of keys that no block has room for a chunk of.
TEST(Space, WhatIsTooLargeForChunksRunsTokenByToken) {
  const auto each = [](const char* name) { return input(name, value_head_axis | key_axis); };
  const Variant many = variant("many")
                           .decay(per_key(log_sigmoid(each("a") + each("b") + each("c"))))
                           .query(query() * each("d") + each("e") * each("f"));
  const CompileOptions options{.key_dim = 256, .value_dim = 64, .dtype = dtype::f32};
  EXPECT_EQ(default_schedule(many, options, "sm_86").family, Family::recurrent);
  EXPECT_EQ(default_schedule(many, options, "sm_90a").family, Family::portable);
}

TEST(Space, GrowsWithSharedMemory) {
  const auto on = [](const char* arch) { return legal_schedules(variants::gla, square_128, arch).size(); };
  EXPECT_LT(on("sm_86"), on("sm_80"));
  EXPECT_LT(on("sm_80"), on("sm_90a"));
}

TEST(Space, LeavesTilesBeyondTheLastColumnOut) {
  for (const Schedule& schedule : legal_schedules(variants::linear, {.key_dim = 64, .value_dim = 20}, "sm_90a"))
    EXPECT_LE(schedule.value_tile, 32);
}

TEST(Pins, Hold) {
  CompileOptions options = square_128;
  options.pins.level = Level::chunk;
  options.pins.chunk = 48;
  options.pins.stages = 1;
  for (const Schedule& schedule : legal_schedules(variants::gla, options, "sm_90a")) {
    EXPECT_EQ(schedule.level, Level::chunk);
    EXPECT_EQ(schedule.chunk, 48);
    EXPECT_EQ(schedule.stages, 1);
  }
  EXPECT_EQ(default_schedule(variants::gla, options, "sm_90a").chunk, 48);
  constexpr auto pinned = variant("pinned").chunk(16).level(Level::chunk).checked();
  const Schedule schedule = default_schedule(pinned, square_128, "sm_80");
  EXPECT_EQ(schedule.chunk, 16);
  EXPECT_EQ(schedule.level, Level::chunk);
}

TEST(Pins, AreRefusedWhereNothingFits) {
  const auto refused = [](CompileOptions options, const Variant& variant = variants::gla) {
    return refusal_of([&] { default_schedule(variant, options, "sm_90a"); });
  };
  CompileOptions options = square_128;
  options.pins.chunk = 20;
  EXPECT_EQ(refused(options),
            "pins.chunk: no kernel family takes this 'chunk'; given chunk=20; accepted: chunk of 32, 64 (hopper); "
            "multiples of 16 from 16 to 128 (portable)");
  options = square_128;
  options.pins.warps = 3;
  EXPECT_TRUE(holds(refused(options), "a value tile has 8, 16 or 32 columns a warp; given warps=3 with bf16, K = 128"))
      << refused(options);
  options = square_128;
  options.pins.stages = -1;
  EXPECT_TRUE(holds(refused(options), "stages=-1"));
  options = square_128;
  options.pins.chunk = 32;
  EXPECT_TRUE(holds(refused(options, variant("pinned").chunk(64)), "pinned twice"));
}

// What a refusal says is accepted is not refused again.
TEST(Pins, OfChunksAreRefusedByWhatServesWithoutThem) {
  const auto refused = [](const Pins& pins) {
    CompileOptions options = square_128;
    options.pins = pins;
    return refusal_of([&] { default_schedule(variants::delta, options, "sm_90a"); });
  };
  const auto accepts = [](const std::string& text, const char* accepted) { return text.ends_with(accepted); };
  EXPECT_TRUE(refused({.chunk = 32}).starts_with("pins.chunk: ")) << refused({.chunk = 32});
  EXPECT_TRUE(holds(refused({.chunk = 32}), "no form in chunks for what is erased")) << refused({.chunk = 32});
  EXPECT_TRUE(accepts(refused({.chunk = 32}), "accepted: no 'chunk'")) << refused({.chunk = 32});
  EXPECT_TRUE(accepts(refused({.warps = 32}), "accepted: warps of 1, 2, 4, 8, 16")) << refused({.warps = 32});
  EXPECT_TRUE(accepts(refused({.family = Family::portable, .chunk = 32, .warps = 3}),
                      "accepted: family=recurrent with no chunk and warps of 1, 2, 4, 8, 16"))
      << refused({.family = Family::portable, .chunk = 32, .warps = 3});
  EXPECT_TRUE(accepts(refused({.cluster = 2}), "accepted: no 'cluster'")) << refused({.cluster = 2});
  EXPECT_TRUE(accepts(refused({.family = Family::hopper}), "accepted: family=recurrent"))
      << refused({.family = Family::hopper});
}

// Of the families in chunks one alone has a form.
TEST(Pins, OfAFamilyWithoutTheFormNameTheOneThatHasIt) {
  static constexpr Variant halved = variant("halved").query(query() / 2).checked();
  const auto refused = [](const Pins& pins) {
    CompileOptions options = square_128;
    options.pins = pins;
    return refusal_of([&] { default_schedule(halved, options, "sm_90a"); });
  };
  EXPECT_EQ(default_schedule(halved, square_128, "sm_90a").family, Family::portable);
  EXPECT_TRUE(
      holds(refused({.family = Family::hopper}), "the Hopper family has no form in chunks for a formula for the query"))
      << refused({.family = Family::hopper});
  EXPECT_TRUE(refused({.family = Family::hopper}).ends_with("accepted: family=portable"))
      << refused({.family = Family::hopper});
  EXPECT_TRUE(refused({.level = Level::segment}).starts_with("pins.level: ")) << refused({.level = Level::segment});
  EXPECT_TRUE(refused({.level = Level::segment}).ends_with("accepted: family=portable with level of serial, chunk"))
      << refused({.level = Level::segment});
}

// Beside decays of value columns the Hopper family keeps a bonus where one more input would stand.
TEST(Pins, OfAFamilyWithoutRoomForABonusSaySo) {
  static constexpr Variant most = variant("most")
                                      .decay(per_value(input("g")))
                                      .write_scale(sigmoid(input("a") + input("b") + input("c") + input("d")))
                                      .bonus(input("u"))
                                      .checked();
  CompileOptions options = square_128;
  EXPECT_EQ(default_schedule(most, options, "sm_90a").family, Family::portable);
  options.pins.family = Family::hopper;
  const std::string refusal = refusal_of([&] { default_schedule(most, options, "sm_90a"); });
  EXPECT_TRUE(holds(refusal, "'most' has as many inputs as there may be")) << refusal;
}

TEST(Options, AreCheckedFirst) {
  const auto refused = [](CompileOptions options) {
    return refusal_of([&] { default_schedule(variants::gla, options, "sm_90a"); });
  };
  EXPECT_TRUE(holds(refused({.key_dim = 0, .value_dim = 64}), "K is out of range; given K = 0; accepted: 1 to 256"));
  EXPECT_TRUE(holds(refused({.key_dim = 257, .value_dim = 64}), "K = 257"));
  EXPECT_TRUE(holds(refused({.key_dim = 64, .value_dim = 513}), "1 to 512"));
  EXPECT_TRUE(holds(refused({.key_dim = 64, .value_dim = 64, .dtype = dtype::f64}), "bf16, f16, f32"));
  EXPECT_TRUE(holds(refused({.key_dim = 64, .value_dim = 64, .input_types = {{"h", dtype::f32}}}), "'h'; accepted: g"));
  EXPECT_TRUE(holds(refused({.key_dim = 64, .value_dim = 64, .input_types = {{"g", dtype::i32}}}), "given i32"));
  EXPECT_TRUE(holds(refused({.key_dim = 64, .value_dim = 64, .input_types = {{"g", dtype::f32}, {"g", dtype::bf16}}}),
                    "given 'g' twice"));
  EXPECT_TRUE(holds(refused({.key_dim = 64, .value_dim = 64, .dtype = static_cast<dtype>(77)}), "no element type"));
  EXPECT_TRUE(
      holds(refused({.key_dim = 64, .value_dim = 64, .precision = static_cast<Precision>(9)}), "accepted: tf32, f32"));
  EXPECT_TRUE(holds(refused({.key_dim = 64, .value_dim = 64, .precision = Precision::f32}), "precision f32"));
}

TEST(Lower, RefusesAnIllegalSchedule) {
  const auto refused = [](Schedule schedule, const char* arch = "sm_90a") {
    return refusal_of([&] { lower(variants::gla, square_128, schedule, arch); });
  };
  EXPECT_TRUE(holds(refused({.chunk = 24}), "'chunk' of the portable family is multiples of 16 from 16 to 128"));
  EXPECT_TRUE(holds(refused({.value_tile = 64, .warps = 1}), "16 or 32 columns"));
  EXPECT_TRUE(holds(refused({.stages = 3}), "'stages' of the portable family is 1, 2"));
  EXPECT_TRUE(holds(refused({.level = Level::automatic}), "'level' of the portable family is serial, chunk"));
  EXPECT_TRUE(holds(refused({.chunk = 128}, "sm_86"), "101376"));
}

TEST(Cluster, SharesTheKeysOfNeighbouringTiles) {
  const auto refused = [](const Variant& variant, Schedule schedule, int key_dim, int value_dim) {
    schedule.family = schedule.cluster == 1 ? Family::portable : Family::hopper;
    schedule.stages = 2;
    schedule.chunk = 32;
    return refusal_of([&] { lower(variant, {.key_dim = key_dim, .value_dim = value_dim}, schedule, "sm_90a"); });
  };
  EXPECT_TRUE(holds(refused(variants::gla, {.cluster = 3}, 128, 192), "'cluster' of the Hopper family is 1, 2"));
  EXPECT_TRUE(holds(refused(variants::simple_gla, {.cluster = 2}, 128, 128), "only decays per key"));
  EXPECT_TRUE(holds(refused(variants::gla, {.cluster = 2}, 96, 128), "multiples of 64 keys"));
  EXPECT_TRUE(holds(refused(variants::gla, {.cluster = 2}, 128, 192), "there are 3"));
  EXPECT_TRUE(holds(refusal_of([&] { lower(variants::gla, square_128, {.cluster = 2}, "sm_90a"); }),
                    "the portable family has no knob 'cluster'"));
}

TEST(Defaults, Float16TakesTheHopperFamily) {
  for (const Variant& variant : {variants::gla_sigmoid, variants::hgrn2, variants::simple_gla, variants::linear})
    EXPECT_EQ(default_schedule(variant, {.key_dim = 128, .value_dim = 128, .dtype = dtype::f16}, "sm_90a").family,
              Family::hopper);
}

TEST(Cluster, IsTheDefaultWhereItSavesWork) {
  const auto default_of = [](const Variant& variant, int key_dim, int value_dim) {
    return default_schedule(variant, {.key_dim = key_dim, .value_dim = value_dim}, "sm_90a");
  };
  EXPECT_EQ(default_of(variants::gla, 128, 128).cluster, 1);
  EXPECT_EQ(default_of(variants::gla, 128, 256).cluster, 2);
  const Schedule schedule = default_of(variants::gla, 128, 256);
  EXPECT_EQ(schedule_from_json(schedule_to_json(schedule), "here"), schedule);
  EXPECT_NE(to_string(schedule).find("cluster=2"), std::string::npos) << to_string(schedule);
}

TEST(Prepared, IsForDecaysPerKeyWalkedWhole) {
  const auto refused = [](const Variant& variant, Schedule schedule) {
    schedule.chunk = 32;
    schedule.prepared = true;
    return refusal_of([&] { lower(variant, square_128, schedule, "sm_90a"); });
  };
  const auto hopper = Family::hopper;
  EXPECT_TRUE(holds(refused(variants::simple_gla, {.family = hopper}), "only decays per key"));
  EXPECT_TRUE(holds(refused(variants::gla, {.family = hopper, .level = Level::segment}), "serves the level serial"));
  EXPECT_TRUE(holds(refused(variants::gla, {.family = hopper, .value_tile = 64, .cluster = 2}), "no work to share"));
  EXPECT_TRUE(holds(refused(variants::gla, {}), "the portable family has no knob 'prepared'"));
  CompileOptions pinned = square_128;
  pinned.pins.prepared = true;
  EXPECT_TRUE(holds(refusal_of([&] { lower(variants::gla, pinned, {}, "sm_90a"); }), "prepared=true"));
}

TEST(Prepared, IsRefusedWithTheReason) {
  const auto expect = [](const Variant& variant, CompileOptions options, const char* arch, const char* reason,
                         const char* accepted, const char* where) {
    options.key_dim = options.key_dim == 0 ? 128 : options.key_dim;
    options.value_dim = 128;
    const std::string refusal = refusal_of([&] { default_schedule(variant, options, arch); });
    for (const char* part : {reason, accepted, where}) EXPECT_TRUE(holds(refusal, part)) << refusal;
  };
  expect(variants::simple_gla, {.pins = {.prepared = true}}, "sm_90a", "only decays per key",
         "accepted: prepared of false", "pins.prepared");
  expect(variants::gla, {.pins = {.level = Level::segment, .prepared = true}}, "sm_90a", "serves the level serial",
         "accepted: level of serial, or prepared of false", "pins.level");
  expect(variants::gla, {.pins = {.family = Family::portable, .prepared = true}}, "sm_90a",
         "the portable family does not take this 'prepared'", "false, true (hopper)", "pins.prepared");
  expect(variants::gla, {.dtype = dtype::f32, .pins = {.prepared = true}}, "sm_90a", "bf16 and f16",
         "given prepared=true with f32", "pins.prepared");
  expect(variants::gla, {.pins = {.level = Level::segment}}, "sm_80", "serves sm_90a", "or level of serial, chunk",
         "pins.level");
  expect(variants::gla, {.key_dim = 256, .pins = {.chunk = 64, .prepared = true}}, "sm_90a", "beyond K = 128",
         "accepted: chunk of 32", "pins.chunk");
  expect(variants::gla, {.pins = {.warps = 4, .prepared = true}}, "sm_90a", "no kernel family takes all",
         "given warps=4 prepared=true",
         "warps of 1 to 16 (portable); 1, 2, 4, 8, 16 (recurrent), and prepared of false, true (hopper)");
}

// Why a cluster is not to be had: the type, the number of keys, the tiles.
TEST(Cluster, IsRefusedWithTheReason) {
  const auto refused = [](CompileOptions options, const Variant& variant = variants::gla) {
    options.pins.cluster = 2;
    return refusal_of([&] { default_schedule(variant, options, "sm_90a"); });
  };
  EXPECT_EQ(refused({.key_dim = 128, .value_dim = 128, .dtype = dtype::f16}),
            "pins.cluster: in f16 a block scales keys and queries by all of their columns, and shares none; given "
            "cluster=2 with f16, K = 128, V = 128 on sm_90a; accepted: cluster of 1");
  EXPECT_TRUE(
      holds(refused({.key_dim = 96, .value_dim = 128}), "takes multiples of 64 keys; given cluster=2 with bf16"));
  EXPECT_TRUE(
      holds(refused({.key_dim = 128, .value_dim = 192, .pins = {.value_tile = 64}}), "accepted: value_tile of 128"));
  EXPECT_TRUE(holds(refused({.key_dim = 128, .value_dim = 128}, variants::retnet), "only decays per key"));
  EXPECT_TRUE(holds(refused({.key_dim = 128, .value_dim = 128, .dtype = dtype::f32}), "serves sm_90a, bf16 and f16"));
}

TEST(Pins, OfAKnobChooseAFamilyThatHasIt) {
  const CompileOptions options{.key_dim = 128, .value_dim = 128, .pins = {.warps = 4}};
  for (const Schedule& schedule : legal_schedules(variants::gla, options, "sm_90a"))
    EXPECT_EQ(schedule.family, Family::portable);
}

TEST(Pins, MayForbid) {
  CompileOptions options{.key_dim = 256, .value_dim = 512, .pins = {.prepared = false}};
  EXPECT_FALSE(default_schedule(variants::gla, options, "sm_90a").prepared);
  options.pins = {.cluster = 1};
  for (const Schedule& schedule : legal_schedules(variants::gla, options, "sm_90a")) EXPECT_EQ(schedule.cluster, 1);
  EXPECT_EQ(default_schedule(variants::gla, {.key_dim = 64, .value_dim = 64, .pins = options.pins}, "sm_80").family,
            Family::portable)
      << "what a family lacks may be pinned to what it does without";
}

// The state-only pass takes no pins, neither those of the options nor the variant's own.
TEST(Pins, AreOfTheForwardPass) {
  constexpr auto pinned = variant("pinned").level(Level::segment).checked();
  const Schedule forward = default_schedule(pinned, square_128, "sm_90a");
  ASSERT_EQ(forward.level, Level::segment);
  const Schedule states = states_schedule(pinned, square_128, "sm_90a", forward);
  EXPECT_EQ(lower(pinned, square_128, states, "sm_90a", Pass::states).kernels.size(), 2u);
}

// Nobody pinned a family: the pass is what is refused.
TEST(Pins, AreNotBlamedForAPassThatAVariantLacks) {
  const Program forward = program_of(variants::delta, square_128, "sm_90a");
  const std::string refused = refusal_of([&] { lower_beside(forward, Pass::states); });
  EXPECT_TRUE(holds(refused, "states are handed on and joined by decays alone")) << refused;
  EXPECT_TRUE(holds(refused, "given states; accepted: forward")) << refused;
}

TEST(Prepared, IsTheDefaultOfManyKeys) {
  const auto default_of = [](const Variant& variant, int key_dim, int value_dim) {
    return default_schedule(variant, {.key_dim = key_dim, .value_dim = value_dim}, "sm_90a");
  };
  EXPECT_FALSE(default_of(variants::gla, 128, 512).prepared);
  EXPECT_TRUE(default_of(variants::gla, 192, 512).prepared);
  EXPECT_TRUE(default_of(variants::gla, 256, 512).prepared);
  EXPECT_TRUE(default_of(variants::gla, 256, 64).prepared);
  EXPECT_EQ(default_of(variants::simple_gla, 256, 512).family, Family::portable);
  const CompileOptions split{.key_dim = 256, .value_dim = 512, .pins = {.level = Level::segment}};
  EXPECT_EQ(to_string(default_schedule(variants::gla, split, "sm_90a")),
            "hopper/segment chunk=32 value_tile=64 stages=3 cluster=2");
}

TEST(Prepared, IsThereForThoseWhoAskForIt) {
  CompileOptions options{.key_dim = 128, .value_dim = 512};
  const std::vector<Schedule> all = legal_schedules(variants::gla, options, "sm_90a");
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Schedule& schedule) { return schedule.prepared; }));
  options.key_dim = 256;
  options.pins.prepared = true;
  for (const Schedule& schedule : legal_schedules(variants::gla, options, "sm_90a")) EXPECT_TRUE(schedule.prepared);
  const Schedule schedule = default_schedule(variants::gla, options, "sm_90a");
  EXPECT_EQ(to_string(schedule), "hopper/serial chunk=32 value_tile=128 stages=5 prepared");
  EXPECT_EQ(schedule_from_json(schedule_to_json(schedule), "here"), schedule);
  EXPECT_EQ(schedule_to_json({}).find("prepared"), std::string::npos);
  const Program program = lower(variants::gla, options, schedule, "sm_90a");
  ASSERT_EQ(program.kernels.size(), 2u);
  EXPECT_EQ(kernels_named(program), (std::vector<std::string>{"prepare", "scan"}));
  EXPECT_EQ(program.kernels[0].threads, 256);
  EXPECT_EQ(program.kernels[0].cluster, 1);
  EXPECT_EQ(program.kernels[1].cluster, 1);
  // An image of 32 tokens: queries and keys, scores, decays.
  constexpr std::int64_t image = 2 * 32 * 256 * 2 + 32 * 32 * 2 + 256 * 4;
  const Shape equal{.batch = 3, .tokens = 65, .heads = 1, .value_heads = 2};
  EXPECT_EQ(items_of(program, 0, equal), 3 * 2 * 2);
  EXPECT_EQ(items_of(program, 1, equal), 3 * 2 * 4);
  EXPECT_EQ(workspace_of(program, equal), 3 * 3 * 2 * image);
  const Shape packed{.batch = 1, .tokens = 65, .heads = 1, .sequences = 5};
  EXPECT_EQ(items_of(program, 0, packed), 2 + 5);
  EXPECT_EQ(workspace_of(program, packed), (3 + 5) * image);
}

TEST(Lower, ListsTheKernelsOfEachLevel) {
  const auto names = [](Level level, Pass pass) {
    CompileOptions options = square_128;
    options.pins.level = level;
    return kernels_named(program_of(variants::mamba2, options, "sm_90a", pass));
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(Level::serial, Pass::forward), (Names{"scan"}));
  EXPECT_EQ(names(Level::chunk, Pass::forward), (Names{"states", "output"}));
  EXPECT_EQ(names(Level::segment, Pass::forward), (Names{"states", "join", "scan"}));
  for (const Level level : {Level::serial, Level::chunk, Level::segment}) {
    EXPECT_EQ(names(level, Pass::states), level == Level::segment ? (Names{"states", "join"}) : (Names{"states"}));
    EXPECT_EQ(names(level, Pass::combine), (Names{"combine"}));
  }
  EXPECT_EQ(kernels_named(program_of(variants::lite_la, square_128)), (Names{"keys", "queries"}));
}

// The states of all keys lie in the workspace, with a normaliser's sums; a block has four chunks of queries.
TEST(Lower, SizesOfKeysAndQueries) {
  const CompileOptions options{.key_dim = 40, .value_dim = 100, .pins = {.chunk = 32, .value_tile = 64}};
  const Program program = program_of(variants::lite_la, options);
  const std::int64_t image = std::int64_t{128} * 48 * 2 + std::int64_t{48} * 4;
  const Shape shape{.batch = 3, .tokens = 129, .heads = 1, .value_heads = 2, .key_tokens = 1000};
  EXPECT_EQ(items_of(program, 0, shape), 3 * 2 * 2);
  EXPECT_EQ(items_of(program, 1, shape), 3 * 2 * 2 * 2);
  EXPECT_EQ(workspace_of(program, shape), 3 * 2 * image);
}

TEST(Lower, NamesWhatIsFixed) {
  const Program program = program_of(variants::gla, square_128);
  EXPECT_TRUE(program.name.starts_with("gla_forward_k128v128_bf16_")) << program.name;
  EXPECT_EQ(program.kernels[0].entry, program.name);
  EXPECT_EQ(program_of(variants::gla, square_128).name, program.name);
  // Whatever differs makes another name, of each entry, too.
  std::set<std::string> names, entries;
  std::size_t programs = 0, kernels = 0;
  const auto add = [&](const Program& each) {
    names.insert(each.name);
    ++programs;
    for (const Kernel& kernel : each.kernels) entries.insert(kernel.entry);
    kernels += each.kernels.size();
  };
  add(program);
  CompileOptions options = square_128;
  options.key_dim = 64;
  add(program_of(variants::gla, options));
  options = square_128;
  options.dtype = dtype::f16;
  add(program_of(variants::gla, options));
  options = square_128;
  options.value_major_state = true;
  add(program_of(variants::gla, options));
  options = square_128;
  options.input_types = {{"g", dtype::f32}};
  add(program_of(variants::gla, options));
  for (const Level level : {Level::chunk, Level::segment}) {
    options = square_128;
    options.pins.level = level;
    add(program_of(variants::gla, options));
  }
  for (const char* arch : {"sm_80", "sm_86"}) add(program_of(variants::gla, square_128, arch));
  for (const Pass pass : {Pass::states, Pass::combine}) add(program_of(variants::gla, square_128, "sm_90a", pass));
  add(program_of(variants::gla_sigmoid, square_128));
  options = square_128;
  options.dtype = dtype::f32;
  add(program_of(variants::gla, options));
  options.precision = Precision::f32;
  add(program_of(variants::gla, options));
  EXPECT_EQ(names.size(), programs);
  EXPECT_EQ(entries.size(), kernels);
}

TEST(Lower, OrdersWhatALaunchPasses) {
  const Program program =
      program_of(variants::mamba2, {.key_dim = 64, .value_dim = 64, .input_types = {{"A_log", dtype::bf16}}});
  const auto inputs = ports_of(program.ports, PortRole::gate),
             parameters = ports_of(program.ports, PortRole::parameter);
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_EQ(inputs[0].name, "dt");
  EXPECT_EQ(inputs[0].axes, (AxisList{Axis::batch, Axis::tokens, Axis::value_heads}));
  EXPECT_EQ(inputs[0].type, dtype::bf16);
  ASSERT_EQ(parameters.size(), 2u);
  EXPECT_EQ(parameters[0].name, "A_log");
  EXPECT_EQ(parameters[0].type, dtype::bf16);
  EXPECT_EQ(parameters[1].name, "dt_bias");
  EXPECT_EQ(parameters[1].type, dtype::f32);
  EXPECT_EQ(program_of(variants::lightning, square_128).scalars, (std::vector<std::string>{"layer", "layers"}));
  EXPECT_FALSE(program_of(variants::hgrn2, square_128).reads_key);
}

TEST(Geometry, CountsBlocksAndWorkspace) {
  CompileOptions options{
      .key_dim = 40, .value_dim = 100, .pins = {.level = Level::chunk, .chunk = 32, .value_tile = 64}};
  const Program program = program_of(variants::gla, options);
  const Shape equal{.batch = 3, .tokens = 65, .heads = 2, .value_heads = 6};
  EXPECT_EQ(items_of(program, 0, equal), 3 * 6 * 2);
  EXPECT_EQ(items_of(program, 1, equal), 9 * 6 * 2);
  const Program states = lower(variants::gla, options, program.schedule, program.arch, Pass::states);
  EXPECT_EQ(items_of(states, 0, equal), 3 * 6 * 2);
  EXPECT_EQ(items_of(lower(variants::gla, options, {}, program.arch, Pass::combine), 0, equal), 3 * 6);
  EXPECT_EQ(workspace_of(program, equal), std::int64_t{9} * 6 * 2 * 64 * 48 * 2);
  const Shape packed{.batch = 1, .tokens = 65, .heads = 2, .sequences = 5};
  EXPECT_EQ(items_of(program, 0, packed), 5 * 2 * 2);
  EXPECT_EQ(items_of(program, 1, packed), 8 * 2 * 2);
  const Shape large{.batch = 64, .tokens = 1 << 20, .heads = 128};
  EXPECT_EQ(workspace_of(program, large), (std::int64_t{64} << 15) * 128 * 2 * 64 * 48 * 2);
  options.pins.level = Level::serial;
  EXPECT_EQ(workspace_of(program_of(variants::gla, options), equal), 0);
  EXPECT_EQ(items_of(program, 0, Shape{.batch = 0}), 0);
}

TEST(Schedules, HaveAName) {
  EXPECT_EQ(to_string(Schedule{}), "portable/serial chunk=64 value_tile=64 warps=4 stages=2");
  EXPECT_EQ(to_string(Schedule{.family = Family::hopper, .chunk = 32, .cluster = 2, .prepared = true}),
            "hopper/serial chunk=32 value_tile=64 stages=2 cluster=2 prepared");
  EXPECT_EQ(to_string(Pins{.family = Family::hopper, .chunk = 32, .cluster = 1, .prepared = false}),
            "family=hopper chunk=32 cluster=1 prepared=false");
  EXPECT_EQ(to_string(Pins{}), "");
}

}  // namespace
}  // namespace rankone
