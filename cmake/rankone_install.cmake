# SPDX-License-Identifier: MIT
# cmake --install, and the package that find_package(rankone CONFIG) reads.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rankone)
foreach(room dsl codegen runtime proof autotune)
  install(DIRECTORY ${room}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
endforeach()

# Two export sets: rankone::dsl must be found where Boost is not.
install(TARGETS rankone_dsl EXPORT rankone-dsl)
install(EXPORT rankone-dsl NAMESPACE rankone:: DESTINATION ${package_dir} FILE rankone-dsl.cmake)
install(TARGETS rankone EXPORT rankone-library)
install(EXPORT rankone-library NAMESPACE rankone:: DESTINATION ${package_dir} FILE rankone-library.cmake)
if(TARGET rankone_cli)
  # A shared library is found beside the command, wherever both are moved.
  set_target_properties(rankone_cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS rankone_cli)
endif()

configure_package_config_file(cmake/rankone-config.cmake.in "${PROJECT_BINARY_DIR}/rankone-config.cmake"
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/rankone-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/rankone-config.cmake" "${PROJECT_BINARY_DIR}/rankone-config-version.cmake"
        DESTINATION ${package_dir})
# The pages as they lie here, so that their links hold.
install(FILES LICENSE README.md CHANGELOG.md CONTRIBUTING.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY bench/results DESTINATION ${CMAKE_INSTALL_DOCDIR}/bench)
