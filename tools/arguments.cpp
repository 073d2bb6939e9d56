// SPDX-License-Identifier: MIT
// From argv to a command and its options.
#include "tools/arguments.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <rankone/error.hpp>
#include <rankone/version.hpp>

#include "codegen/nearest.hpp"
#include "runtime/log.hpp"
#include "tools/commands.hpp"
#include "tools/flags.hpp"
#include "tools/help.hpp"

namespace rankone {
namespace {

[[noreturn]] void refuse(std::string message, std::string given, std::string accepted, std::string where) {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted), std::move(where));
}

std::string long_name(const Flag& flag) { return flag.name.substr(flag.name.find("--")); }
bool is_called(const Flag& flag, std::string_view word) {
  return word == long_name(flag) || (flag.name[1] != '-' && word == flag.name.substr(0, 2));
}

bool is_shown(const Flag& flag) { return !flag.help.empty(); }

const Command* find_command(std::string_view word) {
  for (const Command& each : commands())
    if (word == each.name) return &each;
  return nullptr;
}

// Walks over the words: options, each with its value, the command, and what it works on.
class Reader {
 public:
  Reader(int count, const char* const* words) : words_(words + std::min(count, 1), words + count) {}

  void run() {
    for (bool options = true; next_ < words_.size();) {
      const std::string& word = words_[next_++];
      if (options && word == "--")
        options = false;
      else if (options && word.size() > 1 && word[0] == '-')
        read_option(word);
      else
        read_word(word);
    }
  }

  // Among words that are read as options; whatever else is wrong, help is given.
  bool asks_for(std::string_view first, std::string_view second = {}) const {
    for (const std::string& word : words_) {
      if (word == "--") break;
      if (word == first || (!second.empty() && word == second)) return true;
    }
    return false;
  }
  // The command, as far as the words tell before they are read.
  const Command* named_command() const {
    for (const std::string& word : words_)
      if (const Command* found = find_command(word)) return found;
    return nullptr;
  }

  const Command* command() const { return command_; }
  std::string where() const { return command_ == nullptr ? "rankone" : std::string("rankone ") + command_->name; }

  Options options() const {
    Options options;
    for (const auto& [flag, values] : typed_) take(*flag, values, options);
    const std::string_view positional = command_->positional;
    if (positional == "ACTION" && !words_of_command_.empty()) options.action = words_of_command_.front();
    if (positional.starts_with("VARIANT")) options.variants = words_of_command_;
    if (command_->needs_word && words_of_command_.empty())
      refuse("a variant is missing", "nothing",
             "a name that `rankone list` prints, a JSON file, or - for standard input", where());
    return options;
  }

 private:
  void read_word(const std::string& word) {
    if (command_ == nullptr) {
      command_ = find_command(word);
      if (command_ != nullptr) return;
      std::vector<std::string_view> names;
      std::string accepted;
      for (const Command& each : commands()) {
        names.emplace_back(each.name);
        accepted += (accepted.empty() ? "" : ", ") + std::string(each.name);
      }
      refuse("an unknown command" + did_you_mean(word, names), word, accepted, where());
    }
    const std::string positional = command_->positional;
    words_of_command_.push_back(word);
    if (words_of_command_.size() > (positional.empty() ? 0 : 1) && !positional.ends_with("..."))
      refuse("one word too many", word,
             (positional.empty() ? "no word" : "one " + positional) + ", then options: " + accepted_options(), where());
  }

  [[noreturn]] void refuse_option(const std::string& name, const std::string& word, const Flags& known) const {
    const auto is_name = [&](const Flag* flag) { return is_called(*flag, name); };
    std::string others;
    for (const Command& each : commands())
      if (std::ranges::any_of(each.flags, is_name)) others += (others.empty() ? "" : ", ") + std::string(each.name);
    if (command_ != nullptr && !others.empty())
      refuse("an option of other commands (" + others + ")", word, accepted_options(), where());
    std::vector<std::string> names;
    for (const Flag* flag : known)
      if (is_shown(*flag)) names.push_back(long_name(*flag));
    refuse("an unknown option" + did_you_mean(name, {names.begin(), names.end()}), word, accepted_options(), where());
  }

  void read_option(const std::string& word) {
    const bool is_long = word.starts_with("--");
    const std::string name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
    const bool is_joined = name.size() < word.size();
    const std::string joined = is_joined ? word.substr(name.size() + is_long) : std::string();
    const Flags known = flags_of(command_);
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const Flag* flag) { return is_called(*flag, name); });
    if (found == known.end()) refuse_option(name, word, known);
    const Flag& flag = **found;
    std::vector<std::string>& values = typed_[&flag];
    if (!flag.takes_value()) {
      if (is_joined) refuse("the option takes no value", word, long_name(flag) + " alone", long_name(flag));
      values.emplace_back();
      return;
    }
    if (is_joined && joined.empty()) refuse("an empty value", word, flag.accepted, long_name(flag));
    if (!is_joined && (next_ == words_.size() || words_[next_].starts_with("--")))
      refuse("a value is missing", "nothing", flag.accepted, long_name(flag));
    values.push_back(is_joined ? joined : words_[next_++]);
    if (values.back().empty()) refuse("an empty value", "''", flag.accepted, long_name(flag));
  }

  std::string accepted_options() const {
    std::string names;
    for (const Flag* flag : flags_of(command_))
      if (is_shown(*flag)) names += long_name(*flag) + ", ";
    return names + "--help";
  }

  static void take(const Flag& flag, const std::vector<std::string>& values, Options& options) {
    const std::string name = long_name(flag);
    if (flag.many != nullptr) {
      options.*flag.many = values;
      return;
    }
    const auto shown = [&](const std::string& value) { return flag.takes_value() ? name + " " + value : name; };
    if (values.size() > 1)
      refuse("the option stands twice", shown(values[0]) + " and " + shown(values[1]), "one " + name, name);
    if (!flag.pin.empty()) {
      const std::string value = flag.takes_value() ? values.front() : flag.pin_value;
      if (!options.pins.emplace(flag.pin, value).second)
        refuse("two options pin the same, and differently", name + " and its opposite", "one of them", name);
    } else if (flag.toggle != nullptr) {
      options.*flag.toggle = true;
    } else {
      options.*flag.one = values.front();
    }
  }

  std::vector<std::string> words_, words_of_command_;
  std::size_t next_ = 0;
  const Command* command_ = nullptr;
  std::map<const Flag*, std::vector<std::string>> typed_;
};

}  // namespace

bool json_wanted(int count, const char* const* words) {
  for (int i = 1; i < count; ++i)
    if (const std::string_view word = words[i]; word == "--json" || word.starts_with("--json=")) return true;
  return false;
}

Invocation parse_arguments(int count, const char* const* words) {
  Invocation invocation;
  Reader reader(count, words);
  const auto help = [&](const Command* command) {
    invocation.text = command != nullptr ? help_of(*command) : general_help();
    invocation.document = Json::object({{"help", invocation.text}});
    return invocation;
  };
  if (reader.asks_for("--help", "-h")) return help(reader.named_command());
  if (reader.asks_for("--version") && reader.named_command() == nullptr) {
    invocation.text = "rankone " RANKONE_VERSION "\n";
    invocation.document = Json::object({{"version", RANKONE_VERSION}});
    return invocation;
  }
  reader.run();
  if (reader.command() == nullptr) return help(nullptr);
  invocation.where = reader.where();
  invocation.options = reader.options();
  invocation.command = reader.command()->run;
  log_level();  // warns of an unknown RANKONE_LOG now, not when something happens
  return invocation;
}

}  // namespace rankone
