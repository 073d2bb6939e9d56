// SPDX-License-Identifier: MIT
// rankone list: the catalogue.
#include <rankone/dsl.hpp>

#include "codegen/choose.hpp"
#include "codegen/program.hpp"
#include "tools/catalogue_page.hpp"
#include "tools/commands.hpp"
#include "tools/help.hpp"
#include "tools/output.hpp"
#include "tools/served.hpp"
#include "tools/show.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

std::string table_text(const CompileOptions& compile, const std::vector<std::string>& archs) {
  std::vector<std::string> heading{"variant", "passes"};
  heading.insert(heading.end(), archs.begin(), archs.end());
  heading.emplace_back("chunk form");
  Table table(heading);
  for (const Entry& entry : catalogue()) {
    const std::vector<ServedPass> passes = served_passes(entry, usual_options(entry, compile), archs);
    std::vector<std::string> cells{std::string(entry.name.view()), joined(passes_of(entry))};
    for (const ServedPass::Choice& choice : passes.front().choices)
      cells.push_back(choice.reason.empty() ? choice.family : "-");
    cells.push_back(chunk_form(entry, compile).name);
    table.row(cells);
  }
  return table.text(help_width());
}

}  // namespace

int command_list(const Options& options) {
  const CompileOptions compile{.key_dim = 128, .value_dim = 128};
  const std::vector<std::string> archs = shown_archs(options);
  if (options.markdown) {
    const std::string page = catalogue_page(compile, archs);
    print_result(options, Json::object({{"markdown", page}}), page);
    return exit_done;
  }
  Json variants = Json::array();
  if (options.json)
    for (const Entry& entry : catalogue())
      variants.append(variant_document(entry, usual_options(entry, compile), archs));
  print_result(options, Json::object({{"variants", variants}}), options.json ? "" : table_text(compile, archs));
  return exit_done;
}

}  // namespace rankone
