// SPDX-License-Identifier: MIT
// How far a tensor of one safetensors file is from a tensor of another.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <rankone/compare.hpp>
#include <rankone/error.hpp>
#include <rankone/safetensors.hpp>
#include <rankone/tensor.hpp>

using namespace rankone;

// Holds a copy, aligned for its elements.
struct Loaded {
  std::vector<double> storage;
  Tensor tensor;
};

Loaded load(const std::string& path, const std::string& name) {
  const auto file = SafetensorsFile::open(path);
  const auto* entry = file.find(name);
  if (!entry || !entry->type || entry->shape.size() > max_rank)
    throw Error(ErrorCode::not_found, "no such tensor of numbers", name, "one of at most 5 dimensions", path);
  Loaded loaded{std::vector<double>(entry->bytes / sizeof(double) + 1), {}};
  std::copy_n(file.data(*entry), entry->bytes, reinterpret_cast<std::byte*>(loaded.storage.data()));
  loaded.tensor = Tensor(loaded.storage.data(), *entry->type, entry->shape);
  return loaded;
}

int main(int count, char** words) {
  if (count != 6) {
    std::fprintf(
        stderr,
        "compare: %d words; accepted: FILE TENSOR REFERENCE_FILE TENSOR BOUND, the last a number such as 4e-3\n",
        count - 1);
    return 2;
  }
  try {
    const auto result = load(words[1], words[2]), reference = load(words[3], words[4]);
    if (result.tensor.shape != reference.tensor.shape)
      throw Error(ErrorCode::invalid_argument, "tensors of different shapes",
                  std::string(words[2]) + " and " + words[4], "one shape", words[1]);
    char* end = nullptr;
    const double bound = std::strtod(words[5], &end);
    if (end == words[5] || *end != 0 || !(bound > 0))
      throw Error(ErrorCode::invalid_argument, "not a bound", words[5], "a number above 0, such as 4e-3", "compare");
    const auto comparison = compare(result.tensor, reference.tensor, bound);
    std::printf("relative error of %s to %s: %.1e (bound %.0e)%s\n", words[2], words[4], comparison.relative_error,
                bound, comparison.ok ? "" : "  TOO FAR");
    return comparison.ok ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare: %s\n", error.what());
    return 2;
  }
}
