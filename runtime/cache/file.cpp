// SPDX-License-Identifier: MIT
// Files that are there whole or not at all, and advisory locks between processes.
#include "runtime/cache/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <random>
#include <set>
#include <system_error>
#include <thread>

#include <rankone/error.hpp>

namespace rankone {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& file, int error) {
  throw Error(ErrorCode::io, what, std::generic_category().message(error), "a folder with room that can be written",
              file.string());
}

// The system would take what stands before it.
void require_whole_name(const std::string& name) {
  if (name.find('\0') != name.npos)
    throw Error(ErrorCode::invalid_argument, "a file's name holds a zero byte", name, "a name without it", "path");
}

// Unique among processes, threads and machines that share the folder.
std::filesystem::path staging_name(const std::filesystem::path& file) {
  static const unsigned long long salt = [] {
    std::random_device device;
    return (static_cast<unsigned long long>(device()) << 32) | device();
  }();
  static std::atomic<unsigned> counter = 0;
  return file.parent_path() / (std::string(staging_prefix) + std::to_string(getpid()) + "-" + std::to_string(salt) +
                               "-" + std::to_string(counter++));
}

// As staging_name() writes them: a user's folder may hold other names that begin so.
bool is_staging_name(std::string_view name) {
  if (!name.starts_with(staging_prefix)) return false;
  name.remove_prefix(staging_prefix.size());
  return std::ranges::count(name, '-') == 2 && name.find_first_not_of("0123456789-") == name.npos;
}

void sweep_staged_once(const std::filesystem::path& folder) {
  static std::mutex mutex;
  static std::set<std::filesystem::path> swept;
  {
    const std::lock_guard guard(mutex);
    if (!swept.insert(folder).second) return;
  }
  sweep_stale(folder.empty() ? "." : folder, is_staging_name);
}

int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return ENOSPC;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

bool same_file(int descriptor, const std::filesystem::path& file) {
  struct stat held {
  }, named{};
  return fstat(descriptor, &held) == 0 && stat(file.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
         held.st_ino == named.st_ino;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}
Descriptor::~Descriptor() {
  if (value_ >= 0) ::close(value_);
}

std::optional<std::string> read_file(const std::filesystem::path& file) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!descriptor || fstat(descriptor.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(descriptor.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

void require_input_file(const std::string& path, const char* accepted) {
  require_whole_name(path);
  struct stat status {};
  const auto refuse = [&](ErrorCode code, const std::string& given) {
    throw Error(code, "the file cannot be read", given, accepted, path);
  };
  if (::stat(path.c_str(), &status) != 0)
    refuse(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io, std::generic_category().message(errno));
  if (S_ISREG(status.st_mode) || path == "/dev/stdin") return;
  if (S_ISDIR(status.st_mode)) refuse(ErrorCode::io, "a directory");
  if (!S_ISFIFO(status.st_mode)) refuse(ErrorCode::io, "a device");
  // To open it would wait for whoever writes there.
  if (!path.starts_with("/dev/fd/") && !path.starts_with("/proc/self/fd/")) refuse(ErrorCode::io, "a named pipe");
}

void require_no_folder(const std::filesystem::path& file) {
  if (std::error_code failed; std::filesystem::is_directory(file, failed))
    throw Error(ErrorCode::io, "the output is a directory", file.filename().string(), "another folder to write to",
                file.string());
}

StagedFile::StagedFile(std::filesystem::path file, std::initializer_list<std::string_view> parts)
    : file_(std::move(file)), staged_(staging_name(file_)) {
  require_whole_name(file_.native());
  sweep_staged_once(file_.parent_path());
  int error = 0;
  {
    const Descriptor descriptor(::open(staged_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!descriptor) fail("cannot create a file", file_, errno);
    for (std::string_view part : parts)
      if (error == 0) error = write_all(descriptor.get(), part);
    if (error == 0 && fsync(descriptor.get()) != 0) error = errno;
  }
  if (error == 0) return;
  ::unlink(staged_.c_str());
  fail("cannot write a file", file_, error);
}
StagedFile::~StagedFile() {
  for (const std::filesystem::path& each : {staged_, previous_})
    if (!each.empty()) ::unlink(each.c_str());
}
void StagedFile::publish() {
  if (::rename(staged_.c_str(), file_.c_str()) != 0) fail("cannot write a file", file_, errno);
  staged_.clear();
}

void StagedFile::replace() {
  require_no_folder(file_);
  const std::filesystem::path previous = staging_name(file_);
  // A second name, or on file systems without them the first one taken away.
  if (::link(file_.c_str(), previous.c_str()) == 0 ||
      (errno != ENOENT && ::rename(file_.c_str(), previous.c_str()) == 0))
    previous_ = previous;
  publish();
}
void StagedFile::withdraw() noexcept {
  if (!previous_.empty())
    ::rename(previous_.c_str(), file_.c_str());
  else if (staged_.empty())
    ::unlink(file_.c_str());
}

void publish_all(std::list<StagedFile>& files) {
  try {
    for (StagedFile& each : files) each.replace();
  } catch (...) {
    for (StagedFile& each : files) each.withdraw();
    throw;
  }
}

void sweep_stale(const std::filesystem::path& folder, bool (*is_ours)(std::string_view name)) {
  constexpr std::chrono::hours lifetime{1};
  std::error_code failed;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code gone;  // another process may sweep too
    if (!is_ours(entry->path().filename().string()) || !entry->is_regular_file(gone)) continue;
    const auto written = entry->last_write_time(gone);
    if (!gone && now - written > lifetime) std::filesystem::remove(entry->path(), gone);
  }
}

void publish_file(const std::filesystem::path& file, std::initializer_list<std::string_view> parts) {
  const Uninterrupted step;
  StagedFile(file, parts).publish();
}

std::optional<FileLock> FileLock::acquire(const std::filesystem::path& file, std::chrono::milliseconds patience) {
  using namespace std::chrono_literals;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  Descriptor descriptor;
  for (auto pause = 1ms;; pause = std::min(pause * 2, std::chrono::milliseconds(20))) {
    {
      // The file that is made here and the lock on it are one step, or an interrupt would leave the file.
      const Uninterrupted step;
      if (!descriptor) descriptor = Descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
      if (!descriptor) return std::nullopt;
      // Locks of the open file description, not of the process: threads exclude each other too, and closing another
      // descriptor of the same file does not drop the lock.
      struct flock request {};
      request.l_type = F_WRLCK;
      request.l_whence = SEEK_SET;
      if (fcntl(descriptor.get(), F_OFD_SETLK, &request) == 0) {
        if (same_file(descriptor.get(), file)) return FileLock(file, std::move(descriptor));
        // The holder before us has removed the file: the lock we got guards a name that nobody else will open.
        descriptor = Descriptor();
        continue;
      }
      if (errno != EAGAIN && errno != EACCES && errno != EINTR) return std::nullopt;
    }
    if (std::chrono::steady_clock::now() > deadline) return std::nullopt;
    std::this_thread::sleep_for(pause);
  }
}

FileLock::~FileLock() {
  if (!descriptor_) return;
  const Uninterrupted step;
  ::unlink(file_.c_str());
  leftover_ = Leftover();
}

}  // namespace rankone
