// SPDX-License-Identifier: MIT
// Where results, notes and files go.
#include "tools/output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <sys/stat.h>
#include <unistd.h>

#include <rankone/error.hpp>

#include "runtime/cache/file.hpp"
#include "tools/progress.hpp"

namespace rankone {

void print(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(ErrorCode::io, "writing failed", std::strerror(errno), "an output with room", "standard output");
}

void note(const Options& options, std::string_view text) {
  constexpr std::size_t most = 1000;  // names from files may be anything
  if (options.quiet) return;
  Progress::clear();
  std::cerr << "rankone: " << one_line(text, most) << std::endl;
}

std::string document_text(const Json& document) {
  constexpr int schema = 1;
  Json whole = Json::object({{"schema", schema}});
  for (const auto& [key, value] : std::get<Json::Object>(document.value())) whole.set(key, value);
  return dump(whole);
}

void print_result(const Options& options, const Json& document, const std::string& text) {
  print(options.json ? document_text(document) : text);
}

std::string read_input(const std::string& path) {
  const auto drain = [](std::istream& stream) {
    std::string bytes;
    std::string block(1 << 16, '\0');
    while (stream) {
      stream.read(block.data(), static_cast<std::streamsize>(block.size()));
      bytes.append(block, 0, static_cast<std::size_t>(stream.gcount()));
    }
    return bytes;
  };
  if (path == "-") return drain(std::cin);
  require_input_file(path, "a readable file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(ErrorCode::io, "the file cannot be read", std::strerror(errno), "a readable file", path);
  return drain(stream);
}

namespace {

// Where a file of this name comes to lie: a link stays a link, whether or not its target is there.
std::filesystem::path place_of(const std::string& path) {
  constexpr int most_links = 40;
  std::error_code failure;
  std::filesystem::path target = path;
  for (int links = 0; std::filesystem::is_symlink(target, failure); ++links) {
    if (links == most_links)
      throw Error(ErrorCode::io, "the output is a link that leads nowhere", path, "a file", "--out");
    target = target.parent_path() / std::filesystem::read_symlink(target, failure);  // an absolute one replaces all
  }
  const std::filesystem::path whole = std::filesystem::weakly_canonical(target, failure);
  return whole.empty() ? target : whole;
}

bool is_standard_output(const std::string& path) {
  struct stat file = {}, standard = {};
  return ::stat(path.c_str(), &file) == 0 && ::fstat(STDOUT_FILENO, &standard) == 0 && S_ISREG(file.st_mode) &&
         file.st_dev == standard.st_dev && file.st_ino == standard.st_ino;
}

}  // namespace

void require_output(const std::string& path) {
  if (path == "-") return;
  std::error_code failure;
  const std::filesystem::path target = place_of(path);
  if (std::filesystem::is_directory(target, failure))
    throw Error(ErrorCode::io, "the output is a directory", path, "a file", "--out");
  const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
  if (std::filesystem::exists(folder, failure) && !std::filesystem::is_directory(folder, failure))
    throw Error(ErrorCode::io, "the output cannot be created (Not a directory)", path,
                "a file in a folder that can be written", "--out");
  if (!std::filesystem::exists(target, failure) && ::access(folder.c_str(), W_OK | X_OK) != 0)
    throw Error(ErrorCode::io, std::string("the output cannot be created (") + std::strerror(errno) + ")", path,
                "a file in a folder that can be written", "--out");
}

void require_distinct(const std::string& output, const std::string& input, const char* what) {
  const auto look = [](const std::string& path, int standard, struct stat& status) {
    return (path == "-" ? ::fstat(standard, &status) : ::stat(path.c_str(), &status)) == 0 && S_ISREG(status.st_mode);
  };
  struct stat to {
  }, from{};
  const std::string place = output == "-" ? output : place_of(output).string();
  if (!look(place, STDOUT_FILENO, to) || !look(input, STDIN_FILENO, from)) return;
  if (to.st_dev == from.st_dev && to.st_ino == from.st_ino)
    throw Error(ErrorCode::invalid_argument, std::string("the output would take the place of ") + what, output,
                "another file", "--out");
}

void write_output(const std::string& path, std::string_view bytes) {
  if (path == "-" || is_standard_output(path)) return print(bytes);
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure))
    throw Error(ErrorCode::io, "the output is a directory", path, "a file", "--out");
  if (std::filesystem::exists(path, failure) && !std::filesystem::is_regular_file(path, failure)) {
    std::ofstream stream(path, std::ios::binary);
    if (!(stream << bytes << std::flush))
      throw Error(ErrorCode::io, "writing failed", std::strerror(errno), "an output with room", path);
    return;
  }
  publish_file(place_of(path), {bytes});
}

}  // namespace rankone
