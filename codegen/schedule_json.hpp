// SPDX-License-Identifier: MIT
// Schedules as JSON, both ways: the family and its knobs by name, without those that are tacit.
// {"family": "portable", "level": "serial", "chunk": 64, "value_tile": 64, "warps": 4, "stages": 2}
#pragma once

#include <string>
#include <string_view>

#include <rankone/knobs.hpp>

namespace rankone {

std::string schedule_to_json(const Schedule& schedule);
// Every member that is not tacit must stand. Whether the schedule is legal for a variant is for lower() to say.
Schedule schedule_from_json(std::string_view text, std::string_view where = "schedule");

}  // namespace rankone
