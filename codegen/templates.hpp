// SPDX-License-Identifier: MIT
// The files of templates/, as they travel inside the library.
#pragma once

#include <string_view>
#include <vector>

namespace rankone {

struct TemplateFile {
  std::string_view path;  // relative to templates/: "device/math.cuh"
  std::string_view text;
};

const std::vector<TemplateFile>& template_files();  // sorted by path
std::string_view template_text(std::string_view path);

}  // namespace rankone
