// SPDX-License-Identifier: MIT
// Variants as JSON, both ways.
//
//   {"name": "my_gla", "decay": {"kind": "per_key", "log_decay": "log_sigmoid(input(x) + param(bias)) / 16"},
//    "key": "1 - decay()", "write_scale": "sigmoid(input(b))", "feature_map": "silu(element())",
//    "scale": 1, "chunk": 64, "level": "serial"}
//
// Only `name` must stand; the formulas are those of codegen/formula.hpp. A feature map may also be a bare name: "relu".
#pragma once

#include <string>
#include <string_view>

#include <rankone/dsl/variant.hpp>

namespace rankone {

// `indent` < 0 gives one line. Reads back as the same variant; throws Error for one that has no meaning.
std::string variant_to_json(const Variant& variant, int indent = -1);

// Checked like a declaration; throws Error with the same sentences. `where` names the file.
Variant variant_from_json(std::string_view text, std::string_view where = "variant");

}  // namespace rankone
