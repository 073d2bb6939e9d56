// SPDX-License-Identifier: MIT
// Prints the branches that are taken.
#include "codegen/settle.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "codegen/unused.hpp"

namespace rankone {
namespace {

struct Range {
  std::size_t begin = 0, end = 0;  // of tokens
  bool empty() const { return begin == end; }
};

// `if (condition) then else otherwise`; `end` is behind all of it.
struct Conditional {
  Range condition, then, otherwise;
  std::size_t end = 0;
};

std::size_t indentation_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }

// Moves lines left, the first one aside; directives stand where they stand.
std::string moved(std::string_view text, std::size_t columns, std::size_t from) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = std::min(text.find('\n', at), text.size() - 1) + 1;
    std::string_view line = text.substr(at, next - at);
    const std::size_t indentation = indentation_of(line);
    if (at > 0 && indentation >= from) line.remove_prefix(std::min(columns, indentation));
    result += line;
    at = next;
  }
  return result;
}

class Settler {
 public:
  Settler(std::string_view text, const Constants& constants)
      : text_(text), constants_(constants), tokens_(tokens_of(text)), bodies_(bodies_of(tokens_)) {}

  std::string run() { return rewritten({0, tokens_.size()}, 0, text_.size()); }

 private:
  std::string_view word(std::size_t i) const { return i < tokens_.size() ? tokens_[i].text : std::string_view(); }
  std::size_t begin_of(std::size_t token) const { return tokens_[token].begin; }
  std::size_t end_of(const Range& range) const { return tokens_[range.end - 1].end(); }
  std::size_t line_of(std::size_t at) const { return at == 0 ? 0 : text_.rfind('\n', at - 1) + 1; }  // its start
  std::size_t end_of_line(std::size_t at) const { return std::min(text_.find('\n', at), text_.size()); }
  std::size_t column_of(std::size_t at) const { return at - line_of(at); }

  // The text from `begin` to `end`, between which these tokens lie.
  std::string rewritten(Range tokens, std::size_t begin, std::size_t end) {
    std::string result;
    std::size_t copied = begin;
    const Constants::Bindings outer = locals_;
    for (std::size_t i = tokens.begin; i < tokens.end; ++i) {
      if (!is_outside_ && word(i) == "constexpr" && (word(i + 1) == "bool" || word(i + 1) == "int")) learn(i);
      if (word(i) == "{") {
        const bool is_function = !bodies_.contains(i) && is_outside_;
        const std::size_t head = is_function ? begin_of(head_of(i, tokens.begin)) : copied;
        result += text_.substr(copied, head - copied);
        const int before = std::exchange(changes_, 0);
        is_outside_ = is_outside_ && !is_function;
        std::string body(text_.substr(head, begin_of(i) + 1 - head));
        i = append_body(body, i);
        is_outside_ = is_outside_ || is_function;
        result += is_function && changes_ > 0 ? without_unused(body) : body;
        changes_ += before;
        copied = begin_of(i);
      }
      const std::optional<Conditional> found = settled_at(i);
      if (!found) continue;
      ++changes_;
      const bool is_dropped = found->then.empty();
      const std::size_t from = is_dropped ? begin_of_dropped(i, copied) : begin_of(i);
      result += text_.substr(copied, from - copied);
      if (!is_dropped) append_taken(result, i, found->then);
      copied = is_dropped ? end_of_dropped(i, found->end) : tokens_[found->end - 1].end();
      if (!is_dropped && stands_alone(i) && returns(found->then) && !has_label({found->end, tokens.end})) {
        // The rest of the block is never reached.
        const std::size_t rest = std::min(end_of_line(copied), end), last = std::max(line_of(end), rest + 1) - 1;
        result += text_.substr(copied, rest - copied);
        copied = last;
        break;
      }
      i = found->end - 1;
    }
    locals_ = outer;
    return result + std::string(text_.substr(copied, end - copied));
  }
  // Constants of a function.
  void learn(std::size_t at) {
    for (std::size_t name = at + 2; word(name + 1) == "=";) {
      std::size_t end = name + 2;
      while (end < tokens_.size() && word(end) != ";" && !(word(end) == "," && word(end + 2) == "=")) end = past(end);
      locals_.erase(word(name));
      if (const Constants::Value value = value_of({name + 2, end})) locals_[word(name)] = *value;
      name = end + 1;
    }
  }

