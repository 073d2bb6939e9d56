// SPDX-License-Identifier: MIT
// Lines of struct Policy: constants of one type each.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace rankone {

class PolicyLines {
 public:
  template <class Value> using List = std::vector<std::pair<std::string, Value>>;

  void line(const std::string& content) { text_ += "  " + content + "\n"; }
  void integers(const List<int>& list, const std::string& comment = {}) {
    constants(
        "int", list, [](int value) { return std::to_string(value); }, comment);
  }
  void flags(const List<bool>& list) {
    constants("bool", list, [](bool value) { return std::string(value ? "true" : "false"); }, {});
  }
  const std::string& text() const { return text_; }

 private:
  template <class Value, class Text>
  void constants(const std::string& type, const List<Value>& list, const Text& text, const std::string& comment) {
    std::string content;
    for (const auto& [name, value] : list)
      content += (content.empty() ? "static constexpr " + type + " " : ", ") + name + " = " + text(value);
    line(content + ";" + comment);
  }

  std::string text_;
};

}  // namespace rankone
