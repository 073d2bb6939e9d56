// SPDX-License-Identifier: MIT
// The words of a C++ text.
#include "codegen/tokens.hpp"

#include <algorithm>
#include <cctype>

namespace rankone {
namespace {

constexpr bool in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::size_t end_of_directive(std::string_view text, std::size_t at) {
  std::size_t end = std::min(text.find('\n', at), text.size());
  while (end < text.size() && text[end - 1] == '\\') end = std::min(text.find('\n', end + 1), text.size());
  return end;
}

std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size() && text[at] != quote; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

std::size_t length_of_operator(std::string_view text) {
  for (const std::string_view two : {"::", "&&", "||", "==", "!=", "<=", ">=", "<<", "->", "++", "--"})
    if (text.starts_with(two)) return 2;
  return 1;
}

}  // namespace

bool is_name(std::string_view token) {
  return !token.empty() && in_name(token[0]) && !std::isdigit(static_cast<unsigned char>(token[0]));
}

Tokens tokens_of(std::string_view text) {
  Tokens tokens;
  bool starts_line = true;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (std::isspace(static_cast<unsigned char>(c))) {
      starts_line = starts_line || c == '\n';
      ++i;
      continue;
    }
    std::size_t end = i;
    if (text.substr(i, 2) == "//" || (c == '#' && starts_line)) {
      i = c == '#' ? end_of_directive(text, i) : std::min(text.find('\n', i), text.size());
      continue;
    }
    starts_line = false;
    if (c == '"' || c == '\'')
      end = end_of_quoted(text, i);
    else if (in_name(c))
      while (end < text.size() && (in_name(text[end]) || (text[end] == '.' && !is_name(text.substr(i, 1))))) ++end;
    else
      end += length_of_operator(text.substr(i));
    tokens.push_back({text.substr(i, end - i), i});
    i = end;
  }
  return tokens;
}

std::size_t closing(const Tokens& tokens, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < tokens.size(); ++i) {
    const std::string_view t = tokens[i].text;
    depth += t == "(" || t == "[" || t == "{" ? 1 : t == ")" || t == "]" || t == "}" ? -1 : 0;
    if (depth == 0) return i;
  }
  return tokens.size();
}

std::size_t closing_angle(const Tokens& tokens, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < tokens.size(); ++i) {
    const std::string_view t = tokens[i].text;
    if (t == "(" || t == "[" || t == "{") {
      i = closing(tokens, i);
    } else if (t == ")" || t == "]" || t == "}" || t == ";" || t == "&&" || t == "||") {
      return 0;
    } else {
      depth += t == "<" ? 1 : t == ">" ? -1 : 0;
      if (depth == 0) return i;
    }
  }
  return 0;
}

}  // namespace rankone
