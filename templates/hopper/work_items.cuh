// SPDX-License-Identifier: MIT
// What the producer tells the others through shared memory: the work items in turn, and with each stage which chunk it holds.
// Only the producer works out where things are; whoever needs to know reads it here, and keeps no registers for it.
#pragma once

#include "device/math.cuh"
#include "device/shared.cuh"
#include "hopper/segments.cuh"
#include "kernels/transfer.cuh"

namespace rankone {

// A record of an item. Records form a ring two longer than that of stages: each item in flight holds a stage at least,
// and one is left ahead.
struct WorkItemRecord {
  int offset;  // 0: none

  enum Field {
    column_at = 0,
    head_at = 4,
    query_head_at = 8,
    ends_at = 12,
    sequence_at = 16,
    batch_at = 24,
    start_at = 32,
    length_at = 40,
    position_at = 48,
    slot_at = 56
  };
  RK_DEVICE int value_column() const { return shared_load<int>(offset + column_at); }    // first of the block's tile
  RK_DEVICE int head() const { return shared_load<int>(offset + head_at); }              // of HV
  RK_DEVICE int query_head() const { return shared_load<int>(offset + query_head_at); }  // of H
  RK_DEVICE bool ends() const { return shared_load<int>(offset + ends_at) != 0; }        // its sequence
  RK_DEVICE long long sequence() const { return shared_load<long long>(offset + sequence_at); }
  RK_DEVICE long long batch() const { return shared_load<long long>(offset + batch_at); }
  RK_DEVICE long long start() const { return shared_load<long long>(offset + start_at); }
  RK_DEVICE long long length() const { return shared_load<long long>(offset + length_at); }
  RK_DEVICE long long position() const { return shared_load<long long>(offset + position_at); }
  RK_DEVICE long long slot() const { return shared_load<long long>(offset + slot_at); }
  // Of q, k, v and the inputs.
  RK_DEVICE int source(int index) const { return offset + work_item_sources + source_bytes * index; }

  RK_DEVICE void store(const WorkItem& item) const {
    shared_store<int>(offset + column_at, item.value_column);
    shared_store<int>(offset + head_at, item.head);
    shared_store<int>(offset + query_head_at, item.query_head);
    shared_store<int>(offset + ends_at, item.ends ? 1 : 0);
    shared_store<long long>(offset + sequence_at, item.sequence);
    shared_store<long long>(offset + batch_at, item.batch);
    shared_store<long long>(offset + start_at, item.start);
    shared_store<long long>(offset + length_at, item.length);
    shared_store<long long>(offset + position_at, item.position);
    shared_store<long long>(offset + slot_at, item.slot);
  }
};

// Tensors that fill stages: the index of a source, of a map, and of a bit in sets of them.
enum StagedTensor { query_tensor, key_tensor, value_tensor, first_input_tensor };
RK_CONSTEXPR unsigned bit_of(int tensor) { return 1u << tensor; }

// What a stage holds.
struct StageDescriptor {
  long long first_token;  // of the item
  int rows;               // tokens that exist; 0 for an item without any
  bool last;              // chunk of its item
  WorkItemRecord item;    // none: there is no more to do

  // One word holds both: whether it is the last in bit 0, the rows above.
  static constexpr unsigned last_bit = 1u;
  static constexpr int rows_shift = 1;

  static RK_DEVICE StageDescriptor read(int offset) {
    const Vector16 words = shared_load<Vector16>(offset);
    return {static_cast<long long>(static_cast<unsigned long long>(words.word[1]) << 32 | words.word[0]),
            static_cast<int>(words.word[2] >> rows_shift),
            (words.word[2] & last_bit) != 0,
            {static_cast<int>(words.word[3])}};
  }
  RK_DEVICE void store(int offset) const {
    shared_store<Vector16>(offset,
                           Vector16{{static_cast<unsigned>(first_token), static_cast<unsigned>(first_token >> 32),
                                     static_cast<unsigned>(rows) << rows_shift | (last ? last_bit : 0u),
                                     static_cast<unsigned>(item.offset)}});
  }
};

// Where the sums of an item's log-decays go: of a segment to those who join them, of a whole sequence to the caller, in
// natural logarithms.
template <class T> struct TotalsPlace {
  bool for_caller;
  DecaySums<T, void> sums;
  long long state;

  RK_DEVICE TotalsPlace(const Arguments& arguments, const WorkItemRecord& item)
      : for_caller(keeps_for_caller<T>(arguments)), sums{for_caller ? port<T>(arguments, T::Ports::log_decay_total).data
                                                                    : arguments.segment_decays},
        state((for_caller ? item.sequence() : item.slot()) * arguments.value_heads + item.head()) {}
  RK_DEVICE void store(int column, float sum) const {
    if (for_caller && sums.data == nullptr) return;
    sums.store(state, column, for_caller ? sum * log_of_2 : sum);
  }
};

}  // namespace rankone
