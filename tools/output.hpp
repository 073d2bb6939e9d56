// SPDX-License-Identifier: MIT
// Where results, notes and files go.
#pragma once

#include <string>
#include <string_view>

#include "tools/json.hpp"
#include "tools/options.hpp"

namespace rankone {

void print(std::string_view text);                         // to standard output; throws Error(io) when that fails
void note(const Options& options, std::string_view text);  // a line on standard error, unless --quiet
// A document's text, with the version of its fields in front.
std::string document_text(const Json& document);
// The document with --json, else the text for people.
void print_result(const Options& options, const Json& document, const std::string& text);

std::string read_input(const std::string& path);  // "-" is standard input
// "-" is standard output; a file is whole or not there. Devices and pipes are written as they are.
void write_output(const std::string& path, std::string_view bytes);
// Throws where write_output would have to: before long work, not after it.
void require_output(const std::string& path);
// Throws where both are one file, by whatever paths; "-" is standard output or input.
void require_distinct(const std::string& output, const std::string& input, const char* what);

}  // namespace rankone
