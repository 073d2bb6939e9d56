// SPDX-License-Identifier: MIT
// The catalogue as a page of the documentation.
#pragma once

#include <string>
#include <vector>

#include <rankone/options.hpp>

namespace rankone {

std::string catalogue_page(const CompileOptions& options, const std::vector<std::string>& archs);

}  // namespace rankone
