// SPDX-License-Identifier: MIT
// NAME.cu, NAME.ARCH.cubin and NAME.json: each whole, the manifest last.
#include "runtime/export.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <list>

#include <rankone/error.hpp>

#include "codegen/manifest.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/interruption.hpp"
#include "runtime/kernel_report.hpp"
#include "runtime/log.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

bool holds(const fs::path& file, const std::string& text) {
  std::ifstream stream(file, std::ios::binary);
  return stream && std::string(std::istreambuf_iterator<char>(stream), {}) == text;
}

// Cubins of another source of this variant, whose place the new one has taken.
std::vector<std::string> remove_stale(const fs::path& folder, const std::string& name, const std::string& cubin) {
  std::vector<std::string> stale;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string file = entry->path().filename().string();
    if (file.starts_with(name + ".sm_") && file.ends_with(".cubin") && entry->path() != cubin)
      stale.push_back(entry->path().string());
  }
  std::sort(stale.begin(), stale.end());
  for (const std::string& file : stale)
    if (!fs::remove(file, failed) && failed)
      throw Error(ErrorCode::io, "a cubin of an earlier export cannot be removed", failed.message(),
                  "a folder that can be written", file);
  return stale;
}

ExportedFiles export_text(const Program& program, const std::string& text, const std::string& directory) {
  // Everything is made before anything is written.
  BuiltCubin built;
  try {
    built = build_whole(program, text);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::unsupported) throw;
    log(LogLevel::warn, std::string("no cubin is exported: ") + error.what());
  }
  const std::string manifest = manifest_json(program, built.key), name(program.variant.name.view());
  const fs::path folder(directory);
  ExportedFiles files{.source = (folder / (name + ".cu")).string(),
                      .cubin = built.cubin.empty() ? "" : (folder / (name + "." + program.arch + ".cubin")).string(),
                      .manifest = (folder / (name + ".json")).string()};

  const Uninterrupted step;
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    throw Error(ErrorCode::io, "the folder cannot be made", failed.message(), "a folder that can be written",
                directory);
  // The manifest last: who finds it finds the rest.
  std::list<StagedFile> staged;
  staged.emplace_back(files.source, std::initializer_list<std::string_view>{text});
  if (!built.cubin.empty()) staged.emplace_back(files.cubin, std::initializer_list<std::string_view>{built.cubin});
  staged.emplace_back(files.manifest, std::initializer_list<std::string_view>{manifest});
  const bool same_source = holds(files.source, text);
  for (StagedFile& each : staged) each.publish();
  if (!same_source) files.removed = remove_stale(folder, name, files.cubin);
  return files;
}

}  // namespace

ExportedFiles export_program(const Program& program, const std::string& directory) {
  return export_text(program, emit(program), directory);
}

ExportedFiles export_kernel(const Operator& op, const std::string& directory) {
  return export_text(op.impl().program(), op.impl().text(), directory);
}

}  // namespace rankone
