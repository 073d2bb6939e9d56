// SPDX-License-Identifier: MIT
// Expressions and variants as text to be read by people.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <rankone/dsl/notation.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

struct Equation {
  std::string left, right;
};

namespace description {

template <class... Parts> std::string join(const Parts&... parts) {
  std::string text;
  ((text += parts), ...);
  return text;
}

// The equations of a variant, in a notation.
class Recurrence {
 public:
  Recurrence(const Variant& variant, const Notation& notation) : variant_(variant), words_(notation) {
    bindings_.number = words_.shared_number;
    for_each_formula(variant, [&](const Slot&, const Expression& formula) {
      reads_decay_ |= reads(formula, Operation::decay);
      bindings_.avoid(formula);
    });
  }

  std::vector<Equation> equations() {
    const std::string decayed = this->decayed(), write = factor(Formula::write_scale);
    key_ = variant_.has(Formula::key) ? formula(Formula::key) : mapped(words_.key);
    const std::string key = within(key_, Precedence::atom), value = vector(Formula::value, plain(words_.value)),
                      added = join(write, key, words_.transposed, " ", value);
    if (variant_.has(Formula::erase)) {
      add(words_.decayed, decayed);
      add(words_.state, join(words_.decayed, " - ", erased(), " + ", added));
    } else {
      add(words_.state, join(decayed, " + ", added));
    }
    if (variant_.bidirectional_) add_other_walk();
    const std::vector<Equation> last = output(key, value);
    if (reads_decay_) add(words_.decay, decay_value_.text);
    // A formula that the recurrence has no place for is not left out.
    for_each_formula(variant_, [&](const Slot& slot, const Expression&) {
      if (!placed_[static_cast<std::size_t>(slot.formula)])
        add(words_.formula_name.around(slot.name), formula(slot.formula).text);
    });
    for (const auto& [name, bound] : bindings_.list) add(name, bound);
    equations_.insert(equations_.end(), last.begin(), last.end());
    if (variant_.permuted_) add(words_.formula_name.around("token"), words_.formula_name.around("order"));
    return equations_;
  }

 private:
  static Infix plain(std::string_view text) { return {std::string(text)}; }
  std::string within(const Infix& infix, Precedence least) const {
    return infix.within(least, words_.style.parentheses);
  }
  void add(std::string_view left, const std::string& right) { equations_.push_back({std::string(left), right}); }

  Infix written(const Expression& expression, int root, std::function<Infix(const Leaf&)> leaf) {
    InfixStyle in = words_.style;
    in.leaf = std::move(leaf);
    return InfixWriter(expression, in, bindings_).write({root}).front();
  }
  Expression taken(Formula which) {
    placed_[static_cast<std::size_t>(which)] = true;
    return variant_.formula(which);
  }
  Infix mapped(std::string_view name) {
    const Expression map = taken(Formula::feature_map);
    const auto leaf = [&](const Leaf& leaf) {
      if (leaf.operation == Operation::other) return plain(join(name, "'"));
      return leaf.operation == Operation::element ? plain(name) : words_.style.leaf(leaf);
    };
    return map.empty() ? plain(name) : written(map, map.size - 1, leaf);
  }
  Infix formula(Formula which, bool without_root = false) {
    const Expression expression = taken(which);
    const Infix key = reads(expression, Operation::key) ? mapped(words_.key) : Infix{},
                query = reads(expression, Operation::query) ? mapped(words_.query) : Infix{};
    const auto leaf = [&](const Leaf& leaf) {
      switch (leaf.operation) {
        case Operation::query: return query;
        case Operation::key: return key;
        case Operation::value: return plain(words_.value);
        case Operation::decay: return plain(words_.decay);
        case Operation::read: return plain(words_.read);
        default: return words_.style.leaf(leaf);
      }
    };
    return written(expression, without_root ? expression.root().left : expression.size - 1, leaf);
  }
  std::string factor(Formula which) {
    if (!variant_.has(which)) return "";
    const Infix factor = formula(which);
    return factor.text == "1" ? "" : join(within(factor, Precedence::product), " ");
  }
  // Of a slot whose rows stand for `otherwise` where there is none.
  std::string vector(Formula which, const Infix& otherwise) {
    return within(variant_.has(which) ? formula(which) : otherwise, Precedence::atom);
  }
  // The same equations of a state that comes from the end.
  void add_other_walk() {
    const std::pair<std::string_view, std::string_view> words[] = {{words_.before, words_.other_behind},
                                                                   {words_.decayed, words_.other_decayed},
                                                                   {words_.state, words_.other_state}};
    const std::vector<Equation> forward = equations_;
    for (Equation each : forward) {
      for (std::string* text : {&each.left, &each.right})
        for (const auto& [from, to] : words)
          for (std::size_t at = 0; (at = text->find(from, at)) != text->npos; at += to.size())
            text->replace(at, from.size(), to);
      equations_.push_back(each);
    }
  }
  std::string_view before() const { return variant_.reversed_ ? words_.behind : words_.before; }

