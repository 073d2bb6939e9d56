// SPDX-License-Identifier: MIT
// The public face of the tuner: a search, and its result in the user's tuned data.
#include <rankone/tune.hpp>

#include <rankone/dsl/validate.hpp>
#include <rankone/error.hpp>

#include "autotune/lookup.hpp"
#include "autotune/tune.hpp"
#include "codegen/knob_text.hpp"

namespace rankone {

TuneResult tune(const Variant& variant, const CompileOptions& options, const Shape& shape, const Device& device,
                const TuneOptions& how) {
  validate(variant);  // before anything is looked up in it
  const TuneRequest request{.variant = variant,
                            .options = options,
                            .dims = drawn_dims(options, shape, "tune"),
                            .pass = how.pass,
                            .scalars = how.scalars,
                            .seed = how.seed,
                            .budget = how.budget,
                            .interrupted = how.interrupted ? how.interrupted : [] { return false; },
                            .progress = how.progress ? how.progress : [](const std::string&) {}};
  if (!(how.budget > 0))
    throw Error(ErrorCode::invalid_argument, "not an accepted budget", std::to_string(how.budget), "seconds above 0",
                "tune");
  require_tunable(device);
  std::filesystem::path folder;
  if (how.keep) {
    folder = require_tuned_user_folder();
    require_tuned_folder(folder, device.name());
  }
  const TuneReport report = tune(request, device);
  if (report.found.right.empty())
    throw Error(ErrorCode::check_failed, "no candidate gave right results",
                report.found.rejected.empty() ? "none was tried" : report.found.rejected.front().failure, {}, "tune");
  TuneResult result{.schedule = to_string(report.entry.schedule),
                    .median_ms = report.entry.median_ms,
                    .default_ms = report.entry.default_ms,
                    .relative_error = report.entry.relative_error,
                    .tried = report.found.right.size() + report.found.rejected.size(),
                    .rejected = report.found.rejected.size(),
                    .untried = report.found.untried,
                    .interrupted = report.found.interrupted,
                    .file = {}};
  if (how.keep) {
    store_tuned(folder, device.name(), device.arch(), report.entry);
    result.file = (folder / tuned_file_name(device.name())).string();
  }
  return result;
}

}  // namespace rankone
