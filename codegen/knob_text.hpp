// SPDX-License-Identifier: MIT
// Knobs, their values, schedules and pins as people read and write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/knobs.hpp>

namespace rankone {

std::string text_of(const Knob& knob, int value);  // "64", "serial", "true"
std::optional<int> value_of(const Knob& knob, std::string_view text);

// "16, 32", "1 to 16", "multiples of 16 from 16 to 128"
std::string text_of(const Knob& knob, std::vector<int> values);
std::string text_of(const KnobRow& row);
// What each family takes: "multiples of 16 from 16 to 128 (portable); 32, 64 (hopper)".
std::string accepted_text(const Knob& knob);

std::string to_string(const Schedule& schedule);  // "portable/serial chunk=64 value_tile=64 warps=4 stages=2"
std::string to_string(const Pins& pins);          // "family=hopper chunk=32"; empty where nothing is pinned

// Where a refusal of a pinned value points to: "pins.chunk".
std::string place_of(const Knob& knob);

}  // namespace rankone
