// SPDX-License-Identifier: MIT
// What decides which schedule is fast: the structure of a variant, its types, and the size of the work.
#include <bit>

#include <rankone/dsl.hpp>

#include "autotune/database.hpp"
#include "codegen/names.hpp"
#include "codegen/ports.hpp"

namespace rankone {
namespace {

std::string axes_text(const Leaves& leaves) {
  std::string text;
  for (const Leaf& leaf : leaves) {
    text += text.empty() ? "" : ",";
    if (leaf.axes.has(Axes::head)) text += "H";
    if (leaf.axes.has(Axes::value_head)) text += "HV";
    if (leaf.axes.has(Axes::key)) text += ".K";
  }
  return text;
}

int bucket(std::int64_t size) { return std::bit_width(static_cast<std::uint64_t>(size) - 1); }

}  // namespace

TunedKey tuned_key(const Variant& variant, const CompileOptions& options, const Shape& shape, Pass pass) {
  TunedKey key{.pass = std::string(name_in(pass_names, pass)),
               .structure = {},
               .types = {},
               .key_dim = options.key_dim,
               .value_dim = options.value_dim};
  key.structure = "decay=" + std::string(name_in(decay_names, variant.decay_.kind)) +
                  " map=" + (variant.feature_map_.empty() ? "no" : "yes") + " key=" +
                  (variant.key_.empty() ? "k"
                   : reads_key(variant) ? "formula(k)"
                                        : "formula") +
                  " write=" + (variant.write_scale_.empty() ? "no" : "yes") +
                  " inputs=" + axes_text(inputs_of(variant)) + " parameters=" + axes_text(parameters_of(variant));
  key.types = name_of(options.dtype);
  for (const Port& gate : ports_of(ports(variant, options), PortRole::gate))
    key.types += std::string(" ") + name_of(gate.type);
  key.types += options.precision == Precision::f32 ? " f32" : " tf32";
  if (options.value_major_state) key.types += " value_major";
  key.tokens_bucket = bucket(shape.tokens);
  key.rows_bucket = bucket(shape.batch * (shape.value_heads != 0 ? shape.value_heads : shape.heads));
  return key;
}

}  // namespace rankone
