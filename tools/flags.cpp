// SPDX-License-Identifier: MIT
// The tables of commands and options: what each is called, takes and says of itself.
#include "tools/flags.hpp"

#include <algorithm>

#include "bench/suite.hpp"
#include "codegen/family.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/names.hpp"

#include "tools/commands.hpp"
#include "tools/request.hpp"

namespace rankone {
namespace {

// "a, b or c".
std::string alternatives(std::string list) {
  if (const std::size_t last = list.rfind(", "); last != std::string::npos) list.replace(last, 2, " or ");
  return list;
}
// The first, which a library's option has by itself, is the default.
std::string with_default(const std::string& list) {
  const std::string text = alternatives(list);
  return text.substr(0, text.find_first_of(", ")) + " (default)" + text.substr(text.find_first_of(", "));
}

const Flag checked_pass{"--pass", "PASS", "forward (default), backward or decode", "forward, backward, decode",
                        &Options::pass};
const Flag any_pass{"--pass", "PASS", with_default(list_of(pass_names)), list_of(pass_names), &Options::pass};
const Flag shape{"--shape",      "B=,T=,...", "sizes B, T, H, HV, K, V, Tk, M; those left out have defaults",
                 accepted_sizes, nullptr,     &Options::shapes};
const Flag dtype_{"--dtype", "TYPE", "of q, k, v and o: " + with_default(list_of(storage_type_names)),
                  list_of(storage_type_names), &Options::dtype};
const Flag precision{"--precision", "P", "of float32 products: " + with_default(list_of(precision_names)),
                     list_of(precision_names), &Options::precision};
const Flag state_dtype{"--state-dtype", "TYPE", "of states: f32 (default), bf16 or f16", list_of(storage_type_names),
                       &Options::state_dtype};
const Flag device{"--device", "DEVICE", "auto (default), cpu, cuda or cuda:N", "auto, cpu, cuda, cuda:N",
                  &Options::device};
// Of a backward pass that reads what forward keeps: known, so that its refusal can say so.
const Flag saved{"--saved", "HOW", "", "no --saved: the backward pass computes anew what it needs", &Options::saved};
const Flag arch{"--arch",    "ARCH",  alternatives(arch_list()) + " (default: the device's)",
                arch_list(), nullptr, &Options::archs};
const Flag archs{"--arch",
                 "ARCH",
                 alternatives(arch_list() + ", all") + "; may be repeated (default: the device's)",
                 arch_list() + ", all",
                 nullptr,
                 &Options::archs};
const Flag shown_archs{"--arch",
                       "ARCH",
                       alternatives(arch_list() + ", all") + "; may be repeated (default: sm_90a and sm_80)",
                       arch_list() + ", all",
                       nullptr,
                       &Options::archs};
const Flag latex{"--latex",      {}, "LaTeX alone: the recurrence, formulas and their gradients", "", nullptr, nullptr,
                 &Options::latex};
const Flag markdown{"--markdown", {}, "the catalogue as a page in Markdown", "", nullptr, nullptr, &Options::markdown};
const Flag scalar{"--scalar",   "NAME=VALUE", "a run-time scalar of the variant",
                  "NAME=VALUE", nullptr,      &Options::scalars};
const Flag packed{"--packed",      {}, "packed sequences of uneven lengths, some of them empty", "", nullptr, nullptr,
                  &Options::packed};
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
const Flag suite{"--suite", "NAME", "a named set of rows instead of variants: " + alternatives(suite_names),
                 suite_names, &Options::suite};
const Flag json{"--json", {}, "one JSON document on standard output", "", nullptr, nullptr, &Options::json};
const Flag quiet{"-q,--quiet", {}, "no notes and no progress on standard error", "", nullptr, nullptr, &Options::quiet};
const Flag seed{"--seed", "N", "of random inputs (default: 1)", "an integer from 0 to 2^63 - 1", &Options::seed};

// One option for each knob, or two where it is on or off.
std::vector<Flag> make_pin_flags() {
  std::vector<Flag> flags;
  flags.push_back({.name = "--family",
                   .value = "FAMILY",
                   .help = "pin the kernel family",
                   .accepted = list_of(family_names),
                   .pin = "family"});
  for (const Knob* knob : all_knobs()) {
    const std::string name = flag_of(*knob), accepted = accepted_text(*knob);
    if (knob->kind == Knob::Kind::truth) {
      flags.push_back(
          {.name = name, .help = std::string("pin ") + knob->about, .pin = knob->name, .pin_value = "true"});
      flags.push_back({.name = "--no-" + name.substr(2),
                       .help = "pin the opposite of " + name,
                       .pin = knob->name,
                       .pin_value = "false"});
    } else {
      flags.push_back({.name = name,
                       .value = knob->kind == Knob::Kind::level ? "LEVEL" : "N",
                       .help = std::string("pin ") + knob->about + ": " + accepted,
                       .accepted = accepted,
                       .pin = knob->name});
    }
  }
  return flags;
}

Flags with_pins(Flags flags) {
  static const std::vector<Flag> pins = make_pin_flags();
  for (const Flag& pin : pins) flags.push_back(&pin);
  flags.push_back(&saved);
  return flags;
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"list",
       "the catalogue: passes, kernel families, chunk forms",
       "",
       {&shown_archs, &markdown},
       "rankone list --arch sm_90a",
       command_list},
      {"show", "a variant: recurrence, tensors, gradients, what serves its passes, LaTeX, and its JSON", "VARIANT",
       with_pins({&latex, &shown_archs, &any_pass, &shape, &dtype_, &state_dtype, &device}),
       "rankone show gla_sigmoid --latex", command_show, true},
      {"emit", "the CUDA source of its kernels", "VARIANT",
       with_pins({&text_file, &arch, &any_pass, &shape, &dtype_, &state_dtype, &precision, &device}),
       "rankone emit gla_sigmoid --arch sm_90a --chunk 64 -o gla_sigmoid.cu", command_emit, true},
      {"compile", "compile by NVRTC: registers, shared memory, spills, milliseconds", "VARIANT",
       with_pins({&archs, &any_pass, &shape, &dtype_, &state_dtype, &precision, &device}),
       "rankone compile gla_sigmoid --arch sm_90a", command_compile, true},
      {"check", "run on random inputs and compare with the float64 oracle", "VARIANT",
       with_pins({&packed, &scalar, &checked_pass, &shape, &dtype_, &state_dtype, &precision, &device}),
       "rankone check gla --device cpu --shape T=50,H=1,K=32,V=32", command_check, true},
      {"run", "run on the tensors of a file", "VARIANT",
       with_pins({&input, &output, &checked_pass, &shape, &dtype_, &state_dtype, &precision, &device}),
       "rankone run gla_sigmoid --in gla-text-activations.safetensors --out o.safetensors --device cpu", command_run,
       true},
      {"bench", "median time beside the floor that memory sets", "VARIANT...",
       with_pins({&repeats, &suite, &scalar, &checked_pass, &shape, &dtype_, &state_dtype, &precision, &device}),
       "rankone bench gla simple_gla --device cpu --shape T=64,H=1,K=32,V=32", command_bench},
      {"tune", "find the fastest schedule on this GPU and remember it", "VARIANT...",
       with_pins({&budget, &scalar, &checked_pass, &shape, &dtype_, &state_dtype, &precision, &device}),
       "rankone tune gla --shape B=8,T=4096,H=16 --budget 60", command_tune, true},
      {"export", "source, cubin and manifest, to build into other programs", "VARIANT",
       with_pins({&folder, &format, &arch, &any_pass, &shape, &dtype_, &state_dtype, &precision, &device}),
       "rankone export gla_sigmoid --format cuda -o out", command_export, true},
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

std::string flag_of(const Knob& knob) {
  if (&knob == &level_knob) return "--states";
  std::string name = std::string("--") + knob.name;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string flag_at(const std::string& place) {
  for (const char* each : {"pins.family", "device", "arch", "scalar", "shape", "packed"})
    if (place == each) return "--" + place.substr(place.find('.') + 1);
  for (const Knob* knob : all_knobs())
    if (place == place_of(*knob)) return flag_of(*knob);
  return place;
}

// --seed is for those that work on variants.
Flags flags_of(const Command* command) {
  Flags flags = command != nullptr ? command->flags : Flags{};
  if (command == nullptr || std::string_view(command->positional).starts_with("VARIANT")) flags.push_back(&seed);
  flags.insert(flags.end(), {&json, &quiet});
  return flags;
}

}  // namespace rankone
