// SPDX-License-Identifier: MIT
// rankone tune: searches, says what it finds, and remembers the best. Ctrl-C keeps what was learnt.
#include "autotune/tune.hpp"

#include <rankone/dsl/features.hpp>
#include <rankone/error.hpp>

#include "autotune/lookup.hpp"
#include "codegen/knob_text.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/interrupt.hpp"
#include "tools/output.hpp"
#include "tools/request.hpp"
#include "tools/text.hpp"

namespace rankone {

namespace {

double parse_budget(const Options& options) {
  const double budget = options.budget.empty() ? 120 : parse_number(options.budget, "--budget");
  if (budget <= 0)
    throw Error(ErrorCode::invalid_argument, "not an accepted budget", options.budget, "seconds above 0", "--budget");
  return budget;
}

Device tunable_device(const Options& options) {
  const Device device = pick_device(options);
  if (device.is_cpu())
    throw Error(ErrorCode::unsupported, "the CPU device emulates kernels, so its times say nothing about any GPU",
                options.device.empty() ? "no --device, and no GPU was found here" : "--device " + options.device,
                "a CUDA GPU: --device cuda", "rankone tune");
  return device;
}

std::vector<Dims> wanted_dims(const Options& options, const Variant& variant, Pass pass) {
  const Shape typical = typical_shape(pass);
  const Dims defaults{.batch = typical.batch,
                      .tokens = typical.tokens,
                      .heads = typical.heads,
                      .key_dim = usual_key_dim(variant, 128),
                      .value_dim = 128};
  std::vector<Dims> wanted;
  for (const std::string& shape : options.shapes) wanted.push_back(parse_dims(shape, defaults));
  if (wanted.empty()) wanted.push_back(parse_dims("", defaults));
  return wanted;
}

std::size_t tried(const SearchResult& found) { return found.right.size() + found.rejected.size(); }

Json row_document(const TuneReport& report, const Dims& dims) {
  const auto& [found, entry] = report;
  return Json::object({{"variant", entry.variant},
                       {"pass", entry.key.pass},
                       {"shape", shape_document(dims)},
                       {"schedule", schedule_document(entry.schedule)},
                       {"median_ms", entry.median_ms},
                       {"default_ms", entry.default_ms},
                       {"relative_error", entry.relative_error},
                       {"tried", tried(found)},
                       {"rejected", found.rejected.size()},
                       {"untried", found.untried}});
}

std::vector<std::string> cells_of(const TuneReport& report) {
  const auto& [found, entry] = report;
  return {entry.variant,
          entry.shape,
          to_string(entry.schedule),
          fixed(entry.median_ms, 4),
          fixed(entry.default_ms, 4),
          std::to_string(tried(found)),
          std::to_string(found.rejected.size())};
}

}  // namespace

int command_tune(const Options& options) {
  const Pass pass = require_pass(options, {Pass::forward, Pass::backward, Pass::decode});
  std::vector<Variant> variants;
  for (const std::string& name : options.variants) require_admitted(variants.emplace_back(resolve_variant(name)), pass);
  const double budget = parse_budget(options);
  const Device device = tunable_device(options);
  const std::filesystem::path folder = require_tuned_user_folder();
  require_tuned_folder(folder, device.name());

  const Interruptible guard;
  const std::string file = (folder / tuned_file_name(device.name())).string();
  Json rows = Json::array();
  Table table({"variant", "shape", "schedule", "ms", "default", "tried", "rejected"});
  bool interrupted = false;
  for (const Variant& variant : variants)
    for (const Dims& dims : wanted_dims(options, variant, pass)) {
      if (interrupted) continue;
      note(options, "tuning " + std::string(variant.name.view()) + " " + to_string(dims) + " on " + device.name());
      const TuneRequest request{.variant = variant,
                                .options = compile_options(options, dims),
                                .dims = dims,
                                .pass = pass,
                                .scalars = parse_scalars(options),
                                .seed = parse_seed(options),
                                .budget = budget,
                                .interrupted = [&] { return guard.interrupted(); },
                                .progress = [&](const std::string& line) { note(options, line); }};
      const TuneReport report = tune(request, device);
      interrupted = report.found.interrupted;
      if (report.found.right.empty()) {
        if (interrupted) continue;
        throw Error(ErrorCode::check_failed, "no candidate gave right results",
                    report.found.rejected.empty() ? "none was tried" : report.found.rejected.front().failure, {},
                    "rankone tune");
      }
      store_tuned(folder, device.name(), device.arch(), report.entry);
      rows.append(row_document(report, dims));
      table.row(cells_of(report));
    }
  if (interrupted) note(options, "interrupted; what was learnt is kept");
  print_result(
      options,
      Json::object({{"device", device.name()}, {"database", file}, {"interrupted", interrupted}, {"rows", rows}}),
      table.text() + "\nkept in " + file + "\n");
  return interrupted ? exit_interrupted : exit_done;
}

}  // namespace rankone
