// SPDX-License-Identifier: MIT
// What serves a variant: its passes, and for each of them and an architecture the kernel family.
#pragma once

#include <string>
#include <vector>

#include <rankone/dsl/variant.hpp>
#include <rankone/options.hpp>

namespace rankone {

// How a chunk of tokens becomes matrix products, and why so; "none" where nothing serves the variant in chunks.
struct ChunkForm {
  std::string name, why;
  std::string text() const { return name + ": " + why; }
};
ChunkForm chunk_form(const Variant& variant, const CompileOptions& options);

// A pass, and the family of each architecture's untuned choice; or why there is none.
struct ServedPass {
  struct Choice {
    std::string arch, family, reason;  // one of the last two is empty
    std::string note{};                // why the pass runs token by token where forward does not
  };
  Pass pass;
  std::string name;
  std::string reason{};  // why the variant has no such pass; empty where it has
  std::vector<Choice> choices{};
};
// Every pass that there is.
std::vector<ServedPass> served_passes(const Variant& variant, const CompileOptions& options,
                                      const std::vector<std::string>& archs);

}  // namespace rankone
