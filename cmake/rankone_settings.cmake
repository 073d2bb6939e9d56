# SPDX-License-Identifier: MIT
# Compiler and linker flags for our own targets.
add_library(rankone_settings INTERFACE)
target_compile_features(rankone_settings INTERFACE cxx_std_20)
set_target_properties(rankone_settings PROPERTIES EXPORT_NAME settings)
target_compile_options(rankone_settings INTERFACE -Wall -Wextra -Wpedantic)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False in GCC 12 for std::string's operator+ (https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105651), and in GCC 12
  # and 13 for a std::variant or std::optional that is moved.
  target_compile_options(rankone_settings INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()

if(RANKONE_SANITIZE)
  target_compile_options(rankone_settings INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer
                                                    -fno-sanitize-recover=undefined)
  target_link_options(rankone_settings INTERFACE -fsanitize=address,undefined)
endif()
if(RANKONE_STATIC_RUNTIME)
  # Not libgcc: an exception that leaves std::call_once passes through the C library, and both must unwind by the same one.
  target_link_options(rankone_settings INTERFACE -static-libstdc++)
endif()

# Code that only reads and writes text waits for nothing: with fewer optimizations it compiles in two thirds of the time.
set(rankone_text_options $<$<AND:$<CXX_COMPILER_ID:GNU,Clang>,$<CONFIG:Release>>:-O1>)
