// SPDX-License-Identifier: MIT
// The kernels' argument struct for those who fill it without this library: each field, its place and what it means.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "codegen/program.hpp"

namespace rankone {

struct ArgumentField {
  std::string name;
  std::string type;  // "tensor", "pointer", "int64", "int32", "uint32", "float" or "tensor_map"
  int count = 0;     // of an array; 0: a single one
  std::size_t offset = 0, bytes = 0;
  std::string about;         // what it holds in this program; "not read" where it does not matter
  bool may_be_null = false;  // of pointers, and of tensors their data
};
std::vector<ArgumentField> argument_fields(const Program& program);

// Bits of `flags`, and what each says.
struct ArgumentBit {
  std::string name;
  unsigned bit;
  std::string about;
};
std::vector<ArgumentBit> argument_bits(const Program& program);

}  // namespace rankone
