// SPDX-License-Identifier: MIT
// The part of the CUDA driver's interface that is used here, found at run time: building needs no CUDA.
#pragma once

#include <cstddef>
#include <string>

namespace rankone::cuda {

// The driver's own types, by layout. Handles are opaque; a stream is a CUstream.
using Result = int;
using DeviceOrdinal = int;
using DevicePointer = unsigned long long;
using Context = struct CUctx_st*;
using Module = struct CUmod_st*;
using Function = struct CUfunc_st*;
using Stream = struct CUstream_st*;
using Event = struct CUevent_st*;
using Graph = struct CUgraph_st*;
using GraphExec = struct CUgraphExec_st*;

enum : Result { success = 0, error_stub_library = 34, error_no_device = 100 };
enum DeviceAttribute : int {
  multiprocessor_count = 16,
  l2_cache_bytes = 38,
  compute_capability_major = 75,
  compute_capability_minor = 76,
  max_shared_bytes_per_block_optin = 97
};
enum FunctionAttribute : int { max_dynamic_shared_bytes = 8 };
enum TensorMapSetting : int { map_uint16 = 1, map_uint32 = 2, map_swizzle_128 = 3, map_l2_as_it_is = 0 };
enum CaptureMode : int { capture_global = 0, capture_thread_local = 1 };
constexpr unsigned stream_non_blocking = 1;

// F(name here, exported name, parameters)
#define RANKONE_CUDA_DRIVER(F)                                                                                         \
  F(cuInit, cuInit, (unsigned flags))                                                                                  \
  F(cuDriverGetVersion, cuDriverGetVersion, (int* version))                                                            \
  F(cuGetErrorName, cuGetErrorName, (Result error, const char** name))                                                 \
  F(cuGetErrorString, cuGetErrorString, (Result error, const char** text))                                             \
  F(cuDeviceGetCount, cuDeviceGetCount, (int* count))                                                                  \
  F(cuDeviceGet, cuDeviceGet, (DeviceOrdinal * device, int ordinal))                                                   \
  F(cuDeviceGetName, cuDeviceGetName, (char* name, int size, DeviceOrdinal device))                                    \
  F(cuDeviceGetAttribute, cuDeviceGetAttribute, (int* value, int attribute, DeviceOrdinal device))                     \
  F(cuDeviceTotalMem, cuDeviceTotalMem_v2, (std::size_t * bytes, DeviceOrdinal device))                                \
  F(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (Context * context, DeviceOrdinal device))                     \
  F(cuCtxGetCurrent, cuCtxGetCurrent, (Context * context))                                                             \
  F(cuCtxPushCurrent, cuCtxPushCurrent_v2, (Context context))                                                          \
  F(cuCtxPopCurrent, cuCtxPopCurrent_v2, (Context * context))                                                          \
  F(cuModuleLoadData, cuModuleLoadData, (Module * module, const void* image))                                          \
  F(cuModuleUnload, cuModuleUnload, (Module module))                                                                   \
  F(cuModuleGetFunction, cuModuleGetFunction, (Function * function, Module module, const char* name))                  \
  F(cuFuncSetAttribute, cuFuncSetAttribute, (Function function, int attribute, int value))                             \
  F(cuLaunchKernel, cuLaunchKernel,                                                                                    \
    (Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,         \
     unsigned block_z, unsigned shared_bytes, Stream stream, void** parameters, void** extra))                         \
  F(cuMemGetInfo, cuMemGetInfo_v2, (std::size_t * free_bytes, std::size_t * total_bytes))                              \
  F(cuMemAlloc, cuMemAlloc_v2, (DevicePointer * pointer, std::size_t bytes))                                           \
  F(cuMemFree, cuMemFree_v2, (DevicePointer pointer))                                                                  \
  F(cuMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (DevicePointer to, const void* from, std::size_t bytes, Stream stream))   \
  F(cuMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void* to, DevicePointer from, std::size_t bytes, Stream stream))         \
  F(cuMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (DevicePointer to, DevicePointer from, std::size_t bytes, Stream stream)) \
  F(cuMemsetD8Async, cuMemsetD8Async, (DevicePointer to, unsigned char value, std::size_t bytes, Stream stream))       \
  F(cuStreamCreate, cuStreamCreate, (Stream * stream, unsigned flags))                                                 \
  F(cuStreamDestroy, cuStreamDestroy_v2, (Stream stream))                                                              \
  F(cuStreamSynchronize, cuStreamSynchronize, (Stream stream))                                                         \
  F(cuStreamBeginCapture, cuStreamBeginCapture_v2, (Stream stream, int mode))                                          \
  F(cuStreamEndCapture, cuStreamEndCapture, (Stream stream, Graph * graph))                                            \
  F(cuGraphInstantiate, cuGraphInstantiateWithFlags, (GraphExec * executable, Graph graph, unsigned long long flags))  \
  F(cuGraphLaunch, cuGraphLaunch, (GraphExec executable, Stream stream))                                               \
  F(cuGraphExecDestroy, cuGraphExecDestroy, (GraphExec executable))                                                    \
  F(cuGraphDestroy, cuGraphDestroy, (Graph graph))                                                                     \
  F(cuEventCreate, cuEventCreate, (Event * event, unsigned flags))                                                     \
  F(cuEventDestroy, cuEventDestroy_v2, (Event event))                                                                  \
  F(cuEventRecord, cuEventRecord, (Event event, Stream stream))                                                        \
  F(cuEventSynchronize, cuEventSynchronize, (Event event))                                                             \
  F(cuEventElapsedTime, cuEventElapsedTime, (float* milliseconds, Event start, Event end))

// Null where the driver is older.
#define RANKONE_CUDA_DRIVER_IF_THERE(F)                                                                          \
  F(cuTensorMapEncodeTiled, cuTensorMapEncodeTiled,                                                              \
    (void* map, int type, unsigned rank, void* base, const unsigned long long* sizes,                            \
     const unsigned long long* strides, const unsigned* box, const unsigned* steps, int interleave, int swizzle, \
     int l2_promotion, int fill))

struct Driver {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration
#define RANKONE_CUDA_MEMBER(name, exported, parameters) Result(*name) parameters = nullptr;
  RANKONE_CUDA_DRIVER(RANKONE_CUDA_MEMBER)
  RANKONE_CUDA_DRIVER_IF_THERE(RANKONE_CUDA_MEMBER)
#undef RANKONE_CUDA_MEMBER
  int version = 0;   // 13000 is 13.0
  std::string path;  // of the library
};

inline constexpr const char* driver_soname = "libcuda.so.1";

// Opens and initializes the driver. Throws Error(no_device) with one sentence where that cannot be.
Driver load_driver(const std::string& soname = driver_soname);
// The driver of this process, loaded on the first call; a failure is tried again on the next.
const Driver& driver();

// Throws Error(launch_failed) that names the call and the CUDA error.
void check(const Driver& driver, Result result, const char* call);
inline void check(Result result, const char* call) {
  if (result != success) [[unlikely]]
    check(driver(), result, call);
}
std::string error_name(const Driver& driver, Result result);  // "CUDA_ERROR_INVALID_VALUE (1): invalid argument"

}  // namespace rankone::cuda
