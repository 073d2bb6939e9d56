// SPDX-License-Identifier: MIT
// What somebody who mistyped a name may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rankone {

// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
std::size_t edit_distance(std::string_view from, std::string_view to);

// The nearest of `names`, the first of equals; empty where none is near enough to be meant.
std::string nearest(std::string_view given, const std::vector<std::string_view>& names);

// " (did you mean 'check'?)", or nothing: for the end of a refusal's message.
std::string did_you_mean(std::string_view given, const std::vector<std::string_view>& names);

}  // namespace rankone
