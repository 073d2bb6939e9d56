// SPDX-License-Identifier: MIT
// rankone doctor: what is found on this machine, each setting and where it came from.
#include "runtime/doctor.hpp"

#include <filesystem>

#include "autotune/lookup.hpp"
#include "tools/commands.hpp"
#include "tools/output.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

Json document_of(const Diagnosis& found) {
  Json gpus = Json::array(), folders = Json::array(), settings = Json::array();
  for (const GpuFound& each : found.gpus)
    gpus.append(Json::object({{"ordinal", each.ordinal},
                              {"name", each.name},
                              {"arch", each.arch},
                              {"multiprocessors", each.multiprocessors},
                              {"memory_bytes", static_cast<std::int64_t>(each.memory_bytes)},
                              {"shared_bytes_per_block", static_cast<std::int64_t>(each.shared_bytes_per_block)},
                              {"problem", each.problem}}));
  for (const FolderFound& each : found.folders)
    folders.append(Json::object({{"purpose", each.purpose},
                                 {"path", each.path},
                                 {"origin", each.origin},
                                 {"exists", each.exists},
                                 {"writable", each.writable},
                                 {"problem", each.problem}}));
  for (const SettingFound& each : found.settings)
    settings.append(
        Json::object({{"name", each.name}, {"value", each.value}, {"origin", each.origin}, {"meaning", each.meaning}}));
  return Json::object({{"version", found.version},
                       {"nvrtc", Json::object({{"found", found.nvrtc.found()},
                                               {"path", found.nvrtc.path},
                                               {"origin", found.nvrtc.origin},
                                               {"version", found.nvrtc.version},
                                               {"archs", found.nvrtc.archs},
                                               {"unsupported", found.nvrtc.unsupported},
                                               {"problem", found.nvrtc.problem}})},
                       {"driver", Json::object({{"found", found.driver.found()},
                                                {"path", found.driver.path},
                                                {"version", found.driver.version},
                                                {"problem", found.driver.problem}})},
                       {"gpus", gpus},
                       {"compiler", Json::object({{"found", found.compiler.found()},
                                                  {"command", found.compiler.command},
                                                  {"origin", found.compiler.origin},
                                                  {"path", found.compiler.path},
                                                  {"version", found.compiler.version},
                                                  {"problem", found.compiler.problem}})},
                       {"folders", folders},
                       {"settings", settings}});
}

// One finding: a mark, what it is, what was found, and below it what is wrong.
std::string line(bool good, const std::string& what, const std::string& found, const std::string& problem) {
  std::string text = (good ? paint(Color::green, "ok") : paint(Color::yellow, "--")) + "  " + what;
  text += std::string(what.size() < 14 ? 14 - what.size() : 1, ' ') + found + "\n";
  if (!problem.empty()) text += std::string(18, ' ') + problem + "\n";
  return text;
}

std::string text_of(const Diagnosis& found) {
  std::string text = paint(Color::bold, "rankone " + found.version) + "\n\n";
  const NvrtcFound& nvrtc = found.nvrtc;
  text +=
      line(nvrtc.found() && nvrtc.problem.empty(), "NVRTC",
           nvrtc.found() ? nvrtc.version + ", " + nvrtc.path + " (" + nvrtc.origin + ")" : "not found", nvrtc.problem);
  if (nvrtc.found()) text += std::string(18, ' ') + "compiles for " + joined(nvrtc.archs) + "\n";
  text +=
      line(found.driver.found(), "CUDA driver",
           found.driver.found() ? found.driver.version + ", " + found.driver.path : "not found", found.driver.problem);
  for (const GpuFound& each : found.gpus)
    text += line(each.problem.empty(), "cuda:" + std::to_string(each.ordinal),
                 each.name + ", " + each.arch + ", " + byte_count(each.memory_bytes) + ", " +
                     std::to_string(each.multiprocessors) + " SMs",
                 each.problem);
  const CompilerFound& compiler = found.compiler;
  text += line(compiler.found(), "host compiler",
               compiler.found() ? compiler.version + ", " + compiler.path + " (" + compiler.origin + ")"
                                : compiler.command + " (" + compiler.origin + ")",
               compiler.problem);
  for (const FolderFound& each : found.folders)
    text += line(each.problem.empty(), each.purpose, each.path + " (" + each.origin + ")", each.problem);

  Table settings({"setting", "value", "from", "meaning"});
  for (const SettingFound& each : found.settings) settings.row({each.name, each.value, each.origin, each.meaning});
  return text + "\n" + settings.text();
}

// What stands in the folder but is of no use.
void add_tuned_problems(FolderFound& folder) {
  std::vector<std::string> problems = unreadable_tuned(tuned_folders());
  std::error_code failure;
  for (std::filesystem::directory_iterator each(folder.path, failure), end; !failure && each != end;
       each.increment(failure))
    if (each->path().extension() == ".json")
      problems.push_back(each->path().string() + ": it is not read there; tuned schedules lie in " + folder.path +
                         "/tuned");
  for (const std::string& problem : problems) folder.problem += (folder.problem.empty() ? "" : "; ") + problem;
}

}  // namespace

int command_doctor(const Options& options) {
  Diagnosis found = diagnose();
  for (FolderFound& each : found.folders)
    if (each.purpose == "tuned data") add_tuned_problems(each);
  print_result(options, document_of(found), text_of(found));
  return exit_done;
}

}  // namespace rankone
