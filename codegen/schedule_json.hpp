// SPDX-License-Identifier: MIT
// Schedules as JSON, both ways:
// {"family": "portable", "level": "serial", "chunk": 64, "value_tile": 64, "warps": 4, "stages": 2}, and "cluster" where that is not 1.
#pragma once

#include <string>
#include <string_view>

#include "codegen/schedule.hpp"

namespace rankone {

std::string schedule_to_json(const Schedule& schedule);
// Every member must stand. Whether the schedule is legal for a variant is for lower() to say.
Schedule schedule_from_json(std::string_view text, std::string_view where = "schedule");

}  // namespace rankone
