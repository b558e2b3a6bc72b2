# dependencies.cmake -- what is found on the system; nothing is downloaded.
set(RT_GOOGLETEST_SOURCE "" CACHE PATH "Sources of GoogleTest, for where it is not installed")
set(RT_BENCHMARK_SOURCE "" CACHE PATH "Sources of Google Benchmark, for where it is not installed")
set(rt_missing)

find_package(Threads REQUIRED)

# rt_find_headers(<target> <variable> <header> <name>): an interface library of a folder of headers
# alone. CMAKE_INCLUDE_PATH adds folders to look in.
macro(rt_find_headers target variable header name)
  find_path(${variable} ${header} PATH_SUFFIXES eigen3)
  mark_as_advanced(${variable})
  if(${variable})
    add_library(${target} INTERFACE IMPORTED)
    target_include_directories(${target} INTERFACE ${${variable}})
  else()
    list(APPEND rt_missing "${name}")
  endif()
endmacro()

# A copied folder of headers has no CMake package, which is looked for first: it knows its version.
find_package(Eigen3 3.4 QUIET NO_MODULE)
if(NOT TARGET Eigen3::Eigen)
  rt_find_headers(Eigen3::Eigen EIGEN_INCLUDE_DIR Eigen/Core "Eigen 3.4")
endif()
find_package(nlohmann_json 3 QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  rt_find_headers(nlohmann_json::nlohmann_json NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp
                  "nlohmann_json 3")
endif()
rt_find_headers(xxhash::header XXHASH_INCLUDE_DIR xxhash.h xxHash)
rt_find_headers(minizip::minizip MINIZIP_INCLUDE_DIR minizip/unzip.h minizip)
find_package(ZLIB QUIET)
# The archive where there is one: the library then needs nothing at run time that systems lack.
find_library(MINIZIP_LIBRARY NAMES libminizip.a minizip)
mark_as_advanced(MINIZIP_LIBRARY)
if(MINIZIP_INCLUDE_DIR AND MINIZIP_LIBRARY AND ZLIB_FOUND)
  target_link_libraries(minizip::minizip INTERFACE ${MINIZIP_LIBRARY} ZLIB::ZLIB)
elseif(MINIZIP_INCLUDE_DIR)
  list(APPEND rt_missing "the libraries minizip and zlib")
endif()
# Highway for its headers alone: what would need its library is not used (fallback_cpu/simd.h).
rt_find_headers(hwy::header HWY_INCLUDE_DIR hwy/foreach_target.h Highway)
if(rt_missing)
  list(JOIN rt_missing ", " rt_missing)
  message(FATAL_ERROR "Not found: ${rt_missing}. tools/setup.sh installs them from Debian; "
                      "CMAKE_INCLUDE_PATH names folders of headers, CMAKE_LIBRARY_PATH of libraries")
endif()

find_package(CLI11 QUIET)
if(NOT CLI11_FOUND)
  message(STATUS "CLI11 was not found: rt_graph_dump and rt_mutation are not built "
                 "(see tools/setup.sh)")
endif()

if(RT_OPENMP)
  find_package(OpenMP COMPONENTS CXX)
  if(NOT OpenMP_CXX_FOUND)
    message(STATUS "OpenMP was not found: big loops run on one thread")
  endif()
endif()

# rt_add_source(<folder> <name>): a dependency built with us, of which only what is used is built.
function(rt_add_source folder name)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # lets the settings below count in older projects
  set(INSTALL_GTEST OFF)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_WERROR OFF)
  add_subdirectory(${folder} ${PROJECT_BINARY_DIR}/${name} EXCLUDE_FROM_ALL SYSTEM)
endfunction()

if(RT_TESTS)
  find_package(GTest)
  if(NOT GTest_FOUND AND RT_GOOGLETEST_SOURCE)
    rt_add_source(${RT_GOOGLETEST_SOURCE} googletest)
    set(GTest_FOUND TRUE)
  endif()
  if(NOT GTest_FOUND)
    message(STATUS "GoogleTest was not found: no tests are built (see tools/setup.sh)")
  endif()
endif()
if(RT_BENCH)
  find_package(benchmark)
  if(NOT benchmark_FOUND AND RT_BENCHMARK_SOURCE)
    rt_add_source(${RT_BENCHMARK_SOURCE} benchmark)
    set(benchmark_FOUND TRUE)
  endif()
  if(NOT benchmark_FOUND)
    message(STATUS "Google Benchmark was not found: no benchmarks are built")
  endif()
endif()
