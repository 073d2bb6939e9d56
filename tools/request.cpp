// SPDX-License-Identifier: MIT
// From the words of the command line to what they ask for; every refusal says what is accepted.
#include "tools/request.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include <rankone/dsl.hpp>
#include <rankone/error.hpp>
#include <rankone/variant_json.hpp>

#include "autotune/lookup.hpp"
#include "codegen/family.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/names.hpp"
#include "codegen/nearest.hpp"
#include "codegen/program.hpp"
#include "codegen/space.hpp"
#include "runtime/backend.hpp"
#include "tools/flags.hpp"
#include "tools/json.hpp"
#include "tools/output.hpp"

namespace rankone {
namespace {

[[noreturn]] void refuse(std::string message, const std::string& given, std::string accepted, std::string where) {
  throw Error(ErrorCode::invalid_argument, std::move(message), "'" + given + "'", std::move(accepted),
              std::move(where));
}

std::string read_arch(const std::string& text, const char* also) {
  try {
    return arch_limits(text).arch;
  } catch (const Error& error) {
    throw Error(error.code(), error.message(), error.given(), error.accepted() + also, "--arch");
  }
}

std::vector<std::string_view> catalogue_list() {
  std::vector<std::string_view> names;
  for (const Variant& entry : catalogue()) names.push_back(entry.name.view());
  return names;
}

std::string catalogue_names() {
  std::string names;
  for (const std::string_view name : catalogue_list()) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

}  // namespace

Variant resolve_variant(const std::string& given) {
  if (const Variant* found = find_variant(given)) return *found;
  std::error_code ignored;
  const bool looks_like_file = given.find('/') != std::string::npos || given.ends_with(".json");
  if (given != "-" && !looks_like_file && !std::filesystem::exists(given, ignored))
    throw Error(ErrorCode::not_found, "an unknown variant" + did_you_mean(given, catalogue_list()), "'" + given + "'",
                catalogue_names() + ", a JSON file, or - for JSON on standard input", "VARIANT");
  const std::string text = read_input(given);
  const std::string where = given == "-" ? "standard input" : given;
  const std::string spec = member_text(text, "spec", where);
  return variant_from_json(spec.empty() ? text : spec, where);
}

void require_words(const Options& options) {
  pass_of(options);
  parse_seed(options);
  parse_scalars(options);
  for (const std::string& shape : options.shapes) parse_dims(shape, {});
  if (!options.device.empty()) cuda_ordinal(options.device);
  const CompileOptions compile = compile_options(options, {});
  // `run` takes the type from its file.
  if (compile.precision == Precision::f32 && compile.dtype != dtype::f32 && options.input.empty())
    throw Error(ErrorCode::invalid_argument, "precision f32 is for f32 tensors",
                std::string("f32 with ") + name_of(compile.dtype), "--dtype f32, or --precision tf32", "--precision");
}

Pass pass_of(const Options& options) {
  if (options.pass.empty()) return Pass::forward;
  if (const auto pass = value_in(pass_names, options.pass)) return *pass;
  throw Error(ErrorCode::invalid_argument, "an unknown pass", "'" + options.pass + "'", list_of(pass_names), "--pass");
}

Pass require_pass(const Options& options, std::initializer_list<Pass> accepted) {
  const Pass pass = pass_of(options);
  if (std::ranges::find(accepted, pass) != accepted.end()) return pass;
  std::string names;
  for (const Pass each : accepted) names += (names.empty() ? "" : ", ") + std::string(name_in(pass_names, each));
  throw Error(ErrorCode::unsupported,
              accepted.size() == 1 ? "the command has only the forward pass" : "the command does not have this pass",
              "'" + options.pass + "'", names, "--pass");
}

std::int64_t parse_integer(const std::string& text, std::int64_t low, std::int64_t high, const std::string& where) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value < low || value > high)
    refuse("not an accepted number", text, "an integer from " + std::to_string(low) + " to " + std::to_string(high),
           where);
  return value;
}

double parse_number(const std::string& text, const std::string& where) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    refuse("not an accepted number", text, "a finite decimal number", where);
  return value;
}

Dims parse_dims(const std::string& text, Dims dims) {
  constexpr std::int64_t most = std::int64_t{1} << 40;
  struct Axis {
    std::string_view name;
    std::int64_t Dims::*size;
    std::int64_t most, least = 1;
    bool given = false;
  };
  Axis axes[] = {{"B", &Dims::batch, most},          {"T", &Dims::tokens, most},
                 {"H", &Dims::heads, 1 << 20},       {"HV", &Dims::value_heads, 1 << 20},
                 {"K", &Dims::key_dim, max_key_dim}, {"V", &Dims::value_dim, max_value_dim},
                 {"Tk", &Dims::key_tokens, most, 0}, {"M", &Dims::slot_dim, max_key_dim}};
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t sign = part.find('=');
    Axis* axis = nullptr;
    for (Axis& each : axes)
      if (sign != std::string::npos && part.substr(0, sign) == each.name) axis = &each;
    if (axis == nullptr)
      refuse("an unknown size" + did_you_mean(part.substr(0, sign), {"B", "T", "H", "HV", "K", "V", "Tk", "M"}), part,
             accepted_sizes, "--shape");
    if (axis->given) refuse("a size is given twice", part, "each of B, T, H, HV, K, V, Tk, M once", "--shape");
    axis->given = true;
    dims.*axis->size =
        parse_integer(part.substr(sign + 1), axis->least, axis->most, "--shape " + std::string(axis->name) + "=");
  }
  if (!axes[3].given) dims.value_heads = dims.heads;
  if (dims.value_heads % dims.heads != 0)
    refuse("HV is not a multiple of H", "H=" + std::to_string(dims.heads) + ",HV=" + std::to_string(dims.value_heads),
           "HV = H, 2H, 3H, ...", "--shape");
  dims.sequences = dims.batch;
  return dims;
}

