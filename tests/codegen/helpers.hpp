// SPDX-License-Identifier: MIT
// What several of these tests share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/program.hpp"

namespace rankone {

// The message of the Error that `call` throws; a test failure where it throws none.
template <class Call> std::string refusal_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

inline Program program_of(const Variant& variant, const CompileOptions& options, std::string_view arch = "sm_90a",
                          Pass pass = Pass::forward) {
  const Schedule forward = default_schedule(variant, options, arch);
  return lower(variant, options, pass == Pass::forward ? forward : states_schedule(variant, options, arch, forward),
               arch, pass);
}

// The programs whose text holds several kernels: two at the chunk level, three in segments, two in the state-only pass, two
// where keys are prepared.
inline std::vector<Program> programs_of_several_kernels() {
  const auto program = [](Level level, Pass pass) {
    return program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64, .pins = {.level = level}}, "sm_90a",
                      pass);
  };
  return {program(Level::chunk, Pass::forward), program(Level::segment, Pass::forward),
          program(Level::serial, Pass::states),
          program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64, .pins = {.prepared = true}})};
}

inline bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

inline int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace rankone
