// SPDX-License-Identifier: MIT
// What the loader tells the others through shared memory: the items in turn, and with each stage which chunk it holds.
// Only the loader works out where things are; whoever needs to know reads it here, and keeps no registers for it.
#pragma once

#include "device/shared.cuh"
#include "hopper/walk.cuh"

namespace rankone {

// A record of an item. Records form a ring two longer than that of stages: each item in flight holds a stage at least,
// and one is left ahead.
struct ItemAt {
  int offset;  // 0: none

  RK_DEVICE int value_column() const { return shared_load<int>(offset); }  // first of the block's tile
  RK_DEVICE int head() const { return shared_load<int>(offset + 4); }        // of HV
  RK_DEVICE int query_head() const { return shared_load<int>(offset + 8); }  // of H
  RK_DEVICE bool ends() const { return shared_load<int>(offset + 12) != 0; }  // its sequence
  RK_DEVICE long long sequence() const { return shared_load<long long>(offset + 16); }
  RK_DEVICE long long batch() const { return shared_load<long long>(offset + 24); }
  RK_DEVICE long long start() const { return shared_load<long long>(offset + 32); }
  RK_DEVICE long long length() const { return shared_load<long long>(offset + 40); }
  RK_DEVICE long long position() const { return shared_load<long long>(offset + 48); }
  RK_DEVICE long long slot() const { return shared_load<long long>(offset + 56); }

  // Where the item's part of a tensor starts: q, k, v, then the inputs.
  template <class T> RK_DEVICE const T* base(int index) const {
    return static_cast<const T*>(shared_load<const void*>(offset + 64 + 8 * index));
  }
  RK_DEVICE void point(int index, const void* base) const { shared_store<const void*>(offset + 64 + 8 * index, base); }

  RK_DEVICE void leave(const Item& item) const {
    shared_store<int>(offset, item.value_column);
    shared_store<int>(offset + 4, item.head);
    shared_store<int>(offset + 8, item.query_head);
    shared_store<int>(offset + 12, item.ends ? 1 : 0);
    shared_store<long long>(offset + 16, item.sequence);
    shared_store<long long>(offset + 24, item.batch);
    shared_store<long long>(offset + 32, item.start);
    shared_store<long long>(offset + 40, item.length);
    shared_store<long long>(offset + 48, item.position);
    shared_store<long long>(offset + 56, item.slot);
  }
};

// What a stage holds.
struct Note {
  int rows;   // tokens that exist; 0 for an item without any
  int first_token;  // of the item
  ItemAt item;  // none: there is no more to do
  bool last;    // chunk of its item

  static RK_DEVICE Note read(int offset) {
    const Vector16 words = shared_load<Vector16>(offset);
    return {static_cast<int>(words.word[0]), static_cast<int>(words.word[1]), {static_cast<int>(words.word[2])}, words.word[3] != 0};
  }
  RK_DEVICE void leave(int offset) const {
    shared_store<Vector16>(offset, Vector16{{static_cast<unsigned>(rows), static_cast<unsigned>(first_token),
                                             static_cast<unsigned>(item.offset), last ? 1u : 0u}});
  }
};

}  // namespace rankone
