# SPDX-License-Identifier: MIT
# rankone_test(NAME SOURCES...): a test program, each of its cases known to ctest as NAME.SUITE.CASE.
# rankone_host_test(NAME SOURCES...): one of the host's code, which runs few kernels or none and needs no GPU;
# RANKONE_TEST_CODE says whether it is built. TARGET NAME tells.
# RANKONE_TEST_COST, set beside either: what a case takes in the whole matrix, in seconds. ctest begins with the longest, so
# that none is left alone at the end; after a first run it knows by itself.
find_package(GTest 1.12 REQUIRED)
include(GoogleTest)

# What all of them are compiled with.
add_library(rankone_test_settings INTERFACE)
target_link_libraries(rankone_test_settings INTERFACE rankone::rankone rankone_settings rankone_private GTest::gtest_main)
target_compile_definitions(rankone_test_settings INTERFACE RANKONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                           RANKONE_BINARY_DIR="${PROJECT_BINARY_DIR}")
# Tests wait for the library and for kernels, not for their own code. Not -O0, though: it compiles no sooner, since it makes
# code for every inline function, and of those that the library has, too, the linker takes the ones that come first.
target_compile_options(rankone_test_settings INTERFACE $<$<CXX_COMPILER_ID:GNU,Clang>:-Og>)

# Nothing may depend on it: a build without a preset, and that of the sanitizers, go without.
if(RANKONE_TEST_PRECOMPILED)
  file(CONFIGURE OUTPUT test_headers.cpp CONTENT "" @ONLY)
  add_library(rankone_test_headers OBJECT "${CMAKE_CURRENT_BINARY_DIR}/test_headers.cpp")
  target_link_libraries(rankone_test_headers PRIVATE rankone_test_settings)
  target_precompile_headers(rankone_test_headers PRIVATE <gtest/gtest.h> <filesystem> <fmt/format.h> <nlohmann/json.hpp>
                            <rankone/rankone.hpp>)
endif()

function(rankone_test name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE rankone_test_settings)
  if(RANKONE_TEST_PRECOMPILED)
    target_precompile_headers(${name} REUSE_FROM rankone_test_headers)
  endif()
  if(NOT RANKONE_TEST_COST)
    set(RANKONE_TEST_COST 0)
  endif()
  # Kernels that tests build and schedules that they tune stay out of the user's folders.
  gtest_discover_tests(
    ${name}
    TEST_PREFIX ${name}.
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${name} TIMEOUT 600 COST "${RANKONE_TEST_COST}"
               ENVIRONMENT "RANKONE_CACHE_DIR=${PROJECT_BINARY_DIR}/test-cache"
               ENVIRONMENT_MODIFICATION "RANKONE_DATA_DIR=set:${PROJECT_BINARY_DIR}/test-data")
endfunction()

function(rankone_host_test)
  if(NOT RANKONE_TEST_CODE STREQUAL "kernels")
    rankone_test(${ARGN})
  endif()
endfunction()
