// SPDX-License-Identifier: MIT
// CUDA's keywords for a host compiler. `__noinline__` stays alone: the standard library uses it as an attribute's name.
#pragma once

#define RANKONE_HOST 1

#define __global__ __attribute__((visibility("default")))
#define __device__
#define __host__
#define __constant__ __attribute__((visibility("default")))
// Forced, it makes compiling half as long again, and kernels run no faster: the emulator is the rest.
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__ &  // stands behind the type: arguments come by reference
#define __align__(bytes) __attribute__((aligned(bytes)))
