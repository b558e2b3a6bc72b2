# install.cmake -- files that `cmake --install` installs, and packages by which builds find them.
include(CMakePackageConfigHelpers)

# The libraries that programs link. Each has a header of its name in frontend_abi, a target
# rt_torch::<name> in the CMake package, and a pkg-config file.
set(RT_LIBRARIES rt_torch spl_torch)

# Paths in a pkg-config file are relative to it, so that an installed tree can be moved.
file(RELATIVE_PATH RT_PREFIX_FROM_PC ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
     ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" RT_PREFIX_FROM_PC ${RT_PREFIX_FROM_PC})

foreach(RT_LIBRARY IN LISTS RT_LIBRARIES)
  install(
    TARGETS ${RT_LIBRARY}
    EXPORT rt_torch
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES frontend_abi/${RT_LIBRARY}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  configure_file(cmake/library.pc.in ${RT_LIBRARY}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${RT_LIBRARY}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
if(TARGET rt_torch_torchscript)
  install(TARGETS rt_torch_torchscript LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

if(TARGET rt_graph_dump)
  install(TARGETS rt_graph_dump RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# The libraries have no public dependencies, so that the list of targets is the whole package.
set(cmake_folder ${CMAKE_INSTALL_LIBDIR}/cmake/rt_torch)
install(EXPORT rt_torch FILE rt_torchConfig.cmake NAMESPACE rt_torch:: DESTINATION ${cmake_folder})
write_basic_package_version_file(rt_torchConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rt_torchConfigVersion.cmake DESTINATION ${cmake_folder})

install(FILES frontend_abi/rt_torch.spl frontend_abi/rt_torch.json
              frontend_abi/rt_torch.schema.json
        DESTINATION ${CMAKE_INSTALL_DATADIR}/rt_torch)
# Pages that refer to installed files alone; the others are for readers of the sources.
set(pages backends debugging eager environment files simple timeline)
list(TRANSFORM pages REPLACE "(.+)" "docs/\\1.md")
install(FILES CHANGELOG.md LICENSE THIRD_PARTY_NOTICES.md frontend_abi/OPS.md ${pages}
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
