// SPDX-License-Identifier: MIT
// What g++ does to a kernel beside -Og, which leaves members of structures in memory; clang++ refuses the option's name.
#pragma once

#if !defined(__clang__)
#pragma GCC optimize("tree-sra")
#endif
