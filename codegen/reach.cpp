// SPDX-License-Identifier: MIT
// A text falls into parts: declarations at namespace scope with the comments above them, and what stands between.
#include "codegen/reach.hpp"

#include <algorithm>
#include <cctype>
#include <unordered_set>

namespace rankone {
namespace {

constexpr bool in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Without comments and the content of strings and characters.
std::string code_of(std::string_view text) {
  std::string code;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.substr(i, 2) == "//") {
      i = std::min(text.find('\n', i), text.size());
      code.push_back('\n');
    } else if (c == '"' || c == '\'') {
      code.push_back(c);
      for (++i; i < text.size() && text[i] != c; ++i)
        if (text[i] == '\\') ++i;
      code.push_back(c);
    } else {
      code.push_back(c);
    }
  }
  return code;
}

struct Name {
  std::string_view text;
  bool called = false;  // an argument list follows
};

// Of a text, comments and the content of strings aside.
std::vector<Name> names_in(std::string_view text) {
  std::vector<Name> names;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (text.substr(i, 2) == "//") {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '"' || c == '\'') {
      for (++i; i < text.size() && text[i] != c; ++i)
        if (text[i] == '\\') ++i;
      ++i;
    } else if (in_name(c)) {
      const std::size_t begin = i;
      while (i < text.size() && in_name(text[i])) ++i;
      if (std::isdigit(static_cast<unsigned char>(c))) continue;
      names.push_back({text.substr(begin, i - begin), i < text.size() && (text[i] == '(' || text[i] == '<')});
    } else {
      ++i;
    }
  }
  return names;
}

constexpr std::size_t no_type = static_cast<std::size_t>(-1);

struct Part {
  std::string_view text;           // with the comments above
  std::vector<std::string> names;  // that it declares; none: it stands while its file has others
  bool is_function = false;        // else any mention reaches it
  std::size_t type = no_type;      // of a member, and of the end of a type: the part that begins it
  bool reached = false;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// What follows `template <...>`, once or more.
std::string_view past_template(std::string_view code) {
  constexpr std::string_view word = "template";
  while ((code = trimmed(code)).starts_with(word)) {
    int depth = 0;
    std::size_t i = word.size();
    do {
      depth += code[i] == '<' ? 1 : code[i] == '>' ? -1 : 0;
      ++i;
    } while (i < code.size() && (depth > 0 || code[i - 1] != '>'));
    code.remove_prefix(i);
  }
  return code;
}

std::string first_name(std::string_view text) {
  const auto begin = std::find_if(text.begin(), text.end(), in_name);
  return {begin, std::find_if_not(begin, text.end(), in_name)};
}
std::string last_name(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && !in_name(text[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && in_name(text[begin - 1])) --begin;
  return std::string(text.substr(begin, end - begin));
}

// `alignas(...)` aside, the name behind `struct` and the like.
std::string type_name(std::string_view rest) {
  rest = trimmed(rest);
  if (rest.starts_with("alignas")) rest.remove_prefix(std::min(rest.find(')') + 1, rest.size()));
  return first_name(rest);
}

// The names that a declaration of variables initializes.
std::vector<std::string> variable_names(std::string_view code) {
  std::vector<std::string> names;
  int depth = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '(' || c == '{' || c == '[') ++depth;
    if (c == ')' || c == '}' || c == ']') --depth;
    const bool compares = c == '=' && (code.substr(i, 2) == "==" ||
                                       (i > 0 && std::string_view("=!<>").find(code[i - 1]) != std::string_view::npos));
    if (c != '=' || depth > 0 || compares) continue;
    std::string_view before = trimmed(code.substr(0, i));
    if (before.ends_with(">")) before = before.substr(0, before.rfind('<'));  // of a specialization
    names.push_back(last_name(before));
  }
  return names;
}

void declare(Part& part, std::string_view code) {
  code = past_template(code);
  if (code.empty() || code.starts_with("static_assert")) return;
  const std::size_t call = code.find('('), equals = code.find('=');
  if (code.starts_with("enum class")) {
    part.names = {first_name(code.substr(10))};
  } else if (code.starts_with("enum")) {  // its enumerators are names of the namespace
    for (const Name& name : names_in(code.substr(4))) part.names.emplace_back(name.text);
  } else if (code.starts_with("struct ") || code.starts_with("class ") || code.starts_with("using ")) {
    part.names = {type_name(code.substr(code.find(' ')))};
  } else if (code.starts_with("extern")) {
    part.names = {last_name(code.substr(0, code.find('[')))};
  } else if (call != code.npos && (equals == code.npos || call < equals)) {
    part.names = {last_name(code.substr(0, call))};
    part.is_function = true;
  } else {
    part.names = variable_names(code);
  }
}

bool is_between(std::string_view line) {
  return line.empty() || line.starts_with("namespace ") || line.starts_with("}  // namespace") ||
         line.starts_with("#") || line == " private:" || line == " public:";
}

