// SPDX-License-Identifier: MIT
// rankone export: source, cubin and manifest, each whole or not there.
#include <optional>

#include <rankone/error.hpp>

#include "autotune/lookup.hpp"
#include "codegen/program.hpp"
#include "runtime/export.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/request.hpp"

namespace rankone {

int command_export(const Options& options) {
  require_pass(options);
  if (!options.format.empty() && options.format != "cuda")
    throw Error(ErrorCode::invalid_argument, "an unknown format", "'" + options.format + "'", "cuda", "--format");
  if (options.output.empty() || options.output == "-")
    throw Error(ErrorCode::invalid_argument, "no folder to write to", options.output.empty() ? "nothing" : "'-'",
                "a folder: -o DIR", "--out");
  const Variant variant = resolve_variant(options.variants.front());
  const std::string stem = options.output + "/" + std::string(variant.name.view());
  for (const char* end : {".cu", ".json"}) require_distinct(stem + end, options.variants.front(), "the variant");
  const Dims dims = one_dims(options, {.key_dim = 128, .value_dim = 128});
  const Device device = pick_device(options);
  const std::string arch = one_arch(options, device);
  const CompileOptions compile = compile_options(options, dims);
  note_suffix(options, variant, compile, arch);
  const ChosenSchedule chosen = choose_schedule(variant, compile, device, arch, expected_shape(dims));
  std::optional<Progress> progress(std::in_place, options, "compiling for " + arch);
  const ExportedFiles files = export_program(lower(variant, compile, chosen.schedule, arch), options.output);
  progress.reset();

  Json document = Json::object({{"variant", variant.name.view()},
                                {"arch", arch},
                                {"schedule", schedule_document(chosen)},
                                {"source", files.source}});
  document.set("cubin", files.cubin.empty() ? Json() : Json(files.cubin));
  document.set("manifest", files.manifest);
  document.set("removed", files.removed);
  const std::string text =
      files.source + "\n" + (files.cubin.empty() ? "" : files.cubin + "\n") + files.manifest + "\n";
  for (const std::string& cubin : files.removed)
    note(options, "removed " + cubin + ", which belonged to the source that was there before");
  print_result(options, document, text);
  return exit_done;
}

}  // namespace rankone
