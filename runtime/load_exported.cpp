// SPDX-License-Identifier: MIT
// An operator from the files of an export.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rankone/error.hpp>

#include "codegen/manifest.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/cache/hash.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& file, const char* message, const char* accepted) {
  if (std::error_code none; fs::exists(file, none)) require_input_file(file.string(), accepted);
  std::optional<std::string> text = read_file(file);
  if (!text) throw Error(ErrorCode::not_found, message, file.filename().string(), accepted, file.string());
  return *std::move(text);
}

// The manifest that `path` is, or the only one of a forward pass in the folder that it is.
fs::path manifest_at(const fs::path& path) {
  std::error_code none;
  if (!fs::is_directory(path, none)) return path;
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, none))
    if (entry.path().extension() == ".json")
      if (const auto text = read_file(entry.path()); text && manifest_pass(*text) == Pass::forward)
        found.push_back(entry.path().filename().string());
  if (found.empty())
    throw Error(ErrorCode::not_found, "the folder holds no export of a forward pass", path.string(),
                "a folder of `rankone export` or export_kernel(), or its NAME.json");
  if (found.size() == 1) return path / found.front();
  std::ranges::sort(found);
  std::string all;
  for (const std::string& each : found) all += (all.empty() ? "" : ", ") + each;
  throw Error(ErrorCode::invalid_argument, "the folder holds several exports", all, "the path of one of them",
              path.string());
}

std::string checked_cubin(const fs::path& folder, const ManifestFiles& files) {
  std::string cubin = contents(folder / files.cubin, "the export's cubin is missing", "the file beside its manifest");
  if (const std::string hash = hex(digest_of(cubin)); hash != files.cubin_hash)
    throw Error(ErrorCode::invalid_argument, "the cubin is not the one that the manifest tells of", "XXH3 " + hash,
                files.cubin_hash, (folder / files.cubin).string());
  return cubin;
}

LoadedText load_files(const Program& program, const ManifestFiles& files, const fs::path& folder,
                      const Device& device) {
  std::string cubin = files.cubin.empty() ? "" : checked_cubin(folder, files);
  if (cubin.empty() && !device.is_cpu())
    throw Error(ErrorCode::not_found, "the export has no cubin, since there was no NVRTC where it was made",
                files.source, "an export with a cubin, or compile()", folder.string());
  std::string text = contents(folder / files.source, "the export's source is missing", "the file beside its manifest");
  auto kernels = backend_of(device).load(program, text, cubin);
  return {std::move(text), std::move(kernels)};
}

ReadManifest read(const fs::path& manifest) {
  return read_manifest(contents(manifest, "the manifest is missing", "the NAME.json of an export, or its folder"),
                       manifest.string());
}

}  // namespace

Operator load_exported(const std::string& path, const Device& device) {
  const fs::path manifest = manifest_at(path);
  ReadManifest exported = read(manifest);
  if (exported.program.pass != Pass::forward)
    throw Error(ErrorCode::invalid_argument, "an operator is loaded by its forward pass", exported.program.name,
                "the manifest of a forward pass; other passes beside it are found", manifest.string());
  CompileOptions options = exported.program.options;
  options.arch = exported.program.arch;
  (void)kernel_arch(options, device);  // throws where its code does not run there
  // Other passes have the name that lowering gives them.
  Loader load = [folder = manifest.parent_path(), files = exported.files](const Program& program,
                                                                          const Device& on) -> LoadedText {
    if (program.pass == Pass::forward) return load_files(program, files, folder, on);
    const fs::path beside = folder / (program.name + ".json");
    if (std::error_code none; !fs::exists(beside, none)) return emit_and_load(program, on);
    const ReadManifest other = read(beside);
    return load_files(other.program, other.files, folder, on);
  };
  return detail::OperatorAccess::make(
      std::make_shared<const OperatorImpl>(std::move(exported.program), "exported", device, std::move(load)));
}

}  // namespace rankone
