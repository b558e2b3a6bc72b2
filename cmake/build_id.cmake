# build_id.cmake -- RT_TORCH_BUILD: a hash of all headers that core and plugin share.
file(GLOB_RECURSE shared_headers CONFIGURE_DEPENDS graph/*.h graph/*.def
     executor/plugin/plugin.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shared_headers})
set(digests ${CMAKE_CXX_COMPILER_ID})
foreach(header IN LISTS shared_headers)
  file(SHA256 ${header} digest)
  string(APPEND digests ${digest})
endforeach()
string(SHA256 RT_TORCH_BUILD ${digests})
