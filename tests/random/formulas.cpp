// SPDX-License-Identifier: MIT
// Formulas drawn at random.
#include "tests/random/formulas.hpp"

#include <initializer_list>

namespace rankone::test {

std::uint64_t Chance::next() {  // splitmix64
  state_ += 0x9e3779b97f4a7c15u;
  std::uint64_t x = state_;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// Without axes of its own a tensor has those of the formula, and in another one the same name could mean others: then it
// is not read again.
Expression Formulas::read_again(const FormulaPlace& place) {
  const int start = chance_.below(static_cast<int>(known_.size()));
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const Leaf& leaf = known_[(static_cast<std::size_t>(start) + i) % known_.size()];
    const bool fits = leaf.operation == Operation::input ? place.varies : true;
    const bool inside =
        (place.per_key || !leaf.axes.has(Axes::key)) && (place.per_value || !leaf.axes.has(Axes::value));
    if (fits && inside) return leaf;
  }
  return head() / heads();
}

Axes Formulas::axes(const FormulaPlace& place, bool of_parameter) {
  const Axes heads = chance_.among({Axes::value_head, Axes::value_head, Axes::head});
  if (!place.per_key && !place.per_value) return heads;
  const Axes side = !place.per_value || (place.per_key && chance_.once_in(2)) ? Axes::key : Axes::value;
  switch (chance_.below(of_parameter ? 5 : 3)) {
    case 0: return heads;
    case 3: return side;
    case 4: return place.per_key && place.per_value ? heads | Axes::key | Axes::value : heads | side;
    default: return heads | side;
  }
}

// Each tensor has a name of its own; few enough for a launch to pass.
Expression Formulas::tensor(const FormulaPlace& place, Operation operation) {
  const bool of_parameter = operation == Operation::parameter;
  const Name name((of_parameter ? "par" : "in") + std::to_string(of_parameter ? parameters_++ : inputs_++));
  const bool needs_axes = !of_parameter && place.per_key && place.per_value;  // it runs over one of the two
  if (!needs_axes && chance_.once_in(3)) return Leaf{operation, name};
  return known_.emplace_back(Leaf{operation, name, axes(place, of_parameter)});
}

Expression Formulas::leaf(const FormulaPlace& place) {
  const auto number = [&] { return Expression(static_cast<double>(chance_.between(-8, 8)) / 4 + 0.125); };
  if (place.element) return chance_.once_in(4) ? number() : element();
  for (;;) {
    switch (chance_.below(13)) {
      case 0:
      case 1:
      case 2:
        if (place.varies && inputs_ < max_variant_inputs) return tensor(place, Operation::input);
        break;
      case 3:
      case 4:
        if (parameters_ < max_variant_parameters) return tensor(place, Operation::parameter);
        break;
      case 5:
        if (!known_.empty()) return read_again(place);
        break;
      case 6: return (head() + 1) / heads();
      case 7:
        if (place.varies) return position() / 128;
        break;
      case 8: return scalar(Name("s" + std::to_string(chance_.below(3))));
      case 9:
      case 10:
        if (place.key) return rankone::key();
        break;
      case 11:
        if (place.decay) return rankone::decay();
        if (place.query) return rankone::query();
        if (place.read) return rankone::read();
        if (place.value) return rankone::value();
        break;
      default: return number();
    }
  }
}

Expression Formulas::moderate(const FormulaPlace& place, int depth) {
  if (depth <= 1) return leaf(place);
  // One operand after the other: the order in which a call's are evaluated is the compiler's.
  const Expression a = moderate(place, depth - 1);
  switch (chance_.below(9)) {
    case 0: return a + bounded(place, depth - 1);
    case 1: return bounded(place, depth - 1) - a;
    case 2: return a * bounded(place, depth - 1);
    case 3: return silu(a);
    case 4: return min(a, positive(place, depth - 1));
    case 5: return max(a, bounded(place, depth - 1));
    case 6: return relu(a) - 0.5;
    case 7: return -a;
    default: return a / (1 + positive(place, depth - 1));
  }
}

Expression Formulas::of_row(const FormulaPlace& place, int depth) {
  const Expression a = moderate(place, depth - 1);
  switch (chance_.below(3)) {
    case 0: return l2_normalize(a, 0.25);
    case 1: return softmax(a);
    default: return tanh(a - key_max(a) / 2);
  }
}

Expression Formulas::bounded(const FormulaPlace& place, int depth) {
  const bool has_rows = (place.per_key || place.element) && !place.per_value;
  if (reduces_keys_ && has_rows && depth > 2 && chance_.once_in(2)) return of_row(place, depth);
  if (depth <= 1) return chance_.once_in(2) ? Expression(0.75) : Expression(-0.5);
  switch (chance_.below(4)) {
    case 0: return sigmoid(moderate(place, depth - 1));
    case 1: return tanh(moderate(place, depth - 1));
    case 2: return exp(-positive(place, depth - 1));
    default: {
      const Expression a = bounded(place, depth - 1);
      return a * bounded(place, depth - 1);
    }
  }
}

Expression Formulas::positive(const FormulaPlace& place, int depth) {
  if (depth <= 1) return Expression(static_cast<double>(chance_.between(1, 8)) / 8);
  switch (chance_.below(6)) {
    case 0: return softplus(moderate(place, depth - 1));
    case 1: return square(bounded(place, depth - 1));
    case 2: return sigmoid(moderate(place, depth - 1));
    case 3: return sqrt(positive(place, depth - 1) + 0.25);
    case 4: return log(positive(place, depth - 1) + 1);
    default: {
      const Expression a = positive(place, depth - 1);
      return a * positive(place, depth - 1);
    }
  }
}

Expression Formulas::log_decay(const FormulaPlace& place, int depth) {
  switch (chance_.below(5)) {
    case 0: {
      const Expression a = log_sigmoid(moderate(place, depth - 1));
      return a / chance_.among({1.0, 4.0, 16.0});
    }
    case 1: return -positive(place, depth - 1);
    case 2: return -positive(place, depth - 1) / 16;
    case 3: return log(0.25 + 0.75 * sigmoid(moderate(place, depth - 2)));
    default: return min(moderate(place, depth - 1), -0.01);
  }
}

Expression Formulas::key(const FormulaPlace& place, int depth) {
  FormulaPlace inner = place;
  inner.key = chance_.once_in(2);
  switch (chance_.below(place.decay ? 5 : 3)) {
    case 0: return rankone::key() * positive(inner, depth - 1);
    case 1: return tanh(moderate(inner, depth - 1)) + rankone::key() / 2;
    case 2: return rankone::key() + bounded(inner, depth - 1);
    case 3: return 1 - rankone::decay();
    default: return rankone::key() * (1 - rankone::decay());
  }
}

Expression Formulas::write_scale(const FormulaPlace& place, int depth) {
  switch (chance_.below(3)) {
    case 0: return sigmoid(moderate(place, depth - 1));
    case 1: return positive(place, depth - 1);
    default: return bounded(place, depth - 1) + 0.25;
  }
}

Expression Formulas::feature_map(int depth) {
  const FormulaPlace place{.element = true};
  switch (chance_.below(5)) {
    case 0: return relu(element());
    case 1: return exp(tanh(element()));
    case 2: return silu(element()) + 0.125;
    case 3: return element() * positive(place, depth - 1);
    default: return element() / 2 + moderate(place, depth - 1);
  }
}

Expression Formulas::of_place() {
  switch (chance_.below(4)) {
    case 0: return sin(position() / 8);
    case 1: return cos(position() * scalar(Name("s" + std::to_string(chance_.below(3)))));
    case 2: return (head() + 0.5) / heads();
    default: return 1 / sqrt(keys());
  }
}

Expression Formulas::of_pair(int depth) {
  switch (chance_.below(4)) {
    case 0: return element() * other() / sqrt(2 * keys());
    case 1: return tanh(element()) * other() * of_place();
    case 2: return (element() - other()) / (1 + square(other()));
    default: {
      const Expression a = bounded({.element = true}, depth - 1);
      return (a + element()) * relu(other());
    }
  }
}

Expression Formulas::pieces(int depth) {
  Expression map;
  const auto add = [&](const Expression& piece) { map = map.empty() ? piece : concatenate(map, piece); };
  for (int left = chance_.between(1, 3), kinds = 4; left > 0; --left) {
    const int kind = chance_.below(kinds);
    if (kind == 0) add(of_place());
    if (kind == 1) add(feature_map(depth));
    if (kind == 2) add(chance_.once_in(2) ? feature_map(depth) * of_place() : softmax(feature_map(depth)));
    if (kind == 3) add(of_pair(depth)), kinds = 3;  // squares of K are many already
  }
  if (!reads(map, Operation::element)) add(element());
  const bool is_own = map.root().operation == Operation::concatenate || reads(map, Operation::other);
  return is_own ? map : concatenate(map, 1);
}

Expression Formulas::erase_scale(int depth) {
  return chance_.once_in(3) ? Expression(1.0) : sigmoid(moderate({}, depth - 1));
}

Expression Formulas::erase_key(int depth) {
  return rankone::key() * sigmoid(moderate({.per_key = true}, depth - 1));  // of the other's sign, the state would grow
}

Expression Formulas::erase_value(int depth) {
  return rankone::value() * sigmoid(moderate({.per_value = true}, depth - 1));
}

void Formulas::forget_inputs() {
  std::erase_if(known_, [](const Leaf& leaf) { return leaf.operation == Operation::input; });
}

Expression Formulas::query(int depth, bool alone) {
  const Expression a = rankone::query() * positive({.per_key = true}, depth - 1);
  return alone || chance_.once_in(2) ? a : a - bounded({.per_key = true}, depth - 1) * rankone::key();
}

Expression Formulas::value(int depth) {
  const FormulaPlace place{.per_value = true, .value = true};
  const Expression a = rankone::value() * positive(place, depth - 1);
  return chance_.once_in(2) ? a : a + bounded(place, depth - 1);
}

Expression Formulas::write_log_scale(int depth) { return 2 * bounded({}, depth) + bounded({}, depth); }

Expression Formulas::scan_term(bool of_exponentials, int depth) {
  const FormulaPlace place{.per_key = true, .key = true};
  return of_exponentials ? 2 * bounded(place, depth) : -positive(place, depth) / 64;
}

Expression Formulas::output_without_units(int depth, bool is_positive) {
  const Expression a = output(depth);
  switch (chance_.below(is_positive ? 4 : 2)) {
    case 0: return replaced(a, Operation::read, read() / (unit() * 8));
    case 1: return replaced(a, Operation::read, tanh(read() / unit() / 64));
    case 2: return read() / max(abs(normaliser()), unit());
    default: return replaced(a, Operation::read, read() / (normaliser() + unit() / 4));
  }
}

// Of keys with signs a sum may be small beside its terms, and nothing is said of its relative error then.
Expression Formulas::normalised_output(int depth, bool is_positive) {
  const Expression a = output(depth), of_sum = normaliser() / 64;
  switch (chance_.below(is_positive ? 5 : 3)) {
    case 0: return replaced(a, Operation::read, read() / (0.5 + square(of_sum)));
    case 1: return a * sigmoid(of_sum);
    case 2: return a - tanh(of_sum) * rankone::value();
    case 3: return read() / (normaliser() + 0.25);
    default: return replaced(a, Operation::read, read() / (normaliser() + 0.25));
  }
}

Expression Formulas::phase(const FormulaPlace& place, int depth) { return 4 * bounded(place, depth); }
Expression Formulas::bonus(int depth) { return bounded({.per_key = true}, depth) + 0.25; }

Expression Formulas::output(int depth, bool alone) {
  const FormulaPlace place{.per_value = true, .value = !alone};
  const Expression a = read() * sigmoid(moderate(place, depth - 1));
  if (chance_.once_in(2)) return a;
  const Expression b = bounded(place, depth - 1);
  return a + (alone ? b : b * rankone::value());
}

}  // namespace rankone::test
