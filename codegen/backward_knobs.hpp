// SPDX-License-Identifier: MIT
// The knobs of the portable family as its backward pass has them.
#pragma once

#include <string>

#include <rankone/knobs.hpp>

namespace rankone {

// States are kept for each chunk, and a value tile is what a block walks at once.
inline constexpr KnobRow portable_backward_knobs[] = {
    {.knob = &level_knob, .domain = {Level::chunk}},
    {.knob = &chunk_knob, .domain = {16, 32, 64, 128}},
    {.knob = &value_tile_knob,
     .domain = {16, 32, 64, 128},
     .worth_trying = [](const KnobContext& c,
                        const Schedule& s) { return s.value_tile == 16 || s.value_tile < 2 * c.value_dim; }},
    {.knob = &warps_knob,
     .domain = {16, 8, 4, 2, 1},
     .why_not = [](const KnobContext&, const Schedule& s) -> std::string {
       if (s.warps % (s.chunk / 16) == 0) return {};
       return "16 tokens of a chunk have the same number of warps";
     }},
    {.knob = &stages_knob, .domain = {1, 2}},
};

}  // namespace rankone
