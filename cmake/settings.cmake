# settings.cmake -- language, warnings, sanitizers and output folders of every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# ccache keeps what was compiled before, where it is installed and no other launcher was asked for.
find_program(RT_CCACHE ccache)
mark_as_advanced(RT_CCACHE)
foreach(language C CXX)
  if(RT_CCACHE AND NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
    set(CMAKE_${language}_COMPILER_LAUNCHER ${RT_CCACHE})
  endif()
endforeach()
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

# Results must not depend on fusion, so that no target may contract across ops. No result includes
# errno or floating-point traps, which prevent vectorisation.
add_compile_options(-ffp-contract=off -fno-math-errno -fno-trapping-math)

if(RT_SANITIZE)
  add_compile_options(-fsanitize=${RT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                      -O1 -g1)
  add_link_options(-fsanitize=${RT_SANITIZE})
  # For the small functions of vectors, which take minutes to compile with all checks. All of them
  # are inlined, so that their accesses are checked except those to their own variables.
  set(RT_VECTORS -fno-sanitize=undefined $<$<CXX_COMPILER_ID:GNU>:--param=asan-stack=0>)
endif()

if(RT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link) # coverage of everything that is built
endif()

# Warnings for our own C++. An interface target, so that users of our targets do not inherit them.
add_library(rt_settings INTERFACE)
target_compile_options(
  rt_settings
  INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wnon-virtual-dtor;-Woverloaded-virtual>
    $<$<COMPILE_LANGUAGE:CXX>:-Wimplicit-fallthrough;-Wundef;-Werror=switch;-Werror=return-type>
    # An exported body that the generated header does not declare means a stale header. The two
    # compilers have different names for that warning.
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Werror=missing-declarations>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Werror=missing-prototypes>
    # The tables are variadic macros whose last argument is often left out, as C++20 allows.
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-gnu-zero-variadic-macro-arguments>
    $<$<AND:$<BOOL:${RT_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)

# For shipped libraries: checked calls of the C library, addresses that are bound at load time and
# read-only afterwards, no paths of the build machine. Sanitizers check more, and debuggers need
# the paths.
if(NOT RT_SANITIZE)
  set(shipped $<NOT:$<CONFIG:Debug>>)
  target_compile_options(
    rt_settings
    INTERFACE $<${shipped}:-U_FORTIFY_SOURCE> $<${shipped}:-D_FORTIFY_SOURCE=2>
              $<${shipped}:-ffile-prefix-map=${PROJECT_BINARY_DIR}=build>
              $<${shipped}:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>)
  target_link_options(rt_settings INTERFACE $<${shipped}:LINKER:-z,relro,-z,now>)
  # Code that parses others' bytes checks its stack as well. On the recording path that would cost
  # 20 of 561 instructions a call.
  set(RT_STACK_CHECKS $<${shipped}:-fstack-protector-strong>)
endif()

# C programs that stand for clients: strict C99, in which the header must give no warning.
add_library(rt_c99 INTERFACE)
target_compile_options(rt_c99 INTERFACE -pedantic -Wall -Wextra -Werror)
