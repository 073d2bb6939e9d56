// SPDX-License-Identifier: MIT
// Inlines the headers that a template reaches.
#include "codegen/amalgamate.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <set>

#include <rankone/error.hpp>

#include "codegen/constants.hpp"
#include "codegen/reach.hpp"
#include "codegen/settle.hpp"
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
    files_.push_back({std::string(path), std::move(own)});
  }
  const std::vector<TemplateText>& files() const { return files_; }

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
  std::vector<TemplateText> files_;
};

std::string joined(const std::vector<TemplateText>& files) {
  std::string result;
  for (const TemplateText& file : files) {
    std::string_view text = file.text;
    while (text.ends_with("\n\n")) text.remove_suffix(1);
    const std::string title = "// ---- " + file.path + " ";
    result += title + std::string(title.size() < 120 ? 120 - title.size() : 0, '-') + "\n";
    result.append(text).push_back('\n');
  }
  return result;
}

}  // namespace

std::string_view template_text(std::string_view path) {
  for (const TemplateFile& file : template_files())
    if (file.path == path) return file.text;
  throw Error(ErrorCode::internal, "no such template", std::string(path));
}

std::string amalgamate(const std::vector<std::string_view>& roots, const ReadTemplate& read) {
  Amalgamation amalgamation(read);
  for (const std::string_view root : roots) amalgamation.add(root);
  return joined(amalgamation.files());
}

std::string amalgamate(const std::vector<std::string_view>& roots) { return amalgamate(roots, template_text); }

namespace {

std::string written_for(std::string_view user, const std::vector<std::string_view>& roots) {
  const ReadTemplate read = template_text;
  Amalgamation amalgamation(read);
  for (const std::string_view root : roots) amalgamation.add(root);
  std::vector<TemplateText> files = amalgamation.files();
  std::vector<std::string_view> texts;
  for (const TemplateText& file : amalgamation.files()) texts.push_back(file.text);
  texts.push_back(user);
  const Constants constants(texts);
  for (TemplateText& file : files) file.text = settled(file.text, constants);
  return joined(reached(files, user));
}

// The last few texts: an operator for another device, or another seed of the CPU device, asks for the same ones again.
struct Kept {
  std::string user;
  std::vector<std::string> roots;
  std::string text;
};
struct KeptTexts {
  static constexpr std::size_t most = 16;
  std::mutex mutex;
  std::deque<Kept> texts;
};
KeptTexts& kept_texts() {
  static auto* all = new KeptTexts;  // never destroyed: threads may outlive main()
  return *all;
}

}  // namespace

std::string amalgamate_for(std::string_view user, const std::vector<std::string_view>& roots) {
  KeptTexts& kept = kept_texts();
  {
    const std::lock_guard guard(kept.mutex);
    for (const Kept& each : kept.texts)
      if (each.user == user && std::ranges::equal(each.roots, roots)) return each.text;
  }
  std::string text = written_for(user, roots);
  const std::lock_guard guard(kept.mutex);
  if (kept.texts.size() == KeptTexts::most) kept.texts.pop_front();
  kept.texts.push_back({std::string(user), {roots.begin(), roots.end()}, text});
  return text;
}

}  // namespace rankone
