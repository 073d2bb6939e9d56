// SPDX-License-Identifier: MIT
// Knobs, their values, schedules and pins as people read and write them.
#include "codegen/knob_text.hpp"

#include <algorithm>
#include <charconv>

#include "codegen/family.hpp"
#include "codegen/names.hpp"

namespace rankone {

std::string text_of(const Knob& knob, int value) {
  switch (knob.kind) {
    case Knob::Kind::truth: return value != 0 ? "true" : "false";
    case Knob::Kind::level: return std::string(name_in(level_names, static_cast<Level>(value)));
    case Knob::Kind::number: break;
  }
  return std::to_string(value);
}

std::optional<int> value_of(const Knob& knob, std::string_view text) {
  if (knob.kind == Knob::Kind::truth) {
    if (text == "true" || text == "false") return text == "true";
    return std::nullopt;
  }
  if (knob.kind == Knob::Kind::level) {
    const auto level = value_in(level_names, text);
    return level ? std::optional(static_cast<int>(*level)) : std::nullopt;
  }
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string text_of(const Knob& knob, std::vector<int> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  constexpr std::size_t many = 5;
  if (knob.kind == Knob::Kind::number && values.size() >= many) {
    const int step = values[1] - values[0], first = values.front(), last = values.back();
    if (last - first == step * static_cast<int>(values.size() - 1)) {
      const std::string range = std::to_string(first) + " to " + std::to_string(last);
      if (step == 1) return range;
      if (first % step == 0) return "multiples of " + std::to_string(step) + " from " + range;
    }
  }
  std::string text;
  for (const int value : values) text += (text.empty() ? "" : ", ") + text_of(knob, value);
  return text;
}

std::string text_of(const KnobRow& row) { return text_of(*row.knob, {row.domain.begin(), row.domain.end()}); }

std::string accepted_text(const Knob& knob) {
  std::string text;
  for (const KernelFamily* family : kernel_families())
    if (const KnobRow* row = row_of(*family, knob))
      text += (text.empty() ? "" : "; ") + text_of(*row) + " (" + std::string(family->name) + ")";
  return text;
}

std::string to_string(const Schedule& schedule) {
  std::string text(name_in(family_names, schedule.family));
  for (const KnobRow& row : family_of(schedule.family).knobs) {
    const int value = row.knob->get(schedule);
    if (row.knob->kind == Knob::Kind::level) {
      text += "/" + text_of(*row.knob, value);
    } else if (!row.tacit || value != row.knob->get(Schedule{})) {
      text += std::string(" ") + row.knob->name;
      if (row.knob->kind != Knob::Kind::truth || value == 0) text += "=" + text_of(*row.knob, value);
    }
  }
  return text;
}

std::string to_string(const Pins& pins) {
  std::string text;
  const auto add = [&](std::string_view name, std::string_view value) {
    text += (text.empty() ? "" : " ") + std::string(name) + "=" + std::string(value);
  };
  if (pins.family) add("family", name_in(family_names, *pins.family));
  for (const Knob* knob : all_knobs())
    if (const auto value = knob->pinned(pins)) add(knob->name, text_of(*knob, *value));
  return text;
}

std::string place_of(const Knob& knob) { return std::string("pins.") + knob.name; }

}  // namespace rankone
