// SPDX-License-Identifier: MIT
// Reads safetensors files, trusting nothing in them.
#include <rankone/safetensors.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

#include <sys/stat.h>
#include <nlohmann/json.hpp>
#include <rankone/error.hpp>

#include "codegen/json_object.hpp"
#include "proof/memory.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/tensor_check.hpp"

namespace rankone {
namespace {

using nlohmann::json;

constexpr std::uint64_t longest_header = 100'000'000;  // the limit that the format's own reader sets
constexpr const char* metadata_key = "__metadata__";
constexpr int deepest_header = 4;  // a size in a tensor's shape stands at 3

struct FileType {
  std::string_view name;
  int bits;
  std::optional<dtype> type;
};
constexpr std::array file_types = {
    FileType{"BF16", 16, dtype::bf16}, FileType{"F16", 16, dtype::f16}, FileType{"F32", 32, dtype::f32},
    FileType{"F64", 64, dtype::f64},   FileType{"I32", 32, dtype::i32}, FileType{"I64", 64, dtype::i64},
    FileType{"BOOL", 8, {}},           FileType{"U8", 8, {}},           FileType{"I8", 8, {}},
    FileType{"I16", 16, {}},           FileType{"U16", 16, {}},         FileType{"U32", 32, {}},
    FileType{"U64", 64, {}},           FileType{"F8_E4M3", 8, {}},      FileType{"F8_E5M2", 8, {}},
    FileType{"F8_E8M0", 8, {}},        FileType{"C64", 64, {}},         FileType{"F4", 4, {}},
    FileType{"F6_E2M3", 6, {}},        FileType{"F6_E3M2", 6, {}},
};

[[noreturn]] void refuse(const std::string& where, std::string message, std::string given, std::string accepted) {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted), where);
}

std::uint64_t header_length(const std::byte* bytes) {
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return length;
}

void check_header_length(const std::string& where, std::uint64_t length, std::uint64_t file_bytes) {
  const std::string given =
      "a header of " + std::to_string(length) + " bytes in a file of " + std::to_string(file_bytes);
  if (length > longest_header) refuse(where, "the header length is absurd", given, "at most 100000000 bytes");
  if (length > file_bytes - 8) refuse(where, "the file ends inside its header", given, "a whole safetensors file");
}

json parse_header(const std::string& where, const char* begin, const char* end) {
  const json header = parse_json({begin, static_cast<std::size_t>(end - begin)}, where, deepest_header);
  if (!header.is_object()) refuse(where, "the header is not a JSON object", header.type_name(), "an object of tensors");
  return header;
}

Metadata read_metadata(const std::string& where, const json& object) {
  if (!object.is_object())
    refuse(where, "__metadata__ is not a JSON object", object.type_name(), "an object of strings");
  Metadata metadata;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) refuse(where, "metadata '" + key + "' is not a string", value.dump(), "a string");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

std::uint64_t read_count(const std::string& where, const json& value) {
  if (!value.is_number_unsigned()) refuse(where, "not a count", value.dump(), "an integer of at least 0");
  return value.get<std::uint64_t>();
}

