// SPDX-License-Identifier: MIT
// The tensors of a call as kernels on the CPU device touch them: bounds, alignment, who may write, what is there to be
// read, and the order of accesses among the threads of a block, the blocks of a kernel, and the kernels of a call.
//
// Kernels get pointers that carry the number of their tensor in bits that no address uses. So each access says which
// tensor it is meant for, wherever it strays, and a pointer that is followed without a word faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/call_tensor.hpp"
#include "runtime/cpu/actors.hpp"
#include "templates/device/arguments.cuh"

namespace rankone {

enum class GlobalFault : unsigned char {
  none,
  no_tensor,
  outside,
  misaligned,
  unwritten,
  read_only,
  write_read,
  write_write,
  read_write
};

// One access of a thread, or of a copy that it issues.
struct GlobalUse {
  const void* place = nullptr;
  std::int64_t bytes = 0;
  int alignment = 1;
  bool writes = false;
  bool lasts = false;  // until finish_read(), or to the end of the kernel: it is ordered before nothing
  bool bulk = false;   // through the asynchronous proxy: ordered after nothing that this kernel wrote
  std::uint32_t cluster = 0;
  Access stamp{};
};

// What is wrong with an access; plain data.
struct GlobalFinding {
  GlobalFault fault = GlobalFault::none;
  int region = -1;
  std::int64_t offset = 0;  // bytes from the tensor's first element
  std::int64_t bytes = 0;
  Actor other{};  // of a race
};

class GlobalMemory {
 public:
  explicit GlobalMemory(std::span<const CallTensor> regions);
  ~GlobalMemory();

  // Makes of a call's arguments, and the maps among them, what kernels get in their place.
  void bind(Arguments& arguments, std::span<TensorMap> maps) const;
  // What former kernels of the call did comes before what the next one does.
  void begin_kernel() { ++kernel_; }

  // The address that such a pointer stands for.
  static void* plain(const void* place) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(place) & address_bits);
  }

  // `follows(Access)`: whether the access's thread comes after that one of its cluster.
  template <class Follows> GlobalFinding touch(const GlobalUse& use, bool check_order, const Follows& follows) {
    GlobalFinding finding = locate(use);
    if (finding.fault != GlobalFault::none || !check_order || use.bytes == 0) return finding;
    const Placed& tensor = tensors_[static_cast<std::size_t>(finding.region)];
    if (tensor.storage == nullptr) return finding;
    tensor.storage->each_cell(plain(use.place), use.bytes, [&](CellView cell) {
      finding.fault = use.writes ? write(cell, use, follows, finding.other)
                                 : read(cell, use, tensor.region.initialized, follows, finding.other);
      return finding.fault == GlobalFault::none;
    });
    return finding;
  }
  // A read that lasted is done, as of this access.
  void finish_read(const GlobalUse& use, Access done);

  // "q[0, 3, 1, 64]", with what is wrong about the place where it is outside.
  std::string place_name(const GlobalFinding& finding) const;
  const std::string& name(int region) const { return tensors_[static_cast<std::size_t>(region)].region.name; }

 private:
  static constexpr int tag_shift = 48;
  static constexpr std::uintptr_t address_bits = (std::uintptr_t{1} << tag_shift) - 1;

  struct Dimension {
    std::int64_t size, stride, reach;  // bytes; `reach`: of all inner dimensions together
  };
  struct Placed {
    CallTensor region;
    std::uintptr_t begin = 0;           // of the lowest element
    std::int64_t row_bytes = 0;         // that lie side by side
    std::vector<Dimension> dimensions;  // of rows, the widest stride first
    Storage* storage = nullptr;         // where it is written, or shares memory with what is
    bool holds(std::int64_t offset, std::int64_t bytes, std::size_t from = 0) const;
    std::int64_t span() const;
  };

  static Placed placed(const CallTensor& region);
  void share_storages();
  const void* tagged(const void* data, std::size_t region) const;
  GlobalFinding locate(const GlobalUse& use) const;

  // Whether what happened to the cell comes before this access.
  template <class Follows> bool settled(const Actor& earlier, const GlobalUse& use, const Follows& follows) const {
    if (earlier.kernel != kernel_) return true;
    return earlier.cluster == use.cluster && !earlier.lasts() && !use.bulk && follows(earlier.access);
  }
  Actor actor_of(const GlobalUse& use) const {
    Access stamp = use.stamp;
    if (use.lasts) stamp.time = Actor::lasting;
    return {kernel_, use.cluster, stamp};
  }
  template <class Follows>
  GlobalFault read(CellView cell, const GlobalUse& use, bool initialized, const Follows& follows, Actor& other) {
    other = *cell.writer;
    if (other.kernel == 0 && !initialized) return GlobalFault::unwritten;
    if (!settled(other, use, follows)) return GlobalFault::write_read;
    cell.note_reader(actor_of(use), [&](const Actor& each) { return settled(each, use, follows); });
    return GlobalFault::none;
  }
  template <class Follows>
  GlobalFault write(CellView cell, const GlobalUse& use, const Follows& follows, Actor& other) {
    other = *cell.writer;
    if (!settled(other, use, follows)) return GlobalFault::write_write;
    const bool ordered = cell.all_readers([&](const Actor& each) {
      other = each;
      return settled(each, use, follows);
    });
    if (!ordered) return GlobalFault::read_write;
    cell.forget_readers();
    *cell.writer = actor_of(use);
    return GlobalFault::none;
  }

  std::vector<Placed> tensors_;
  std::vector<std::unique_ptr<Storage>> storages_;
  std::uint32_t kernel_ = 0;
};

}  // namespace rankone
