// SPDX-License-Identifier: MIT
// What people read: numbers, aligned tables, colours on terminals alone.
#include "tools/text.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

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

std::string Table::text() const {
  const std::size_t columns = heading_.size();
  std::vector<std::size_t> widths(columns);
  std::vector<bool> right(columns, !rows_.empty());
  for (std::size_t c = 0; c < columns; ++c) {
    widths[c] = display_width(heading_[c]);
    for (const auto& cells : rows_) {
      widths[c] = std::max(widths[c], display_width(cells[c]));
      if (!numeric(cells[c])) right[c] = false;
    }
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::string gap(widths[c] - display_width(cells[c]), ' ');
      text += right[c] ? gap + cells[c] : cells[c] + (c + 1 < columns ? gap : "");
      if (c + 1 < columns) text += "  ";
    }
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  std::string text = paint(Color::bold, line(heading_)) + "\n";
  for (const auto& cells : rows_) text += line(cells) + "\n";
  return text;
}

}  // namespace rankone
