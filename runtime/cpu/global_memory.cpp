// SPDX-License-Identifier: MIT
// Which element of which tensor an address is.
#include "runtime/cpu/global_memory.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "runtime/cpu/host_map.hpp"

namespace rankone {

GlobalMemory::GlobalMemory(std::span<const CallTensor> regions) {
  tensors_.reserve(regions.size());
  for (const CallTensor& region : regions) tensors_.push_back(placed(region));
  share_storages();
}

GlobalMemory::~GlobalMemory() = default;

// Dimensions that go on where the one inside them ends are one.
GlobalMemory::Placed GlobalMemory::placed(const CallTensor& region) {
  Placed tensor;
  tensor.region = region;
  tensor.begin = reinterpret_cast<std::uintptr_t>(region.data);
  tensor.row_bytes = region.element_bytes;
  std::vector<Dimension> dimensions;
  bool empty = false;
  for (std::size_t i = 0; i < static_cast<std::size_t>(region.rank); ++i) {
    std::int64_t stride = region.strides[i] * region.element_bytes;
    const std::int64_t size = region.sizes[i];
    empty = empty || size == 0;
    if (stride < 0 && size > 0) tensor.begin -= static_cast<std::uintptr_t>((size - 1) * -stride), stride = -stride;
    if (size > 1 && stride != 0) dimensions.push_back({size, stride, 0});
  }
  std::sort(dimensions.begin(), dimensions.end(), [](auto& a, auto& b) { return a.stride < b.stride; });
  std::int64_t reach = tensor.row_bytes;
  for (const Dimension& each : dimensions) {
    if (tensor.dimensions.empty() && each.stride <= reach) {
      tensor.row_bytes = reach = (each.size - 1) * each.stride + reach;
    } else {
      tensor.dimensions.push_back({each.size, each.stride, reach});
      reach += (each.size - 1) * each.stride;
    }
  }
  std::reverse(tensor.dimensions.begin(), tensor.dimensions.end());
  if (empty) tensor.row_bytes = 0, tensor.dimensions.clear();
  return tensor;
}

std::int64_t GlobalMemory::Placed::span() const {
  std::int64_t bytes = row_bytes;
  for (const Dimension& each : dimensions) bytes += (each.size - 1) * each.stride;
  return bytes;
}

bool GlobalMemory::Placed::holds(std::int64_t offset, std::int64_t bytes, std::size_t from) const {
  if (offset < 0) return false;
  if (from == dimensions.size()) return offset + bytes <= row_bytes;
  const Dimension& outer = dimensions[from];
  // Rows may lie among those of another index: the last one that starts before it is not the only one to look at.
  for (std::int64_t index = std::min(offset / outer.stride, outer.size - 1);
       index >= 0 && offset - index * outer.stride < outer.reach; --index)
    if (holds(offset - index * outer.stride, bytes, from + 1)) return true;
  return false;
}

// Tensors whose addresses overlap have one record of what happened there; those that nobody writes need none.
void GlobalMemory::share_storages() {
  std::vector<Placed*> order;
  for (Placed& each : tensors_)
    if (each.span() > 0) order.push_back(&each);
  std::sort(order.begin(), order.end(), [](const Placed* a, const Placed* b) { return a->begin < b->begin; });
  for (std::size_t first = 0; first < order.size();) {
    std::uintptr_t end = 0;
    bool written = false;
    int granule = 4;
    std::size_t last = first;
    for (; last < order.size() && (last == first || order[last]->begin < end); ++last) {
      const Placed& each = *order[last];
      end = std::max(end, each.begin + static_cast<std::uintptr_t>(each.span()));
      written = written || each.region.writable;
      granule = std::min(granule, each.region.element_bytes);
    }
    if (written) {
      storages_.push_back(std::make_unique<Storage>(order[first]->begin, end, granule == 1 ? 0 : granule == 2 ? 1 : 2));
      for (std::size_t i = first; i < last; ++i) order[i]->storage = storages_.back().get();
    }
    first = last;
  }
}

const void* GlobalMemory::tagged(const void* data, std::size_t region) const {
  return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(data) | (region + 1) << tag_shift);
}

