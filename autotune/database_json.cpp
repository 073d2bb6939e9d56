// SPDX-License-Identifier: MIT
// The database's files: JSON both ways, read strictly.
#include <algorithm>

#include <nlohmann/json.hpp>
#include <rankone/error.hpp>

#include "autotune/database.hpp"
#include "codegen/json_object.hpp"
#include "codegen/schedule_json.hpp"

namespace rankone {
namespace {

using Json = nlohmann::ordered_json;

constexpr int schema = 2, oldest_schema = 1;

Json schedule_json(const Schedule& schedule) { return Json::parse(schedule_to_json(schedule)); }
Schedule read_schedule(const Json& json, const std::string& where) { return schedule_from_json(json.dump(), where); }

Json entry_json(const TunedEntry& entry) {
  Json measured = Json::array();
  for (const Measurement& each : entry.measured)
    measured.push_back({{"schedule", schedule_json(each.schedule)}, {"median_ms", each.median_ms}});
  return {{"variant", entry.variant},
          {"pass", entry.key.pass},
          {"structure", entry.key.structure},
          {"types", entry.key.types},
          {"key_dim", entry.key.key_dim},
          {"value_dim", entry.key.value_dim},
          {"tokens_bucket", entry.key.tokens_bucket},
          {"rows_bucket", entry.key.rows_bucket},
          {"shape", entry.shape},
          {"version", entry.version},
          {"schedule", schedule_json(entry.schedule)},
          {"median_ms", entry.median_ms},
          {"default_ms", entry.default_ms},
          {"relative_error", entry.relative_error},
          {"measured", measured}};
}

TunedEntry read_entry(const Json& json, const std::string& where) {
  TunedEntry entry;
  entry.variant = json.at("variant");
  entry.key = {.pass = json.at("pass"),
               .structure = json.at("structure"),
               .types = json.at("types"),
               .key_dim = json.at("key_dim"),
               .value_dim = json.at("value_dim"),
               .tokens_bucket = json.at("tokens_bucket"),
               .rows_bucket = json.at("rows_bucket")};
  entry.shape = json.at("shape");
  entry.version = json.at("version");
  entry.schedule = read_schedule(json.at("schedule"), where);
  entry.median_ms = json.at("median_ms");
  entry.default_ms = json.at("default_ms");
  entry.relative_error = json.at("relative_error");
  for (const Json& each : json.at("measured"))
    entry.measured.push_back({read_schedule(each.at("schedule"), where), each.at("median_ms")});
  return entry;
}

// Schema 1 named four formulas in words of its own: "decay=per_key map=no key=k write=no inputs=HV.K parameters=".
std::string structure_of_schema_1(std::string text) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    if (const std::size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  };
  const bool has_map = text.find(" map=yes") != std::string::npos,
             writes = text.find(" write=yes") != std::string::npos,
             has_key = text.find(" key=formula") != std::string::npos,
             reads_key = text.find(" key=formula ") == std::string::npos;
  const auto word = [](bool value) { return value ? "yes" : "no"; };
  replace(has_map ? " map=yes" : " map=no", "");
  replace(writes ? " write=yes" : " write=no", "");
  replace(!has_key    ? " key=k"
          : reads_key ? " key=formula(k)"
                      : " key=formula",
          std::string(" key=") + word(has_key) + " write_scale=" + word(writes) + " feature_map=" + word(has_map) +
              " k=" + word(reads_key));
  return text;
}

// It knew the forward pass alone, and wrote into Hopper schedules how many warps follow from them.
void upgrade(Json& json) {
  const auto without_warps = [](Json& schedule) {
    if (schedule.at("family") == "hopper") schedule.erase("warps");
  };
  for (Json& entry : json.at("entries")) {
    entry["pass"] = "forward";
    entry["structure"] = structure_of_schema_1(entry.at("structure").get<std::string>());
    without_warps(entry.at("schedule"));
    for (Json& measured : entry.at("measured")) without_warps(measured.at("schedule"));
  }
  json["schema"] = schema;
}

}  // namespace

TunedFile parse_tuned(std::string_view text, const std::string& where) {
  try {
    Json json = parse_json(text, where);
    if (json.at("schema") == oldest_schema) upgrade(json);
    if (json.at("schema") != schema)
      throw Error(ErrorCode::invalid_argument, "a tuned database of another schema", json.at("schema").dump(),
                  std::to_string(oldest_schema) + ", " + std::to_string(schema), where);
    TunedFile file{.device = json.at("device"), .arch = json.at("arch"), .entries = {}};
    for (const Json& each : json.at("entries")) file.entries.push_back(read_entry(each, where));
    return file;
  } catch (const Json::exception& failure) {
    throw Error(ErrorCode::invalid_argument, "not a tuned database", json_failure(failure).given,
                "a JSON file that `rankone tune` wrote", where);
  }
}

std::string tuned_text(const TunedFile& file) {
  Json entries = Json::array();
  for (const TunedEntry& entry : file.entries) entries.push_back(entry_json(entry));
  return Json({{"schema", schema}, {"device", file.device}, {"arch", file.arch}, {"entries", entries}}).dump(1) + "\n";
}

}  // namespace rankone
