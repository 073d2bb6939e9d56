// SPDX-License-Identifier: MIT
// On x86-64 some instructions of our own: kernels and the emulator leave the modes of floating point alone, and to save and
// set them, as Boost does, is most of what a switch takes. Elsewhere Boost's.
#include "runtime/cpu/stack_switch.hpp"

#include <cstdint>

#if !defined(__x86_64__)
#include <boost/context/detail/fcontext.hpp>
#endif

namespace rankone {

#if defined(__x86_64__)

// The registers that a called function keeps lie on the stack that is left, below the address to return to.
asm(R"(
  .text
  .p2align 4
  .globl rankone_switch_stack
  .hidden rankone_switch_stack
  .type rankone_switch_stack, @function
rankone_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
  .size rankone_switch_stack, . - rankone_switch_stack
)");

StackContext new_stack(void* top, std::size_t, void (*start)()) {
  constexpr std::uintptr_t alignment = 16;
  constexpr std::ptrdiff_t kept = 6;
  auto* const end = reinterpret_cast<void**>(reinterpret_cast<std::uintptr_t>(top) & ~(alignment - 1));
  void** at = end;
  *--at = nullptr;  // where `start` would return to
  *--at = reinterpret_cast<void*>(start);
  for (std::ptrdiff_t i = 0; i < kept; ++i) *--at = nullptr;
  return at;
}

#else

namespace context = boost::context::detail;

// Who is resumed notes where the other one goes on.
extern "C" void rankone_switch_stack(StackContext* left, StackContext to) {
  const context::transfer_t from = context::jump_fcontext(to, left);
  *static_cast<StackContext*>(from.data) = from.fctx;
}

StackContext new_stack(void* top, std::size_t bytes, void (*start)()) {
  const context::fcontext_t first = context::make_fcontext(top, bytes, [](context::transfer_t from) {
    // The first switch brings what to start, the next one comes from who runs the fiber.
    const context::transfer_t next = context::jump_fcontext(from.fctx, nullptr);
    *static_cast<StackContext*>(next.data) = next.fctx;
    reinterpret_cast<void (*)()>(from.data)();
  });
  return context::jump_fcontext(first, reinterpret_cast<void*>(start)).fctx;
}

#endif

}  // namespace rankone
