// SPDX-License-Identifier: MIT
// The kernels' argument struct for those who fill it without this library: each field, its place and what it means.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "codegen/program.hpp"

namespace rankone {

// Bytes and alignment of the whole.
std::size_t argument_bytes(const Program& program);
std::size_t argument_alignment(const Program& program);

struct ArgumentField {
  std::string name;
  std::string type;  // "tensor", "pointer", "int64", "int32", "uint64", "uint32", "float" or "tensor_map"
  int count = 0;     // of an array; 0: a single one
  std::size_t offset = 0, bytes = 0;
  std::string about;         // what it holds in this program; "not read" where it does not matter
  bool may_be_null = false;  // of pointers
  std::string region{};      // of the workspace, that the pointer is the address of; empty: none
};
std::vector<ArgumentField> argument_fields(const Program& program);

// Those of the pass's tensors: their places in `ports`, and the same bit of `vectorized`, `wide` and `mapped`.
struct ArgumentPort {
  std::string name;
  int index;
  std::string about;
  bool may_be_null;  // its data
  // Of what a chain's passes leave each other, which is no tensor of the caller's: where it lies, and its form.
  std::string region{};
  AxisList axes{};
  dtype type = dtype::f32;
};
std::vector<ArgumentPort> argument_ports(const Program& program);

}  // namespace rankone
