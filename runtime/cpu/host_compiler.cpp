// SPDX-License-Identifier: MIT
// Runs the host compiler on emitted text, without a shell, in a folder of its own.
#include "runtime/cpu/host_compiler.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string_view>

#include <rankone/error.hpp>

#include "codegen/amalgamate.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/cpu/temporary_folder.hpp"
#include "runtime/interruption.hpp"
#include "runtime/paths.hpp"

namespace rankone {
namespace {

namespace fs = std::filesystem;

// Most of a run is spent in the emulator, so that little optimization serves, and compiles sooner: by g++, -Og takes two
// thirds of the time of -O1. Functions that are called once go into their callers, which leaves less to compile, and what
// -Og leaves in memory goes to registers (host/optimizations.hpp). Nothing is thrown through kernels. Hidden symbols keep apart
// what inline and templated code defines in several modules. Without contraction results do not depend on the compiler.
constexpr const char* flags[] = {"-std=c++20",
                                 "-Og",
                                 "-finline-functions-called-once",
                                 "-fno-asynchronous-unwind-tables",
                                 "-fPIC",
                                 "-shared",
                                 "-fvisibility=hidden",
                                 "-fno-exceptions",
                                 "-fno-rtti",
                                 "-fno-math-errno",
                                 "-ffp-contract=off",
                                 "-fno-strict-aliasing",
                                 "-w"};

// Instructions of this machine in place of calls into the C library, which give the same bits.
std::vector<const char*> flags_of_this_machine() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("fma")) return {"-mfma"};
#endif
  return {};
}

std::vector<const char*> all_flags() {
  std::vector<const char*> all(std::begin(flags), std::end(flags));
  for (const char* flag : flags_of_this_machine()) all.push_back(flag);
  return all;
}

// What the project builds with builds its kernels, too.
constexpr const char* accepted_compilers = "g++ 12, clang++ 16 or later, in PATH as c++ or named by RANKONE_CXX or CXX";

constexpr const char* does_not_compile = "the host compiler does not compile an empty C++20 program";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// The full path of a program, as a shell would find it; empty where there is none.
std::string find_program(const std::string& name) {
  if (name.find('/') != name.npos) return ::access(name.c_str(), X_OK) == 0 ? name : std::string();
  std::istringstream folders(environment("PATH").value_or("/usr/bin:/bin"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder.empty() ? "." : folder) / name;
    std::error_code ignored;
    if (::access(candidate.c_str(), X_OK) == 0 && fs::is_regular_file(candidate, ignored)) return candidate.string();
  }
  return {};
}

// The program's file behind all links, its size and its time: no process is needed to notice another compiler.
std::string identity_of(const std::string& program) {
  std::error_code ignored;
  const fs::path real = fs::canonical(program, ignored);
  struct stat status {};
  if (::stat(real.c_str(), &status) != 0) return program;
  return real.string() + " " + std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

// How a child starts: with signals as a program expects them, whatever this thread blocks, and, where this program ends
// its children itself, at the head of a process group, so that it can.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (const int signal : {SIGINT, SIGTERM}) sigaddset(&usual, signal);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &usual);
    const int group = leaves_nothing_behind() ? POSIX_SPAWN_SETPGROUP : 0;
    ::posix_spawnattr_setflags(&attributes_,
                               static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group));
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

// As C functions take a list.
std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

// This program's environment, but with temporary files in `folder`: one that is killed leaves its own there.
std::vector<std::string> environment_within(const fs::path& folder) {
  std::vector<std::string> all = {"TMPDIR=" + folder.string()};
  for (char** each = environ; *each != nullptr; ++each)
    if (!std::string_view(*each).starts_with("TMPDIR=")) all.emplace_back(*each);
  return all;
}

// Starts a program with its output in `folder`/`log`, and waits for it; its exit status, or -1 where it did not exit
// by itself.
int run(const std::vector<std::string>& command, const fs::path& folder, const char* log) {
  const std::vector<std::string> settings = environment_within(folder);
  const std::vector<char*> arguments = pointers(command), environment = pointers(settings);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, (folder / log).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const SpawnAttributes attributes;
  pid_t child = 0;
  std::optional<ChildGroup> known;
  int failed = 0;
  {
    const Uninterrupted step;
    failed = ::posix_spawn(&child, arguments[0], &actions, attributes.get(), arguments.data(), environment.data());
    if (failed == 0 && leaves_nothing_behind()) known.emplace(child);
  }
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed)
    throw Error(ErrorCode::unsupported,
                std::string("the host compiler cannot be started (") + std::strerror(failed) + ")", command[0],
                accepted_compilers, "CPU device");
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) < 0)
    if (errno != EINTR) return -1;
  // Reaped and forgotten in one step, since its number may then be another's; an interrupt that ended it ends us here.
  const Uninterrupted step;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  known.reset();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Tells a kernel that a good compiler refuses, which is a defect of ours, from a program that is no compiler.
