// SPDX-License-Identifier: MIT
// What derives from the tables of knobs holds for every knob of every family.
#include <set>

#include "codegen/family.hpp"
#include "codegen/schedule_json.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

TEST(Knobs, HaveNamesAndWords) {
  std::set<std::string> names;
  for (const Knob* knob : all_knobs()) {
    EXPECT_TRUE(names.insert(knob->name).second) << knob->name;
    EXPECT_FALSE(std::string(knob->about).empty()) << knob->name;
    EXPECT_FALSE(accepted_text(*knob).empty()) << knob->name;
  }
  EXPECT_TRUE(names.contains("chunk"));
}

TEST(Knobs, ReadBackWithEveryValue) {
  for (const KernelFamily* family : kernel_families())
    for (const KnobRow& row : family->knobs)
      for (const int value : row.domain) {
        Schedule schedule{.family = family->family};
        row.knob->set(schedule, value);
        ASSERT_EQ(row.knob->get(schedule), value) << row.knob->name;
        EXPECT_EQ(schedule_from_json(schedule_to_json(schedule), "here"), schedule) << to_string(schedule);
        EXPECT_EQ(value_of(*row.knob, text_of(*row.knob, value)), value) << row.knob->name;
        Pins pins;
        EXPECT_FALSE(row.knob->pinned(pins));
        row.knob->pin(pins, value);
        EXPECT_EQ(row.knob->pinned(pins), value);
        EXPECT_EQ(to_string(pins), std::string(row.knob->name) + "=" + text_of(*row.knob, value));
        row.knob->pin(pins, std::nullopt);
        EXPECT_EQ(pins, Pins{});
      }
}

TEST(Knobs, ArePinnedToEachValueOrRefusedAtTheirPlace) {
  const ArchLimits limits = arch_limits("sm_90a");
  for (const Variant& variant : {variants::gla, variants::simple_gla})
    for (const int dim : {20, 128, 256})
      for (const KernelFamily* family : kernel_families())
        for (const KnobRow& row : family->knobs)
          for (const int value : row.domain) {
            CompileOptions options{.key_dim = dim, .value_dim = dim};
            row.knob->pin(options.pins, value);
            const auto legal = legal_schedules(variant, options, "sm_90a");
            for (const Schedule& schedule : legal) {
              EXPECT_EQ(row.knob->get(schedule), value);
              EXPECT_EQ(why_illegal({variant, options, limits}, schedule), "");
            }
            if (!legal.empty()) continue;
            const std::string refusal = refusal_of([&] { default_schedule(variant, options, "sm_90a"); });
            EXPECT_TRUE(refusal.starts_with("pins." + std::string(row.knob->name))) << refusal;
            EXPECT_TRUE(holds(refusal, std::string("given ") + row.knob->name + "=")) << refusal;
            EXPECT_FALSE(holds(refusal, "--")) << "options are the command's: " << refusal;
          }
}

TEST(Knobs, OfAnotherFamilyDoNotReadBack) {
  EXPECT_TRUE(holds(refusal_of([] {
                      schedule_from_json(R"({"family": "hopper", "level": "serial", "chunk": 32, "value_tile": 64,
                        "stages": 2, "warps": 4})",
                                         "here");
                    }),
                    "unknown member; given \"warps\"; accepted: family, level, chunk, value_tile, stages, cluster"));
}

}  // namespace
}  // namespace rankone
