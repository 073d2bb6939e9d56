// SPDX-License-Identifier: MIT
// A linear-attention variant: its formulas, and what may be pinned of its schedule.
#pragma once

#include <rankone/dsl/expression.hpp>
#include <rankone/dsl/slots.hpp>

namespace rankone {

// Materialization level: state on chip, one serial pass; or chunk states in memory and chunks in parallel.
enum class Level : unsigned char { automatic, serial, chunk, segment };

// What a decay or a phase runs over, and its formula: of a decay the natural logarithm, at most 0 (-inf is a legal reset), of
// a phase the angle in radians. No formula: nothing is forgotten, or turned.
struct Rate {
  Axes axes = Axes::none;
  Expression formula{};
};

// S' = decay_t * S_{t-1};   S_t = S' - erase_write_t^T (erase_t erase_read_t S') + key_t^T (write_t value_t);
// o_t = output(scale * query_t S_t). Values erase likewise, in the place of keys: (S' value_erase_read_t^T) value_erase_t
// value_erase_write_t. With several steps a token, each passes the second equation on, and the state decays
// before the first alone. With a phase the state is complex: it is multiplied with exp(i phase_t), too, and queries read its
// real part. With a lagged write S_{t-1} + key_{t-1}^T (lagged_t value_{t-1}) decays in the place of S_{t-1}. Without a
// formula, query, key and value are phi(q), phi(k) and v, both keys or values of an
// erasure are the written one, and the output is what was read.
//
// A chain is two such passes over the same tokens: the first has M slots in the place of value columns, which have no
// v, and what its queries read becomes, by a formula of the row, the query of the second, whose keys are the slots. What
// the second has of its own stands beside the first one's here; stage() makes a variant of either (chain.hpp).
struct Variant {
  Name name{};
  Graph<max_nodes> nodes{};  // of all formulas; what they share stands once
  // Of each formula: one past the node of its result (0: there is no such formula), and what it runs over, as Axes' bits.
  // Plain numbers: where arrays of classes are changed in constant expressions, GCC 12 changes other objects, too.
  unsigned short results[formula_slots.size()]{};
  unsigned char domains[formula_slots.size()]{};
  unsigned short next_results[formula_slots.size()]{};  // the same of a chain's second pass
  unsigned char next_domains[formula_slots.size()]{};
  double scale_ = 0;  // of the read; 0: K^-0.5
  int chunk_ = 0;     // pinned chunk size, 16 to 128; 0: left to the schedule
  Level level_ = Level::automatic;
  bool exclusive_ = false;           // a query reads the state before its token, S_{t-1}; a bonus does that, too
  bool erases_undecayed_ = false;    // what is erased is read of S_{t-1}, not of S'
  bool reversed_ = false;            // from the last token to the first, where the initial state enters
  bool non_causal_ = false;          // keys are as many as a call gives, and every query reads all of them
  bool bidirectional_ = false;       // queries read what one walk and another one from the end have, their token once
  bool permuted_ = false;            // the tokens of a row are walked in an order that each call gives
  bool scans_exponentials_ = false;  // a scan is the logarithm of a sum of exponentials, not a sum
  bool chains_ = false;              // there is a second pass, which has these two of its own:
  bool next_exclusive_ = false, next_erases_undecayed_ = false;
  Stage stage_ = Stage::only;  // of a chain, what stage() makes of it
  int steps_ = 1;  // a token's keys, values and what goes with them: erased and written one after the other

  constexpr bool has(Formula which) const { return results[index(which)] > 0; }
  // The node of its result; -1 where there is none.
  constexpr short root(Formula which) const { return static_cast<short>(results[index(which)] - 1); }
  // Empty where there is none.
  constexpr Expression formula(Formula which) const {
    return has(which) ? Expression(nodes, root(which)) : Expression();
  }
  // What a formula runs over: none of them where there is no formula.
  constexpr Axes domain(Formula which) const { return has(which) ? Axes::of_bits(domains[index(which)]) : Axes::none; }
  constexpr Axes decay_axes() const { return domain(Formula::decay); }
  // Whether its state is complex.
  constexpr bool is_complex() const { return has(Formula::phase); }
  // Whether each key column has a decay of its own.
  constexpr bool decays_by_key() const { return decay_axes().has(Axes::key); }
  // Likewise each value column.
  constexpr bool decays_by_value() const { return decay_axes().has(Axes::value); }
  // Whether something is erased of the state, by its keys or by its values.
  constexpr bool erases() const { return has(Formula::erase) || has(Formula::value_erase); }
  // Whether a token writes the key and value of the one before it, too.
  constexpr bool writes_again() const { return has(Formula::write_lagged); }
  // Whether a query reads the state before its own token.
  constexpr bool reads_before() const { return exclusive_ || has(Formula::bonus); }

