// SPDX-License-Identifier: MIT
// Where the element of a learned parameter stands that a formula reads.
#pragma once

#include "device/global.cuh"
#include "kernels/policy.cuh"

namespace rankone {

// The heads, key and value column that a formula is evaluated for.
struct ParameterPlace {
  int query_head, head, key, column;
};

template <class T, int index> RK_DEVICE float load_parameter(const Arguments& arguments, const ParameterPlace& place) {
  using Type = typename TypeOf<T::parameter_types[index]>::Type;
  constexpr unsigned axes = T::parameter_axes[index];
  long long element = 0;
  if constexpr (has_axis(axes, query_head_axis)) element = place.query_head;
  if constexpr (has_axis(axes, value_head_axis)) element = place.head;
  if constexpr (has_axis(axes, key_axis)) element = element * T::key_dim + place.key;
  if constexpr (has_axis(axes, value_axis)) element = element * T::value_dim + place.column;
  const void* const parameter = port<T>(arguments, T::Ports::first_parameter + index).data;
  return to_float(global_load<Type>(global<const Type>(parameter) + element));
}

}  // namespace rankone
