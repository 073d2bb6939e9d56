// SPDX-License-Identifier: MIT
// Floats to a device and back, as the elements of a kernel: f32, or bf16, the upper half of a float's bits.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include <rankone/buffer.hpp>
#include <rankone/dtype.hpp>

namespace support {

inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // to nearest even
}
inline float from_bf16(std::uint16_t half) { return std::bit_cast<float>(std::uint32_t(half) << 16); }

inline rankone::Buffer upload(const rankone::Device& device, const std::vector<float>& values, rankone::dtype type) {
  rankone::Buffer buffer(device, values.size() * rankone::size_of(type));
  if (type == rankone::dtype::f32) {
    buffer.upload(values.data());
    return buffer;
  }
  std::vector<std::uint16_t> halves;
  for (const float value : values) halves.push_back(to_bf16(value));
  buffer.upload(halves.data());
  return buffer;
}

inline std::vector<float> download(const rankone::Buffer& buffer, rankone::dtype type) {
  std::vector<float> values(buffer.size() / rankone::size_of(type));
  if (type == rankone::dtype::f32) {
    buffer.download(values.data());
    return values;
  }
  std::vector<std::uint16_t> halves(values.size());
  buffer.download(halves.data());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = from_bf16(halves[i]);
  return values;
}

}  // namespace support
