# SPDX-License-Identifier: MIT
# What the library is built from. CUDA is not here: NVRTC and the driver are loaded at run time.
find_package(Threads REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)

# Boost.Context has switched fibers since 1.61; static, so that a binary runs where Boost is not installed.
set(Boost_USE_STATIC_LIBS ON)
find_package(Boost 1.74 CONFIG REQUIRED COMPONENTS context)

# Headers that only our own sources see: users of the library need neither fmt nor JSON.
add_library(rankone_private INTERFACE)
target_include_directories(rankone_private INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/templates")
target_link_libraries(rankone_private INTERFACE fmt::fmt-header-only nlohmann_json::nlohmann_json)
