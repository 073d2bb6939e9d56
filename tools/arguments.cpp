// SPDX-License-Identifier: MIT
// From argv to a command and its options, through the command-line library, which this file alone includes.
#include "tools/arguments.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include <CLI/CLI.hpp>
#include <rankone/error.hpp>
#include <rankone/version.hpp>

#include "runtime/log.hpp"
#include "tools/commands.hpp"
#include "tools/flags.hpp"

namespace rankone {
namespace {

// `bench --suite NAME` names no variant; bench itself asks for one or the other.
bool may_do_without(const Command& command) { return command.run == command_bench; }

bool takes_several(const Command& command) { return std::string_view(command.positional) == "VARIANT..."; }

std::string command_names() {
  std::string names;
  for (const Command& command : commands()) names += (names.empty() ? "" : ", ") + std::string(command.name);
  return names;
}

std::string long_name(const Flag& flag) { return std::string(std::strstr(flag.name, "--")); }

[[noreturn]] void refuse(std::string message, std::string given, std::string accepted, std::string where) {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted), std::move(where));
}

// What was typed for each option that takes a value. The command-line library only splits words: how often an option may
// stand and what it takes is said here, in the same way for all of them.
using Typed = std::map<const Flag*, std::vector<std::string>>;

// A flag without help is in no list of options.
void add(CLI::App& app, const Flag& flag, Options& options, Typed& typed) {
  CLI::Option* option = nullptr;
  if (flag.toggle != nullptr)
    option = app.add_flag(flag.name, options.*flag.toggle, flag.help);
  else
    option = app.add_option(flag.name, typed[&flag], flag.help)
                 ->type_name(flag.value)
                 ->expected(1)
                 ->take_all()
                 ->allow_extra_args(false);  // the next word is not its
  if (*flag.help == 0) option->group("");
}

void add_common(CLI::App& app, Options& options, Typed& typed) {
  for (const Flag* flag : {&json_flag(), &quiet_flag()}) add(app, *flag, options, typed);
  app.set_help_flag("-h,--help", "this text");
}

void take(const Flag& flag, const std::vector<std::string>& values, Options& options) {
  const std::string name = long_name(flag);
  for (const std::string& value : values)
    if (value.empty()) refuse("an empty value", "''", flag.accepted, name);
  if (flag.many != nullptr) {
    options.*flag.many = values;
    return;
  }
  if (values.size() > 1)
    refuse("the option stands twice", name + " " + values[0] + " and " + name + " " + values[1], "one " + name, name);
  if (!values.empty()) options.*flag.one = values.front();
}

// "--name=value" with a value that the option cannot have: the library would take it for another word, or for none.
void check_joined(const Flag& flag, const std::string& word) {
  const std::string name = long_name(flag);
  if (flag.toggle != nullptr && word.starts_with(name + "="))
    refuse("the option takes no value", word, name + " alone", name);
  if (flag.toggle == nullptr && word == name + "=") refuse("an empty value", word, flag.accepted, name);
}

std::string accepted_options(const CLI::App& app) {
  std::string names;
  for (const CLI::Option* option : app.get_options())
    if (option->nonpositional() && !option->get_group().empty())
      names += (names.empty() ? "" : ", ") + std::string("--") + option->get_lnames().front();
  return names;
}

const Flag* find_flag(const Flags& flags, const std::string& name) {
  for (const Flag* flag : flags)
    if (long_name(*flag) == name) return flag;
  return nullptr;
}

}  // namespace

bool json_wanted(int count, const char* const* words) {
  for (int i = 1; i < count; ++i)
    if (const std::string_view word = words[i]; word == "--json" || word.starts_with("--json=")) return true;
  return false;
}

