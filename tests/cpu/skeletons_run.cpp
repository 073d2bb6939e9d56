// SPDX-License-Identifier: MIT
// Emits, runs and compares one skeleton.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <random>

#include <rankone/dsl/catalogue.hpp>

#include "tests/cpu/skeletons.hpp"

namespace rankone {
namespace {

constexpr int key_heads = 1, value_heads = 2;
constexpr const char* arch = "sm_80";

CompileOptions options_of(const SkeletonCase& given) {
  CompileOptions options;
  options.key_dim = given.key_dim;
  options.value_dim = given.value_dim;
  options.dtype = given.type;
  options.arch = arch;
  return options;
}

Schedule schedule_of(const SkeletonCase& given) {
  return {Family::portable, given.level, given.chunk, given.value_tile, given.warps, given.stages};
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const SkeletonCase& c) {
  return out << c.variant << " " << name_of(c.type) << " K=" << c.key_dim << " V=" << c.value_dim << " T=" << c.tokens
             << (c.vectorized ? "" : " scalar loads") << " "
             << to_string(schedule_of(c));
}

std::vector<unsigned char> Skeleton::stored(const std::vector<double>& values) const {
  std::vector<unsigned char> bytes(values.size() * size_of(case_.type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(values[i]));
    if (case_.type == dtype::f32) {
      std::memcpy(bytes.data() + 4 * i, &bits, 4);
    } else {  // truncation serves: the value stored is the one that counts
      const auto half = static_cast<std::uint16_t>(bits >> 16);
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
  }
  return bytes;
}

double Skeleton::loaded(const std::vector<unsigned char>& bytes, std::size_t index) const {
  std::uint32_t bits = 0;
  if (case_.type == dtype::f32) {
    std::memcpy(&bits, bytes.data() + 4 * index, 4);
  } else {
    std::uint16_t half;
    std::memcpy(&half, bytes.data() + 2 * index, 2);
    bits = static_cast<std::uint32_t>(half) << 16;
  }
  return std::bit_cast<float>(bits);
}

Skeleton::Skeleton(const SkeletonCase& given)
    : case_(given),
      plan_(lower(variant_named(given.variant), options_of(given), schedule_of(given), arch)),
      text_(emit(plan_)),
      module_(HostModule::build(text_)) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  const auto draw = [&](std::size_t count, auto map) {
    std::vector<double> values(count);
    for (double& value : values) value = map(normal(random));
    return values;
  };
  const auto same = [](double x) { return x; };
  const auto tokens = static_cast<std::size_t>(case_.tokens), keys = static_cast<std::size_t>(case_.key_dim),
             columns = static_cast<std::size_t>(case_.value_dim);
  q_ = stored(draw(tokens * key_heads * keys, same));
  k_ = stored(draw(tokens * key_heads * keys, same));
  v_ = stored(draw(tokens * value_heads * columns, same));
  g_ = stored(draw(tokens * value_heads * (case_.variant == "gla" ? keys : 1), [](double x) { return -0.1 * x * x; }));
  for (double value : draw(value_heads * keys * columns, same)) initial_.push_back(static_cast<float>(value));
  reference();
}

// The recurrence, token by token.
void Skeleton::reference() {
  const auto tokens = static_cast<std::size_t>(case_.tokens), keys = static_cast<std::size_t>(case_.key_dim),
             columns = static_cast<std::size_t>(case_.value_dim);
  const double scale = 1 / std::sqrt(static_cast<double>(keys));
  expected_output_.assign(tokens * value_heads * columns, 0.0);
  expected_state_.assign(initial_.begin(), initial_.end());
  for (std::size_t head = 0; head < value_heads; ++head)
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t i = 0; i < keys; ++i) {
        const std::size_t gate = case_.variant == "gla" ? (t * value_heads + head) * keys + i : t * value_heads + head;
        const double decay = case_.variant == "linear" ? 1.0 : std::exp(loaded(g_, gate));
        const double key = loaded(k_, t * keys + i), query = loaded(q_, t * keys + i) * scale;
        double* const row = &expected_state_[(head * keys + i) * columns];
        for (std::size_t j = 0; j < columns; ++j) {
          row[j] = decay * row[j] + key * loaded(v_, (t * value_heads + head) * columns + j);
          expected_output_[(t * value_heads + head) * columns + j] += query * row[j];
        }
      }
}

double Skeleton::run(const EmulationOptions& options, std::vector<int>* visited) {
  const long long tokens = case_.tokens, keys = case_.key_dim, columns = case_.value_dim;
  const Shape shape{.batch = 1, .tokens = tokens, .heads = key_heads, .value_heads = value_heads};
  // Whatever is not written stays NaN.
  o_.assign(v_.size(), 0xff);
  final_.assign(initial_.size(), std::numeric_limits<float>::quiet_NaN());
  workspace_.assign(workspace_bytes(plan_, shape) + 16, 0xff);

  Arguments arguments{};
  arguments.query = {q_.data(), tokens * key_heads * keys, key_heads * keys, keys};
  arguments.key = {k_.data(), tokens * key_heads * keys, key_heads * keys, keys};
  arguments.value = {v_.data(), tokens * value_heads * columns, value_heads * columns, columns};
  arguments.output = {o_.data(), tokens * value_heads * columns, value_heads * columns, columns};
  const long long width = case_.variant == "gla" ? keys : 1;
  arguments.inputs[0] = {g_.data(), tokens * value_heads * width, value_heads * width, width};
  arguments.initial_state = initial_.data();
  arguments.final_state = final_.data();
  void* workspace = workspace_.data();
  std::size_t space = workspace_.size();
  arguments.chunk_states = std::align(16, workspace_.size() - 16, workspace, space);
  arguments.tokens = tokens;
  arguments.sequences = 1;
  arguments.heads = key_heads;
  arguments.value_heads = value_heads;
  arguments.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(keys)));
  if (case_.vectorized)
    arguments.flags = query_is_vectorized | key_is_vectorized | value_is_vectorized | output_is_vectorized |
                      first_input_is_vectorized;

  // The level's own kernels; the state-only pass and combine stand behind them in the plan.
  const bool serial = case_.level == Level::serial;
  for (const KernelRole role : serial ? std::vector{KernelRole::scan} : std::vector{KernelRole::states, KernelRole::output}) {
    const auto kernel = std::find_if(plan_.kernels.begin(), plan_.kernels.end(),
                                     [&](const KernelPlan& each) { return each.role == role; });
    const auto report = emulate(*module_, kernel->entry, arguments, block_count(plan_, *kernel, shape), kernel->threads,
                                kernel->shared_bytes, options);
    if (visited) visited->insert(visited->end(), report.visited_lines.begin(), report.visited_lines.end());
  }

  const auto error = [](std::size_t count, auto value, const std::vector<double>& expected) {
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < count; ++i) {
      difference += (value(i) - expected[i]) * (value(i) - expected[i]);
      norm += expected[i] * expected[i];
    }
    const double relative = std::sqrt(difference / norm);
    return std::isnan(relative) ? std::numeric_limits<double>::infinity() : relative;
  };
  return std::max(error(expected_output_.size(), [&](std::size_t i) { return loaded(o_, i); }, expected_output_),
                  error(expected_state_.size(), [&](std::size_t i) { return double{final_[i]}; }, expected_state_));
}

}  // namespace rankone