  // How a declaration says the same; each returns a changed copy.
  constexpr Variant decay(const Rate& log_decay) const {
    return with(Formula::decay, log_decay.formula, log_decay.axes);
  }
  // Turns the state by so many radians, constant, per head or per key, as it decays: it is complex then.
  constexpr Variant phase(const Rate& angle) const { return with(Formula::phase, angle.formula, angle.axes); }
  constexpr Variant key(const Expression& expression) const { return with(Formula::key, expression); }
  constexpr Variant query(const Expression& expression) const { return with(Formula::query, expression); }
  constexpr Variant value(const Expression& expression) const { return with(Formula::value, expression); }
  constexpr Variant write_scale(const Expression& expression) const { return with(Formula::write_scale, expression); }
  // The key and value of the token before are written again, times it, before the state decays.
  constexpr Variant write_lagged(const Expression& scale) const { return with(Formula::write_lagged, scale); }
  // What a key holds is erased by `scale` of it, and written anew by as much, unless a write scale has been given.
  constexpr Variant erase(const Expression& scale) const { return erasing(Formula::erase, scale); }
  constexpr Variant erase_read(const Expression& expression) const { return with(Formula::erase_read, expression); }
  constexpr Variant erase_write(const Expression& expression) const { return with(Formula::erase_write, expression); }
  // Likewise what a value holds: the key that it stands at.
  constexpr Variant value_erase(const Expression& scale) const { return erasing(Formula::value_erase, scale); }
  constexpr Variant value_erase_read(const Expression& expression) const {
    return with(Formula::value_erase_read, expression);
  }
  constexpr Variant value_erase_write(const Expression& expression) const {
    return with(Formula::value_erase_write, expression);
  }
  constexpr Variant erase_undecayed() const;
  // Multiplies what is written with exp of it, which may be beyond all types: the state is kept in units of a running maximum.
  constexpr Variant write_log_scale(const Expression& expression) const {
    return with(Formula::write_log_scale, expression);
  }
  constexpr Variant exclusive() const;
  constexpr Variant bonus(const Expression& expression) const { return with(Formula::bonus, expression); }
  constexpr Variant output(const Expression& expression) const { return with(Formula::output, expression); }
  // A number for each key that adds up from token to token, in the order of the walk: c_t = c_{t-1} + term, from 0 on, or
  // c_t = log(exp(c_{t-1}) + exp(term)), from minus infinity on. Per-key decays and formulas of keys and queries read it as
  // scanned(), and the one before the token as scanned_before().
  constexpr Variant cumulative_sum(const Expression& term) const { return with(Formula::scan, term); }
  constexpr Variant cumulative_log_sum_exp(const Expression& term) const;
  // Divides what was read by what a column of ones has of it, plus epsilon: read() / (normaliser() + epsilon) takes the place
  // of read() in the output's formula, if there is one by then.
  constexpr Variant normalised(double epsilon) const;
  constexpr Variant reversed() const;
  constexpr Variant permuted() const;
  constexpr Variant non_causal() const;
  constexpr Variant bidirectional() const;
  // k, v and the inputs of keys, values and scales have T * steps tokens, a token's steps side by side.
  constexpr Variant steps(int of_a_token) const;
  // A chain: behind this pass, `pass`, a second_pass() with a key and a query made of passed().
  constexpr Variant then(const Variant& pass) const;
  // Whether it says nothing that is the first one's.
  constexpr bool is_second_pass() const;
  constexpr Variant feature_map(const Expression& expression) const { return with(Formula::feature_map, expression); }
  constexpr Variant feature_map(Expression (*function)(const Expression&)) const {
    return feature_map(function(Leaf{Operation::element}));
  }
  constexpr Variant scale(double factor) const;
  constexpr Variant chunk(int tokens) const;
  constexpr Variant level(Level level) const;
  // Ends a declaration: a wrong one does not compile, and the compiler prints why.
  consteval Variant checked() const;

  constexpr Variant with(Formula which, const Expression& expression) const {
    return with(which, expression, slot_of(which).domain);
  }
  constexpr Variant with(Formula which, const Expression& expression, Axes domain) const {
    Variant result = *this;
    if (has(which)) {  // of what it was, nothing stays
      result.nodes = Graph<max_nodes>();
      for (std::size_t i = 0; i < formula_slots.size(); ++i)
        if (results[i] > 0 && i != index(which))
          result.results[i] = static_cast<unsigned short>(result.nodes.add(nodes, results[i] - 1) + 1);
      for (unsigned short& next : result.next_results)
        if (next > 0) next = static_cast<unsigned short>(result.nodes.add(nodes, next - 1) + 1);
    }
    const int root = expression.empty() ? -1 : result.nodes.add(expression, expression.size - 1);
    result.results[index(which)] = static_cast<unsigned short>(root + 1);
    result.domains[index(which)] = domain.bits;
    return result;
  }