SafetensorsEntry read_entry(const std::string& file, const std::string& name, const json& object,
                            std::size_t data_bytes) {
  const std::string where = file + ", tensor '" + name + "'";
  if (!object.is_object()) refuse(where, "not a JSON object", object.type_name(), "dtype, shape and data_offsets");
  for (const auto& [key, value] : object.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      refuse(where, "an unknown field", "'" + key + "'", "dtype, shape, data_offsets");
  for (const char* field : {"dtype", "shape", "data_offsets"})
    if (!object.contains(field))
      refuse(where, "a field is missing", "no '" + std::string(field) + "'", "dtype, shape, data_offsets");

  const json& type = object["dtype"];
  const auto known = std::find_if(file_types.begin(), file_types.end(), [&](const FileType& each) {
    return type.is_string() && type.get<std::string>() == each.name;
  });
  if (known == file_types.end()) {
    std::string accepted;
    for (const FileType& each : file_types) accepted += (accepted.empty() ? "" : ", ") + std::string(each.name);
    refuse(where, "an unknown dtype", type.dump(), accepted);
  }

  SafetensorsEntry entry{.name = name, .type_name = std::string(known->name), .type = known->type, .shape = {}};
  const json& shape = object["shape"];
  if (!shape.is_array()) refuse(where, "the shape is not a list", shape.dump(), "a list of sizes");
  __extension__ typedef unsigned __int128 Wide;
  Wide bits = static_cast<Wide>(known->bits);
  for (const json& size : shape) {
    const std::uint64_t count = read_count(where + ", shape", size);
    if (count > INT64_MAX || (count != 0 && bits > (Wide{1} << 67) / count))
      refuse(where, "the shape is too large", shape.dump(), "at most 2^64 bytes");
    bits *= count;
    entry.shape.push_back(static_cast<std::int64_t>(count));
  }
  if (bits % 8 != 0) refuse(where, "the tensor does not fill whole bytes", shape.dump(), "a multiple of 8 bits");

  const json& offsets = object["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2)
    refuse(where, "data_offsets is not a pair", offsets.dump(), "[begin, end]");
  const std::uint64_t begin = read_count(where + ", data_offsets", offsets[0]);
  const std::uint64_t end = read_count(where + ", data_offsets", offsets[1]);
  if (begin > end || end > data_bytes)
    refuse(where,
           end > data_bytes ? "the file is cut short, or an offset is out of range" : "the offsets run backwards",
           offsets.dump(), "within the " + std::to_string(data_bytes) + " bytes of data that the file holds");
  if (bits / 8 != end - begin)
    refuse(where, "the offsets do not fit the shape",
           std::to_string(end - begin) + " bytes for " + shape.dump() + " of " + entry.type_name,
           std::to_string(static_cast<std::uint64_t>(bits / 8)) + " bytes");
  entry.offset = begin;
  entry.bytes = end - begin;
  return entry;
}

// The data part belongs to the tensors without overlaps and without holes, where something could hide.
void check_coverage(const std::string& where, const std::vector<SafetensorsEntry>& sorted, std::size_t data_bytes) {
  std::size_t end = 0;
  std::string before = "the header";
  for (const SafetensorsEntry& entry : sorted) {
    const std::string given = "'" + entry.name + "' at byte " + std::to_string(entry.offset) + ", " + before +
                              " ends at " + std::to_string(end);
    if (entry.offset < end) refuse(where, "tensors overlap", given, "each byte of data in one tensor");
    if (entry.offset > end) refuse(where, "there is a hole between tensors", given, "data without gaps");
    end += entry.bytes;
    before = "'" + entry.name + "'";
  }
  if (end != data_bytes)
    refuse(where, "bytes follow the last tensor", std::to_string(data_bytes - end) + " bytes that belong to no tensor",
           "none");
}

}  // namespace

SafetensorsFile SafetensorsFile::parse(std::vector<std::byte> file, const std::string& where) {
  if (file.size() < 8)
    refuse(where, "the file is too short for a safetensors file", std::to_string(file.size()) + " bytes",
           "at least 8 bytes");
  const std::uint64_t length = header_length(file.data());
  check_header_length(where, length, file.size());

  SafetensorsFile result;
  result.where_ = where;
  result.data_start_ = 8 + static_cast<std::size_t>(length);
  const char* text = reinterpret_cast<const char*>(file.data()) + 8;
  const json header = parse_header(where, text, text + length);
  const std::size_t data_bytes = file.size() - result.data_start_;
  for (const auto& [name, value] : header.items()) {
    if (name == metadata_key)
      result.metadata_ = read_metadata(where, value);
    else
      result.entries_.push_back(read_entry(where, name, value, data_bytes));
  }
  std::sort(result.entries_.begin(), result.entries_.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  check_coverage(where, result.entries_, data_bytes);
  result.file_ = std::move(file);
  return result;
}

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  require_input_file(path, "a safetensors file");
  struct stat status {};
  (void)::stat(path.c_str(), &status);
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(ErrorCode::io, "the file cannot be read", std::strerror(errno), "a safetensors file", path);
  // An absurd header is refused before its file is loaded.
  std::array<std::byte, 8> start;
  if (S_ISREG(status.st_mode) && stream.read(reinterpret_cast<char*>(start.data()), 8))
    check_header_length(path, header_length(start.data()), static_cast<std::uint64_t>(status.st_size));
  if (S_ISREG(status.st_mode)) stream.clear(), stream.seekg(0);
  std::vector<std::byte> file;
  file.reserve(S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) : 0);
  std::vector<char> block(1 << 20);
  while (stream) {
    stream.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto* bytes = reinterpret_cast<const std::byte*>(block.data());
    file.insert(file.end(), bytes, bytes + stream.gcount());
  }
  if (stream.bad()) throw Error(ErrorCode::io, "reading failed", std::strerror(errno), "a readable file", path);
  return parse(std::move(file), path);
}

