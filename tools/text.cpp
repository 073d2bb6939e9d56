// SPDX-License-Identifier: MIT
// What people read: numbers, aligned tables, colours on terminals alone.
#include "tools/text.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

namespace rankone {
namespace {

bool colors_wanted() {
  static const bool wanted = [] {
    const char* no_color = std::getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || *no_color == 0);
  }();
  return wanted;
}

std::size_t display_width(std::string_view text) {  // code points, not bytes
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool numeric(const std::string& cell) {
  return cell.empty() || cell == "-" || std::isdigit(static_cast<unsigned char>(cell[0])) != 0;
}

}  // namespace

std::string paint(Color color, std::string text) {
  if (!colors_wanted() || color == Color::plain) return text;
  if (color == Color::bold) return fmt::format(fmt::emphasis::bold, "{}", text);
  const auto code = color == Color::green ? fmt::terminal_color::green
                    : color == Color::red ? fmt::terminal_color::red
                                          : fmt::terminal_color::yellow;
  return fmt::format(fmt::fg(code), "{}", text);
}

std::string fixed(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }
std::string scientific(double value) { return fmt::format("{:.2e}", value); }
std::string percent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string byte_count(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string joined(const std::vector<std::string>& items, std::string_view separator) {
  return fmt::format("{}", fmt::join(items, separator));
}

std::string wrapped(const std::string& text, std::size_t at, std::size_t indent, std::size_t width) {
  std::istringstream words(text);
  std::string result;
  std::size_t column = at;
  for (std::string word; words >> word;) {
    const bool first = column == indent;
    if (!first && column + 1 + display_width(word) > width) {
      result += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      result += ' ';
      ++column;
    }
    result += word;
    column += display_width(word);
  }
  return result;
}

std::vector<bool> Table::right_columns() const {
  std::vector<bool> right(heading_.size(), !rows_.empty());
  for (const Cells& cells : rows_)
    for (std::size_t c = 0; c < cells.size(); ++c)
      if (!numeric(cells[c])) right[c] = false;
  return right;
}

// Of each column: as wide as its cells, less where that does not fit, but never less than a word.
std::vector<std::size_t> Table::widths_for(std::size_t width) const {
  const std::size_t columns = heading_.size();
  std::vector<std::size_t> widths(columns), least(columns);
  const auto widen = [&](const Cells& cells) {
    for (std::size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], display_width(cells[c]));
      std::istringstream words(cells[c]);
      for (std::string word; words >> word;) least[c] = std::max(least[c], display_width(word));
    }
  };
  widen(heading_);
  for (const Cells& cells : rows_) widen(cells);
  for (;;) {
    std::size_t sum = 2 * (columns - 1), widest = columns;
    for (std::size_t c = 0; c < columns; ++c) {
      sum += widths[c];
      if (widths[c] > least[c] && (widest == columns || widths[c] > widths[widest])) widest = c;
    }
    if (sum <= width || widest == columns) return widths;
    --widths[widest];
  }
}

std::string Table::text(std::size_t width) const {
  const std::size_t columns = heading_.size();
  const std::vector<std::size_t> widths = widths_for(width);
  const std::vector<bool> right = right_columns();
  const auto line = [&](const Cells& cells) {
    std::string text;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::string gap(widths[c] - display_width(cells[c]), ' ');
      text += right[c] ? gap + cells[c] : cells[c] + (c + 1 < columns ? gap : "");
      if (c + 1 < columns) text += "  ";
    }
    return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  };
  // A row's lines: those of its cells side by side.
  const auto lines = [&](const Cells& cells) {
    std::string text;
    std::vector<std::istringstream> rest;
    for (std::size_t c = 0; c < columns; ++c)
      rest.emplace_back(display_width(cells[c]) > widths[c] ? wrapped(cells[c], 0, 0, widths[c]) : cells[c]);
    for (bool more = true; more;) {
      Cells part(columns);
      more = false;
      for (std::size_t c = 0; c < columns; ++c) {
        std::getline(rest[c], part[c]);
        more |= rest[c].peek() != std::istringstream::traits_type::eof();
      }
      text += line(part);
    }
    return text;
  };
  std::string text = lines(heading_);
  text = paint(Color::bold, text.substr(0, text.size() - 1)) + "\n";
  for (const Cells& cells : rows_) text += lines(cells);
  return text;
}

}  // namespace rankone
