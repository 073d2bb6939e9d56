// SPDX-License-Identifier: MIT
// A compiled text as the bytes of a cache entry: a few lines, then the cubin.
#pragma once

#include <string>

#include "runtime/cuda/nvrtc.hpp"

namespace rankone::cuda {

// Part of the cache key: change it with what stands below or with how texts are compiled.
inline constexpr const char* cubin_schema = "rankone cubin 2";

std::string pack_entry(const CompiledText& compiled);
CompiledText unpack_entry(const std::string& bytes);  // without the log

}  // namespace rankone::cuda
