// SPDX-License-Identifier: MIT
// Declarations drawn at random.
#include "tests/random/declarations.hpp"

#include <algorithm>

#include <rankone/error.hpp>

#include "codegen/bounds.hpp"
#include "codegen/choose.hpp"
#include "codegen/knob_text.hpp"
#include "codegen/program.hpp"
#include "proof/draw.hpp"
#include "tests/random/formulas.hpp"

namespace rankone::test {
namespace {

constexpr int most_depth = 6;

// What has a form in chunks in some families alone, or in none.
Variant with_other_parts(Chance& chance, Formulas& formulas, Variant result) {
  const auto depth = [&] { return chance.between(2, most_depth - 2); };
  if (chance.once_in(4)) {
    result = result.erase(formulas.erase_scale(depth()));
    if (chance.once_in(3)) result = result.erase_read(formulas.erase_key(depth()));
    if (chance.once_in(3)) result = result.erase_write(formulas.erase_key(depth()));
    if (chance.once_in(3)) result = result.erase_undecayed();
  }
  if (chance.once_in(3)) result = chance.once_in(2) ? result.exclusive() : result.bonus(formulas.bonus(depth()));
  if (chance.once_in(4))
    result = result.reversed();
  else if (!result.exclusive_ && chance.once_in(5))
    result = result.bidirectional();
  if (chance.once_in(5)) result = result.permuted();
  if (chance.once_in(4)) result = result.query(formulas.query(depth()));
  if (chance.once_in(4)) result = result.value(formulas.value(depth()));
  if (chance.once_in(4)) result = result.output(formulas.output(depth()));
  return result;
}

// Each input is of keys or of queries.
Variant non_causal_variant(Chance& chance, Formulas& formulas, Variant result) {
  const auto depth = [&] { return chance.between(2, most_depth - 1); };
  result = result.non_causal();
  if (chance.once_in(2)) result = result.key(formulas.key({.per_key = true}, depth()));
  if (chance.once_in(2)) result = result.write_scale(formulas.write_scale({}, depth()));
  if (chance.once_in(3)) result = result.value(formulas.value(depth()));
  formulas.forget_inputs();
  if (chance.once_in(2)) result = result.query(formulas.query(depth(), true));
  Expression output = chance.once_in(2) ? formulas.output(depth(), true) : read();
  if (chance.once_in(2)) output = output * sigmoid(normaliser() / 64);
  if (chance.once_in(2)) result = result.output(output);
  if (chance.once_in(3)) result = result.feature_map(formulas.feature_map(depth()));
  if (chance.once_in(4)) result = result.scale(chance.among({1.0, 0.25, -0.5}));
  validate(result);
  return result;
}

// Where it may, with values that erase; drawn apart from all else. What values hold grows with their squares: they stay as
// they are.
Variant with_value_erasure(Chance& chance, Formulas& formulas, const Variant& other) {
  const Chance before = chance;
  Variant result = other.value_erase(formulas.erase_scale(chance.between(2, most_depth)));
  if (chance.once_in(2)) result = result.value_erase_read(formulas.erase_value(chance.between(2, most_depth)));
  if (chance.once_in(2)) result = result.value_erase_write(formulas.erase_value(chance.between(2, most_depth)));
  if (chance.once_in(3)) result = result.erase_undecayed();
  chance = before;
  return other.has(Formula::value) || judge(result) ? other : result;
}

// Where it may have one, with a running maximum; drawn apart from all else.
Variant with_running_max(Chance& chance, Formulas& formulas, const Variant& other) {
  const Chance before = chance;
  Variant result = other.write_log_scale(formulas.write_log_scale(chance.between(2, most_depth)));
  if (chance.once_in(2)) result = result.feature_map(exp(tanh(element())));
  const bool is_positive = normaliser_bounds(result).low >= 0;
  result = result.output(formulas.output_without_units(chance.between(2, 4), is_positive));
  chance = before;
  return judge(result) ? other : result;
}

// Where it may have one, with a phase; drawn apart from all else.
Variant with_phase(Chance& chance, Formulas& formulas, const Variant& other) {
  const Chance before = chance;
  const int kind = chance.below(3), depth = chance.between(2, 4);
  const Expression angle = formulas.phase({.per_key = kind == 2, .varies = kind > 0}, depth);
  const Variant result = other.phase(kind == 0 ? constant(angle) : kind == 1 ? per_head(angle) : per_key(angle));
  chance = before;
  return judge(result) ? other : result;
}

// Likewise with a lagged write.
Variant with_lagged_write(Chance& chance, Formulas& formulas, const Variant& other) {
  const Chance before = chance;
  const Variant result = other.write_lagged(formulas.write_scale({}, chance.between(2, 4)));
  chance = before;
  return judge(result) ? other : result;
}

// Likewise with a query that is not made of q.
Variant with_unread_query(Chance& chance, Formulas& formulas, const Variant& other) {
  const Chance before = chance;
  const Variant result = other.query(formulas.write_scale({.per_key = true}, chance.between(2, 4)));
  chance = before;
  return judge(result) ? other : result;
}

// Likewise with a scan. What reads it is bounded: without an initial one it begins with minus infinity, or with 0.
Variant with_scan(Chance& chance, Formulas& formulas, const Variant& other) {
  const Chance before = chance;
  const bool of_exponentials = chance.once_in(2);
  const Expression term = formulas.scan_term(of_exponentials, chance.between(2, most_depth));
  const Expression added = of_exponentials ? scanned_before() - scanned() : scanned() - scanned_before();
  Variant result = of_exponentials ? other.cumulative_log_sum_exp(term) : other.cumulative_sum(term);
  if (!other.decays_by_value() && !chance.once_in(3)) result = result.decay(per_key(added / chance.among({1.0, 2.0})));
  const int readers = chance.between(0, 3);
  if (readers != 1 && !other.has(Formula::erase))
    result = result.key(key() * exp(of_exponentials ? term - scanned() : scanned()));
  if (readers > 0) result = result.query(query() * (1.5 + tanh(scanned() / 4)));
  if (readers > 1 && other.has(Formula::bonus)) result = result.bonus(sigmoid(scanned_before()) + 0.25);
  chance = before;
  return judge(result) ? other : result;
}

// Likewise as the first pass of a chain, which has no v.
Variant with_second_pass(Chance& chance, Formulas& formulas, const Variant& other) {
  const Chance before = chance;
  const auto depth = [&] { return chance.between(2, 4); };
  Variant second = second_pass().key(formulas.write_scale({.per_key = true}, depth()) + tanh(input("slots")));
  const int kind = chance.below(3);
  if (kind == 1) second = second.decay(per_head(formulas.log_decay({}, depth())));
  if (kind == 2) second = second.decay(per_key(formulas.log_decay({.per_key = true}, depth())));
  second = second.query(chance.once_in(3) ? tanh(passed() / 4) : softmax(passed()));
  if (chance.once_in(3)) second = second.write_scale(formulas.write_scale({}, depth()));
  if (chance.once_in(3)) second = second.exclusive();
  // Where all slots hold the same, or are written the same, a softmax has nothing to tell apart, and the query's slope
  // is what rounding leaves.
  const Expression written =
      formulas.write_scale({.per_value = true}, depth()) + tanh(input("slots", {Axes::value_head, Axes::slot}));
  const Variant result = other.value(written).then(second);
  chance = before;
  return judge(result) ? other : result;
}

Variant random_variant(Chance& chance, int index) {
  Formulas formulas(chance);
  Variant result = variant(Name("random_" + std::to_string(index)));
  if (chance.once_in(8)) return non_causal_variant(chance, formulas, result);
  const int kind = chance.below(7), depth = chance.between(2, most_depth);
  if (kind == 1) result = result.decay(constant(formulas.log_decay({.varies = false}, depth)));
  if (kind == 2) result = result.decay(per_head(formulas.log_decay({}, depth)));
  if (kind == 3) result = result.decay(per_key(formulas.log_decay({.per_key = true}, depth)));
  if (kind == 4) result = result.decay(per_value(formulas.log_decay({.per_value = true}, depth)));
  if (kind == 5) result = result.decay(full(formulas.log_decay({.per_key = true, .per_value = true}, depth)));
  if (kind == 6)
    result = result.decay(outer(formulas.log_decay({.per_key = true}, 3), formulas.log_decay({.per_value = true}, 3)));
  if (kind > 3 || chance.once_in(2)) result = with_other_parts(chance, formulas, result);
  const bool erases = result.has(Formula::erase);  // what keys hold grows with their squares: they stay as they are
  if (!erases && chance.once_in(3))
    result = result.key(formulas.key({.per_key = true, .decay = kind == 3}, chance.between(2, most_depth)));
  if (chance.once_in(3)) result = result.write_scale(formulas.write_scale({}, chance.between(2, most_depth)));
  if (!erases && chance.once_in(3)) result = result.feature_map(formulas.feature_map(chance.between(2, most_depth)));
  if (chance.once_in(4)) result = result.scale(chance.among({1.0, 0.25, -0.5}));
  // Of these one in five has more or fewer features than keys have elements, drawn apart from all else.
  if (Chance own = chance; !erases && index % 5 == 1)
    result = result.feature_map(Formulas(own).pieces(own.between(2, 4)));
  if (index % 5 == 3)  // beside what is carried there is none
    if (const Variant chain = with_second_pass(chance, formulas, result); chain.chains_) return chain;
  if (index % 4 == 3) result = with_value_erasure(chance, formulas, result);
  if (index % 8 == 2) result = with_unread_query(chance, formulas, result);
  if (index % 6 == 0 || index % 12 == 9) result = with_lagged_write(chance, formulas, result);
  const bool may_be_normalised = !result.decays_by_value() && !result.has(Formula::value_erase);
  if (may_be_normalised && !result.bidirectional_ && chance.once_in(4)) {
    if (!erases && chance.once_in(2)) result = result.feature_map(exp(tanh(element())));
    result = result.output(formulas.normalised_output(chance.between(2, 4), normaliser_bounds(result).low >= 0));
  }
  if (chance.once_in(4)) {
    const Variant stepping = result.steps(chance.between(2, 3));
    if (!judge(stepping)) result = stepping;
  }
  if (index % 3 == 2) result = with_running_max(chance, formulas, result);
  if (index % 4 == 1) result = with_phase(chance, formulas, result);
  if (index % 3 == 1) result = with_scan(chance, formulas, result);
  validate(result);
  return result;
}

CompileOptions random_options(Chance& chance, const Variant& variant) {
  CompileOptions options;
  const auto size = [&](int most) {
    return chance.once_in(2) ? 16 * chance.between(1, most / 16) : chance.between(1, most);
  };
  options.key_dim = size(chance.once_in(4) ? 300 : 128);
  options.value_dim = size(chance.once_in(4) ? 300 : 128);
  if (has_features(variant)) {  // at most 3 of an element, or 20 squared
    const bool has_pairs = reads(variant.formula(Formula::feature_map), Operation::other);
    const int most =
        reduces_keys(variant) ? 40 : 150;  // a sum over rows takes a thread for each feature, which is slow here
    options.key_dim = std::min(options.key_dim, has_pairs ? chance.between(1, 20) : most);
    if (reduces_keys(variant) && variant.writes_again())  // going back, once more of each token
      options.key_dim = std::min(options.key_dim, has_pairs ? 6 : 20);
  }
  if (variant.has(Formula::value_erase)) {  // a block has all columns of a head, and going back their slopes, too
    const bool is_full = variant.decays_by_key() && variant.decays_by_value();
    const int most = is_full ? 64 : 128;
    options.value_dim = std::min(options.value_dim, has_features(variant) ? 32 : most);
    options.key_dim = std::min(options.key_dim, most);
  }
  if (variant.chains_) options.slot_dim = Chance(chance).between(2, 48);
  options.dtype = chance.among({dtype::bf16, dtype::bf16, dtype::f16, dtype::f32});
  if (chance.once_in(2)) options.precision = Precision::f32;
  options.value_major_state = chance.once_in(4);
  options.arch = chance.among({"sm_90a", "sm_90a", "sm_90a", "sm_80"});
  if (!chance.once_in(3)) options.pins.family = chance.among({Family::portable, Family::hopper, Family::recurrent});
  if (!chance.once_in(4)) options.pins.level = chance.among({Level::serial, Level::chunk, Level::segment});
  if (chance.once_in(4)) options.pins.prepared = true;
  if (chance.once_in(5)) options.pins.cluster = 2;
  if (chance.once_in(2)) options.pins.chunk = chance.among({16, 32, 64});
  if (chance.once_in(4)) options.pins.value_tile = chance.among({16, 32, 64, 128});
  if (chance.once_in(4)) options.pins.stages = chance.among({1, 2, 3});
  for (const Leaf& input : inputs_of(variant))
    if (chance.once_in(3))
      options.input_types.emplace_back(std::string(input.view()), chance.among({dtype::bf16, dtype::f16, dtype::f32}));
  return options;
}

// Pins that do not go together are given up, the rarest first.
bool has_schedule(const Variant& variant, CompileOptions& options) {
  for (int given_up = 0; given_up < 9; ++given_up) {
    if (given_up == 1) options.pins.stages.reset();
    if (given_up == 2) options.pins.value_tile.reset();
    if (given_up == 3) options.pins.cluster.reset();
    if (given_up == 4) options.pins.prepared.reset();
    if (given_up == 5) options.pins.level.reset();
    if (given_up == 6) options.pins.chunk.reset();
    if (given_up == 7) options.pins.family.reset();
    if (given_up == 8) options.precision = Precision::tf32;
    try {
      default_schedule(variant, options, options.arch);
      return true;
    } catch (const Error&) {}
  }
  return false;
}

Dims random_dims(Chance& chance, const Variant& variant, const CompileOptions& options) {
  Dims dims{.key_dim = options.key_dim, .value_dim = options.value_dim, .slot_dim = options.slot_dim};
  dims.batch = chance.between(1, 3);
  dims.heads = chance.between(1, 2);
  dims.value_heads = dims.heads * chance.between(1, 3);
  // Products of a token, a key and a value take their time: large states have few tokens, and the largest one head.
  constexpr std::int64_t most = 500'000, least_tokens = 20;
  const std::int64_t state = feature_dim(variant, dims.key_dim) * dims.value_dim;
  if (dims.batch * dims.value_heads * state * least_tokens > most) dims.batch = dims.heads = dims.value_heads = 1;
  const std::int64_t fit = most / (dims.batch * dims.value_heads * state);
  dims.tokens = std::min<std::int64_t>(chance.between(1, 300), std::max(fit, least_tokens));
  dims.sequences = dims.batch;
  return dims;
}

std::string text_of(const Declared& declared) {
  const CompileOptions& options = declared.options;
  std::string text = describe(declared.variant) + "; " + to_string(declared.dims) + ", " + name_of(options.dtype) +
                     (options.precision == Precision::f32 ? " as f32" : "") +
                     (options.value_major_state ? ", value-major states" : "") + (declared.packed ? ", packed" : "") +
                     (declared.initial_state ? ", with an initial state" : "") +
                     (declared.start_positions ? "" : ", from position 0") +
                     (declared.scale != 0 ? ", scale " + std::to_string(declared.scale) : "") +
                     (declared.maps ? "" : ", without tensor maps") + ", " + std::string(name_of(declared.inputs)) +
                     " inputs, " + std::to_string(declared.multiprocessors) + " multiprocessors";
  for (const auto& [name, type] : options.input_types) text += ", " + name + " " + name_of(type);
  return text + ", " + options.arch + " " + to_string(default_schedule(declared.variant, options, options.arch));
}

}  // namespace

Declared random_declaration(std::uint64_t seed, int index) {
  Chance chance(seed * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(index));
  for (;;) {
    Declared result;
    try {
      result.variant = random_variant(chance, index);
    } catch (const Error&) {
      continue;  // more nodes than a declaration may have
    }
    result.options = random_options(chance, result.variant);
    if (!has_schedule(result.variant, result.options)) continue;
    result.dims = random_dims(chance, result.variant, result.options);
    if (result.variant.non_causal_ && !chance.once_in(4)) result.dims.key_tokens = chance.between(0, 200);
    result.packed = chance.once_in(3);
    if (result.packed) result.dims.tokens *= result.dims.batch, result.dims.batch = 1, result.dims.sequences = 1;
    result.initial_state = chance.once_in(2);
    result.start_positions = result.initial_state || chance.once_in(2);
    // A scale below 0 would make a denominator of a normaliser's small.
    result.scale = chance.once_in(4) ? chance.among({0.3, is_normalised(result.variant) ? 1.25 : -1.25}) : 0;
    result.inputs = chance.among({Inputs::random, Inputs::random, Inputs::equal, Inputs::strong});
    result.multiprocessors = chance.among({1, 2, 5, 132});
    for (const Leaf& scalar : scalars_of(result.variant))
      result.scalars.push_back({std::string(scalar.view()), static_cast<double>(chance.between(-6, 6)) / 4});
    result.device_seed = static_cast<std::uint64_t>(chance.between(1, 1000));
    result.maps = !chance.once_in(4);
    for (int i = 0; i < 8; ++i)
      result.layouts.push_back(chance.once_in(2) ? Layout{0, 0, chance.once_in(2)}
                                                 : Layout{chance.below(9), chance.below(9), chance.once_in(2)});
    try {
      choose_draws(result.variant, result.dims, result.scalars);
      if (!find_draws(result.variant, result.dims, result.scalars, result.inputs)) result.inputs = Inputs::random;
    } catch (const Error&) {
      continue;  // no choice of inputs keeps its log-decays at most 0, or a formula finite
    }
    result.text = text_of(result);
    return result;
  }
}

}  // namespace rankone::test