Invocation parse_arguments(int count, const char* const* words) {
  Invocation invocation;
  Options& options = invocation.options;
  Typed typed, in_front;  // behind the command, and before it
  CLI::App app("Rankone: linear attention declared in C++, delivered as CUDA kernels.", "rankone");
  app.set_version_flag("--version", "rankone " RANKONE_VERSION);
  app.require_subcommand(0, 1);
  app.allow_extras();
  app.footer(
      "VARIANT is a name that `rankone list` prints, a JSON file, or - for JSON on standard input.\n"
      "`rankone COMMAND --help` has the options of a command and an example.\n\n"
      "Example:\n  rankone check gla_sigmoid --device cpu");
  add(app, seed_flag(), options, in_front);
  add_common(app, options, in_front);

  std::vector<CLI::App*> parsers;
  for (const Command& command : commands()) {
    CLI::App* parser = parsers.emplace_back(app.add_subcommand(command.name, command.summary));
    parser->allow_extras();
    parser->footer(std::string("\nExample:\n  ") + command.example);
    if (*command.positional == 'V') {
      CLI::Option* variant =
          parser->add_option("VARIANT", options.variants, "a name that `rankone list` prints, a JSON file, or -");
      variant->type_name("")->required(!may_do_without(command));
      if (!takes_several(command)) variant->expected(1)->allow_extra_args(false);
    }
    if (*command.positional == 'A') parser->add_option("ACTION", options.action, "show, list or clear")->type_name("");
    for (const Flag* flag : command.flags) add(*parser, *flag, options, typed);
    if (!command.flags.empty()) add(*parser, seed_flag(), options, typed);
    add_common(*parser, options, typed);
  }

  // The command, as far as the words tell before they are parsed, and the options that it knows.
  const Command* command = nullptr;
  for (int i = 1; i < count && command == nullptr; ++i)
    for (const Command& each : commands())
      if (std::string_view(words[i]) == each.name) command = &each;
  Flags known = command != nullptr ? command->flags : Flags{};
  known.insert(known.end(), {&seed_flag(), &json_flag(), &quiet_flag()});
  for (int i = 1; i < count; ++i)
    for (const Flag* flag : known) check_joined(*flag, words[i]);

  try {
    app.parse(count, words);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    invocation.text = chosen.empty() ? app.help() : chosen.front()->help("rankone");
    invocation.document = Json::object({{"help", invocation.text}});
    return invocation;
  } catch (const CLI::CallForVersion&) {
    invocation.text = "rankone " RANKONE_VERSION "\n";
    invocation.document = Json::object({{"version", RANKONE_VERSION}});
    return invocation;
  } catch (const CLI::RequiredError&) {
    refuse("a variant is missing", "nothing", "a name that `rankone list` prints, a JSON file, or - for standard input",
           "rankone " + app.get_subcommands().front()->get_name());
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string what = error.what(), name = what.substr(0, what.find(':'));
    if (const Flag* flag = find_flag(known, name)) refuse("a value is missing", "nothing", flag->accepted, name);
    std::string line;
    for (int i = 1; i < count; ++i) line += (line.empty() ? "" : " ") + std::string(words[i]);
    refuse("the command line does not parse", line, accepted_options(chosen.empty() ? app : *chosen.front()),
           chosen.empty() ? "rankone" : "rankone " + chosen.front()->get_name());
  }

  const auto chosen = app.get_subcommands();
  if (chosen.empty()) {
    const auto extra = app.remaining();
    if (!extra.empty() && extra.front()[0] == '-')
      refuse("an unknown option", extra.front(), accepted_options(app), "rankone");
    refuse(extra.empty() ? "a command is missing" : "an unknown command", extra.empty() ? "nothing" : extra.front(),
           command_names(), "rankone");
  }
  const auto index =
      static_cast<std::size_t>(std::find(parsers.begin(), parsers.end(), chosen.front()) - parsers.begin());
  const Command& taken = commands()[index];
  invocation.where = std::string("rankone ") + taken.name;
  if (const auto extra = app.remaining(true); !extra.empty()) {
    const bool option = extra.front()[0] == '-';
    const std::string positional = *taken.positional != 0 ? "one " + std::string(taken.positional) : "no word";
    refuse(option ? "an unknown option" : "one word too many", extra.front(),
           (option ? "" : positional + ", then options: ") + accepted_options(*chosen.front()), invocation.where);
  }
  for (const auto& [flag, values] : in_front) typed[flag].insert(typed[flag].begin(), values.begin(), values.end());
  for (const auto& [flag, values] : typed)
    if (!values.empty()) take(*flag, values, options);
  log_level();  // warns of an unknown RANKONE_LOG now, not when something happens
  invocation.command = taken.run;
  return invocation;
}

}  // namespace rankone
