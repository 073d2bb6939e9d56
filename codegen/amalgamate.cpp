// SPDX-License-Identifier: MIT
// Inlines the headers that a template reaches.
#include "codegen/amalgamate.hpp"

#include <algorithm>
#include <set>

#include <rankone/error.hpp>

#include "codegen/templates.hpp"

namespace rankone {
namespace {

constexpr std::string_view include = "#include \"", once = "#pragma once", licence = "// SPDX-License-Identifier:";

class Amalgamation {
 public:
  explicit Amalgamation(const ReadTemplate& read) : read_(read) {}

  void add(std::string_view path) {
    if (!seen_.insert(std::string(path)).second) return;
    const std::string_view text = read_(path);
    std::string own;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = text.substr(begin, end - begin);
      begin = end + 1;
      if (line.starts_with(include)) {
        add(included(path, line));
      } else if (!line.starts_with(once) && !line.starts_with(licence)) {
        if (line.empty() && (own.empty() || own.ends_with("\n\n"))) continue;
        own.append(line).push_back('\n');
      }
    }
    while (own.ends_with("\n\n")) own.pop_back();
    const std::string title = "// ---- " + std::string(path) + " ";
    result_ += title + std::string(title.size() < 120 ? 120 - title.size() : 0, '-') + "\n" + own + "\n";
  }
  std::string take() { return std::move(result_); }

 private:
  static std::string_view included(std::string_view path, std::string_view line) {
    const std::string_view name = line.substr(include.size());
    const std::size_t close = name.find('"');
    if (close == std::string_view::npos)
      throw Error(ErrorCode::internal, "an include without its closing quote", std::string(line),
                  "#include \"PATH\", relative to templates/", std::string(path));
    return name.substr(0, close);
  }

  const ReadTemplate& read_;
  std::set<std::string> seen_;
  std::string result_;
};

}  // namespace

std::string_view template_text(std::string_view path) {
  for (const TemplateFile& file : template_files())
    if (file.path == path) return file.text;
  throw Error(ErrorCode::internal, "no such template", std::string(path));
}

std::string amalgamate(const std::vector<std::string_view>& roots, const ReadTemplate& read) {
  Amalgamation amalgamation(read);
  for (const std::string_view root : roots) amalgamation.add(root);
  return amalgamation.take();
}

std::string amalgamate(const std::vector<std::string_view>& roots) { return amalgamate(roots, template_text); }

}  // namespace rankone
