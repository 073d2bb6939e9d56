// SPDX-License-Identifier: MIT
// lower -> emit -> compile.
#include <rankone/operator.hpp>

#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

// "sm_86" runs on "sm_89", but what ends in "a" runs nowhere else.
bool runs_on(std::string_view asked, std::string_view own) {
  if (asked == own) return true;
  const auto chip = [](std::string_view arch) { return arch.ends_with('a') ? arch.substr(0, arch.size() - 1) : arch; };
  const std::string_view a = chip(asked), b = chip(own);
  if (asked.ends_with('a') || a.size() != b.size() || a.size() < 2) return a == b;
  return a.substr(0, a.size() - 1) == b.substr(0, b.size() - 1) && a.back() <= b.back();
}

}  // namespace

std::string kernel_arch(const CompileOptions& options, const Device& device) {
  const std::string own = device.arch();
  if (options.arch.empty()) return arch_limits(own).arch;
  const std::string asked = arch_limits(options.arch).arch;
  if (!device.is_cpu() && !runs_on(asked, own))
    throw Error(ErrorCode::unsupported, "code for this architecture does not run on the device", asked,
                own + ", or none to take the device's own", device.name());
  return asked;
}

Operator compile_schedule(const Variant& variant, const CompileOptions& options, const ChosenSchedule& chosen,
                          const Device& device) {
  check_options(variant, options);
  return detail::OperatorAccess::make(std::make_shared<const OperatorImpl>(
      lower(variant, options, chosen.schedule, kernel_arch(options, device)), chosen.origin, device));
}

ChosenSchedule chosen_schedule(const Operator& op) { return {impl_of(op).program().schedule, impl_of(op).origin()}; }

const OperatorImpl& Operator::impl() const {
  if (impl_ == nullptr)
    throw Error(ErrorCode::invalid_argument, "there are no kernels to call", "an empty operator",
                "one that compile() returned", "Operator");
  return *impl_;
}

void Operator::forward(const ForwardArguments& arguments, void* stream) const { impl().forward(arguments, stream); }
void Operator::prepare_states() const { impl().prepare_states(); }
void Operator::states(const ForwardArguments& arguments, Tensor log_decay_total, void* stream) const {
  impl().states(arguments, log_decay_total, stream);
}
void Operator::combine(Tensor state, Tensor log_decay_total, Tensor earlier, void* stream) const {
  impl().combine(state, log_decay_total, earlier, stream);
}
std::size_t Operator::workspace_bytes(const Shape& shape) const { return impl().workspace_bytes(shape); }
std::string Operator::schedule() const { return chosen_schedule(*this).text(); }
std::string Operator::source() const { return impl().text(); }
const Variant& Operator::variant() const { return impl().program().variant; }
const CompileOptions& Operator::options() const { return impl().program().options; }
const Device& Operator::device() const { return impl().device(); }

}  // namespace rankone
