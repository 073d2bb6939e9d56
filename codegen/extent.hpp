// SPDX-License-Identifier: MIT
// A number that follows from the sizes of a call: written once, evaluated by the host, printed as JSON and as C.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rankone/options.hpp>

namespace rankone {

// What an extent may depend on. `packed` is 1 where sequences are packed and 0 where they are not; N is B then.
enum class Size : unsigned char { batch, tokens, sequences, heads, value_heads, packed, multiprocessors, key_tokens };

struct Sizes64 {
  std::int64_t batch = 1, tokens = 1, sequences = 1, heads = 1, value_heads = 1, packed = 0, multiprocessors = 1;
  std::int64_t key_tokens = 1;  // Tk of a non-causal variant, of others T
};
Sizes64 sizes_of(const Shape& shape, int multiprocessors = 1);

// Integers of 64 bits; no operation overflows for sizes that check_shape() accepts.
class Extent {
 public:
  enum class Op : unsigned char {
    constant,
    size,
    name,
    add,
    subtract,
    multiply,
    divide,
    ceil_div,
    min,
    max,
    less,
    select
  };

  Extent(std::int64_t constant = 0);  // implicit: numbers stand in expressions as they are
  Extent(Size size);

  // The same number under a name: it is printed as the name, and once for all as its definition.
  Extent named(std::string name) const;

  friend Extent operator+(const Extent& a, const Extent& b) { return {Op::add, {a, b}}; }
  friend Extent operator-(const Extent& a, const Extent& b) { return {Op::subtract, {a, b}}; }
  friend Extent operator*(const Extent& a, const Extent& b) { return {Op::multiply, {a, b}}; }
  friend Extent operator/(const Extent& a, const Extent& b) { return {Op::divide, {a, b}}; }   // down; b from 1
  friend Extent operator<(const Extent& a, const Extent& b) { return {Op::less, {a, b}}; }     // 1 or 0
  friend Extent ceil_div(const Extent& a, const Extent& b) { return {Op::ceil_div, {a, b}}; }  // up; b from 1
  friend Extent min(const Extent& a, const Extent& b) { return {Op::min, {a, b}}; }
  friend Extent max(const Extent& a, const Extent& b) { return {Op::max, {a, b}}; }
  // `then` where `condition` is not 0.
  friend Extent select(const Extent& condition, const Extent& then, const Extent& otherwise) {
    return {Op::select, {condition, then, otherwise}};
  }

  std::int64_t evaluate(const Sizes64& sizes) const;
  // A number, a name, or {"multiply": [..., ...]}.
  std::string json() const;
  // An expression over `const PREFIX_shape* s`; names are functions PREFIX_NAME(s), and PREFIX_ceil_div, _min and _max
  // are those of extent_helpers().
  std::string c(std::string_view prefix) const;

  bool is_constant() const;  // and so the same for every call
  // Everything named within, each before what refers to it.
  void collect(std::vector<std::pair<std::string, Extent>>& names) const;

 private:
  struct Node;
  Extent(Op op, std::vector<Extent> operands);
  std::shared_ptr<const Node> node_;
};

// The C text of the shape's struct and of what expressions call, for a C11 or C++ header. Tk is there for non-causal variants.
std::string extent_helpers(std::string_view prefix, bool has_key_tokens = false);
// `static inline int64_t PREFIX_NAME(const PREFIX_shape* s)` of an extent.
std::string extent_function(std::string_view prefix, std::string_view name, const Extent& extent);

}  // namespace rankone
