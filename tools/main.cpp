// SPDX-License-Identifier: MIT
// The `rankone` command: parses, dispatches, and turns every failure into one sentence and an exit code.
#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <string_view>

#include <rankone/error.hpp>

#include "runtime/cache/file_cache.hpp"
#include "runtime/paths.hpp"
#include "tools/arguments.hpp"
#include "tools/commands.hpp"
#include "tools/interrupt.hpp"
#include "tools/json.hpp"
#include "tools/output.hpp"

namespace {

using namespace rankone;

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::check_failed: return exit_check_failed;
    case ErrorCode::compile_failed:  // what is emitted compiles, or Rankone is wrong
    case ErrorCode::launch_failed:
    case ErrorCode::internal: return exit_internal;
    default: return exit_refused;
  }
}

// The default cache folder may fail, and everything still works; one that was asked for has to serve.
void require_named_cache(const Invocation& invocation) {
  const auto builds = {command_compile, command_check, command_run, command_bench, command_tune, command_export};
  if (std::find(builds.begin(), builds.end(), invocation.command) == builds.end()) return;
  if (const auto folder = cache_directory(); folder && folder->origin == "RANKONE_CACHE_DIR")
    FileCache::standard().require_writable();
  FileCache::insist_on_named_folder();
}

// The words themselves, since they may be what failed to parse.
bool json_wanted(int count, char** words) {
  for (int i = 1; i < count; ++i)
    if (std::string_view(words[i]) == "--json") return true;
  return false;
}

int report(const Error& error, bool json) {
  if (json) {
    Json parts = Json::object();
    parts.set("message", error.message());
    parts.set("given", error.given());
    parts.set("accepted", error.accepted());
    parts.set("where", error.where());
    std::cout << dump(Json::object({{"error", parts}})) << std::flush;
  } else {
    std::cerr << (error.where().starts_with("rankone") ? "" : "rankone: ") << error.what() << '\n';
  }
  return exit_code(error.code());
}

}  // namespace

int main(int count, char** words) {
  const bool json = json_wanted(count, words);
  install_interrupt_handler();
  try {
    const Invocation invocation = parse_arguments(count, words);
    if (invocation.command == nullptr) {
      print(invocation.text);
      return exit_done;
    }
    require_named_cache(invocation);
    return invocation.command(invocation.options);
  } catch (const Error& error) {
    return report(error, json);
  } catch (const std::bad_alloc&) {
    return report(Error(ErrorCode::unsupported, "there is not enough memory for this size"), json);
  } catch (const std::exception& error) {
    return report(Error(ErrorCode::internal, error.what()), json);
  }
}
