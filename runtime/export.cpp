// SPDX-License-Identifier: MIT
// NAME.cu, NAME.ARCH.cubin and NAME.json, each whole or not at all.
#include "runtime/export.hpp"

#include <filesystem>

#include <rankone/error.hpp>

#include "codegen/manifest.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/kernel_report.hpp"
#include "runtime/log.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

ExportedFiles export_text(const Plan& plan, const std::string& text, const std::string& directory) {
  // Everything is made before anything is written.
  BuiltCubin built;
  try {
    built = build_whole(plan, text);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::unsupported) throw;
    log(LogLevel::warn, std::string("no cubin is exported: ") + error.what());
  }
  const std::string manifest = manifest_json(plan, built.key);

  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed)
    throw Error(ErrorCode::io, "the folder cannot be made", failed.message(), "a folder that can be written",
                directory);
  const std::string name(plan.variant.name.view());
  const auto write = [&](const std::string& file, const std::string& bytes) {
    const fs::path path = fs::path(directory) / file;
    publish_file(path, {bytes});
    return path.string();
  };
  // The manifest last: who finds it finds the rest.
  ExportedFiles files;
  files.source = write(name + ".cu", text);
  if (!built.cubin.empty()) files.cubin = write(name + "." + plan.arch + ".cubin", built.cubin);
  files.manifest = write(name + ".json", manifest);
  return files;
}

}  // namespace

ExportedFiles export_plan(const Plan& plan, const std::string& directory) {
  return export_text(plan, emit(plan), directory);
}

ExportedFiles export_kernel(const Operator& op, const std::string& directory) {
  return export_text(op.impl().plan(), op.impl().text(), directory);
}

}  // namespace rankone
