// SPDX-License-Identifier: MIT
// Files of named tensors: 8 bytes of header length, a JSON header, then the tensors' bytes without gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/dtype.hpp>

namespace rankone {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsEntry {
  std::string name;
  std::string type_name;                 // as the file spells it: "BF16", "F64", "U8", ...
  std::optional<rankone::dtype> type{};  // absent for the types that Rankone does not compute with
  std::vector<std::int64_t> shape;
  std::size_t offset = 0, bytes = 0;  // within the data part
};

// A file that was read and validated as a whole. Throws Error for anything the format does not allow.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  // `where` names the source in errors.
  static SafetensorsFile parse(std::vector<std::byte> file, const std::string& where);

  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in the order of their data
  const SafetensorsEntry* find(std::string_view name) const;                 // null when absent
  const Metadata& metadata() const { return metadata_; }
  // Not aligned for the element type: copy the bytes, or load elements with memcpy.
  // Throws Error(invalid_argument) for an entry that lies outside of this file's data.
  const std::byte* data(const SafetensorsEntry& entry) const;
  const std::string& where() const { return where_; }

 private:
  std::vector<std::byte> file_;
  std::size_t data_start_ = 0;
  std::vector<SafetensorsEntry> entries_;
  Metadata metadata_;
  std::string where_;
};

struct SafetensorsTensor {
  std::string name;
  dtype type = dtype::f32;
  std::vector<std::int64_t> shape;
  const void* data = nullptr;  // contiguous, row-major
};

// A whole file's bytes; the tensors' data starts at a multiple of 16. Throws Error(invalid_argument) for a tensor that no
// file can hold: a size below 0, no memory behind its elements, no element type, a name that is taken.
std::string safetensors_bytes(const std::vector<SafetensorsTensor>& tensors, const Metadata& metadata);
// Writes the whole file or leaves what was there: a temporary file beside it, then a rename. Throws Error(io) where that
// fails.
void write_safetensors(const std::string& path, const std::vector<SafetensorsTensor>& tensors,
                       const Metadata& metadata);

}  // namespace rankone