const std::byte* SafetensorsFile::data(const SafetensorsEntry& entry) const {
  const std::size_t bytes = file_.size() - data_start_;
  if (entry.offset > bytes || entry.bytes > bytes - entry.offset)
    refuse(where_, "the entry is not one of this file", "'" + entry.name + "'", "one of entries()");
  return file_.data() + data_start_ + entry.offset;
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

namespace {

const FileType& file_type(const std::string& where, dtype type) {
  const auto found = std::ranges::find(file_types, std::optional(type), &FileType::type);
  if (found == file_types.end())
    refuse(where, "the type is none", "number " + std::to_string(static_cast<int>(type)), type_list);
  return *found;
}

std::size_t bytes_of(const std::string& where, const SafetensorsTensor& tensor) {
  // Half of what the format counts, so that sums of them stay below 2^64.
  constexpr std::size_t most = std::numeric_limits<std::int64_t>::max();
  std::size_t bytes = size_of(tensor.type);
  for (const std::int64_t size : tensor.shape)
    if (size < 0) refuse(where, "a size is negative", std::to_string(size), "sizes from 0");
  if (std::ranges::find(tensor.shape, 0) != tensor.shape.end()) return 0;
  for (const std::int64_t size : tensor.shape)
    if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(size), &bytes) || bytes > most)
      refuse(where, "the shape is too large", std::to_string(size) + " and other sizes", "at most 2^63 - 1 bytes");
  if (tensor.data == nullptr)
    refuse(where, "the pointer is null", std::to_string(bytes) + " bytes", "memory that holds the elements");
  return bytes;
}

void require_name(const std::string& where, const std::string& name, const nlohmann::ordered_json& header) {
  if (name == metadata_key) refuse(where, "the name is that of the metadata", "'" + name + "'", "another name");
  if (header.contains(name)) refuse(where, "two tensors have one name", "'" + name + "' twice", "each name once");
}

}  // namespace

std::string safetensors_bytes(const std::vector<SafetensorsTensor>& tensors, const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[metadata_key] = metadata;
  std::vector<std::size_t> ends;
  std::size_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const std::string where = "safetensors, tensor '" + tensor.name + "'";
    require_name(where, tensor.name, header);
    const FileType& type = file_type(where, tensor.type);
    const std::size_t bytes = bytes_of(where, tensor);
    header[tensor.name] = {{"dtype", type.name}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    ends.push_back(offset += bytes);
    require_memory(static_cast<double>(offset), std::to_string(tensors.size()) + " tensors", where);
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw Error(ErrorCode::invalid_argument, "a tensor's name or a metadata string is not UTF-8", "other bytes",
                "UTF-8", "safetensors header");
  }
  text.append((16 - (8 + text.size()) % 16) % 16, ' ');

  std::string file;
  file.reserve(8 + text.size() + offset);
  for (int i = 0; i < 8; ++i) file += static_cast<char>(text.size() >> 8 * i & 255);
  file += text;
  for (std::size_t i = 0, begin = 0; i < tensors.size(); begin = ends[i++])
    file.append(static_cast<const char*>(tensors[i].data), ends[i] - begin);
  return file;
}

void write_safetensors(const std::string& path, const std::vector<SafetensorsTensor>& tensors,
                       const Metadata& metadata) {
  publish_file(path, {safetensors_bytes(tensors, metadata)});
}

}  // namespace rankone
