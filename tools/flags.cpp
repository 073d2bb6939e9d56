// SPDX-License-Identifier: MIT
// The tables of commands and options: what each is called, takes and says of itself.
#include "tools/flags.hpp"

#include "tools/commands.hpp"
#include "tools/request.hpp"

namespace rankone {
namespace {

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
const Flag cluster{"--cluster", "N", "pin the blocks that share the work on keys: 1 or 2 (hopper, decays per key)",
                   "1, 2", &Options::cluster};
const Flag prepared{"--prepared",
                    nullptr,
                    "pin a kernel of its own for the work on keys (hopper, decays per key)",
                    "",
                    nullptr,
                    nullptr,
                    &Options::prepared};
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

const Flags pinned = {&family, &chunk, &states, &saved, &value_tile, &warps, &stages, &cluster, &prepared};
Flags with_pins(Flags flags) {
  flags.insert(flags.end(), pinned.begin(), pinned.end());
  return flags;
}

}  // namespace

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

const Flag& json_flag() { return json; }
const Flag& quiet_flag() { return quiet; }
const Flag& seed_flag() { return seed; }

}  // namespace rankone
