// SPDX-License-Identifier: MIT
// One text out of templates and everything that they include.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rankone {

using ReadTemplate = std::function<std::string_view(std::string_view path)>;

// Includes in quotes are replaced by the file, relative to templates/, each once and in the order in which they are
// reached. Comments stay; `#pragma once` and the licence line, which the banner holds, go.
std::string amalgamate(const std::vector<std::string_view>& roots, const ReadTemplate& read);
std::string amalgamate(const std::vector<std::string_view>& roots);  // from the embedded templates
// The same without what `user`, the text that follows, does not reach (codegen/reach.hpp).
std::string amalgamate_for(std::string_view user, const std::vector<std::string_view>& roots);

}  // namespace rankone
