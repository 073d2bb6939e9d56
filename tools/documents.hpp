// SPDX-License-Identifier: MIT
// Parts of documents that several commands print.
#pragma once

#include "codegen/choose.hpp"
#include "proof/dims.hpp"
#include "tools/json.hpp"

namespace rankone {

Json shape_document(const Dims& dims);  // {"B": 8, "T": 4096, ...}
Json schedule_document(
    const ChosenSchedule& chosen);                 // {"family": "hopper", "level": "serial", ..., "origin": "default"}
Json schedule_document(const Schedule& schedule);  // the same without where it came from

}  // namespace rankone
