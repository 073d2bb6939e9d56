// SPDX-License-Identifier: MIT
// Leaves out of templates what nobody reaches, so that emitted text holds no function that its kernels cannot call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rankone {

// A template without its includes.
struct TemplateText {
  std::string path, text;
};

// Templates without the declarations that `user` does not reach by name, and without the files that are then empty.
// A name counts wherever it stands, for another overload, too; a function's only where it is called. So it is with member
// functions; constructors, operators, data and types of a type stay and go with it.
std::vector<TemplateText> reached(const std::vector<TemplateText>& files, std::string_view user);

}  // namespace rankone
