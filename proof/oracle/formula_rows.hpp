// SPDX-License-Identifier: MIT
// Expressions over one row of keys or value columns at a time, or over a matrix of both, straight from the graph.
#pragma once

#include <cstdint>
#include <vector>

#include <rankone/dsl/expression.hpp>
#include <rankone/dsl/slots.hpp>
#include <rankone/tensor.hpp>

#include "runtime/given_arguments.hpp"

namespace rankone::recurrence {

// Where in the call a formula is evaluated.
struct Place {
  std::int64_t batch = 0, token = 0;               // row and column of [B, T]
  std::int64_t step = 0;                           // column of [B, T * R]: the token, where it has one step
  bool is_first_step = true, is_last_step = true;  // of the token
  std::int64_t position = 0;                       // of the token in its sequence
  std::int64_t head = 0, key_head = 0, heads = 1;  // value head, the head of q and k it reads, HV
  std::int64_t keys = 1;                           // K
  // The rows that element() and other(), query(), key(), value(), decay() and read() stand for.
  const double *element = nullptr, *query = nullptr, *key = nullptr, *value = nullptr, *decay = nullptr,
               *read = nullptr;
  const double* normaliser = nullptr;                          // one number, whatever the column
  const double *scanned = nullptr, *scanned_before = nullptr;  // rows of keys
  double unit = 1;
  const double* slope = nullptr;  // what comes in where a formula is gone through in reverse
};
inline constexpr Leaf slope_leaf{Operation::scalar, Name("do")};  // the leaf that stands for it: no scalar has the name

// How a leaf's elements lie in memory; a stride is 0 along an axis that it lacks.
struct Strides {
  std::int64_t batch = 0, token = 0, step = 0, head = 0, key_head = 0, key = 0, value = 0;
  std::int64_t offset_of(const Place& place) const {
    return place.batch * batch + place.token * token + place.step * step + place.head * head +
           place.key_head * key_head;
  }
};
// Of a tensor that stands for the leaf.
Strides strides_of(const Tensor& tensor, const Leaf& leaf, const Slot& slot);

// A row has K numbers where a formula's domain has keys, V where it has value columns, K x V where it has both, else one.
class FormulaRows {
 public:
  FormulaRows() = default;  // of no formula
  FormulaRows(const Slot& slot, Nodes formula, std::int64_t key_dim, std::int64_t value_dim,
              const GivenArguments& arguments);
  bool given() const { return !nodes_.empty(); }
  std::int64_t width() const { return width_; }
  // The row of results; valid until the next call.
  const double* operator()(const Place& place);
  // Likewise that of one node.
  const double* row(short node) const { return values_.data() + node * width_; }

 private:
  struct Source {
    const Tensor* tensor = nullptr;
    Strides strides{};
    double scalar = 0;
    bool is_slope = false, follows_slope = false;
  };
  const Source& of(short node) const { return sources_[static_cast<std::size_t>(node)]; }
  // A slope that is 0 stays so, whatever it is multiplied with or divided by.
  void keep_zeros(const Node& node, const double* left, const double* right, double* row) const;
  void leaf_row(const Node& node, const Source& source, const Place& place, double* row) const;

  std::vector<Node> nodes_;
  std::int64_t keys_ = 1, values_of_key_ = 1, width_ = 1;
  std::vector<Source> sources_;
  std::vector<double> values_;  // one row for each node
};

// Elements of `tensor` from `offset` on, `stride` apart.
void load_row(const Tensor& tensor, std::int64_t offset, std::int64_t stride, std::int64_t count, double* row);

}  // namespace rankone::recurrence
