// SPDX-License-Identifier: MIT
// What stands in a TensorMap on the CPU device.
#pragma once

#include "runtime/boxed_tensor.hpp"
#include "templates/device/arguments.cuh"

namespace rankone {

void encode_host_map(const BoxedTensor& tensor, TensorMap& map);

}  // namespace rankone
