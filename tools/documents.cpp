// SPDX-License-Identifier: MIT
// Parts of documents that several commands print.
#include "tools/documents.hpp"

#include "codegen/knob_text.hpp"

namespace rankone {

Json shape_document(const Dims& dims) {
  Json document = Json::object({{"B", dims.batch},
                                {"T", dims.tokens},
                                {"H", dims.heads},
                                {"HV", dims.value_heads},
                                {"K", dims.key_dim},
                                {"V", dims.value_dim}});
  if (dims.slot_dim != 0) document.set("M", dims.slot_dim);
  if (dims.key_tokens >= 0) document.set("Tk", dims.key_tokens);
  return document;
}

Json schedule_document(const Schedule& schedule) {
  const KernelFamily& family = family_of(schedule.family);
  Json document = Json::object({{"family", family.name}});
  for (const KnobRow& row : family.knobs) {
    const int value = row.knob->get(schedule);
    switch (row.knob->kind) {
      case Knob::Kind::number: document.set(row.knob->name, value); break;
      case Knob::Kind::truth: document.set(row.knob->name, value != 0); break;
      case Knob::Kind::level: document.set(row.knob->name, text_of(*row.knob, value)); break;
    }
  }
  return document;
}

Json schedule_document(const ChosenSchedule& chosen) {
  Json document = schedule_document(chosen.schedule);
  document.set("origin", chosen.origin);
  return document;
}

}  // namespace rankone
