// SPDX-License-Identifier: MIT
// The version of the library; CMake and the package read it from here.
#pragma once

#define RANKONE_VERSION "0.1.0"