Dims one_dims(const Options& options, const Dims& defaults) {
  if (options.shapes.size() > 1) refuse("more than one shape", options.shapes[1], "one", "--shape");
  return parse_dims(options.shapes.empty() ? "" : options.shapes.front(), defaults);
}

Dims one_dims(const Options& options, const Variant& variant, Dims defaults) {
  defaults.key_dim = usual_key_dim(variant, defaults.key_dim);
  return one_dims(options, defaults);
}

Dims any_calls(const Options& options, std::int64_t heads) {
  return {.batch = pass_of(options) == Pass::decode ? typical_shape(Pass::decode).batch : 1,
          .heads = heads,
          .value_heads = heads,
          .key_dim = 128,
          .value_dim = 128};
}

Device pick_device(const Options& options) {
  const std::string name = options.device.empty() ? "auto" : options.device;
  try {
    return Device::named(name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::no_device || options.device.empty()) throw;
    // What the driver or its loader says belongs to the reason; given was the option.
    const std::string reason = error.given().empty() ? error.message() : error.message() + " (" + error.given() + ")";
    throw Error(error.code(), reason, options.device, error.accepted(), "--device");
  }
}

std::uint64_t parse_seed(const Options& options) {
  return options.seed.empty() ? 1 : static_cast<std::uint64_t>(parse_integer(options.seed, 0, INT64_MAX, "--seed"));
}

std::vector<NamedScalar> parse_scalars(const Options& options) {
  std::vector<NamedScalar> scalars;
  for (const std::string& each : options.scalars) {
    const std::size_t sign = each.find('=');
    if (sign == std::string::npos || sign == 0) refuse("not a scalar", each, "NAME=VALUE", "--scalar");
    const std::string name = each.substr(0, sign);
    for (const NamedScalar& before : scalars)
      if (before.name == name) refuse("a scalar is given twice", each, name + " once", "--scalar");
    scalars.push_back({name, parse_number(each.substr(sign + 1), "--scalar " + name)});
  }
  return scalars;
}

Pins pins_from(const Options& options) {
  Pins pins;
  for (const auto& [name, text] : options.pins) {
    if (name == "family") {
      pins.family = value_in(family_names, text);
      if (!pins.family) refuse("an unknown kernel family", text, list_of(family_names), "--family");
    }
    for (const Knob* knob : all_knobs()) {
      if (name != knob->name) continue;
      const auto value = value_of(*knob, text);
      const auto has = [&](const KernelFamily* family) {
        const KnobRow* row = row_of(*family, *knob);
        return row != nullptr && row->domain.has(*value);
      };
      const auto families = kernel_families();
      if (!value || std::none_of(families.begin(), families.end(), has))
        refuse("not an accepted value", text, accepted_text(*knob), flag_of(*knob));
      knob->pin(pins, value);
    }
  }
  return pins;
}

CompileOptions compile_options(const Options& options, const Dims& dims) {
  CompileOptions compile{.key_dim = static_cast<int>(dims.key_dim),
                         .value_dim = static_cast<int>(dims.value_dim),
                         .slot_dim = static_cast<int>(dims.slot_dim)};
  const auto read = [](auto& value, const std::string& word, const auto& names, const char* message,
                       const char* where) {
    if (word.empty()) return;
    const auto found = value_in(names, word);
    if (!found) refuse(message, word, list_of(names), where);
    value = *found;
  };
  read(compile.dtype, options.dtype, storage_type_names, "an unknown type", "--dtype");
  read(compile.precision, options.precision, precision_names, "an unknown precision", "--precision");
  read(compile.state_dtype, options.state_dtype, storage_type_names, "an unknown type", "--state-dtype");

  if (!options.saved.empty())
    refuse(options.saved == "keep" || options.saved == "recompute" ? "the forward pass saves nothing"
                                                                   : "an unknown choice",
           options.saved, "no --saved: the backward pass computes anew what it needs", "--saved");

  compile.pins = pins_from(options);
  return compile;
}

std::string one_arch(const Options& options, const Device& device) {
  if (options.archs.size() > 1) refuse("more than one architecture", options.archs[1], "one", "--arch");
  return options.archs.empty() ? device.arch() : read_arch(options.archs.front(), "");
}

std::vector<std::string> all_archs(const Options& options, const Device& device) {
  if (options.archs.empty()) return {device.arch()};
  std::vector<std::string> archs;
  for (const std::string& arch : options.archs) {
    if (arch == "all")
      for (const ArchLimits& known : known_archs()) archs.push_back(known.arch);
    else
      archs.push_back(read_arch(arch, "; or all"));
  }
  return archs;
}

void note_suffix(const Options& options, const Variant& variant, const CompileOptions& compile,
                 const std::string& arch) {
  if (compile.pins.family == Family::portable) return;
  for (const ArchLimits& known : known_archs())
    if (known.arch == arch + "a" && hopper_family.why_not_served({variant, compile, known}).reason.empty())
      note(options,
           arch + " gives the portable family; " + known.arch +
               ", for the same GPUs but none that come later, gives the Hopper family, 1.8 to 3.5 times as fast");
}

}  // namespace rankone
