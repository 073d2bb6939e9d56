// SPDX-License-Identifier: MIT
// Where the states of sequences and heads stand in a tensor of states, and how its elements are read and written.
#pragma once

#include "device/global.cuh"
#include "kernels/policy.cuh"

namespace rankone {

// Of a tensor whose states have slots: which of the `count` slots a sequence's is in; no other number is one. Strides in
// elements.
struct StateSlots {
  const void* indices = nullptr;  // int
  long long slot_stride = 0, head_stride = 0, count = 0;
};

// Neighbouring elements of a tensor in one access of 4, 8 or 16 bytes, at a multiple of that.
template <class Type, int count> struct alignas(count * sizeof(Type)) Neighbours {
  static constexpr bool has_pairs = sizeof(Type) == 2;
  unsigned word[count * sizeof(Type) / 4];

  RK_DEVICE void unpack(float (&elements)[count]) const {
#pragma unroll
    for (int i = 0; i < count; i += has_pairs ? 2 : 1) {
      if constexpr (has_pairs)
        Element<Type>::unpack(word[i / 2], elements[i], elements[i + 1]);
      else
        elements[i] = as_float(word[i]);
    }
  }
  static RK_DEVICE Neighbours of(const float (&elements)[count]) {
    Neighbours packed;
#pragma unroll
    for (int i = 0; i < count; i += has_pairs ? 2 : 1) {
      if constexpr (has_pairs)
        packed.word[i / 2] = Element<Type>::pack(elements[i], elements[i + 1]);
      else
        packed.word[i] = as_bits(elements[i]);
    }
    return packed;
  }
};

// `Held` is const void where states are only read.
template <class T, class Held> struct States {
  using Type = typename TypeOf<T::state_type>::Type;
  static constexpr bool has_slots = T::state_layout == StateLayout::slots;
  // From a key to the next, and from a value column to the next.
  static constexpr int key_step = T::value_major_state ? 1 : T::value_dim;
  static constexpr int column_step = T::value_major_state ? T::key_dim : 1;
  Held* data;
  int value_heads;
  StateSlots slots{};

  // The first element of a state. Dense: `index` counts sequences, or slots of the workspace.
  RK_DEVICE long long first(long long index, int head) const {
    if constexpr (has_slots)
      return slot(index) * slots.slot_stride + head * slots.head_stride;
    else
      return (index * value_heads + head) * (T::key_dim * T::value_dim);
  }
  RK_DEVICE bool exists(long long index) const {
    if (data == nullptr) return false;
    if constexpr (has_slots) {
      const long long own = slot(index);
      return own >= 0 && own < slots.count;
    }
    return true;
  }
  RK_DEVICE float load(long long element) const {
    return to_float(global_load<Type>(global<const Type>(data) + element));
  }
  RK_DEVICE void store(long long element, float value) const {
    global_store<Type>(global<Type>(data) + element, Element<Type>::from(value));
  }
  template <int count> RK_DEVICE Neighbours<Type, count> load_neighbours(long long element) const {
    return global_load<Neighbours<Type, count>>(global<const Type>(data) + element);
  }
  template <int count> RK_DEVICE void store_neighbours(long long element, const float (&values)[count]) const {
    global_store<Neighbours<Type, count>>(global<Type>(data) + element, Neighbours<Type, count>::of(values));
  }

 private:
  RK_DEVICE long long slot(long long index) const { return global_load<int>(global<const int>(slots.indices) + index); }
};

// The workspace's own: dense and float32, whatever the caller's are.
template <class T> struct InWorkspace : T {
  static constexpr ElementType state_type = ElementType::f32;
  static constexpr StateLayout state_layout = StateLayout::dense;
};
template <class T>
inline constexpr bool states_are_as_in_workspace =
    T::state_type == ElementType::f32&& T::state_layout == StateLayout::dense;

}  // namespace rankone
