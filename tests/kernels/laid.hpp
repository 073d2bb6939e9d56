// SPDX-License-Identifier: MIT
// Token tensors whose rows lie anywhere in memory: other alignments, gaps, another order of heads and tokens.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "proof/problem.hpp"
#include "runtime/convert.hpp"

namespace rankone::test {

// Where the elements of a tensor of three or four dimensions lie: `from` elements behind an aligned address, `gap` more
// behind each innermost row, and heads outside of tokens where `head_major`.
struct Layout {
  int from, gap;
  bool head_major;
};

class Laid {
 public:
  // A tensor without heads of their own has rows of all heads.
  Laid(const HostTensor& from, const Layout& layout) : rows_(from.shape), type_(from.type) {
    if (rows_.size() == 3) rows_.insert(rows_.begin() + 2, 1);
    const std::int64_t tokens = rows_[1], heads = rows_[2], row = rows_[3] + layout.gap;
    strides_ = {tokens * heads * row, layout.head_major ? row : heads * row, layout.head_major ? tokens * row : row};
    bytes_.resize(static_cast<std::size_t>(rows_[0] * strides_[0] + layout.from) * size_of(type_) + 16,
                  std::byte{0xff});
    auto address = reinterpret_cast<std::uintptr_t>(bytes_.data());
    address = (address + 15) / 16 * 16 + static_cast<std::uintptr_t>(layout.from) * size_of(type_);
    tensor_ = Tensor(reinterpret_cast<void*>(address), type_, from.shape);
    tensor_.strides = {strides_[0], strides_[1], from.shape.size() == 4 ? strides_[2] : 1, 1};
    copy(from.bytes.data());
  }
  const Tensor& tensor() const { return tensor_; }
  std::vector<std::byte> gathered() {
    std::vector<std::byte> all(static_cast<std::size_t>(tensor_.elements()) * size_of(type_));
    copy(all.data());
    return all;
  }

 private:
  // Out of rows that may not be changed, else into them.
  template <class Byte> void copy(Byte* rows) {
    const std::size_t width = size_of(type_) * static_cast<std::size_t>(rows_[3]);
    for (std::int64_t b = 0; b < rows_[0]; ++b)
      for (std::int64_t t = 0; t < rows_[1]; ++t)
        for (std::int64_t h = 0; h < rows_[2]; ++h, rows += width) {
          std::byte* const here =
              static_cast<std::byte*>(tensor_.data) +
              (b * strides_[0] + t * strides_[1] + h * strides_[2]) * static_cast<std::int64_t>(size_of(type_));
          if constexpr (std::is_const_v<Byte>)
            std::memcpy(here, rows, width);
          else
            std::memcpy(rows, here, width);
        }
  }

  std::vector<std::int64_t> rows_;  // [B, T, heads, elements of a row]
  std::array<std::int64_t, 3> strides_{};
  rankone::dtype type_;
  std::vector<std::byte> bytes_;
  Tensor tensor_;
};

}  // namespace rankone::test
