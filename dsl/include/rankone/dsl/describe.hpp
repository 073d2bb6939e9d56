// SPDX-License-Identifier: MIT
// Expressions and variants as text to be read by people.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <rankone/dsl/carried.hpp>
#include <rankone/dsl/chain.hpp>
#include <rankone/dsl/leaves.hpp>
#include <rankone/dsl/notation.hpp>
#include <rankone/dsl/variant.hpp>

namespace rankone {

struct Equation {
  std::string left, right;
  friend bool operator==(const Equation&, const Equation&) = default;
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
  // What is shared is numbered behind `shared`.
  Recurrence(const Variant& variant, const Notation& notation, int shared = 0) : variant_(variant), words_(notation) {
    bindings_.last = shared;
    if (has_steps()) words_.key = words_.step_key, words_.value = words_.step_value;
    bindings_.number = words_.shared_number;
    for_each_formula(variant, [&](const Slot&, const Expression& formula) {
      reads_decay_ |= reads(formula, Operation::decay);
      bindings_.avoid(formula);
    });
  }

  int last_shared() const { return bindings_.last; }
  std::vector<Equation> equations() {
    set_decay();
    set_phase();
    if (has_scan(variant_)) add_scan();
    std::string write = factor(Formula::write_scale);
    if (variant_.has(Formula::write_log_scale))
      write += words_.exponential.around(formula(Formula::write_log_scale).text) + " ";
    key_ = variant_.has(Formula::key) ? formula(Formula::key) : mapped(words_.key);
    value_ = variant_.has(Formula::value) ? formula(Formula::value) : plain(words_.value);
    const std::string key = within(key_, Precedence::atom), value = within(value_, Precedence::atom),
                      added = join(write, key, words_.transposed);
    set_lagged_write(value);
    set_erasure();
    add_state(words_.state, words_.state_of_steps, added + " " + value);
    lagged_ = lagged_key_;
    if (is_normalised(variant_)) add_state(words_.sum, words_.sum_of_steps, added);
    if (variant_.bidirectional_) add_state(words_.other, {}, added + " " + value);
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
        case Operation::normaliser: return plain(words_.normaliser);
        case Operation::scanned: return plain(words_.scan.behind_token);
        case Operation::scanned_before: return plain(before(words_.scan));
        case Operation::passed: return plain(words_.passed);
        case Operation::unit: return plain(words_.unit);  // the recurrence is written without a running maximum
        default: return indexed(leaf);
      }
    };
    return written(expression, without_root ? expression.root().left : expression.size - 1, leaf);
  }
  // An input of a step has the step's index.
  Infix indexed(const Leaf& leaf) const {
    Infix result = words_.style.leaf(leaf);
    if (leaf.operation == Operation::input && is_of_steps(variant_, leaf.view()))
      result.text.replace(result.text.size() - words_.token_index.size(), words_.token_index.size(), words_.step_index);
    return result;
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
  bool has_steps() const { return variant_.steps_ > 1; }
  std::string before(const StateWords& state) const {
    return std::string(variant_.reversed_ ? state.before_reversed : state.before);
  }

  // What adds up from token to token.
  void add_scan() {
    const Infix term = formula(Formula::scan);
    if (!variant_.scans_exponentials_)
      return add(words_.scan.behind_token, join(before(words_.scan), " + ", within(term, Precedence::product)));
    add(words_.scan.behind_token,
        join(words_.style.function(Operation::log),
             words_.style.parentheses.around(
                 join(words_.exponential.around(before(words_.scan)), " + ", words_.exponential.around(term.text)))));
  }
  // What becomes of a state.
  void add_steps(const StateWords& state, const StepWords& step, const std::string& added) {
    const std::string steps = std::to_string(variant_.steps_),
                      lost = variant_.erases() ? join(" - ", erased_of(step.before)) : "";
    add(step.numbered.around("0"), decayed(state));
    add(step.behind, join(step.before, lost, " + ", added, words_.steps.around(steps)));
    add(state.behind_token, step.numbered.around(steps));
  }
  void add_state(const StateWords& state, const StepWords& step, const std::string& added) {
    if (has_steps()) {
      add_steps(state, step, added);
    } else if (variant_.erases()) {
      add(state.decayed, decayed(state));
      add(state.behind_token, join(state.decayed, " - ", erased(state), " + ", added));
    } else {
      add(state.behind_token, join(decayed(state), " + ", added));
    }
  }
  void set_decay() {
    if (!variant_.has(Formula::decay)) return;
    // exp(log(a)) reads as a.
    const bool is_logarithm = variant_.formula(Formula::decay).root().operation == Operation::log;
    decay_value_ = formula(Formula::decay, is_logarithm);
    if (!is_logarithm) decay_value_ = {words_.exponential.around(decay_value_.text)};
  }
  void set_phase() {
    if (!variant_.is_complex()) return;
    const std::string turn =
        words_.exponential.around(join(words_.imaginary_unit, within(formula(Formula::phase), Precedence::product)));
    phase_ = (variant_.domain(Formula::phase).has(Axes::key) ? words_.diagonal.around(turn) : turn) + " ";
  }
  // The state before a token, decayed and turned.
  std::string decayed(const StateWords& state) const { return phase_ + faded(state); }
  // What the token before wrote: k and v, or what formulas make of them, by a name.
  void set_lagged_write(const std::string& value) {
    if (!variant_.writes_again()) return;
    const auto before = [&](bool is_formula, std::string_view letter, std::string_view name, const std::string& text) {
      const std::string_view index = variant_.reversed_ ? "_{t+1}" : "_{t-1}";
      if (is_formula) add(words_.formula_name.around(name), text);
      return join(is_formula ? words_.name.around(name) : words_.letter.around(letter), index);
    };
    const bool maps = variant_.has(Formula::key) || variant_.has(Formula::feature_map);
    lagged_key_ = join(factor(Formula::write_lagged), before(maps, "k", "key", key_.text), words_.transposed);
    lagged_ = join(lagged_key_, " ", before(variant_.has(Formula::value), "v", "value", value));
  }
  std::string faded(const StateWords& state) const {
    std::string before = this->before(state);
    if (variant_.writes_again()) before = words_.style.parentheses.around(join(before, " + ", lagged_));
    if (!variant_.has(Formula::decay)) return before;
    const Infix shown = reads_decay_ ? plain(words_.decay) : decay_value_;
    const bool by_key = variant_.decays_by_key(), by_value = variant_.decays_by_value();
    if (by_key && by_value) return join(within(shown, Precedence::atom), words_.each, before);
    if (by_key) return join(words_.diagonal.around(shown.text), " ", before);
    if (by_value) return join(before, " ", words_.diagonal.around(shown.text));
    return join(within(shown, Precedence::atom), " ", before);
  }
  void set_erasure() {
    const bool by_value = variant_.has(Formula::value_erase);
    if (!by_value && !variant_.has(Formula::erase)) return;
    const std::string scale = factor(by_value ? Formula::value_erase : Formula::erase);
    if (by_value) {
      erase_write_ = join(" ", scale, vector(Formula::value_erase_write, value_));
      erase_read_ = vector(Formula::value_erase_read, value_);
    } else {
      erase_write_ = join(scale, vector(Formula::erase_write, key_), words_.transposed, " ");
      erase_read_ = vector(Formula::erase_read, key_);
    }
  }
  std::string erased(const StateWords& of) const {
    return erased_of(variant_.erases_undecayed_ ? before(of) : std::string(of.decayed));
  }
  std::string erased_of(std::string_view state) const {
    const auto& in = words_.style.parentheses;
    if (variant_.has(Formula::value_erase))
      return in.around(join(state, " ", erase_read_, words_.transposed)) + erase_write_;
    return erase_write_ + in.around(join(erase_read_, " ", state));
  }
  std::string scale() const {
    if (variant_.scale_ == 0) return std::string(words_.usual_scale);
    if (variant_.scale_ == 1) return "";
    return join(words_.style.leaf({.value = variant_.scale_}).text, " ");
  }
  // What a query reads of a state, to which its token adds `own`, where a bonus does.
  std::string read(const std::string& query, const StateWords& of, const std::string& own) const {
    std::string state =
        variant_.reads_before() ? before(of) : std::string(variant_.non_causal_ ? of.last : of.behind_token);
    if (variant_.is_complex()) state = words_.real_part.around(state);
    const std::string more = join(own.empty() ? "" : " + " + own, variant_.bidirectional_ ? " + " : "",
                                  variant_.bidirectional_ ? words_.other.before : "");
    return join(scale(), query, " ", more.empty() ? state : words_.style.parentheses.around(state + more));
  }
  std::vector<Equation> output(const std::string& key, const std::string& value) {
    const std::string query = vector(Formula::query, mapped(words_.query));
    std::string own;
    if (variant_.has(Formula::bonus))
      own = join(words_.diagonal.around(formula(Formula::bonus).text), " ", key, words_.transposed);
    const std::string read = this->read(query, words_.state, own.empty() ? own : own + " " + value);
    if (!variant_.has(Formula::output)) return {{std::string(words_.output), read}};
    std::vector<Equation> list{{std::string(words_.read), read}};
    if (is_normalised(variant_)) list.push_back({std::string(words_.normaliser), this->read(query, words_.sum, own)});
    list.push_back({std::string(words_.output), formula(Formula::output).text});
    return list;
  }

  const Variant& variant_;
  Notation words_;
  Infix key_{}, value_{}, decay_value_{};
  std::string erase_write_{}, erase_read_{}, phase_{}, lagged_key_{}, lagged_{};
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
  if (!variant.chains_) return description::Recurrence(variant, notation).equations();
  std::vector<Equation> all;
  int shared = 0;
  for (const Stage each : {Stage::first, Stage::second}) {
    const Variant pass = stage(variant, each);
    description::Recurrence recurrence(pass, notation.of(each), shared);
    for (Equation& own : recurrence.equations())
      if (std::find(all.begin(), all.end(), own) == all.end()) all.push_back(std::move(own));  // both have the scan
    shared = recurrence.last_shared();
  }
  return all;
}

// "S_t = Diag(exp(log_sigmoid(x) / 16)) S_{t-1} + k_t^T v_t; o_t = K^-0.5 q_t S_t"
inline std::string describe(const Variant& variant) {
  std::string text;
  for (const auto& [left, right] : equations_of(variant))
    text += description::join(text.empty() ? "" : "; ", left, " = ", right);
  return text;
}

}  // namespace rankone
