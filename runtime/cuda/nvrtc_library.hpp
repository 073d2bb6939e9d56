// SPDX-License-Identifier: MIT
// NVRTC's exported functions.
#pragma once

#include <cstddef>

#include "runtime/cuda/library.hpp"

namespace rankone::cuda {

using NvrtcProgram = struct _nvrtcProgram*;

#define RANKONE_NVRTC(F)                                                                          \
  F(nvrtcVersion, (int* major, int* minor))                                                       \
  F(nvrtcGetNumSupportedArchs, (int* count))                                                      \
  F(nvrtcGetSupportedArchs, (int* archs))                                                         \
  F(nvrtcCreateProgram, (NvrtcProgram * program, const char* text, const char* name, int headers, \
                         const char* const* sources, const char* const* names))                   \
  F(nvrtcDestroyProgram, (NvrtcProgram * program))                                                \
  F(nvrtcCompileProgram, (NvrtcProgram program, int count, const char* const* options))           \
  F(nvrtcGetProgramLogSize, (NvrtcProgram program, std::size_t * bytes))                          \
  F(nvrtcGetProgramLog, (NvrtcProgram program, char* log))                                        \
  F(nvrtcGetCUBINSize, (NvrtcProgram program, std::size_t * bytes))                               \
  F(nvrtcGetCUBIN, (NvrtcProgram program, char* cubin))

struct NvrtcFunctions {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define RANKONE_NVRTC_MEMBER(name, parameters) int(*name) parameters = nullptr;
  RANKONE_NVRTC(RANKONE_NVRTC_MEMBER)
#undef RANKONE_NVRTC_MEMBER
  const char* (*nvrtcGetErrorString)(int result) = nullptr;
};

}  // namespace rankone::cuda
