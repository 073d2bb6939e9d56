// SPDX-License-Identifier: MIT
// JSON of schedules.
#include "codegen/schedule_json.hpp"

#include "codegen/json_object.hpp"

namespace rankone {

std::string schedule_to_json(const Schedule& schedule) {
  nlohmann::ordered_json json{{"family", name_in(family_names, schedule.family)},
                              {"level", name_in(level_names, schedule.level)},
                              {"chunk", schedule.chunk},
                              {"value_tile", schedule.value_tile},
                              {"warps", schedule.warps},
                              {"stages", schedule.stages}};
  if (schedule.cluster != 1) json["cluster"] = schedule.cluster;
  if (schedule.prepared) json["prepared"] = true;
  return json.dump();
}

Schedule schedule_from_json(std::string_view text, std::string_view where) {
  const nlohmann::json parsed = parse_json(text, where);
  const JsonObject object(parsed, std::string(where),
                          {"family", "level", "chunk", "value_tile", "warps", "stages", "cluster", "prepared"});
  return {.family = object.named("family", family_names),
          .level = object.named("level", level_names),
          .chunk = object.integer("chunk"),
          .value_tile = object.integer("value_tile"),
          .warps = object.integer("warps"),
          .stages = object.integer("stages"),
          .cluster = object.has("cluster") ? object.integer("cluster") : 1,
          .prepared = object.has("prepared") && object.boolean("prepared")};
}

}  // namespace rankone
