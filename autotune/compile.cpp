// SPDX-License-Identifier: MIT
// From a declaration to an operator: the choice of a schedule, then the runtime.
#include <rankone/compile.hpp>

#include <rankone/dsl/validate.hpp>

#include "autotune/lookup.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {

Operator compile(const Variant& variant, const CompileOptions& options, const Device& device) {
  validate(variant);  // before anything is looked up in it
  const std::string arch = kernel_arch(options, device);
  return compile_schedule(variant, options, choose_schedule(variant, options, device, arch, std::nullopt), device);
}

Operator compile(const Variant& variant, const CompileOptions& options, const Device& device, const Shape& expected) {
  validate(variant);
  check_shape(expected, variant);
  const std::string arch = kernel_arch(options, device);
  return compile_schedule(variant, options, choose_schedule(variant, options, device, arch, expected), device);
}

}  // namespace rankone
