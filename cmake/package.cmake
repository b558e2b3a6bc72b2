# package.cmake -- packages that `cpack` makes of an installation: a .deb and a .tar.gz.
string(TOLOWER ${CMAKE_SYSTEM_NAME} system)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_VENDOR "rt_torch developers")
set(CPACK_PACKAGE_CONTACT "rt_torch developers")
set(CPACK_PACKAGE_FILE_NAME
    ${PROJECT_NAME}-${PROJECT_VERSION}-${system}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/drop_run_paths.cmake)

set(CPACK_DEBIAN_PACKAGE_NAME rt-torch)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Calls are recorded and run in batches, by libtorch where it is installed, else
by a backend of its own. Libraries, headers, and files for CMake, pkg-config
and the Simple language.")
# Dependencies come from the linked libraries. No package has the plugin's libtorch: users bring it.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS)
if(RT_LIBTORCH_FOUND)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${RT_LIBTORCH_DIR}/lib)
endif()
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
include(CPack)
