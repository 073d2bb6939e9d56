// SPDX-License-Identifier: MIT
// Files that are there whole or not at all, and advisory locks between processes.
#pragma once

#include <chrono>
#include <filesystem>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/interruption.hpp"

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

// The whole file; none where it cannot be read, or is none: folders, devices and pipes are not waited for.
std::optional<std::string> read_file(const std::filesystem::path& file);
// Of a file that a user names: throws Error(not_found) where there is none, and Error(io) for a folder, a device or a pipe.
// What stands open already, /dev/stdin and the pipes under /dev/fd, may be read.
void require_input_file(const std::string& path, const char* accepted);

// Throws Error(io) where a folder stands in a file's place.
void require_no_folder(const std::filesystem::path& file);

// Writes `parts` to a temporary file beside `file` and syncs it to disk; publish() renames it. Each throws Error(io) where
// that fails, and what was not published is removed. Both within one Uninterrupted step leave nothing behind.
// replace() publishes, too, and keeps what stood there until the end of its life: withdraw() puts it back.
class StagedFile {
 public:
  StagedFile(std::filesystem::path file, std::initializer_list<std::string_view> parts);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  void publish();
  void replace();
  void withdraw() noexcept;  // nothing where it was not published

 private:
  std::filesystem::path file_, staged_, previous_;
};

// All of them, in their order, or where one cannot be written none: then what was there before is there again.
void publish_all(std::list<StagedFile>& files);

// One file, whole or not at all, and uninterrupted.
void publish_file(const std::filesystem::path& file, std::initializer_list<std::string_view> parts);
inline constexpr std::string_view staging_prefix = ".staging-";

// Removes the files of a folder that is_ours(name) and that are over an hour old: processes that were killed left them.
// Whoever makes a StagedFile sweeps its folder so, once in a process.
void sweep_stale(const std::filesystem::path& folder, bool (*is_ours)(std::string_view name));

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
      : file_(std::move(file)), leftover_(file_), descriptor_(std::move(descriptor)) {}
  std::filesystem::path file_;
  Leftover leftover_;
  Descriptor descriptor_;
};

}  // namespace rankone
