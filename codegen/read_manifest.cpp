// SPDX-License-Identifier: MIT
// Manifests back to programs.
#include <iterator>

#include <rankone/error.hpp>
#include <rankone/variant_json.hpp>
#include <rankone/version.hpp>

#include "codegen/json_object.hpp"
#include "codegen/manifest.hpp"
#include "codegen/schedule_json.hpp"

namespace rankone {
namespace {

// Of what may be a manifest, or any other JSON.
std::optional<Pass> pass_of(const nlohmann::json& given) {
  if (!given.is_object() || !given.contains("rankone") || !given.contains("arguments") || !given.contains("pass") ||
      !given.at("pass").is_string())
    return std::nullopt;
  return value_in(pass_names, given.at("pass").get<std::string>());
}

template <class Table> ValueOf<Table> named(const nlohmann::json& name, const Table& table) {
  return value_in(table, name.get<std::string>()).value_or(std::begin(table)->value);
}

ManifestFiles files_of(const nlohmann::json& given) {
  ManifestFiles files{.source = given.at("source"), .header = given.at("header")};
  for (const nlohmann::json& kernel : given.at("kernels"))
    if (kernel.contains("warnings")) files.warnings.push_back(kernel.at("warnings"));
  const nlohmann::json& cubin = given.at("cubin");
  if (cubin.is_null()) return files;
  files.cubin = cubin.at("file");
  files.cubin_bytes = cubin.at("bytes");
  files.cubin_hash = cubin.at("xxh3_128");
  files.key = cubin.at("key");
  return files;
}

// A name that is unknown becomes some other: then the program does not describe itself by the same manifest.
Program program_of(const nlohmann::json& given, std::string_view where) {
  CompileOptions options{.key_dim = given.at("K"),
                         .value_dim = given.at("V"),
                         .slot_dim = given.value("M", 0),
                         .dtype = named(given.at("dtype"), storage_type_names),
                         .precision = named(given.at("precision"), precision_names),
                         .state_dtype = named(given.at("state_dtype"), storage_type_names),
                         .value_major_state = given.at("value_major_state")};
  for (const nlohmann::json& tensor : given.at("tensors"))
    if (const PortRole role = named(tensor.at("role"), role_names);
        role == PortRole::gate || role == PortRole::parameter)
      options.input_types.emplace_back(tensor.at("name"), named(tensor.at("dtype"), storage_type_names));
  const std::string part(where);
  return lower(variant_from_json(given.at("variant").dump(), part + ".variant"), options,
               schedule_from_json(given.at("schedule").dump(), part + ".schedule"), given.at("arch").get<std::string>(),
               named(given.at("pass"), pass_names));
}

}  // namespace

std::optional<Pass> manifest_pass(std::string_view text) {
  return pass_of(nlohmann::json::parse(text, nullptr, false));
}

// What follows from it is not read: it is written again and compared.
ReadManifest read_manifest(std::string_view text, std::string_view where) {
  const auto refuse = [&](ErrorCode code, std::string message, std::string given, std::string accepted) {
    throw Error(code, std::move(message), std::move(given), std::move(accepted), std::string(where));
  };
  const nlohmann::json given = parse_json(text, where);
  if (!pass_of(given))
    refuse(ErrorCode::invalid_argument, "this is no manifest of an export", "JSON without its members",
           "the NAME.json of `rankone export` or export_kernel()");
  ReadManifest read;
  std::string version;
  try {
    version = given.at("rankone").get<std::string>();
    if (version == RANKONE_VERSION) {
      read.files = files_of(given);
      read.program = program_of(given, where);
    }
  } catch (const nlohmann::json::exception& error) {
    refuse(ErrorCode::invalid_argument, "a member of the manifest is missing or ill-typed", json_failure(error).message,
           "what an export writes");
  }
  if (version != RANKONE_VERSION)
    refuse(ErrorCode::unsupported, "the export was written by another version of Rankone", version,
           RANKONE_VERSION ": export again");
  if (nlohmann::json::parse(manifest_json(read.program, read.files)) != given)
    refuse(ErrorCode::invalid_argument, "the manifest does not describe kernels as this library launches them",
           "members that were changed, or written by another build", "an export of this version: export again");
  return read;
}

}  // namespace rankone
