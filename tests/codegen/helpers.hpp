// SPDX-License-Identifier: MIT
// What several of these tests share.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>

#include "codegen/plan.hpp"

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

inline Plan plan_of(const Variant& variant, const CompileOptions& options, std::string_view arch = "sm_90a",
                    Pass pass = Pass::forward) {
  return lower(variant, options, default_schedule(variant, options, arch), arch, pass);
}

inline bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

inline int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace rankone