void GlobalMemory::bind(Arguments& arguments, std::span<TensorMap> maps) const {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const CallTensor& region = tensors_[i].region;
    const void* const data = tagged(region.data, i);
    std::memcpy(reinterpret_cast<unsigned char*>(&arguments) + region.argument, &data, sizeof data);
  }
  for (TensorMap& map : maps) {
    const void* const base = host_map_base(map);
    for (std::size_t i = 0; base != nullptr && i < tensors_.size(); ++i) {
      if (tensors_[i].region.data != base) continue;
      move_host_map(map, tagged(base, i));
      break;
    }
  }
}

GlobalFinding GlobalMemory::locate(const GlobalUse& use) const {
  const auto address = reinterpret_cast<std::uintptr_t>(use.place);
  const std::uintptr_t tag = address >> tag_shift;
  if (tag == 0 || tag > tensors_.size()) return {.fault = GlobalFault::no_tensor, .bytes = use.bytes};
  const Placed& tensor = tensors_[tag - 1];
  const std::uintptr_t plain_address = address & address_bits;
  GlobalFinding finding{.region = static_cast<int>(tag) - 1,
                        .offset = static_cast<std::int64_t>(plain_address - tensor.begin),
                        .bytes = use.bytes};
  if (plain_address % static_cast<std::uintptr_t>(use.alignment) != 0) {
    finding.fault = GlobalFault::misaligned;
    finding.bytes = use.alignment;
  } else if (use.bytes > 0 && !tensor.holds(finding.offset, use.bytes)) {
    finding.fault = GlobalFault::outside;
  } else if (use.writes && !tensor.region.writable) {
    finding.fault = GlobalFault::read_only;
  }
  return finding;
}

void GlobalMemory::finish_read(const GlobalUse& use, Access done) {
  const std::uintptr_t tag = reinterpret_cast<std::uintptr_t>(use.place) >> tag_shift;
  if (use.bytes == 0 || tag == 0 || tensors_[tag - 1].storage == nullptr) return;
  const auto finish = [&](Actor& each) {
    const bool same = each.kernel == kernel_ && each.cluster == use.cluster && each.lasts() &&
                      each.access.thread == use.stamp.thread && each.access.line == use.stamp.line;
    if (same) each.access = done;
  };
  tensors_[tag - 1].storage->each_cell(plain(use.place), use.bytes, [&](CellView cell) {
    finish(*cell.reader);
    if (const auto more = cell.find(); more != cell.more->end())
      std::for_each(more->second.begin(), more->second.end(), finish);
    return true;
  });
}

std::string GlobalMemory::place_name(const GlobalFinding& finding) const {
  const Placed& tensor = tensors_[static_cast<std::size_t>(finding.region)];
  const CallTensor& region = tensor.region;
  if (finding.offset < 0)
    return region.name + ", " + std::to_string(-finding.offset) + " bytes before its first element";
  if (finding.offset >= tensor.span())
    return region.name + ", " + std::to_string(finding.offset - tensor.span()) + " bytes behind its last element";
  // The element at the address, or the last one before it.
  std::vector<std::size_t> order(static_cast<std::size_t>(region.rank));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::abs(region.strides[a]) > std::abs(region.strides[b]); });
  std::array<std::int64_t, max_rank> at{};
  std::int64_t left = finding.offset / region.element_bytes;
  for (const std::size_t i : order) {
    const std::int64_t stride = std::abs(region.strides[i]), size = region.sizes[i];
    if (stride == 0) continue;
    const std::int64_t index = std::min(left / stride, size - 1);
    left -= index * stride;
    at[i] = region.strides[i] < 0 ? size - 1 - index : index;
  }
  std::string text = region.name + "[";
  for (std::size_t i = 0; i < static_cast<std::size_t>(region.rank); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(at[i]);
  text += "]";
  if (finding.fault == GlobalFault::outside) text += left > 0 ? " and a gap behind it" : ", beyond the end of its row";
  return text;
}

}  // namespace rankone
