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

// A table with a heading; columns whose cells are all numbers stand to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) : heading_(std::move(heading)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  std::string text() const;

 private:
  std::vector<std::string> heading_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace rankone
