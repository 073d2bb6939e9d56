// SPDX-License-Identifier: MIT
// JSON of schedules, by their family's table.
#include "codegen/schedule_json.hpp"

#include "codegen/family.hpp"
#include "codegen/json_object.hpp"
#include "codegen/knob_text.hpp"

namespace rankone {

std::string schedule_to_json(const Schedule& schedule) {
  nlohmann::ordered_json json{{"family", name_in(family_names, schedule.family)}};
  for (const KnobRow& row : family_of(schedule.family).knobs) {
    const int value = row.knob->get(schedule);
    if (row.tacit && value == row.knob->get(Schedule{})) continue;
    switch (row.knob->kind) {
      case Knob::Kind::number: json[row.knob->name] = value; break;
      case Knob::Kind::truth: json[row.knob->name] = value != 0; break;
      case Knob::Kind::level: json[row.knob->name] = text_of(*row.knob, value); break;
    }
  }
  return json.dump();
}

Schedule schedule_from_json(std::string_view text, std::string_view where) {
  const nlohmann::json parsed = parse_json(text, where);
  std::vector<std::string_view> accepted = {"family"};
  for (const Knob* knob : all_knobs()) accepted.emplace_back(knob->name);
  const JsonObject of_any_family(parsed, std::string(where), accepted);
  Schedule schedule{.family = of_any_family.named("family", family_names)};

  const KernelFamily& family = family_of(schedule.family);
  accepted.resize(1);
  for (const KnobRow& row : family.knobs) accepted.emplace_back(row.knob->name);
  const JsonObject object(parsed, std::string(where), accepted);
  for (const KnobRow& row : family.knobs) {
    const Knob& knob = *row.knob;
    if (row.tacit && !object.has(knob.name)) continue;
    switch (knob.kind) {
      case Knob::Kind::number: knob.set(schedule, object.integer(knob.name)); break;
      case Knob::Kind::truth: knob.set(schedule, object.boolean(knob.name)); break;
      case Knob::Kind::level: knob.set(schedule, static_cast<int>(object.named(knob.name, level_names))); break;
    }
  }
  return schedule;
}

}  // namespace rankone
