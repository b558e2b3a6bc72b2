# drop_run_paths.cmake -- removes run paths from a package's libraries, because they name folders
# of the machine that built them. CPack runs it on the files of the package.
file(GLOB_RECURSE libraries "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*.so")
foreach(library IN LISTS libraries)
  file(RPATH_REMOVE FILE "${library}")
endforeach()
