// SPDX-License-Identifier: MIT
// Named sets of benchmark rows, with what each is measured against.
#include "bench/suite.hpp"

#include <algorithm>
#include <cmath>

#include <rankone/dsl/catalogue.hpp>
#include <rankone/dsl/features.hpp>
#include <rankone/error.hpp>

#include "proof/draw.hpp"

namespace rankone {
namespace {

constexpr std::int64_t all_tokens = 32768;  // of most rows, however they are split
constexpr std::int64_t packed_sequences = 32;
constexpr double harsh = 600;  // normal logits times this reach beyond -2000

Dims square(std::int64_t batch, std::int64_t tokens, std::int64_t heads, std::int64_t dim) {
  return {.batch = batch,
          .tokens = tokens,
          .heads = heads,
          .value_heads = heads,
          .key_dim = dim,
          .value_dim = dim,
          .sequences = batch};
}

std::vector<SuiteRow> forward_rows() {
  const Dims
      training = square(8, 4096, 16, 128),
      alone = square(1, all_tokens, 16, 128), small = square(32, 1024, 16, 64),
      paper{.batch = 8, .tokens = 2048, .heads = 4, .value_heads = 4, .key_dim = 256, .value_dim = 512, .sequences = 8};
  std::vector<SuiteRow> rows = {
      {"no decay", "linear", training, 0.137, 0.75},
      {"constant decay", "retnet", training, 0.163, 0.75},
      {"per head", "simple_gla", training, 0.162, 0.75},
      {"per key", "gla_sigmoid", training, 0.248, 0.65},
      {"per key, logits to -2000", "gla_sigmoid", training, 0.430, 0, harsh},
      {"one sequence, per head", "simple_gla", alone, 0.247},
      {"one sequence, per key", "gla_sigmoid", alone, 0.423},
      {"small heads, per head", "simple_gla", small, 0.102},
      {"small heads, per key", "gla_sigmoid", small, 0.128},
      {"the paper's layer, per key", "gla_sigmoid", paper, 0.148},
  };
  for (std::int64_t tokens = 1024; tokens <= 16384; tokens *= 2)
    for (const char* variant : {"linear", "simple_gla", "gla_sigmoid"})
      rows.push_back({"against softmax attention", variant, square(all_tokens / tokens, tokens, 16, 128)});
  for (const char* variant : {"simple_gla", "gla_sigmoid"})
    for (const Packing packing : {Packing::equal, Packing::uneven})
      rows.push_back({packing == Packing::equal ? "packed, equal lengths" : "packed, uneven lengths", variant, alone, 0,
                      0, 1, packing});
  return rows;
}

// A few tokens of each of so many rows, which take their states from slots and put them back.
std::vector<SuiteRow> decode_rows() {
  struct Group {
    const char* caption;
    std::int64_t batch, tokens;
    std::optional<dtype> state;
    double goal_ms;
  };
  const Group groups[] = {{"one token of many rows", 128, 1, {}, 0.075},
                          {"one token of one row", 1, 1, {}, 0.004},
                          {"one token, bf16 states", 128, 1, dtype::bf16, 0.042},
                          {"four tokens", 128, 4, {}, 1.3 * 0.075}};
  std::vector<SuiteRow> rows;
  for (const Group& group : groups)
    for (const char* variant : {"linear", "simple_gla", "gla", "gated_delta", "kda"})
      rows.push_back({.caption = group.caption,
                      .variant = variant,
                      .dims = square(group.batch, group.tokens, 16, 128),
                      .goal_ms = group.goal_ms,
                      .pass = Pass::decode,
                      .state_dtype = group.state});
  return rows;
}

// Every variant, token by token.
std::vector<SuiteRow> recurrent_rows(Pass pass, double goal_ms) {
  std::vector<SuiteRow> rows;
  for (const auto& entry : catalogue()) {
    if (!why_not_admitted(entry, pass).empty()) continue;
    Dims dims = square(8, 4096, 16, 128);
    dims.key_dim = usual_key_dim(entry, dims.key_dim);
    rows.push_back({.caption = "token by token",
                    .variant = entry.name.text,
                    .dims = dims,
                    .goal_ms = goal_ms,
                    .pass = pass,
                    .family = Family::recurrent});
  }
  return rows;
}

}  // namespace

std::vector<SuiteRow> suite_rows(const std::string& name) {
  if (name == "forward") return forward_rows();
  if (name == "decode") return decode_rows();
  if (name == "recurrent") return recurrent_rows(Pass::forward, 12);
  if (name == "recurrent-backward") return recurrent_rows(Pass::backward, 40);
  throw Error(ErrorCode::invalid_argument, "there is no such suite", name, suite_names, "--suite");
}

std::vector<std::int64_t> boundaries_of(const SuiteRow& row, std::uint64_t seed) {
  std::vector<std::int64_t> boundaries;
  if (row.packing == Packing::none) return boundaries;
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t i = 0; i < packed_sequences; ++i) {
    // Lengths of documents: log-normal, most of them between a third of the mean and twice it.
    const double normal = draw(Distribution::normal, seed, 77, static_cast<std::uint64_t>(i));
    weights.push_back(row.packing == Packing::equal ? 1.0 : std::exp(0.7 * normal));
    sum += weights.back();
  }
  double before = 0;
  for (const double weight : weights) {
    boundaries.push_back(std::llround(before / sum * static_cast<double>(row.dims.tokens)));
    before += weight;
  }
  boundaries.push_back(row.dims.tokens);
  return boundaries;
}

}  // namespace rankone
