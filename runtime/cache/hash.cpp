// SPDX-License-Identifier: MIT
// Content hashes for cache keys and checksums.
#include "runtime/cache/hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace rankone {

Digest digest_of(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

std::string hex(const Digest& digest) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint64_t half : digest)
    for (int shift = 60; shift >= 0; shift -= 4) text += digits[(half >> shift) & 15];
  return text;
}

std::string cache_key(std::initializer_list<std::string_view> fields) {
  std::string all;
  for (std::string_view field : fields) {
    all += std::to_string(field.size());
    all += ':';
    all += field;
  }
  return hex(digest_of(all));
}

}  // namespace rankone
