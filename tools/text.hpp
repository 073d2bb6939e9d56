// SPDX-License-Identifier: MIT
// What people read: numbers, aligned tables, colours on terminals alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rankone {

enum class Color { plain, bold, green, red, yellow };

// The text in that colour where standard output is a terminal and NO_COLOR is not set.
std::string paint(Color color, std::string text);

std::string fixed(double value, int digits);  // 0.127
std::string scientific(double value);         // 2.41e-03
std::string byte_count(std::uint64_t bytes);  // 1.5 MiB
std::string percent(double fraction);         // 37.2 %
std::string joined(const std::vector<std::string>& items, std::string_view separator = ", ");

// Words on lines of at most `width`, the first of which begins at column `at`, all others behind `indent` spaces.
std::string wrapped(const std::string& text, std::size_t at, std::size_t indent, std::size_t width);

// A table with a heading; columns whose cells are all numbers stand to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) : heading_(std::move(heading)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  std::string text() const { return text(static_cast<std::size_t>(-1)); }
  // Wider cells than fit are wrapped, the widest column's first; no word is broken.
  std::string text(std::size_t width) const;

 private:
  using Cells = std::vector<std::string>;
  std::vector<std::size_t> widths_for(std::size_t width) const;
  std::vector<bool> right_columns() const;

  std::vector<std::string> heading_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace rankone
