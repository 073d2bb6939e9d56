// SPDX-License-Identifier: MIT
// What a call says when it refuses.
#pragma once

#include <string>

#include <rankone/error.hpp>

namespace rankone::test {

template <class Call> std::string refusal(const Call& call) {
  try {
    call();
    return "accepted";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace rankone::test
