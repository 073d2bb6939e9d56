// SPDX-License-Identifier: MIT
// What somebody who loads an exported kernel needs to know, as JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/program.hpp"

namespace rankone {

// What is exported beside it, by name.
struct ManifestFiles {
  std::string source{}, header{};
  std::string cubin{};  // empty: there is none
  std::size_t cubin_bytes = 0;
  std::string cubin_hash{};                          // XXH3 of 128 bits, in hexadecimal
  std::string key{};                                 // the cache's
  std::vector<std::vector<std::string>> warnings{};  // the assembler's, of each kernel
};

// The whole of it, for NAME.json beside NAME.cu: entries, argument struct with offsets and meanings, launch geometry,
// workspace, tensors.
std::string manifest_json(const Program& program, const ManifestFiles& files = {});

// One line of it that travels inside the cubin as NAME_manifest; the same for every architecture.
std::string launch_manifest(const Program& program);

// Of which pass a text is the manifest; none: it is none.
std::optional<Pass> manifest_pass(std::string_view text);

// The program that an export was made of, and its files. Throws Error for what is no manifest, or one whose program this
// library does not launch in the way that it describes: in all that it says it has to be what manifest_json() writes.
struct ReadManifest {
  Program program;
  ManifestFiles files;
};
ReadManifest read_manifest(std::string_view text, std::string_view where);

}  // namespace rankone
