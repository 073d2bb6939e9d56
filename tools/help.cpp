// SPDX-License-Identifier: MIT
// The help of the program and of each command, wrapped at the terminal's width.
#include "tools/help.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/paths.hpp"
#include "tools/text.hpp"

namespace rankone {
namespace {

constexpr std::size_t usual_width = 100, least_width = 40;
constexpr std::size_t widest_name = 24;  // longer ones have a line of their own

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string paragraph(const std::string& text, std::size_t width) { return wrapped(text, 0, 0, width) + "\n"; }

std::string table(const Rows& rows, std::size_t width) {
  std::size_t names = 0;
  for (const auto& [name, text] : rows)
    if (name.size() <= widest_name) names = std::max(names, name.size());
  const std::size_t indent = 2 + names + 2;
  std::string result;
  for (const auto& [name, text] : rows) {
    result += "  " + name;
    result += name.size() <= names ? std::string(names - name.size() + 2, ' ') : "\n" + std::string(indent, ' ');
    result += wrapped(text, indent, indent, width) + "\n";
  }
  return result;
}

std::string written(const Flag& flag) {
  std::string name = flag.name;
  if (const std::size_t comma = name.find(','); comma != std::string::npos) name.insert(comma + 1, " ");
  return flag.takes_value() ? name + " " + flag.value : name;
}

Rows rows_of(const Flags& flags) {
  Rows rows;
  for (const Flag* flag : flags)
    if (!flag->help.empty()) rows.emplace_back(written(*flag), flag->help);
  rows.emplace_back("-h, --help", "this text");
  return rows;
}

}  // namespace

std::size_t help_width() {
  std::size_t width = 0;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width = size.ws_col;
  if (const auto columns = environment("COLUMNS"); columns && width == 0)
    std::from_chars(columns->data(), columns->data() + columns->size(), width);
  return std::max(width == 0 ? usual_width : width, least_width);
}

std::string general_help() {
  const std::size_t width = help_width();
  Rows rows;
  for (const Command& command : commands()) rows.emplace_back(command.name, command.summary);
  std::string text = paragraph("Rankone: linear attention declared in C++, delivered as CUDA kernels.", width);
  text += "\nUsage: rankone COMMAND [VARIANT] [OPTIONS]\n\nCommands:\n" + table(rows, width);
  Rows options = rows_of(flags_of(nullptr));
  options.emplace_back("--version", "the version");
  text += "\nOptions:\n" + table(options, width) + "\n";
  text +=
      paragraph("VARIANT is a name that `rankone list` prints, a JSON file, or - for JSON on standard input.", width);
  text += paragraph("`rankone COMMAND --help` has the options of a command and an example.", width);
  return text + "\nExample:\n  rankone check gla_sigmoid --device cpu\n";
}

std::string help_of(const Command& command) {
  const std::size_t width = help_width();
  const std::string positional = command.positional;
  std::string text = paragraph(std::string("rankone ") + command.name + ": " + command.summary, width);
  text += std::string("\nUsage: rankone ") + command.name;
  if (!positional.empty()) text += command.needs_word ? " " + positional : " [" + positional + "]";
  text += " [OPTIONS]\n\n";
  if (positional.starts_with("VARIANT"))
    text += paragraph("VARIANT is a name that `rankone list` prints, a JSON file, or - for JSON on standard input.",
                      width) +
            "\n";
  text += "Options:\n" + table(rows_of(flags_of(&command)), width);
  return text + "\nExample:\n  " + command.example + "\n";
}

}  // namespace rankone