  // Of a declaration whose body opens here the first token.
  std::size_t head_of(std::size_t open, std::size_t begin) const {
    std::size_t at = open;
    while (at > begin && word(at - 1) != ";" && word(at - 1) != "}" && word(at - 1) != "{") --at;
    return at;
  }
  // What stands between braces, up to the closing one, whose token it returns.
  std::size_t append_body(std::string& result, std::size_t open) {
    const std::size_t close = closing(tokens_, open);
    const auto body = bodies_.find(open);
    const bool opens_type = body != bodies_.end() && !body->second.empty();
    if (opens_type) types_.push_back(body->second);
    result += rewritten({open + 1, close}, begin_of(open) + 1, begin_of(close));
    if (opens_type) types_.pop_back();
    return close;
  }

  // Of an `if constexpr` that is known, with what is taken as `then`, which may be nothing.
  std::optional<Conditional> settled_at(std::size_t i) const {
    if (word(i) != "if" || word(i + 1) != "constexpr") return {};
    if (!stands_alone(i) && word(i - 1) != "else") return {};
    Conditional found = conditional(i);
    const Constants::Value truth = value_of(found.condition);
    if (!truth) return {};
    if (*truth == 0) found.then = found.otherwise;
    if (const auto inner = *truth != 0 ? std::nullopt : settled_at(found.then.begin)) found.then = inner->then;
    return found;
  }
  Constants::Value value_of(Range range) const {
    const Tokens expression(tokens_.begin() + static_cast<std::ptrdiff_t>(range.begin),
                            tokens_.begin() + static_cast<std::ptrdiff_t>(range.end));
    return constants_.value(expression, types_, locals_);
  }
  Conditional conditional(std::size_t at) const {
    const std::size_t open = at + (word(at + 1) == "constexpr" ? 2 : 1), close = closing(tokens_, open);
    Conditional found{{open + 1, close}, {close + 1, end_of_statement(close + 1)}, {}, 0};
    found.end = found.then.end;
    if (word(found.end) == "else") {
      found.otherwise = {found.end + 1, end_of_statement(found.end + 1)};
      found.end = found.otherwise.end;
    }
    return found;
  }
  std::size_t end_of_statement(std::size_t at) const {
    if (word(at) == "{") return closing(tokens_, at) + 1;
    if (word(at) == "if") return conditional(at).end;
    if (word(at) == "for" || word(at) == "while") return end_of_statement(closing(tokens_, at + 1) + 1);
    while (at < tokens_.size() && word(at) != ";") at = past(at);
    return at + 1;
  }
  std::size_t past(std::size_t at) const {
    const bool opens = word(at) == "(" || word(at) == "{" || word(at) == "[";
    return (opens ? closing(tokens_, at) : at) + 1;
  }
  // In a block, and not as what another statement repeats or chooses.
  bool stands_alone(std::size_t at) const {
    return at > 0 && (word(at - 1) == "{" || word(at - 1) == "}" || word(at - 1) == ";");
  }

  // The first tokens of the statements in a block or of the only one.
  std::vector<std::size_t> statements_of(Range range) const {
    if (word(range.begin) != "{") return {range.begin};
    std::vector<std::size_t> statements;
    for (std::size_t at = range.begin + 1; at + 1 < range.end; at = end_of_statement(at)) statements.push_back(at);
    return statements;
  }
  bool returns(Range taken) const {
    const std::vector<std::size_t> statements = statements_of(taken);
    return !statements.empty() && word(statements.back()) == "return";
  }
  bool has_label(Range range) const {
    const auto begin = tokens_.begin() + static_cast<std::ptrdiff_t>(range.begin),
               end = tokens_.begin() + static_cast<std::ptrdiff_t>(range.end);
    return std::any_of(begin, end, [](const Token& t) { return t.text == "case" || t.text == "default"; });
  }
  bool declares(Range block) const {
    for (std::size_t at : statements_of(block)) {
      const std::string_view first = word(at);
      if (first == "const" || first == "constexpr" || first == "using" || first == "auto" || first == "[") return true;
      if (!is_name(first) || first == "return" || first == "if" || first == "for" || first == "while") continue;
      while (is_name(word(at)) && (word(at + 1) == "::" || word(at + 1) == "." || word(at + 1) == "->")) at += 2;
      if (const std::size_t angle = word(++at) == "<" ? closing_angle(tokens_, at) : 0; angle != 0) at = angle + 1;
      if (is_name(word(at)) || word(at) == "&" || word(at) == "*" || word(at) == "::") return true;
    }
    return false;
  }

