// SPDX-License-Identifier: MIT
// rankone bench: median times beside the floor that memory sets.
#include <algorithm>
#include <optional>

#include <rankone/compile.hpp>
#include <rankone/error.hpp>

#include "bench/clock.hpp"
#include "bench/suite.hpp"
#include "runtime/operator_impl.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/request.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

// One line of the table: what to run, and what it is measured against.
struct Row {
  Variant variant;
  SuiteRow what;
};

std::vector<Row> wanted_rows(const Options& options, const Device& device) {
  std::vector<Row> rows;
  if (!options.suite.empty()) {
    if (!options.variants.empty() || !options.shapes.empty())
      throw Error(ErrorCode::invalid_argument, "a suite brings its own variants and shapes",
                  options.variants.empty() ? "--shape " + options.shapes.front() : options.variants.front(),
                  "--suite alone, or variants and --shape", "rankone bench");
    for (const SuiteRow& row : suite_rows(options.suite)) rows.push_back({resolve_variant(row.variant), row});
    if (device.is_cpu())
      throw Error(ErrorCode::unsupported, "the rows of a suite are made for a GPU", "the CPU device", "--device cuda",
                  "--suite");
    return rows;
  }
  if (options.variants.empty())
    throw Error(ErrorCode::invalid_argument, "a variant is missing", "nothing",
                "a name that `rankone list` prints, a JSON file, or - for standard input; or --suite forward",
                "rankone bench");
  const Dims defaults = device.is_cpu()
                            ? Dims{.batch = 1, .tokens = 128, .heads = 1, .key_dim = 64, .value_dim = 64}
                            : Dims{.batch = 8, .tokens = 4096, .heads = 16, .key_dim = 128, .value_dim = 128};
  std::vector<Dims> shapes;
  for (const std::string& shape : options.shapes) shapes.push_back(parse_dims(shape, defaults));
  if (shapes.empty()) shapes.push_back(parse_dims("", defaults));
  for (const std::string& name : options.variants) {
    const Variant variant = resolve_variant(name);  // once: it may come from standard input
    for (const Dims& dims : shapes) rows.push_back({variant, {.caption = "", .variant = "", .dims = dims}});
  }
  return rows;
}

}  // namespace

int command_bench(const Options& options) {
  require_pass(options);
  const Device device = pick_device(options);
  const std::vector<Row> wanted = wanted_rows(options, device);
  const int repeats =
      options.repeats.empty() ? 0 : static_cast<int>(parse_integer(options.repeats, 1, 100'000, "--repeats"));
  if (device.is_cpu())
    note(options,
         "the CPU device emulates kernels: its times say nothing about any GPU, and large shapes take very long; try a "
         "small one, such as --shape T=64,H=1,K=32,V=32");

  const Clock clock(device, repeats);
  const double copy = clock.copy_rate();
  const bool is_suite = !options.suite.empty();
  Json rows = Json::array();
  std::vector<std::string> titles = {"variant", "shape", "ms", "floor ms", "of floor", "MB", "schedule"};
  if (is_suite) titles.insert(titles.begin() + 5, {"goal ms", "goal", "row"});
  Table table(titles);
  std::optional<Progress> progress(std::in_place, options, "benchmarking", static_cast<int>(wanted.size()));
  for (const auto& [variant, what] : wanted) {
    const CompileOptions compile = compile_options(options, what.dims);
    const std::vector<std::int64_t> boundaries = boundaries_of(what, parse_seed(options));
    const Problem problem = random_problem(variant, compile, what.dims,
                                           {.seed = parse_seed(options),
                                            .initial_state = false,
                                            .scalars = parse_scalars(options),
                                            .boundaries = boundaries,
                                            .gate_scale = what.gate_scale});
    const Operator op = rankone::compile(variant, compile, device, expected_shape(problem.dims));
    std::size_t bytes = 0;
    const double milliseconds = clock.forward(op, problem, bytes);
    const double floor = static_cast<double>(bytes) / copy * 1e-6;
    Json row = Json::object({{"variant", variant.name.view()},
                             {"pass", "forward"},
                             {"shape", shape_document(what.dims)},
                             {"dtype", name_of(compile.dtype)},
                             {"median_ms", milliseconds},
                             {"bytes", bytes},
                             {"floor_ms", floor},
                             {"floor_fraction", floor / milliseconds},
                             {"schedule", schedule_document(chosen_schedule(op))}});
    if (!boundaries.empty()) row.set("sequences", problem.dims.sequences);
    std::vector<std::string> cells = {std::string(variant.name.view()),
                                      to_string(what.dims),
                                      fixed(milliseconds, 4),
                                      fixed(floor, 4),
                                      percent(floor / milliseconds),
                                      fixed(static_cast<double>(bytes) * 1e-6, 1),
                                      op.schedule()};
    if (is_suite) {
      row.set("row", what.caption);
      if (what.goal_ms > 0) row.set("goal_ms", what.goal_ms);
      if (what.goal_fraction > 0) row.set("goal_fraction", what.goal_fraction);
      cells.insert(cells.begin() + 5, {what.goal_ms > 0 ? fixed(what.goal_ms, 3) : "",
                                       what.goal_fraction > 0 ? percent(what.goal_fraction) : "", what.caption});
      note(options,
           std::string(what.caption) + ": " + std::string(variant.name.view()) + " " + fixed(milliseconds, 4) + " ms");
    }
    rows.append(std::move(row));
    table.row(cells);
    progress->step();
  }
  progress.reset();
  print_result(options, Json::object({{"device", device.name()}, {"copy_GBps", copy}, {"rows", rows}}),
               device.name() + ", a copy moves " + fixed(copy, 0) + " GB/s" +
                   (is_suite ? "; goals in milliseconds are an H200's" : "") + "\n\n" + table.text());
  return exit_done;
}

}  // namespace rankone
