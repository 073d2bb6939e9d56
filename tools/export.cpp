// SPDX-License-Identifier: MIT
// rankone export: source, cubin and manifest, each whole or not there.
#include <optional>

#include <rankone/error.hpp>

#include "codegen/names.hpp"
#include "runtime/export.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/lowered.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/request.hpp"

namespace rankone {

int command_export(const Options& options) {
  if (!options.format.empty() && options.format != "cuda")
    throw Error(ErrorCode::invalid_argument, "an unknown format", "'" + options.format + "'", "cuda", "--format");
  if (options.output.empty() || options.output == "-")
    throw Error(ErrorCode::invalid_argument, "no folder to write to", options.output.empty() ? "nothing" : "'-'",
                "a folder: -o DIR", "--out");
  const Variant variant = resolve_variant(options.variants.front());
  const Dims dims = one_dims(options, variant, any_calls(options));
  const Device device = pick_device(options);
  const std::string arch = one_arch(options, device);
  const auto [program, chosen] = lower_for(options, variant, dims, device, arch);
  for (const char* end : {".cu", ".h", ".json"})
    require_distinct(options.output + "/" + program.name + end, options.variants.front(), "the variant");
  std::optional<Progress> progress(std::in_place, options, "compiling for " + arch);
  const ExportedFiles files = export_program(program, options.output);
  progress.reset();

  Json document = Json::object({{"variant", variant.name.view()},
                                {"pass", name_in(pass_names, program.pass)},
                                {"arch", arch},
                                {"schedule", schedule_document(chosen)},
                                {"source", files.source}});
  document.set("header", files.header);
  document.set("cubin", files.cubin.empty() ? Json() : Json(files.cubin));
  document.set("manifest", files.manifest);
  const std::string text = files.source + "\n" + files.header + "\n" + (files.cubin.empty() ? "" : files.cubin + "\n") +
                           files.manifest + "\n";
  print_result(options, document, text);
  return exit_done;
}

}  // namespace rankone
