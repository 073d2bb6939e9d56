// SPDX-License-Identifier: MIT
// The whole public interface.
#pragma once

#include <rankone/buffer.hpp>
#include <rankone/check.hpp>
#include <rankone/compare.hpp>
#include <rankone/compile.hpp>
#include <rankone/device.hpp>
#include <rankone/dsl.hpp>
#include <rankone/dtype.hpp>
#include <rankone/error.hpp>
#include <rankone/knobs.hpp>
#include <rankone/operator.hpp>
#include <rankone/options.hpp>
#include <rankone/oracle.hpp>
#include <rankone/safetensors.hpp>
#include <rankone/tensor.hpp>
#include <rankone/tune.hpp>
#include <rankone/variant_json.hpp>