  // The state before a token, decayed.
  std::string decayed() {
    if (!variant_.has(Formula::decay)) return std::string(before());
    // exp(log(a)) reads as a.
    const bool is_logarithm = variant_.formula(Formula::decay).root().operation == Operation::log;
    decay_value_ = formula(Formula::decay, is_logarithm);
    if (!is_logarithm) decay_value_ = {words_.exponential.around(decay_value_.text)};
    const Infix shown = reads_decay_ ? plain(words_.decay) : decay_value_;
    const bool by_key = variant_.decays_by_key(), by_value = variant_.decays_by_value();
    if (by_key && by_value) return join(within(shown, Precedence::atom), words_.each, before());
    if (by_key) return join(words_.diagonal.around(shown.text), " ", before());
    if (by_value) return join(before(), " ", words_.diagonal.around(shown.text));
    return join(within(shown, Precedence::atom), " ", before());
  }
  std::string erased() {
    const std::string scale = factor(Formula::erase), write = vector(Formula::erase_write, key_),
                      read = vector(Formula::erase_read, key_);
    const std::string_view state = variant_.erases_undecayed_ ? before() : words_.decayed;
    return join(scale, write, words_.transposed, " ", words_.style.parentheses.around(join(read, " ", state)));
  }
  std::string scale() const {
    if (variant_.scale_ == 0) return std::string(words_.usual_scale);
    if (variant_.scale_ == 1) return "";
    return join(words_.style.leaf({.value = variant_.scale_}).text, " ");
  }
  std::vector<Equation> output(const std::string& key, const std::string& value) {
    const std::string query = vector(Formula::query, mapped(words_.query));
    std::string state(variant_.reads_before() ? before() : variant_.non_causal_ ? words_.last : words_.state);
    std::string others;  // beside it
    if (variant_.has(Formula::bonus))
      others =
          join(" + ", words_.diagonal.around(formula(Formula::bonus).text), " ", key, words_.transposed, " ", value);
    if (variant_.bidirectional_) others += join(" + ", words_.other_behind);
    if (!others.empty()) state = words_.style.parentheses.around(state + others);
    const std::string read = join(scale(), query, " ", state);
    if (!variant_.has(Formula::output)) return {{std::string(words_.output), read}};
    return {{std::string(words_.read), read}, {std::string(words_.output), formula(Formula::output).text}};
  }

  const Variant& variant_;
  const Notation& words_;
  Infix key_{}, decay_value_{};
  bool reads_decay_ = false;
  std::array<bool, formula_slots.size()> placed_{};
  Bindings bindings_{};
  std::vector<Equation> equations_{};
};

}  // namespace description

// Of the node `root`. What stands more than once comes first: "t1 = exp(x); t1 / (1 + t1)".
inline std::string to_string(Nodes nodes, int root, const InfixStyle& style) {
  Bindings bindings;
  const Infix result = InfixWriter(nodes, style, bindings).write({root}).front();
  std::string text;
  for (const auto& [name, value] : bindings.list) text += description::join(name, " = ", value, "; ");
  return text + result.text;
}
inline std::string to_string(const Expression& expression, const InfixStyle& style = description::style()) {
  return expression.empty() ? std::string() : to_string(expression, expression.size - 1, style);
}

inline std::vector<Equation> equations_of(const Variant& variant, const Notation& notation = {}) {
  return description::Recurrence(variant, notation).equations();
}

// "S_t = Diag(exp(log_sigmoid(x) / 16)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t"
inline std::string describe(const Variant& variant) {
  std::string text;
  for (const auto& [left, right] : equations_of(variant))
    text += description::join(text.empty() ? "" : "; ", left, " = ", right);
  return text;
}

}  // namespace rankone