// The parts of a text in turn: add(part, code).
template <class Add> void for_each_part(std::string_view text, const Add& add_part) {
  std::string code;        // of the declaration that has begun
  std::size_t begin = 0;   // of the part
  int depth = 0;           // of braces and parentheses that are open
  bool continued = false;  // a directive, on the next line
  const auto add = [&](std::size_t end) {
    if (end > begin) add_part(text.substr(begin, end - begin), code);
    code.clear();
    begin = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string_view line = text.substr(at, next - at - 1);
    if (code.empty() && (continued || is_between(line))) {
      add(at);
      add(next);
      continued = (continued || line.starts_with("#")) && line.ends_with("\\");
    } else if (!code.empty() || !trimmed(line).starts_with("//")) {
      const std::string more = code_of(text.substr(at, next - at));
      for (const char c : more) depth += c == '{' || c == '(' ? 1 : c == '}' || c == ')' ? -1 : 0;
      code += more;
      const std::string_view said = trimmed(code);
      if (depth == 0 && (said.ends_with(';') || said.ends_with('}'))) add(next);
    }
    at = next;
  }
  add(text.size());
}

// Functions that are called by name; constructors, operators, data and types stay with their type.
void declare_member(Part& part, const std::string& code, const std::string& type) {
  const std::size_t call = code.find('(');
  if (call == code.npos || code.find('{') < call) return;
  declare(part, code);
  if (!part.is_function || part.names.front() == type || part.names.front() == "operator") {
    part.names.clear();
    part.is_function = false;
  }
}

// A type whose members stand on lines of their own falls into its head, its members and its end.
void add_type(std::vector<Part>& parts, const Part& whole) {
  const std::size_t head = whole.text.find("{\n", whole.text.find(whole.names.front())), end = whole.text.rfind("\n}");
  if (head == whole.text.npos || end == whole.text.npos || end < head + 2) return parts.push_back(whole);
  const std::size_t type = parts.size();
  parts.push_back(whole);
  parts.back().text = whole.text.substr(0, head + 2);
  const auto add = [&](std::string_view text, const std::string& code) {
    parts.push_back({.text = text, .names = {}, .type = type});
    declare_member(parts.back(), code, whole.names.front());
  };
  for_each_part(whole.text.substr(head + 2, end + 1 - head - 2), add);
  add(whole.text.substr(end + 1), {});
}

std::vector<Part> parts_of(std::string_view text) {
  std::vector<Part> parts;
  for_each_part(text, [&](std::string_view part_text, const std::string& code) {
    Part part{.text = part_text, .names = {}};
    declare(part, code);
    const std::string_view said = past_template(code);
    if (!part.names.empty() && (said.starts_with("struct ") || said.starts_with("class ")))
      add_type(parts, part);
    else
      parts.push_back(std::move(part));
  });
  return parts;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos;) text.replace(at, from.size(), to);
}

// Drops directives and namespaces around nothing, and blank lines that are doubled or stand at the ends of a type.
std::string tidied(std::string text) {
  const auto drop = [&](std::string_view begin, std::string_view end) {
    for (std::size_t at = text.find(begin); at != text.npos; at = text.find(begin, at)) {
      const std::size_t close = text.find_first_not_of('\n', at + begin.size());
      if (close != text.npos && std::string_view(text).substr(close).starts_with(end))
        text.erase(at, close + end.size() - at);
      else
        at += begin.size();
    }
  };
  drop("#ifndef RANKONE_HOST\n", "#endif\n");
  drop("namespace rankone {\n", "}  // namespace rankone\n");
  replace_all(text, "\n\n\n", "\n\n");
  replace_all(text, "\n private:\n}", "\n}");
  replace_all(text, "\n\n};\n", "\n};\n");
  return text;
}

}  // namespace

std::vector<TemplateText> reached(const std::vector<TemplateText>& files, std::string_view user) {
  std::vector<std::vector<Part>> parts;
  for (const TemplateText& file : files) parts.push_back(parts_of(file.text));
  std::unordered_set<std::string_view> mentioned, called;
  const auto use = [&](std::string_view text) {
    for (const Name& name : names_in(text)) {
      mentioned.insert(name.text);
      if (name.called) called.insert(name.text);
    }
  };
  use(user);
  for (bool more = true; more;) {
    more = false;
    for (std::vector<Part>& file : parts) {
      const bool stands =
          std::any_of(file.begin(), file.end(), [](const Part& p) { return p.reached && !p.names.empty(); });
      for (Part& part : file) {
        const auto& known = part.is_function ? called : mentioned;
        const auto is_used = [&](const std::string& name) { return known.contains(name); };
        const bool may_stand = part.type == no_type ? stands || !part.names.empty() : file[part.type].reached;
        if (part.reached || !may_stand ||
            !(part.names.empty() || std::any_of(part.names.begin(), part.names.end(), is_used)))
          continue;
        part.reached = more = true;
        if (!part.text.starts_with("#")) use(part.text);
      }
    }
  }
  std::vector<TemplateText> result;
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::string text;
    for (const Part& part : parts[i])
      if (part.reached) text += part.text;
    if (!text.empty()) result.push_back({files[i].path, tidied(std::move(text))});
  }
  return result;
}

}  // namespace rankone
