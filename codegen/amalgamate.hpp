// SPDX-License-Identifier: MIT
// One text out of a template and everything that it includes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace rankone {

using ReadTemplate = std::function<std::string_view(std::string_view path)>;

// Includes in quotes are replaced by the file, relative to templates/, each once and in the order in which they are
// reached. Comments stay; `#pragma once` and the licence line, which the banner holds, go.
std::string amalgamate(std::string_view root, const ReadTemplate& read);
std::string amalgamate(std::string_view root);  // from the embedded templates

}  // namespace rankone
