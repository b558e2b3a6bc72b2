# libtorch.cmake -- finds libtorch and makes imported targets of the libraries of its CPU side.
#
# find_package(Torch) does not fit: with a libtorch for CUDA it requires the whole CUDA toolkit, of
# which linking needs nothing.
#
# In:  RT_LIBTORCH, or else the environment, build/deps, or the torch of python3
# Out: RT_LIBTORCH_FOUND, RT_LIBTORCH_DIR, RT_LIBTORCH_VERSION; libtorch::c10, libtorch::torch_cpu
set(RT_LIBTORCH "" CACHE PATH "Folder of libtorch, with lib and include; empty: it is searched")

# rt_libtorch_version(<folder> <out>): the version; empty if the folder is not a libtorch.
function(rt_libtorch_version folder out)
  set(${out} "" PARENT_SCOPE)
  if(NOT EXISTS ${folder}/lib/libtorch_cpu.so OR NOT EXISTS ${folder}/lib/libc10.so)
    return()
  endif()
  # Up to 2.9 the second file had the version.
  foreach(header headeronly/version.h version.h)
    if(EXISTS ${folder}/include/torch/${header})
      file(STRINGS ${folder}/include/torch/${header} lines
           REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
      list(TRANSFORM lines REPLACE "^#define TORCH_VERSION_[A-Z]+ +([0-9]+).*" "\\1")
      list(LENGTH lines count)
      if(count EQUAL 3) # major, minor and patch, in the order of every version so far
        list(JOIN lines "." version)
        set(${out} ${version} PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
endfunction()

# rt_python_torch(<out>): the folder of python3's torch, without an import, which takes seconds.
function(rt_python_torch out)
  # From the root: a folder of the working directory named torch would be found as the package.
  execute_process(
    COMMAND
      python3 -c
      "import importlib.util as u; s = u.find_spec('torch'); print(s and s.origin or '', end='')"
    WORKING_DIRECTORY /
    OUTPUT_VARIABLE origin
    ERROR_QUIET RESULT_VARIABLE failed)
  set(${out} "" PARENT_SCOPE)
  if(NOT failed AND origin)
    get_filename_component(folder ${origin} DIRECTORY)
    set(${out} ${folder} PARENT_SCOPE)
  endif()
endfunction()

set(RT_LIBTORCH_FOUND FALSE)
set(RT_LIBTORCH_DIR "")
set(RT_LIBTORCH_VERSION "")

# LIBTORCH and TORCH_HOME are not ours and may mean something else (the second is PyTorch's cache of
# downloads), so that only our own two variables must name a libtorch.
set(rt_libtorch_named "")
if(RT_LIBTORCH)
  set(rt_libtorch_named RT_LIBTORCH)
  set(rt_libtorch_folders ${RT_LIBTORCH})
elseif(NOT "$ENV{RT_TORCH_LIBTORCH}" STREQUAL "")
  set(rt_libtorch_named RT_TORCH_LIBTORCH)
  set(rt_libtorch_folders $ENV{RT_TORCH_LIBTORCH})
else()
  rt_python_torch(rt_libtorch_python)
  set(rt_libtorch_folders $ENV{LIBTORCH} $ENV{TORCH_HOME} ${PROJECT_SOURCE_DIR}/build/deps/torch
                          ${rt_libtorch_python})
endif()
foreach(folder IN LISTS rt_libtorch_folders)
  get_filename_component(folder ${folder} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
  rt_libtorch_version(${folder} RT_LIBTORCH_VERSION)
  if(RT_LIBTORCH_VERSION)
    set(RT_LIBTORCH_FOUND TRUE)
    set(RT_LIBTORCH_DIR ${folder})
    break()
  endif()
endforeach()

if(rt_libtorch_named AND NOT RT_LIBTORCH_FOUND)
  message(FATAL_ERROR "${rt_libtorch_named} names ${rt_libtorch_folders}, which is not a libtorch: "
                      "lib/libtorch_cpu.so, lib/libc10.so and its headers must be there")
endif()
if(NOT RT_LIBTORCH_FOUND)
  message(STATUS "libtorch was not found: only the reference backend is built "
                 "(tools/setup.sh --libtorch gets it, RT_LIBTORCH names one)")
  return()
endif()
message(STATUS "libtorch ${RT_LIBTORCH_VERSION} in ${RT_LIBTORCH_DIR}")

add_library(libtorch::c10 SHARED IMPORTED)
add_library(libtorch::torch_cpu SHARED IMPORTED)
foreach(name c10 torch_cpu)
  # Include folders of an imported target are system folders, which give no warnings.
  set_target_properties(
    libtorch::${name}
    PROPERTIES IMPORTED_LOCATION ${RT_LIBTORCH_DIR}/lib/lib${name}.so
               INTERFACE_INCLUDE_DIRECTORIES
               "${RT_LIBTORCH_DIR}/include;${RT_LIBTORCH_DIR}/include/torch/csrc/api/include")
endforeach()
target_link_libraries(libtorch::torch_cpu INTERFACE libtorch::c10)
# Its macros put the paths of its headers into our objects, which must not name a user's folders.
target_compile_options(libtorch::torch_cpu
                       INTERFACE -fmacro-prefix-map=${RT_LIBTORCH_DIR}/include/=)

# libtorch_cpu.so needs libraries of the CUDA runtime, which lie beside a torch from a wheel. The
# loader finds them by itself, a linker does not. Symbols missing in them are no error of our link.
file(GLOB rt_libtorch_nvidia ${RT_LIBTORCH_DIR}/../nvidia/*/lib)
target_link_options(libtorch::torch_cpu INTERFACE LINKER:--allow-shlib-undefined)
foreach(folder IN ITEMS ${RT_LIBTORCH_DIR}/lib ${rt_libtorch_nvidia})
  get_filename_component(folder ${folder} REALPATH)
  target_link_options(libtorch::torch_cpu INTERFACE LINKER:-rpath-link,${folder})
endforeach()
