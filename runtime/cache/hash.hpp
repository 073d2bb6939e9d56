// SPDX-License-Identifier: MIT
// Content hashes for cache keys and checksums.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace rankone {

// XXH3, 128 bits.
using Digest = std::array<std::uint64_t, 2>;
Digest digest_of(std::string_view bytes);

// Its 32 hex digits, as xxhsum -H128 prints them.
std::string hex(const Digest& digest);
// 32 hex digits over the fields. Each field's length is hashed too: {"ab", "c"} and {"a", "bc"} differ.
std::string cache_key(std::initializer_list<std::string_view> fields);

}  // namespace rankone
