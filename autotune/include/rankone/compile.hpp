// SPDX-License-Identifier: MIT
// From a declaration to an operator, under the best schedule that is known.
#pragma once

#include <rankone/operator.hpp>

namespace rankone {

// declare -> lower -> emit -> compile, cached. The schedule is what tuning found for a typical shape, else the default,
// both under what is pinned by `options` or the variant. Never tunes, and throws nothing for tuned data that cannot be
// read. Throws Error; never a fallback in silence. An architecture without its suffix, such as "sm_90", gives the
// portable family alone, since its code has to run on later chips, too: "sm_90a" is up to 3.5 times as fast on an H100
// or H200.
Operator compile(const Variant& variant, const CompileOptions& options, const Device& device);
// The same with a schedule for calls of about this shape: few heads and long sequences, say, want to be split. Calls of
// other shapes run, too. Throws Error if the shape is out of range.
Operator compile(const Variant& variant, const CompileOptions& options, const Device& device, const Shape& expected);

}  // namespace rankone
