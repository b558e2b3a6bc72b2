# drop_run_paths.cmake -- before a package is made: takes out of its libraries the run paths, which
# name folders of the machine that built them. CPack runs it on the files that it has gathered.
file(GLOB_RECURSE libraries "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*.so")
foreach(library IN LISTS libraries)
  file(RPATH_REMOVE FILE "${library}")
endforeach()
