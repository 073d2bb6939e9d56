// SPDX-License-Identifier: MIT
// The words of a C++ text, as far as the generator reads its own templates.
#pragma once

#include <string_view>
#include <vector>

namespace rankone {

struct Token {
  std::string_view text;  // a name or number, an operator, or a string with its quotes
  std::size_t begin = 0;  // in the whole text
  std::size_t end() const { return begin + text.size(); }
};
using Tokens = std::vector<Token>;

bool is_name(std::string_view token);  // or a keyword

// Comments and preprocessor directives aside. `>>` is two of them: it may close two argument lists.
Tokens tokens_of(std::string_view text);

// Of the bracket at `open`, (, [ or {, its partner; tokens.size() where there is none.
std::size_t closing(const Tokens& tokens, std::size_t open);
// Of a `<` that opens an argument list the `>`; 0 where it compares.
std::size_t closing_angle(const Tokens& tokens, std::size_t open);

}  // namespace rankone
