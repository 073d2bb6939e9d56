// SPDX-License-Identifier: MIT
// rankone check: drawn inputs, poisoned outputs, and the recurrence in float64 to compare with.
#include <optional>

#include <rankone/check.hpp>
#include <rankone/compile.hpp>

#include "autotune/lookup.hpp"
#include "codegen/names.hpp"
#include "proof/problem.hpp"
#include "runtime/operator_impl.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/request.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

constexpr std::int64_t many_blocks = 20'000;  // some seconds

std::int64_t blocks_of(const Dims& dims) {
  return dims.sequences * dims.value_heads * ((dims.batch * dims.tokens / dims.sequences + 63) / 64) *
         ((dims.value_dim + 63) / 64);
}

// Decoding has some rows that do nothing.
Dims default_dims(const Device& device, Pass pass, bool packed) {
  if (pass == Pass::decode)
    return device.is_cpu() ? Dims{.batch = 5, .tokens = 5, .heads = 1, .key_dim = 64, .value_dim = 64}
                           : Dims{.batch = 16, .tokens = 8, .heads = 4, .key_dim = 128, .value_dim = 128};
  if (device.is_cpu())
    return {.batch = 1, .tokens = 150, .heads = 1, .key_dim = 64, .value_dim = 64};  // emulation is slow
  return {.batch = packed ? 1 : 2, .tokens = 1000, .heads = 4, .key_dim = 128, .value_dim = 128};
}

}  // namespace

int command_check(const Options& options) {
  const Pass pass = require_pass(options, {Pass::forward, Pass::backward, Pass::decode});
  const Variant variant = resolve_variant(options.variants.front());
  const Device device = pick_device(options);
  const Dims dims = one_dims(options, variant, default_dims(device, pass, options.packed));
  const std::uint64_t seed = parse_seed(options);
  const CompileOptions compile = compile_options(options, dims);
  const CheckOptions judged{.shape = {dims.batch, dims.tokens, dims.heads, dims.value_heads, 0, dims.key_tokens},
                            .seed = seed,
                            .packed = options.packed,
                            .scalars = parse_scalars(options),
                            .pass = pass};
  require_admitted(variant, pass);
  const Dims drawn = require_drawable(variant, compile, dims,
                                      {.seed = seed, .packed = judged.packed, .scalars = judged.scalars, .pass = pass});
  if (device.is_cpu() && blocks_of(drawn) > many_blocks)
    note(options, "the CPU device emulates kernels, some " + std::to_string(blocks_of(drawn)) +
                      " chunks of them here, which takes a while; fewer heads or tokens take less");
  std::optional<Progress> progress(std::in_place, options, "checking " + std::string(variant.name.view()));
  const Operator op = rankone::compile(variant, compile, device, expected_shape(drawn));
  const CheckReport report = check(op, judged);
  progress.reset();
  const ChosenSchedule chosen = chosen_for(pass, variant, compile, impl_of(op).program().arch, chosen_schedule(op));

  Json tensors = Json::array();
  Table table({"tensor", "relative error", "bound", "inputs", ""});
  for (const TensorError& each : report.tensors) {
    tensors.append(Json::object({{"name", each.name},
                                 {"relative_error", each.relative_error},
                                 {"bound", each.bound},
                                 {"ok", each.ok},
                                 {"inputs", each.inputs}}));
    table.row({each.name, scientific(each.relative_error), scientific(each.bound), each.inputs,
               each.ok ? paint(Color::green, "ok") : paint(Color::red, "FAILED")});
  }
  const Json judged_pass = Json::object({{"pass", name_in(pass_names, pass)}, {"ok", report.ok}, {"tensors", tensors}});
  const Json document = Json::object({{"ok", report.ok},
                                      {"seed", static_cast<std::int64_t>(seed)},
                                      {"draws", report.draws},
                                      {"variant", variant.name.view()},
                                      {"device", device.name()},
                                      {"shape", shape_document(dims)},
                                      {"dtype", name_of(compile.dtype)},
                                      {"schedule", schedule_document(chosen)},
                                      {"passes", Json::array({judged_pass})}});
  const std::string heading = std::string(variant.name.view()) + " " + std::string(name_in(pass_names, pass)) + " on " +
                              device.name() + ", " + to_string(dims) + (options.packed ? ", packed" : "") + ", " +
                              name_of(compile.dtype) + ", seed " + std::to_string(seed) +
                              (report.draws > 1 ? ", " + std::to_string(report.draws) + " draws together" : "") + "\n" +
                              chosen.text() + "\n\n";
  print_result(options, document, heading + table.text());
  return report.ok ? exit_done : exit_check_failed;
}

}  // namespace rankone
