// SPDX-License-Identifier: MIT
// Finds the names of a function that stand in it once: where they are declared.
#include "codegen/unused.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "codegen/tokens.hpp"

namespace rankone {
namespace {

class Function {
 public:
  explicit Function(std::string_view text) : text_(text), tokens_(tokens_of(text)) {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!is_member(i)) ++count_[word(i)];
      around_.push_back(open.empty() ? none : open.back());
      if (word(i) == "(" || word(i) == "[" || word(i) == "{") open.push_back(i);
      if ((word(i) != ")" && word(i) != "]" && word(i) != "}") || open.empty()) continue;
      partner_[i] = open.back();
      around_.back() = around_[open.back()];
      open.pop_back();
    }
    for (std::size_t at = text_.find("\n#"); at != text_.npos; at = text_.find("\n#", at + 1))
      for (const Token& token : tokens_of(text_.substr(at + 2, text_.find('\n', at + 2) - at - 2)))
        ++count_[token.text];
    const auto head =
        std::find_if(tokens_.begin(), tokens_.end(), [](const Token& t) { return t.text == "RK_DEVICE"; });
    const auto call = std::find_if(head, tokens_.end(), [](const Token& t) { return t.text == "("; });
    parameters_ = static_cast<std::size_t>(call - tokens_.begin());
  }

  std::string run() {
    for (std::size_t i = parameters_ + 1; i < tokens_.size(); ++i)
      if (is_name(word(i)) && !is_member(i) && count_[word(i)] == 1 && around_[i] != none) look_at(i);
    std::string result(text_);
    for (auto edit = edits_.rbegin(); edit != edits_.rend(); ++edit)
      result.replace(edit->first, edit->second, edit->second == 0 ? "[[maybe_unused]] " : "");
    return result;
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  std::string_view word(std::size_t i) const { return i < tokens_.size() ? tokens_[i].text : std::string_view(); }
  bool is_member(std::size_t i) const {
    return i > 0 && (word(i - 1) == "." || word(i - 1) == "->" || word(i - 1) == "::");
  }
  // Whether parameters stand in these parentheses, of the function or of a lambda.
  bool has_parameters(std::size_t open) const {
    return open == parameters_ || (open > 0 && word(open) == "(" && word(open - 1) == "]");
  }

  void look_at(std::size_t name) {
    const std::size_t around = around_[name];
    if (!is_block(around) && !has_parameters(around)) return;
    constexpr std::string_view after[] = {"=", "{", ";", ",", "[", "(", ")"};
    if (std::find(std::begin(after), std::end(after), word(name + 1)) == std::end(after)) return;
    if (word(name + 1) == "(" && word(name + 2) == "&") return;  // the type of a reference to an array
    std::size_t begin = name;
    bool is_initializer = false;
    while (!begins(begin, around)) {
      --begin;
      is_initializer = is_initializer || word(begin) == "=";
      if (word(begin) == ",") break;
      if (const auto partner = partner_.find(begin); partner != partner_.end()) begin = partner->second;
      if (word(begin) == ">") begin = before_arguments(begin);
    }
    const bool is_next = word(begin) == ",";  // of several in one declaration
    if (is_initializer || (!is_next && begin == name)) return;
    while (!begins(begin, around)) begin = partner_.contains(begin - 1) ? partner_.at(begin - 1) : begin - 1;
    const std::string_view first = word(begin), before = word(name - 1);
    constexpr std::string_view keywords[] = {"return", "if", "else", "for", "while", "do", "break", "continue"};
    if (!is_name(first) || std::find(std::begin(keywords), std::end(keywords), first) != std::end(keywords)) return;
    if (is_next || is_name(before) || before == ">" || before == "&" || before == "*") edit(begin, name);
  }
  // Where a statement of the block begins, or a parameter.
  bool begins(std::size_t at, std::size_t around) const {
    const std::string_view before = word(at - 1);
    if (at - 1 == around || before == ";") return true;
    if (word(around) != "{") return before == "," && angles(around + 1, at) == 0;
    return before == "}" && is_block(partner_.at(at - 1)) && word(partner_.at(at - 1) - 1) != "]";
  }
  bool is_block(std::size_t open) const {
    constexpr std::string_view before[] = {")", "]", ";", "{", "}", "else", "do", "const"};
    return word(open) == "{" && std::find(std::begin(before), std::end(before), word(open - 1)) != std::end(before);
  }
  int angles(std::size_t begin, std::size_t end) const {
    int depth = 0;
    for (std::size_t i = begin; i < end; ++i) depth += word(i) == "<" ? 1 : word(i) == ">" ? -1 : 0;
    return depth;
  }
  std::size_t before_arguments(std::size_t close) const {
    int depth = 0;
    for (std::size_t i = close; i > 0; --i) {
      depth += word(i) == ">" ? 1 : word(i) == "<" ? -1 : 0;
      if (depth == 0) return i;
    }
    return close;
  }
  void edit(std::size_t begin, std::size_t name) {
    const std::size_t at = tokens_[begin].begin;
    std::size_t end = begin;
    bool is_only = true;
    while (end < tokens_.size() && word(end) != ";") {
      is_only = is_only && word(end) != ",";
      end = word(end) == "(" || word(end) == "[" || word(end) == "{" ? closing(tokens_, end) + 1 : end + 1;
    }
    const bool goes = (word(begin) == "constexpr" && is_only) || word(begin) == "using";
    const std::size_t line = text_.rfind('\n', at) + 1,
                      next = text_.find('\n', tokens_[std::min(end, tokens_.size() - 1)].begin);
    if (goes && next != text_.npos && name < end)
      edits_[line] = next + 1 - line;
    else
      edits_.insert({at, 0});
  }

  const std::string_view text_;
  const Tokens tokens_;
  std::map<std::string_view, int> count_;
  std::vector<std::size_t> around_;             // of a token the bracket that it stands in
  std::map<std::size_t, std::size_t> partner_;  // of a bracket that closes
  std::size_t parameters_ = 0;                  // the parenthesis that opens them
  std::map<std::size_t, std::size_t> edits_;    // where: how much goes, or nothing, and it is marked
};

}  // namespace

std::string without_unused(std::string_view function) { return Function(function).run(); }

}  // namespace rankone