bool compiles_anything(const HostCompiler& compiler, const fs::path& folder) {
  const fs::path source = folder / "empty.cpp";
  publish_file(source, {"int main() {}\n"});
  std::vector<std::string> command = compiler.command;
  for (const std::string& word :
       {std::string("-std=c++20"), std::string("-o"), (folder / "empty").string(), source.string()})
    command.push_back(word);
  return run(command, folder, "empty.log") == 0 && fs::exists(folder / "empty");
}

// The first errors say what is wrong; templates make the rest long.
std::string shortened(std::string log) {
  constexpr std::size_t most = 4000;
  if (log.size() > most) log = log.substr(0, log.rfind('\n', most)) + "\n...";
  while (!log.empty() && log.back() == '\n') log.pop_back();
  return log;
}

}  // namespace

void require_working(const HostCompiler& compiler) {
  const TemporaryFolder folder;
  if (!compiles_anything(compiler, folder.path()))
    throw Error(ErrorCode::unsupported, does_not_compile, compiler.command[0], accepted_compilers, "CPU device");
}

HostCompiler find_host_compiler() {
  const Setting setting = host_compiler();
  HostCompiler compiler;
  compiler.command = words_of(setting.value);
  compiler.origin = setting.origin;
  const std::string program = compiler.command.empty() ? std::string() : find_program(compiler.command[0]);
  if (program.empty())
    throw Error(ErrorCode::not_found, "the CPU device needs a C++20 compiler to build kernels, and there is none",
                setting.value + (setting.origin == "default" ? "" : " from " + setting.origin), accepted_compilers,
                "CPU device");
  compiler.command[0] = program;
  compiler.identity = identity_of(program);
  return compiler;
}

const std::string& host_prelude() {
  static const std::string text = amalgamate({"host/prelude.hpp"});
  return text;
}

std::string host_flags() {
  std::string joined;
  for (const char* flag : all_flags()) joined += std::string(flag) + " ";
  return joined;
}

std::string compile_on_host(const HostCompiler& compiler, const std::string& emitted_text) {
  const TemporaryFolder folder;
  const fs::path source = folder.path() / "kernel.cpp", object = folder.path() / "kernel.so";
  // Lines count from the emitted text's own first one.
  publish_file(source, {host_prelude(), "#line 1 \"kernel.cu\"\n", emitted_text});
  std::vector<std::string> command = compiler.command;
  for (const char* flag : all_flags()) command.emplace_back(flag);
  // The C++ library, of which kernels use nothing, would be half of the time that linking takes.
  for (const std::string& word : {std::string("-nodefaultlibs"), std::string("-o"), object.string(), source.string(),
                                  std::string("-lm"), std::string("-lc")})
    command.push_back(word);
  const int status = run(command, folder.path(), "log");
  const std::string words = shortened(read_file(folder.path() / "log").value_or(""));
  if (status < 0)
    throw Error(ErrorCode::unsupported, "the host compiler was killed", compiler.command[0], "memory and time for it",
                "CPU device");
  if (status != 0 && !compiles_anything(compiler, folder.path()))
    throw Error(ErrorCode::unsupported, does_not_compile, compiler.command[0], accepted_compilers, "CPU device");
  if (status != 0)
    throw Error(ErrorCode::compile_failed,
                "the host compiler refused the kernel (exit status " + std::to_string(status) + "):\n" + words,
                compiler.command[0], {}, "CPU device");
  auto bytes = read_file(object);
  if (!bytes || bytes->empty())
    throw Error(ErrorCode::unsupported,
                "the host compiler left no shared object" +
                    (words.empty() ? "" : " (" + words.substr(0, words.find('\n')) + ")"),
                compiler.command[0], accepted_compilers, "CPU device");
  return std::move(*bytes);
}

}  // namespace rankone
