// SPDX-License-Identifier: MIT
// NAME.cu, NAME.h, NAME.ARCH.cubin and NAME.json: each whole, the manifest last.
#include "runtime/export.hpp"

#include <filesystem>
#include <list>

#include <rankone/error.hpp>

#include "codegen/c_header.hpp"
#include "codegen/manifest.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/cache/hash.hpp"
#include "runtime/interruption.hpp"
#include "runtime/kernel_report.hpp"
#include "runtime/log.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

ExportedFiles export_text(const Program& program, const std::string& text, const std::string& directory) {
  const fs::path folder(directory);
  const std::string& name = program.name;
  for (const std::string& end :
       {std::string(".cu"), std::string(".h"), "." + program.arch + ".cubin", std::string(".json")})
    require_no_folder(folder / (name + end));
  // Everything is made before anything is written.
  BuiltCubin built;
  try {
    built = build_whole(program, text);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::unsupported) throw;
    log(LogLevel::warn, std::string("no cubin is exported: ") + error.what());
  }
  ManifestFiles names{.source = name + ".cu", .header = name + ".h"};
  if (!built.cubin.empty()) {
    names.cubin = name + "." + program.arch + ".cubin";
    names.cubin_bytes = built.cubin.size();
    names.cubin_hash = hex(digest_of(built.cubin));
    names.key = built.key;
    for (const KernelReport& kernel : built.kernels) names.warnings.push_back(kernel.warnings);
  }
  const std::string manifest = manifest_json(program, names), header = c_header(program);
  ExportedFiles files{.source = (folder / names.source).string(),
                      .header = (folder / names.header).string(),
                      .cubin = names.cubin.empty() ? "" : (folder / names.cubin).string(),
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
  staged.emplace_back(files.header, std::initializer_list<std::string_view>{header});
  if (!built.cubin.empty()) staged.emplace_back(files.cubin, std::initializer_list<std::string_view>{built.cubin});
  staged.emplace_back(files.manifest, std::initializer_list<std::string_view>{manifest});
  publish_all(staged);
  return files;
}

}  // namespace

ExportedFiles export_program(const Program& program, const std::string& directory) {
  return export_text(program, emit(program), directory);
}

ExportedFiles export_kernel(const Operator& op, const std::string& directory) {
  return export_text(impl_of(op).program(), impl_of(op).text(), directory);
}

}  // namespace rankone