 private:
  static constexpr std::size_t index(Formula which) { return static_cast<std::size_t>(which); }
  constexpr Variant erasing(Formula which, const Expression& scale) const {
    const Variant result = with(which, scale);
    return has(Formula::write_scale) ? result : result.write_scale(scale);
  }
};

// Whether a formula has a sum or a maximum over keys.
constexpr bool reduces_keys(const Variant& variant) {
  for (const unsigned short* results : {variant.results, variant.next_results})
    for (std::size_t i = 0; i < formula_slots.size(); ++i)
      if (results[i] > 0 && reduces_keys(Expression(variant.nodes, results[i] - 1))) return true;
  return false;
}

// What a variant is or is not, beside its formulas; as JSON writes it. Rows of one member are choices of which it has one.
// `next`: a chain's second pass has it of its own, and there it stands; else both passes are what the chain is.
struct Switch {
  std::string_view member, off, on;
  bool Variant::*flag;
  bool Variant::*next = nullptr;
};
inline constexpr std::array switches{
    Switch{"read", "inclusive", "exclusive", &Variant::exclusive_, &Variant::next_exclusive_},
    Switch{"erase_order", "decayed", "undecayed", &Variant::erases_undecayed_, &Variant::next_erases_undecayed_},
    Switch{"pattern", "causal", "reversed", &Variant::reversed_},
    Switch{"pattern", "causal", "non_causal", &Variant::non_causal_},
    Switch{"pattern", "causal", "bidirectional", &Variant::bidirectional_},
    Switch{"order", "natural", "permuted", &Variant::permuted_},
    Switch{"scan_kind", "sum", "log_sum_exp", &Variant::scans_exponentials_}};

constexpr bool Variant::is_second_pass() const {
  for (const Switch& each : switches)
    if (each.next == nullptr && this->*each.flag) return false;
  return name.empty() && !has(Formula::scan) && steps_ == 1 && scale_ == 0 && chunk_ == 0 && level_ == Level::automatic;
}

// Calls f(slot, formula) for each formula of a variant, in the order of the table; of a chain for those of its first
// pass and then of its second, which run over slots.
template <class Function> constexpr void for_each_formula(const Variant& variant, const Function& f) {
  const auto over_slots = [&](Axes domain, Axes axis) {
    return variant.chains_ && domain.has(axis) ? domain.without(axis) | Axes::slot : domain;
  };
  for (const Slot& each : formula_slots) {
    if (!variant.has(each.formula)) continue;
    Slot slot = slot_in(variant.chains_ ? Stage::first : variant.stage_, each, variant.domain(each.formula));
    slot.domain = over_slots(slot.domain, each.formula == Formula::scan ? Axes::key : Axes::value);
    f(static_cast<const Slot&>(slot), variant.formula(each.formula));
  }
  for (std::size_t i = 0; variant.chains_ && i < formula_slots.size(); ++i) {
    if (variant.next_results[i] == 0) continue;
    Slot slot = slot_in(Stage::second, formula_slots[i], Axes::of_bits(variant.next_domains[i]));
    slot.domain = over_slots(slot.domain, Axes::key);
    f(static_cast<const Slot&>(slot), Expression(variant.nodes, variant.next_results[i] - 1));
  }
}

// The same formulas, in whatever order they were declared.
constexpr bool operator==(const Variant& a, const Variant& b) {
  const auto next = [](const Variant& variant, std::size_t i) {
    return variant.next_results[i] == 0 ? Expression() : Expression(variant.nodes, variant.next_results[i] - 1);
  };
  for (std::size_t i = 0; i < formula_slots.size(); ++i) {
    const auto which = static_cast<Formula>(i);
    if (a.domain(which) != b.domain(which) || !(a.formula(which) == b.formula(which))) return false;
    if (a.next_domains[i] != b.next_domains[i] || !(next(a, i) == next(b, i))) return false;
  }
  for (const Switch& each : switches)
    if (a.*each.flag != b.*each.flag || (each.next != nullptr && a.*each.next != b.*each.next)) return false;
  return a.chains_ == b.chains_ && a.stage_ == b.stage_ && a.name == b.name && a.scale_ == b.scale_ &&
         a.steps_ == b.steps_ && a.chunk_ == b.chunk_ && a.level_ == b.level_;
}

}  // namespace rankone
