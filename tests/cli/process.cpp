// SPDX-License-Identifier: MIT
// Runs the real command and keeps what it said.
#include "process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace rankone::test {
namespace {

// An unnamed file: unlike a pipe it never fills up.
class Scratch {
 public:
  explicit Scratch(const std::string& content = {}) {
    char name[] = "/tmp/rankone-test-XXXXXX";
    descriptor_ = mkstemp(name);
    if (descriptor_ < 0) throw std::runtime_error("no temporary file");
    unlink(name);
    if (write(descriptor_, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
      throw std::runtime_error("no room for a temporary file");
    lseek(descriptor_, 0, SEEK_SET);
  }
  ~Scratch() { close(descriptor_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  int descriptor() const { return descriptor_; }
  std::string content() const {
    std::string text;
    char block[4096];
    lseek(descriptor_, 0, SEEK_SET);
    for (ssize_t got; (got = read(descriptor_, block, sizeof block)) > 0;)
      text.append(block, static_cast<std::size_t>(got));
    return text;
  }

 private:
  int descriptor_;
};

}  // namespace

namespace {

pid_t start(const std::vector<std::string>& words, const Scratch& in, const Scratch& out, const Scratch& err,
            const std::vector<Setting>& environment, bool leads_group) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  if (leads_group) setpgid(0, 0);
  dup2(in.descriptor(), 0);
  dup2(out.descriptor(), 1);
  dup2(err.descriptor(), 2);
  for (const Setting& each : environment) setenv(each.name.c_str(), each.value.c_str(), 1);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

Finished finish(pid_t child, const Scratch& out, const Scratch& err) {
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out.content(), err.content()};
}

}  // namespace

Finished run(const std::vector<std::string>& words, const std::string& input, const std::vector<Setting>& environment) {
  const Scratch in(input), out, err;
  return finish(start(words, in, out, err, environment, false), out, err);
}

Finished interrupted(const std::vector<std::string>& words, int signal, int after, bool whole_group,
                     const std::vector<Setting>& environment, int* pid) {
  std::vector<std::string> all = {RANKONE_COMMAND};
  all.insert(all.end(), words.begin(), words.end());
  const Scratch in, out, err;
  const pid_t child = start(all, in, out, err, environment, true);
  setpgid(child, child);  // whichever of the two comes first
  if (pid != nullptr) *pid = child;
  usleep(static_cast<useconds_t>(after) * 1000);
  kill(whole_group ? -child : child, signal);
  return finish(child, out, err);
}

Finished rankone(const std::vector<std::string>& words, const std::string& input,
                 const std::vector<Setting>& environment) {
  std::vector<std::string> all = {RANKONE_COMMAND};
  all.insert(all.end(), words.begin(), words.end());
  return run(all, input, environment);
}

std::vector<std::string> split(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace rankone::test
