// SPDX-License-Identifier: MIT
// The `rankone` command: parses, dispatches, and turns every failure into one sentence and an exit code.
#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include <rankone/error.hpp>

#include "runtime/cache/file_cache.hpp"
#include "runtime/paths.hpp"
#include "tools/arguments.hpp"
#include "tools/commands.hpp"
#include "tools/flags.hpp"
#include "tools/interrupt.hpp"
#include "tools/json.hpp"
#include "tools/output.hpp"
#include "tools/request.hpp"

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

// `where` is for what does not say so itself: the command, as far as it is known.
int report(const Error& error, const std::string& where, bool json) {
  const Error whole(error.code(), error.message(), error.given(), error.accepted(),
                    error.where().empty() ? where : flag_at(error.where()));
  if (json) {
    Json parts = Json::object();
    parts.set("message", whole.message());
    parts.set("given", whole.given());
    parts.set("accepted", whole.accepted());
    parts.set("where", whole.where());
    try {
      print(document_text(Json::object({{"error", parts}})));
      return exit_code(error.code());
    } catch (const Error&) {  // standard output is what failed: the sentence goes where it can be read
    }
  }
  std::cerr << (whole.where().starts_with("rankone") ? "" : "rankone: ") << whole.what() << '\n';
  return exit_code(error.code());
}

}  // namespace

int main(int count, char** words) {
  install_interrupt_handler();
  const bool json = json_wanted(count, words);
  std::string where = "rankone";
  try {
    const Invocation invocation = parse_arguments(count, words);
    if (invocation.command == nullptr) {
      print(json ? document_text(invocation.document) : invocation.text);
      return exit_done;
    }
    where = invocation.where;
    require_words(invocation.options);
    require_named_cache(invocation);
    return invocation.command(invocation.options);
  } catch (const Error& error) {
    return report(error, where, json);
  } catch (const std::bad_alloc&) {
    return report(Error(ErrorCode::unsupported, "there is not enough memory", "sizes that take more than is left",
                        "smaller ones"),
                  where, json);
  } catch (const std::exception& error) {
    return report(Error(ErrorCode::internal, error.what()), where, json);
  }
}
