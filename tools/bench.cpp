// SPDX-License-Identifier: MIT
// rankone bench: median times beside the floor that memory sets.
#include <algorithm>
#include <optional>

#include <rankone/compile.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/error.hpp>

#include "autotune/lookup.hpp"
#include "bench/clock.hpp"
#include "bench/suite.hpp"
#include "codegen/names.hpp"
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

std::vector<Row> rows_of_suite(const Options& options, const Device& device) {
  const std::string given = !options.variants.empty() ? options.variants.front()
                            : !options.shapes.empty() ? "--shape " + options.shapes.front()
                            : !options.pass.empty()   ? "--pass " + options.pass
                                                      : "";
  if (!given.empty())
    throw Error(ErrorCode::invalid_argument, "a suite brings its own variants, shapes and passes", given,
                "--suite alone, or variants, --shape and --pass", "rankone bench");
  std::vector<Row> rows;
  for (const SuiteRow& row : suite_rows(options.suite)) rows.push_back({resolve_variant(row.variant), row});
  if (device.is_cpu())
    throw Error(ErrorCode::unsupported, "the rows of a suite are made for a GPU", "the CPU device", "--device cuda",
                "--suite");
  return rows;
}

// Where the command line says no more. The CPU device is slow.
Dims default_dims(const Device& device, Pass pass) {
  if (device.is_cpu())
    return {.batch = 1, .tokens = pass == Pass::decode ? 1 : 128, .heads = 1, .key_dim = 64, .value_dim = 64};
  const Shape typical = typical_shape(pass);
  return {.batch = typical.batch, .tokens = typical.tokens, .heads = typical.heads, .key_dim = 128, .value_dim = 128};
}

std::vector<Row> wanted_rows(const Options& options, const Device& device) {
  const Pass pass = require_pass(options, {Pass::forward, Pass::backward, Pass::decode});
  if (!options.suite.empty()) return rows_of_suite(options, device);
  std::vector<Row> rows;
  if (options.variants.empty())
    throw Error(
        ErrorCode::invalid_argument, "a variant is missing", "nothing",
        "a name that `rankone list` prints, a JSON file, or - for standard input; or --suite forward (or decode, recurrent, recurrent-backward)",
        "rankone bench");
  const std::vector<std::string> shapes = options.shapes.empty() ? std::vector<std::string>{""} : options.shapes;
  for (const std::string& name : options.variants) {
    const Variant variant = resolve_variant(name);  // once: it may come from standard input
    require_admitted(variant, pass);
    Dims defaults = default_dims(device, pass);
    defaults.key_dim = usual_key_dim(variant, defaults.key_dim);
    for (const std::string& shape : shapes)
      rows.push_back({variant, {.caption = "", .variant = "", .dims = parse_dims(shape, defaults), .pass = pass}});
  }
  return rows;
}

struct Measured {
  Operator op;
  ChosenSchedule chosen;
  double milliseconds = 0, floor = 0;
  std::size_t bytes = 0;
  std::int64_t sequences = 0;  // 0: they are not packed

  double fraction() const { return floor / milliseconds; }
};

Measured measure(const Row& row, const Options& options, const Device& device, const Clock& clock, double copy_rate) {
  const auto& [variant, what] = row;
  CompileOptions compile = compile_options(options, what.dims);
  if (what.family) compile.pins.family = what.family;
  if (what.state_dtype) compile.state_dtype = *what.state_dtype;
  const std::vector<std::int64_t> boundaries = boundaries_of(what, parse_seed(options));
  const Problem problem = random_problem(variant, compile, what.dims,
                                         {.seed = parse_seed(options),
                                          .initial_state = false,
                                          .scalars = parse_scalars(options),
                                          .boundaries = boundaries,
                                          .gate_scale = what.gate_scale,
                                          .pass = what.pass,
                                          .in_place = true});
  const Operator op = rankone::compile(variant, compile, device, expected_shape(problem.dims));
  Measured result{.op = op,
                  .chosen = chosen_for(what.pass, variant, compile, impl_of(op).program().arch, chosen_schedule(op))};
  result.milliseconds = clock.milliseconds(result.op, problem, result.bytes);
  result.floor = static_cast<double>(result.bytes) / copy_rate * 1e-6;
  if (!boundaries.empty()) result.sequences = problem.dims.sequences;
  return result;
}

Json row_document(const Row& row, const Measured& measured, bool is_suite) {
  const auto& [variant, what] = row;
  Json document = Json::object({{"variant", variant.name.view()},
                                {"pass", name_in(pass_names, what.pass)},
                                {"shape", shape_document(what.dims)},
                                {"dtype", name_of(measured.op.options().dtype)},
                                {"state_dtype", name_of(measured.op.options().state_dtype)},
                                {"median_ms", measured.milliseconds},
                                {"bytes", measured.bytes},
                                {"floor_ms", measured.floor},
                                {"floor_fraction", measured.fraction()},
                                {"schedule", schedule_document(measured.chosen)}});
  if (measured.sequences != 0) document.set("sequences", measured.sequences);
  if (!is_suite) return document;
  document.set("row", what.caption);
  if (what.goal_ms > 0) document.set("goal_ms", what.goal_ms);
  if (what.goal_fraction > 0) document.set("goal_fraction", what.goal_fraction);
  return document;
}

constexpr std::ptrdiff_t goals_column = 5;  // a suite's goals stand before what is only for reference

std::vector<std::string> titles_of(bool is_suite) {
  std::vector<std::string> titles = {"variant", "shape", "ms", "floor ms", "of floor", "MB", "schedule"};
  if (is_suite) titles.insert(titles.begin() + goals_column, {"goal ms", "goal", "row"});
  return titles;
}

std::vector<std::string> cells_of(const Row& row, const Measured& measured, bool is_suite) {
  const auto& [variant, what] = row;
  std::vector<std::string> cells = {std::string(variant.name.view()),
                                    to_string(what.dims),
                                    fixed(measured.milliseconds, 4),
                                    fixed(measured.floor, 4),
                                    percent(measured.fraction()),
                                    fixed(static_cast<double>(measured.bytes) * 1e-6, 1),
                                    measured.chosen.text()};
  if (is_suite)
    cells.insert(cells.begin() + goals_column,
                 {what.goal_ms > 0 ? fixed(what.goal_ms, 3) : "",
                  what.goal_fraction > 0 ? percent(what.goal_fraction) : "", what.caption});
  return cells;
}

}  // namespace

int command_bench(const Options& options) {
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
  Table table(titles_of(is_suite));
  std::optional<Progress> progress(std::in_place, options, "benchmarking", static_cast<int>(wanted.size()));
  for (const Row& row : wanted) {
    const Measured measured = measure(row, options, device, clock, copy);
    if (is_suite)
      note(options, std::string(row.what.caption) + ": " + std::string(row.variant.name.view()) + " " +
                        fixed(measured.milliseconds, 4) + " ms");
    rows.append(row_document(row, measured, is_suite));
    table.row(cells_of(row, measured, is_suite));
    progress->step();
  }
  progress.reset();
  print_result(options, Json::object({{"device", device.name()}, {"copy_GBps", copy}, {"rows", rows}}),
               device.name() + ", a copy moves " + fixed(copy, 0) + " GB/s" +
                   (is_suite ? "; goals in milliseconds are an H200's" : "") + "\n\n" + table.text());
  return exit_done;
}

}  // namespace rankone
