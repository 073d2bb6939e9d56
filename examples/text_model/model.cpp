// SPDX-License-Identifier: MIT
// Reads the weights, bf16 in a safetensors file, as float.
#include "model.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

#include <rankone/error.hpp>
#include <rankone/safetensors.hpp>

namespace text_model {

namespace {

using rankone::Error;
using rankone::ErrorCode;

class Reader {
 public:
  explicit Reader(const std::string& path) : file_(rankone::SafetensorsFile::open(path)) {}

  std::string text(const std::string& name) const {
    const auto found = file_.metadata().find(name);
    if (found == file_.metadata().end())
      throw Error(ErrorCode::not_found, "the metadata lacks a member", "no \"" + name + "\"", "a string of this name",
                  file_.where());
    return found->second;
  }
  std::size_t size(const std::string& name) const { return std::stoul(text(name)); }
  double number(const std::string& name) const { return std::stod(text(name)); }

  Vector vector(const std::string& name, std::size_t size) const { return values(name, {std::int64_t(size)}); }
  Matrix matrix(const std::string& name, std::size_t rows, std::size_t columns) const {
    return {rows, columns, values(name, {std::int64_t(rows), std::int64_t(columns)})};
  }

 private:
  Vector values(const std::string& name, const std::vector<std::int64_t>& shape) const {
    const auto* entry = file_.find(name);
    if (!entry)
      throw Error(ErrorCode::not_found, "a tensor is missing", "no \"" + name + "\"", "one of this name",
                  file_.where());
    if (entry->type != rankone::dtype::bf16 || entry->shape != shape)
      throw Error(ErrorCode::invalid_argument, "\"" + name + "\" has another type or shape than the metadata says",
                  entry->type_name, "BF16 of the model's sizes", file_.where());
    Vector floats(entry->bytes / 2);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      std::uint16_t high;
      std::memcpy(&high, file_.data(*entry) + 2 * i, 2);
      floats[i] = std::bit_cast<float>(std::uint32_t(high) << 16);
    }
    return floats;
  }

  rankone::SafetensorsFile file_;
};

}  // namespace

Model load_model(const std::string& path) {
  const Reader reader(path);
  Model model;
  model.heads = reader.size("heads");
  model.key_dim = reader.size("key_dim");
  model.value_dim = reader.size("value_dim");
  model.norm_epsilon = reader.number("norm_eps");
  model.recorded_bits_per_byte = reader.number("held_out_bits_per_byte");

  const std::size_t width = reader.size("model_dim"), ffn = reader.size("ffn_dim"), rank = reader.size("gate_rank");
  const std::size_t keys = model.heads * model.key_dim, values = model.heads * model.value_dim;
  model.embedding = reader.matrix("embedding", 256, width);
  model.norm_out = reader.vector("norm_out", width);
  for (std::size_t i = 0; i < reader.size("layers"); ++i) {
    const std::string prefix = "layers." + std::to_string(i) + ".";
    model.layers.push_back({.norm_attention = reader.vector(prefix + "norm_attention", width),
                            .q = reader.matrix(prefix + "q", width, keys),
                            .k = reader.matrix(prefix + "k", width, keys),
                            .v = reader.matrix(prefix + "v", width, values),
                            .gate_down = reader.matrix(prefix + "gate_down", width, rank),
                            .gate_up = reader.matrix(prefix + "gate_up", rank, keys),
                            .gate_bias = reader.vector(prefix + "gate_bias", keys),
                            .r = reader.matrix(prefix + "r", width, values),
                            .r_bias = reader.vector(prefix + "r_bias", values),
                            .norm_head = reader.vector(prefix + "norm_head", model.value_dim),
                            .o = reader.matrix(prefix + "o", values, width),
                            .norm_ffn = reader.vector(prefix + "norm_ffn", width),
                            .ffn_gate = reader.matrix(prefix + "ffn_gate", width, ffn),
                            .ffn_in = reader.matrix(prefix + "ffn_in", width, ffn),
                            .ffn_out = reader.matrix(prefix + "ffn_out", ffn, width)});
  }
  return model;
}

}  // namespace text_model