  // A line of its own goes with its comment; behind `else`, that goes too.
  std::size_t begin_of_dropped(std::size_t at, std::size_t copied) const {
    if (!stands_alone(at)) return tokens_[at - 2].end();
    const std::size_t line = line_of(begin_of(at));
    return line >= copied && text_.find_first_not_of(' ', line) == begin_of(at) ? line : begin_of(at);
  }
  std::size_t end_of_dropped(std::size_t at, std::size_t end) const {
    const std::size_t last = tokens_[end - 1].end();
    if (!stands_alone(at)) return last;
    const std::size_t rest = text_.find_first_not_of(' ', last);
    const bool ends_line = text_.substr(rest, 2) == "//" || text_.substr(rest, 1) == "\n";
    return ends_line ? end_of_line(last) + 1 : last;
  }

  void append_taken(std::string& result, std::size_t at, Range taken) {
    const std::size_t begin = begin_of(taken.begin), column = column_of(begin_of(at));
    if (word(taken.begin) == "{") {
      if (stands_alone(at) && !declares(taken)) return append_unwrapped(result, taken, column);
      result += "{";
      append_body(result, taken.begin);
      result += "}";
      return;
    }
    // Behind the condition, what goes on is moved where it was aligned; on a line of its own, with its line.
    const std::string taken_text = rewritten(taken, begin, end_of(taken));
    if (!stands_alone(at) && line_of(begin) != line_of(begin_of(at))) {  // behind an `else` that stays
      result.erase(result.find_last_not_of(' ') + 1);
      result += "\n" + std::string(column_of(begin), ' ') + taken_text;
    } else if (line_of(begin) == line_of(begin_of(at)))
      result += moved(taken_text, column_of(begin) - column, column_of(begin));
    else
      result += moved(taken_text, indentation_of(text_.substr(line_of(begin))) - column, 0);
  }
  // Without its braces, a comment behind the first one above it.
  void append_unwrapped(std::string& result, Range block, std::size_t column) {
    const std::size_t open = begin_of(block.begin), first = end_of_line(open), last = line_of(end_of(block) - 1);
    if (last <= first) {
      const std::string inner = rewritten({block.begin + 1, block.end - 1}, open + 1, end_of(block) - 1);
      result += inner.substr(indentation_of(inner), inner.find_last_not_of(' ') + 1 - indentation_of(inner));
      return;
    }
    std::string inner = rewritten({block.begin + 1, block.end - 1}, first, last);
    inner.pop_back();
    const std::string_view comment = text_.substr(open + 1, first - open - 1);
    std::string lines = moved(inner, column_of(begin_of(block.begin + 1)) - column, 1);
    if (comment.find_first_not_of(' ') != comment.npos)
      result += comment.substr(indentation_of(comment));
    else
      lines.erase(0, 1);
    // The first line's indentation stands there already; a directive has none.
    if (lines.starts_with('#'))
      result.erase(result.find_last_not_of(' ') + 1);
    else if (result.ends_with(' '))
      lines.erase(0, indentation_of(lines));
    result += lines;
  }

  const std::string_view text_;
  const Constants& constants_;
  const Tokens tokens_;
  const std::map<std::size_t, std::string_view> bodies_;
  std::vector<std::string_view> types_;  // that are open
  Constants::Bindings locals_;           // constants of the function, up to here
  bool is_outside_ = true;               // of functions
  int changes_ = 0;                      // to the function
};

}  // namespace

std::string settled(std::string_view text, const Constants& constants) { return Settler(text, constants).run(); }

}  // namespace rankone
