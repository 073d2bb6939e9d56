// SPDX-License-Identifier: MIT
// rankone run: a file's tensors through the kernel, and a file with what it wrote.
#include <optional>

#include <rankone/compile.hpp>
#include <rankone/error.hpp>

#include "autotune/lookup.hpp"
#include "proof/draw.hpp"
#include "proof/launch.hpp"
#include "runtime/operator_impl.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/file_problem.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/request.hpp"

namespace rankone {
namespace {

SafetensorsFile read_tensors(const std::string& path) {
  if (path != "-") return SafetensorsFile::open(path);
  const std::string text = read_input("-");
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return SafetensorsFile::parse(std::vector<std::byte>(bytes, bytes + text.size()), "standard input");
}

void require_file(const std::string& path, const char* option) {
  if (path.empty())
    throw Error(ErrorCode::invalid_argument, "a file is missing", "nothing", std::string(option) + " FILE", option);
}

void require_files(const Options& options) {
  require_file(options.input, "--in");
  require_file(options.output, "--out");
  if (options.json && options.output == "-")
    throw Error(ErrorCode::invalid_argument, "standard output cannot hold both the document and the tensors",
                "--json --out -", "--out FILE, or no --json", "rankone run");
  if (options.input == "-" && options.variants.front() == "-")
    throw Error(ErrorCode::invalid_argument, "standard input cannot hold both the variant and the tensors",
                "- and --in -", "one of them", "rankone run");
  require_output(options.output);
  require_distinct(options.output, options.input, "the tensors that are read");
  require_distinct(options.output, options.variants.front(), "the variant");
}

Json document_of(const HostTensor& tensor) {
  Json shape = Json::array();
  for (const std::int64_t size : tensor.shape) shape.append(size);
  return Json::object({{"name", tensor.name}, {"dtype", name_of(tensor.type)}, {"shape", shape}});
}

std::vector<HostTensor> outputs_of(const Operator& op, const Problem& problem) {
  Launch launch(op, problem, true);
  launch.poison(std::byte{0});  // tokens outside of every sequence stay 0, and rows that do nothing
  launch.run();
  return launch.outputs();
}

}  // namespace

int command_run(const Options& options) {
  const Pass pass = require_pass(options, {Pass::forward, Pass::backward, Pass::decode});
  require_files(options);
  const Variant variant = resolve_variant(options.variants.front());
  require_admitted(variant, pass);
  const SafetensorsFile file = read_tensors(options.input);
  const FileProblem from_file = problem_from_file(variant, compile_options(options, {}), pass, file);
  const Problem& problem = from_file.problem;
  require_agreement(options, problem);
  require_sound_parts(variant, problem.dims, problem.scalars);
  for (const std::string& name : from_file.ignored)
    note(options, "'" + name + "' is ignored: " + std::string(variant.name.view()) + " does not read it");

  const Device device = pick_device(options);
  std::optional<Progress> progress(std::in_place, options, "running " + std::string(variant.name.view()));
  const Operator op = compile(variant, problem.options, device, expected_shape(problem.dims));
  const ChosenSchedule chosen =
      chosen_for(pass, variant, problem.options, impl_of(op).program().arch, chosen_schedule(op));
  const std::vector<HostTensor> results = outputs_of(op, problem);
  progress.reset();

  std::vector<SafetensorsTensor> tensors;
  std::string names;
  Json written = Json::array();
  for (const HostTensor& each : results) {
    tensors.push_back({each.name, each.type, each.shape, each.bytes.data()});
    names += (names.empty() ? "" : " and ") + each.name;
    written.append(document_of(each));
  }
  Metadata metadata = file.metadata();
  if (scalars_of(variant).index_of("variant") < 0) metadata["variant"] = variant.name.view();
  write_output(options.output, safetensors_bytes(tensors, metadata));
  if (options.output == "-") {
    note(options, "wrote " + names + ", " + to_string(problem.dims) + ", " + chosen.text());
    return exit_done;
  }
  Json ignored = Json::array();
  for (const std::string& name : from_file.ignored) ignored.append(name);
  print_result(options,
               Json::object({{"variant", variant.name.view()},
                             {"device", device.name()},
                             {"shape", shape_document(problem.dims)},
                             {"schedule", schedule_document(chosen)},
                             {"ignored", ignored},
                             {"written", written},
                             {"file", options.output}}),
               std::string(variant.name.view()) + " on " + device.name() + ", " + to_string(problem.dims) + "\n" +
                   chosen.text() + "\nwrote " + names + " to " + options.output + "\n");
  return exit_done;
}

}  // namespace rankone
