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
#include "tools/request.hpp"

namespace rankone {
namespace {

struct Flag {
  const char *name, *value, *help;
  const char* accepted = "";  // what its value may be
  std::string Options::*one = nullptr;
  std::vector<std::string> Options::*many = nullptr;
  bool Options::*toggle = nullptr;
};

constexpr const char* known_archs_text = "sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_120a";

const Flag pass{"--pass", "PASS", "forward", "forward", &Options::pass};
const Flag shape{"--shape",      "B=,T=,...", "sizes B, T, H, HV, K, V; those left out have defaults",
                 accepted_sizes, nullptr,     &Options::shapes};
const Flag dtype_{"--dtype", "TYPE", "of q, k, v and o: bf16 (default), f16 or f32", "bf16, f16, f32", &Options::dtype};
const Flag precision{"--precision", "P", "of float32 products: tf32 (default) or f32", "tf32, f32",
                     &Options::precision};
const Flag device{"--device", "DEVICE", "auto (default), cpu, cuda or cuda:N", "auto, cpu, cuda, cuda:N",
                  &Options::device};
const Flag family{"--family", "FAMILY", "pin the kernel family: portable or hopper", "portable, hopper",
                  &Options::family};
const Flag chunk{"--chunk", "C", "pin the chunk size: 16 to 128, a multiple of 16", "a multiple of 16 from 16 to 128",
                 &Options::chunk};
const Flag states{"--states", "LEVEL",
                  "pin the level: serial (state on chip), chunk (states in memory; portable family) or segment (those "
                  "between segments; Hopper family)",
                  "serial, chunk, segment", &Options::states};
// Of the backward pass: known, so that its refusal can say so.
const Flag saved{"--saved", "HOW", "", "no --saved: it belongs to the backward pass", &Options::saved};
const Flag value_tile{"--value-tile", "N", "pin the columns of the state that a block owns",
                      "a multiple of 16 from 16 to 256", &Options::value_tile};
const Flag warps{"--warps", "N", "pin the warps of a block", "an integer from 1 to 32", &Options::warps};
const Flag stages{"--stages", "N", "pin the chunks in flight: 1 or 2 (portable), 2 to 6 (hopper)",
                  "an integer from 1 to 6", &Options::stages};
const Flag cluster{"--cluster", "N", "pin the blocks that share the work on keys: 1, 2 or 4 (hopper, decays per key)",
                   "1, 2, 4", &Options::cluster};
const Flag arch{"--arch",         "ARCH",  "sm_80, sm_86, sm_89, sm_90a, sm_100a or sm_120a (default: the device's)",
                known_archs_text, nullptr, &Options::archs};
const Flag archs{"--arch",
                 "ARCH",
                 "sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_120a or all; may be repeated (default: the device's)",
                 "sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_120a, all",
                 nullptr,
                 &Options::archs};
const Flag scalar{"--scalar",   "NAME=VALUE", "a run-time scalar of the variant",
                  "NAME=VALUE", nullptr,      &Options::scalars};
const Flag packed{"--packed", nullptr,         "packed sequences of uneven lengths, some of them empty", "", nullptr,
                  nullptr,    &Options::packed};
const Flag input{"--in", "FILE", "the safetensors file to read; - is standard input", "a safetensors file, or -",
                 &Options::input};
const Flag output{"--out", "FILE", "the safetensors file to write; - is standard output", "a file, or -",
                  &Options::output};
const Flag text_file{"-o,--out", "FILE", "where to write the text; - (default) is standard output", "a file, or -",
                     &Options::output};
const Flag folder{"-o,--out", "DIR", "the folder to write to", "a folder", &Options::output};
const Flag format{"--format", "FORMAT", "cuda", "cuda", &Options::format};
const Flag budget{"--budget", "SECONDS", "stop searching after so long (default: 120)", "seconds above 0",
                  &Options::budget};
const Flag repeats{"--repeats", "N", "timed replays, of which the median counts", "an integer from 1 to 100000",
                   &Options::repeats};
const Flag suite{"--suite", "NAME", "a named set of rows instead of variants: forward", "forward", &Options::suite};
const Flag json{"--json", nullptr, "one JSON document on standard output", "", nullptr, nullptr, &Options::json};
const Flag quiet{"-q,--quiet", nullptr,        "no notes and no progress on standard error", "", nullptr,
                 nullptr,      &Options::quiet};
const Flag seed{"--seed", "N", "of random inputs (default: 1)", "an integer from 0 to 2^63 - 1", &Options::seed};

using Flags = std::vector<const Flag*>;
const Flags pinned = {&family, &chunk, &states, &saved, &value_tile, &warps, &stages, &cluster};
Flags with_pins(Flags flags) {
  flags.insert(flags.end(), pinned.begin(), pinned.end());
  return flags;
}

struct Command {
  const char *name, *summary, *positional;
  Flags flags;
  const char* example;
  int (*run)(const Options&);
};

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"list", "the catalogue", "", {}, "rankone list", command_list},
      {"show", "a variant: recurrence, tensors, passes, and its JSON", "VARIANT",
       with_pins({&pass, &shape, &dtype_, &device}), "rankone show gla_sigmoid", command_show},
      {"emit", "the CUDA source of its kernels", "VARIANT",
       with_pins({&text_file, &arch, &pass, &shape, &dtype_, &precision, &device}),
       "rankone emit gla_sigmoid --arch sm_90a --chunk 64 -o gla_sigmoid.cu", command_emit},
      {"compile", "compile by NVRTC: registers, shared memory, spills, milliseconds", "VARIANT",
       with_pins({&archs, &pass, &shape, &dtype_, &precision, &device}), "rankone compile gla_sigmoid --arch sm_90a",
       command_compile},
      {"check", "run on random inputs and compare with the float64 oracle", "VARIANT",
       with_pins({&packed, &scalar, &pass, &shape, &dtype_, &precision, &device}),
       "rankone check gla --device cpu --shape T=50,H=1,K=32,V=32", command_check},
      {"run", "run on the tensors of a file", "VARIANT",
       with_pins({&input, &output, &pass, &shape, &dtype_, &precision, &device}),
       "rankone run gla_sigmoid --in gla-text-activations.safetensors --out o.safetensors --device cpu", command_run},
      {"bench", "median time beside the floor that memory sets", "VARIANT...",
       with_pins({&repeats, &suite, &scalar, &pass, &shape, &dtype_, &precision, &device}),
       "rankone bench gla simple_gla --device cpu --shape T=64,H=1,K=32,V=32", command_bench},
      {"tune", "find the fastest schedule on this GPU and remember it", "VARIANT...",
       with_pins({&budget, &scalar, &pass, &shape, &dtype_, &precision, &device}),
       "rankone tune gla --shape B=8,T=4096,H=16 --budget 60", command_tune},
      {"export", "source, cubin and manifest, to build into other programs", "VARIANT",
       with_pins({&folder, &format, &arch, &pass, &shape, &dtype_, &precision, &device}),
       "rankone export gla_sigmoid --format cuda -o out", command_export},
      {"cache",
       "what the cache of built kernels holds: show (default), list or clear",
       "ACTION",
       {},
       "rankone cache show",
       command_cache},
      {"doctor",
       "what is found on this machine, each setting and where it came from",
       "",
       {},
       "rankone doctor",
       command_doctor},
  };
  return all;
}

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
  for (const Flag* flag : {&json, &quiet}) add(app, *flag, options, typed);
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
  Typed typed;
  CLI::App app("Rankone: linear attention declared in C++, delivered as CUDA kernels.", "rankone");
  app.set_version_flag("--version", "rankone " RANKONE_VERSION);
  app.require_subcommand(0, 1);
  app.allow_extras();
  app.footer(
      "VARIANT is a name that `rankone list` prints, a JSON file, or - for JSON on standard input.\n"
      "`rankone COMMAND --help` has the options of a command and an example.\n\n"
      "Example:\n  rankone check gla_sigmoid --device cpu");
  add(app, seed, options, typed);
  add_common(app, options, typed);

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
    if (!command.flags.empty()) add(*parser, seed, options, typed);
    add_common(*parser, options, typed);
  }

  // The command, as far as the words tell before they are parsed, and the options that it knows.
  const Command* command = nullptr;
  for (int i = 1; i < count && command == nullptr; ++i)
    for (const Command& each : commands())
      if (std::string_view(words[i]) == each.name) command = &each;
  Flags known = command != nullptr ? command->flags : Flags{};
  known.insert(known.end(), {&seed, &json, &quiet});
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
  for (const auto& [flag, values] : typed)
    if (!values.empty()) take(*flag, values, options);
  log_level();  // warns of an unknown RANKONE_LOG now, not when something happens
  invocation.command = taken.run;
  return invocation;
}

}  // namespace rankone
