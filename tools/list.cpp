// SPDX-License-Identifier: MIT
// rankone list: the catalogue.
#include <rankone/dsl.hpp>

#include "codegen/program.hpp"
#include "tools/commands.hpp"
#include "tools/output.hpp"
#include "tools/show.hpp"
#include "tools/text.hpp"

namespace rankone {

int command_list(const Options& options) {
  const CompileOptions compile{.key_dim = 128, .value_dim = 128};
  Json variants = Json::array();
  Table table({"variant", "passes", "recurrence"});
  for (const Variant& variant : catalogue()) {
    variants.append(variant_document(variant, compile));
    table.row({std::string(variant.name.view()), joined(passes_of(variant)), describe(variant)});
  }
  print_result(options, Json::object({{"variants", variants}}), table.text());
  return exit_done;
}

}  // namespace rankone
