// SPDX-License-Identifier: MIT
// Makes a context current for a scope, and puts back what was there.
#pragma once

#include "runtime/cuda/driver.hpp"

namespace rankone::cuda {

class CurrentContext {
 public:
  CurrentContext(const Driver& driver, Context context) : driver_(driver) {
    Context current = nullptr;
    check(driver, driver.cuCtxGetCurrent(&current), "cuCtxGetCurrent");
    if (current == context) return;  // the usual case: programs that use the CUDA runtime share the primary context
    check(driver, driver.cuCtxPushCurrent(context), "cuCtxPushCurrent");
    pushed_ = true;
  }
  ~CurrentContext() {
    Context popped = nullptr;
    if (pushed_) driver_.cuCtxPopCurrent(&popped);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const Driver& driver_;
  bool pushed_ = false;
};

}  // namespace rankone::cuda
