# settings.cmake -- language, warnings, sanitizers and output folders, for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

# Results must not depend on which ops were fused: no contraction across ops, on any target.
# errno and floating-point traps are not part of any result, and cost vectorisation.
add_compile_options(-ffp-contract=off -fno-math-errno -fno-trapping-math)

if(RT_SANITIZE)
  add_compile_options(-fsanitize=${RT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                      -O1 -g1)
  add_link_options(-fsanitize=${RT_SANITIZE})
  # For the vectors' small functions, which take minutes to compile with all checks and all of which
  # are inlined: what they read and write is checked, unless it is a variable of their own.
  set(RT_VECTORS -fno-sanitize=undefined $<$<CXX_COMPILER_ID:GNU>:--param=asan-stack=0>)
endif()

if(RT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link) # what is run counts, in all that is built
endif()

# Our own C++: warnings. An interface target, so that nothing leaks into what includes us.
add_library(rt_settings INTERFACE)
target_compile_options(
  rt_settings
  INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wnon-virtual-dtor;-Woverloaded-virtual>
    $<$<COMPILE_LANGUAGE:CXX>:-Wimplicit-fallthrough;-Wundef;-Werror=switch;-Werror=return-type>
    # An exported body that its generated header does not declare is a stale header. The two
    # compilers have different names for that warning.
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Werror=missing-declarations>
    # The tables are variadic macros whose last argument is often left out, as C++20 allows.
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Werror=missing-prototypes>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-gnu-zero-variadic-macro-arguments>
    $<$<AND:$<BOOL:${RT_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)

# What is shipped: calls of the C library are checked, addresses are settled when it is loaded and
# read-only from then on, and no path of the machine that it was built on is in it. Sanitizers check
# more, and debuggers want the paths.
if(NOT RT_SANITIZE)
  set(shipped $<NOT:$<CONFIG:Debug>>)
  target_compile_options(
    rt_settings
    INTERFACE $<${shipped}:-U_FORTIFY_SOURCE> $<${shipped}:-D_FORTIFY_SOURCE=2>
              $<${shipped}:-ffile-prefix-map=${PROJECT_BINARY_DIR}=build>
              $<${shipped}:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>)
  target_link_options(rt_settings INTERFACE $<${shipped}:LINKER:-z,relro,-z,now>)
  # What reads the bytes of others checks its stack as well. Where calls are recorded that would cost
  # 20 instructions of 561 a call.
  set(RT_STACK_CHECKS $<${shipped}:-fstack-protector-strong>)
endif()

# C programs that stand for a client: strict C99, and the header must not cost it a warning.
add_library(rt_c99 INTERFACE)
target_compile_options(rt_c99 INTERFACE -pedantic -Wall -Wextra -Werror)
