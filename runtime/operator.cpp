// SPDX-License-Identifier: MIT
// lower -> emit -> compile.
#include <rankone/operator.hpp>

#include <algorithm>
#include <utility>

#include <rankone/error.hpp>

#include "codegen/choose.hpp"
#include "codegen/names.hpp"
#include "codegen/ports.hpp"
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
  Program program = lower(variant, options, chosen.schedule, kernel_arch(options, device));
  program.expected = chosen.expected;
  program.beside = chosen.beside;
  return detail::OperatorAccess::make(std::make_shared<const OperatorImpl>(std::move(program), chosen.origin, device));
}

ChosenSchedule chosen_schedule(const Operator& op) {
  const Program& program = impl_of(op).program();
  return {program.schedule, impl_of(op).origin(), program.expected, program.beside};
}

const detail::OperatorImpl& Operator::impl() const {
  if (impl_ == nullptr)
    throw Error(ErrorCode::invalid_argument, "there are no kernels to call", "an empty operator",
                "one that compile() returned", "Operator");
  return *impl_;
}

void Operator::forward(const ForwardArguments& arguments, void* stream) const {
  const PassKernels& pass = impl().forward();
  pass.launch(pass.bind(pass.checker().forward(arguments)), stream);
}
void Operator::backward(const BackwardArguments& arguments, void* stream) const {
  const PassKernels& pass = impl().backward();
  pass.launch(pass.bind(pass.checker().backward(arguments)), stream);
}
void Operator::prepare_backward() const { (void)impl().backward(); }
void Operator::prepare_states() const {
  (void)impl().states();
  (void)impl().combine();
}
void Operator::states(const ForwardArguments& arguments, const Tensor& log_decay_total, void* stream) const {
  const PassKernels& pass = impl().states();
  pass.launch(pass.bind(pass.checker().states(arguments, log_decay_total)), stream);
}
void Operator::combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier, void* stream) const {
  const PassKernels& pass = impl().combine();
  pass.launch(pass.bind(pass.checker().combine(state, log_decay_total, earlier)), stream);
}

void Operator::prepare_decode() const { (void)impl().decode(); }
void Operator::decode(const DecodeArguments& arguments, void* stream) const {
  const PassKernels& pass = impl().decode();
  pass.launch(pass.bind(pass.checker().decode(arguments)), stream);
}

BoundCall Operator::bind(const ForwardArguments& arguments) const {
  const PassKernels& pass = impl().forward();
  return BoundCall(std::make_shared<const detail::BoundImpl>(impl_, pass, pass.checker().forward(arguments)));
}
BoundCall Operator::bind_backward(const BackwardArguments& arguments) const {
  const PassKernels& pass = impl().backward();
  return BoundCall(std::make_shared<const detail::BoundImpl>(impl_, pass, pass.checker().backward(arguments)));
}
BoundCall Operator::bind_states(const ForwardArguments& arguments, const Tensor& log_decay_total) const {
  const PassKernels& pass = impl().states();
  return BoundCall(
      std::make_shared<const detail::BoundImpl>(impl_, pass, pass.checker().states(arguments, log_decay_total)));
}
BoundCall Operator::bind_combine(const Tensor& state, const Tensor& log_decay_total, const Tensor& earlier) const {
  const PassKernels& pass = impl().combine();
  return BoundCall(
      std::make_shared<const detail::BoundImpl>(impl_, pass, pass.checker().combine(state, log_decay_total, earlier)));
}
BoundCall Operator::bind_decode(const DecodeArguments& arguments) const {
  const PassKernels& pass = impl().decode();
  return BoundCall(std::make_shared<const detail::BoundImpl>(impl_, pass, pass.checker().decode(arguments)));
}
void BoundCall::launch(void* stream) const {
  if (impl_ == nullptr)
    throw Error(ErrorCode::invalid_argument, "there is no call to launch", "an empty BoundCall",
                "one that Operator::bind() returned", "BoundCall");
  impl_->launch(stream);
}
bool Operator::supports(Pass pass) const {
  return std::ranges::find(pass_names, pass, &NamedValue<Pass>::value) != std::end(pass_names) &&
         why_not_admitted(variant(), pass).empty();
}
std::vector<TensorInfo> Operator::tensors(Pass pass) const {
  require_admitted(variant(), pass);
  std::vector<TensorInfo> all;
  for (Port& port : ports(variant(), options(), pass))
    all.push_back({.name = std::move(port.name),
                   .role = std::string(name_in(role_names, port.role)),
                   .axes = names_of(port.axes),
                   .type = port.type,
                   .alignment = std::max(static_cast<std::size_t>(port.alignment), size_of(port.type)),
                   .contiguous = port.contiguous && !port.in_slots,
                   .in_slots = port.in_slots,
                   .writable = port.writable,
                   .updated = port.updated,
                   .optional = port.optional});
  return all;
}
std::size_t Operator::workspace_bytes(const Shape& shape, Pass pass) const {
  require_admitted(variant(), pass);
  return impl().workspace_bytes(shape, pass);
}
std::string Operator::schedule() const { return chosen_schedule(*this).text(); }
std::string Operator::source() const { return impl().text(); }
const Variant& Operator::variant() const { return impl().program().variant; }
const CompileOptions& Operator::options() const { return impl().program().options; }
const Device& Operator::device() const { return impl().device(); }

}  // namespace rankone
