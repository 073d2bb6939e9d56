// SPDX-License-Identifier: MIT
// Files that are there whole or not at all, and advisory locks between processes.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace rankone {

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(other.value_) { other.value_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return value_; }
  explicit operator bool() const { return value_ >= 0; }

 private:
  int value_;
};

// The whole file; none where it cannot be read.
std::optional<std::string> read_file(const std::filesystem::path& file);

// Writes `parts` to a temporary file beside `file`, syncs it to disk and renames it. Throws Error(io) and leaves
// nothing behind where that fails.
void publish_file(const std::filesystem::path& file, std::initializer_list<std::string_view> parts);
inline constexpr std::string_view staging_prefix = ".staging-";

// An exclusive lock that the system drops when its process dies. The lock's file goes away with the lock.
class FileLock {
 public:
  // None where the folder does not serve, or where another process holds on for longer than `patience`.
  static std::optional<FileLock> acquire(const std::filesystem::path& file, std::chrono::milliseconds patience);
  FileLock(FileLock&&) = default;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  FileLock(std::filesystem::path file, Descriptor descriptor)
      : file_(std::move(file)), descriptor_(std::move(descriptor)) {}
  std::filesystem::path file_;
  Descriptor descriptor_;
};

}  // namespace rankone
