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
  return lower(variant, options, schedule_for(pass, variant, options, arch, {forward}), arch, pass);
}

// The programs whose text holds several kernels: two at the chunk level, three in segments, two where keys are prepared.
inline std::vector<Program> programs_of_several_kernels() {
  const auto program = [](Level level) {
    return program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64, .pins = {.level = level}});
  };
  return {program(Level::chunk), program(Level::segment),
          program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64, .pins = {.prepared = true}})};
}

inline std::int64_t items_of(const Program& program, std::size_t kernel, const Shape& shape) {
  return program.kernels.at(kernel).items.evaluate(sizes_of(shape));
}
inline std::int64_t workspace_of(const Program& program, const Shape& shape) {
  return workspace_of(program).evaluate(sizes_of(shape));
}
inline std::vector<std::string> kernels_named(const Program& program) {
  std::vector<std::string> names;
  for (const Kernel& kernel : program.kernels) names.push_back(kernel.name);
  return names;
}

inline bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

inline int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace rankone
