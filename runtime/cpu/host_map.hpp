// SPDX-License-Identifier: MIT
// What stands in a TensorMap on the CPU device.
#pragma once

#include "runtime/mapped_tensor.hpp"
#include "templates/device/arguments.cuh"

namespace rankone {

void encode_host_map(const MappedTensor& tensor, TensorMap& map);
const void* host_map_base(const TensorMap& map);  // null: none was encoded here
void move_host_map(TensorMap& map, const void* base);

}  // namespace rankone
