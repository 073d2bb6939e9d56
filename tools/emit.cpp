// SPDX-License-Identifier: MIT
// rankone emit: the CUDA source, exactly as it is compiled.
#include <filesystem>

#include "codegen/names.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/lowered.hpp"
#include "tools/output.hpp"
#include "tools/request.hpp"

namespace rankone {

int command_emit(const Options& options) {
  const std::string output = options.output.empty() ? "-" : options.output;
  require_distinct(output, options.variants.front(), "the variant");
  const Variant variant = resolve_variant(options.variants.front());
  const Dims dims = one_dims(options, variant, any_calls(options));
  const Device device = pick_device(options);
  const std::string arch = one_arch(options, device);
  const auto [program, chosen] = lower_for(options, variant, dims, device, arch);
  const std::string source = emit(program);

  if (!options.json) {
    write_output(output, source);
    if (output != "-") note(options, "wrote " + output + ", schedule " + chosen.text());
    return exit_done;
  }
  Json document = Json::object({{"variant", variant.name.view()},
                                {"pass", name_in(pass_names, program.pass)},
                                {"arch", arch},
                                {"schedule", schedule_document(chosen)}});
  if (output == "-") {
    document.set("source", source);
  } else {
    write_output(output, source);
    document.set("file", output);
    document.set("bytes", source.size());
  }
  print(document_text(document));
  return exit_done;
}

}  // namespace rankone
