// SPDX-License-Identifier: MIT
// Copies of boxes of a tensor: they arrive at a barrier as bulk copies do, swizzled by their addresses, and zero where
// the tensor ends.
#include <algorithm>
#include <cstring>

#include "runtime/cpu/block.hpp"
#include "runtime/cpu/host_map.hpp"

namespace rankone {
namespace {

constexpr std::uint64_t mark = 0x70616d20726f736e;  // no driver writes this
constexpr int pattern = 1024, unit = 16, most_box_tokens = 256;

struct HostMap {
  std::uint64_t mark;
  MappedTensor tensor;
};
static_assert(sizeof(HostMap) <= sizeof(TensorMap));

HostMap read_host_map(const void* map) {
  HostMap host;
  std::memcpy(static_cast<void*>(&host), map, sizeof host);
  return host;
}

// What a box reads of each row that exists.
template <class Visit> void for_each_row(const Box& box, const Visit& visit) {
  const MappedTensor& tensor = box.tensor;
  const std::int64_t first = std::max(0, box.at[0]),
                     last = std::min<std::int64_t>(tensor.sizes[0], box.at[0] + tensor.box_columns());
  const auto inside = [&](std::int64_t coordinate, std::size_t dimension) {
    return coordinate >= 0 && coordinate < tensor.sizes[dimension];
  };
  if (first >= last || !inside(box.at[2], 2) || !inside(box.at[3], 3)) return;
  for (std::int64_t token = box.at[1]; token < std::int64_t{box.at[1]} + tensor.box_tokens; ++token) {
    if (!inside(token, 1)) continue;
    visit(static_cast<const unsigned char*>(tensor.base) + token * tensor.strides[0] + box.at[2] * tensor.strides[1] +
              box.at[3] * tensor.strides[2] + first * tensor.element_bytes,
          (last - first) * tensor.element_bytes);
  }
}

}  // namespace

void encode_host_map(const MappedTensor& tensor, TensorMap& map) {
  const HostMap host{mark, tensor};
  map = {};
  std::memcpy(&map, &host, sizeof host);
}

const void* host_map_base(const TensorMap& map) {
  const HostMap host = read_host_map(&map);
  return host.mark == mark ? host.tensor.base : nullptr;
}

void move_host_map(TensorMap& map, const void* base) {
  MappedTensor moved = read_host_map(&map).tensor;
  moved.base = base;
  encode_host_map(moved, map);
}

void Block::tma_load(HostThread& thread, int offset, const void* map, const int (&at)[4], int barrier, int line) {
  constexpr Word word = Word::tma_load;
  const int me = thread.index;
  const HostMap host = read_host_map(map);
  if (host.mark != mark) fail({.kind = FailureKind::no_map, .word = word, .thread = me, .line = line});
  const MappedTensor& tensor = host.tensor;
  const int bytes = MappedTensor::row_bytes * tensor.box_tokens;
  if (tensor.box_tokens < 1 || tensor.box_tokens > most_box_tokens || offset < 0 || offset % pattern != 0 ||
      bytes > launch_.shared_bytes - offset)
    fail({.kind = FailureKind::bad_box, .word = word, .thread = me, .line = line, .offset = offset, .bytes = bytes});
  const Box box{tensor, {at[0], at[1], at[2], at[3]}};
  begin_box(word, me, box, line);
  load_bulk_into(word, me, thread.rank, offset, tensor.base, bytes, barrier, line, box);
}

void Block::begin_box(Word word, int thread, const Box& box, int line) {
  for_each_row(box, [&](const void* source, std::int64_t bytes) {
    check_global(word, thread, {.place = source, .bytes = bytes, .lasts = true, .bulk = true}, line);
  });
}

void Block::finish_box(const Box& box, int thread, int line, Access done) {
  for_each_row(box,
               [&](const void* source, std::int64_t bytes) { finish_global_read(source, bytes, thread, line, done); });
}

// The source is read now, as that of every copy.
void Block::deliver(const Box& box, int to) {
  const MappedTensor& tensor = box.tensor;
  const std::int64_t width = tensor.element_bytes, per_unit = unit / width, head = box.at[2], batch = box.at[3];
  const auto inside = [&](std::int64_t coordinate, std::size_t dimension) {
    return coordinate >= 0 && coordinate < tensor.sizes[dimension];
  };
  for (int row = 0; row < tensor.box_tokens; ++row) {
    const std::int64_t token = std::int64_t{box.at[1]} + row;
    const bool exists = inside(token, 1) && inside(head, 2) && inside(batch, 3);
    for (int start = 0; start < MappedTensor::row_bytes; start += unit) {
      const std::int64_t column = box.at[0] + start / width;
      const int plain = to + row * MappedTensor::row_bytes + start;
      unsigned char* const target = shared_.data() + (plain ^ (plain / 128 % 8 * unit));
      std::memset(target, 0, unit);
      const std::int64_t first = std::max<std::int64_t>(0, -column),
                         last = std::min(per_unit, tensor.sizes[0] - column);
      if (!exists || first >= last) continue;
      const auto* const source = static_cast<const unsigned char*>(GlobalMemory::plain(tensor.base)) +
                                 token * tensor.strides[0] + head * tensor.strides[1] + batch * tensor.strides[2] +
                                 (column + first) * width;
      std::memcpy(target + first * width, source, static_cast<std::size_t>((last - first) * width));
    }
  }
}

}  // namespace rankone
