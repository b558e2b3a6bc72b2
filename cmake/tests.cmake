# tests.cmake -- one program per folder of tests/, and the checks on what is shipped.
include(GoogleTest)

set(CMAKE_UNITY_BUILD OFF) # tests have names in common

add_library(rt_test_settings INTERFACE)
target_include_directories(rt_test_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_link_libraries(rt_test_settings INTERFACE rt_settings GTest::gtest GTest::gmock
                                                 nlohmann_json::nlohmann_json Threads::Threads)
# Tests take longer to build than to run.
if(RT_SANITIZE)
  target_compile_options(rt_test_settings INTERFACE -O0)
else()
  target_compile_options(rt_test_settings INTERFACE $<$<NOT:$<CONFIG:Debug>>:-O1>)
endif()

file(GLOB support_sources CONFIGURE_DEPENDS tests/support/*.cpp)
if(support_sources)
  # Tests look for their data (golden cases) from the root of the sources.
  set_source_files_properties(
    tests/support/source_dir.cpp PROPERTIES COMPILE_DEFINITIONS
                                            RT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_library(rt_test_support STATIC ${support_sources})
  target_include_directories(rt_test_support PRIVATE frontend_abi)
  target_link_libraries(rt_test_support PUBLIC rt_test_settings)
endif()

# rt_add_tests(<folder> <library>...): the folder's *.cpp as rt_test_<folder>, linked with these.
function(rt_add_tests folder)
  file(GLOB sources CONFIGURE_DEPENDS tests/${folder}/*.cpp)
  set(target rt_test_${folder})
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:rt_test_support> rt_test_settings
                                          ${ARGN} GTest::gtest_main ${CMAKE_DL_LIBS})
  # Tests find entry points by name as well, which the linker does not see as a use.
  target_link_options(${target} PRIVATE -Wl,--no-as-needed)
endfunction()

# rt_run_tests(<folder> <label> [<backend>]): registers the folder's tests, to run on that backend.
function(rt_run_tests folder label)
  set(environment "")
  if(ARGN)
    set(environment ENVIRONMENT RT_TORCH_BACKEND=${ARGN})
  endif()
  # Under sanitizers some take minutes: tests of the fuzzer itself, 30,000 steps of a training, and
  # programs so large that their time tells how it grows.
  set(filter *)
  if(RT_SANITIZE)
    set(filter -*.FindsARowThatIsWrong*:FuzzSelf.*:LongTraining.*:Growth.*)
  endif()
  # In one process where it takes longer to start one than to run a test: to read all golden cases,
  # or under sanitizers. Tests that a process may have one of only have programs of their own.
  set(together ops autograd)
  if(RT_SANITIZE)
    list(APPEND together graph executor files fuzz abi)
  endif()
  if(folder IN_LIST together)
    add_test(NAME ${folder} COMMAND rt_test_${folder} --gtest_filter=${filter})
    set_tests_properties(${folder} PROPERTIES TIMEOUT 600 LABELS ${label} ${environment})
    return()
  endif()
  gtest_discover_tests(
    rt_test_${folder}
    TEST_FILTER ${filter}
    TEST_PREFIX ${folder}.
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS ${label} ${environment})
endfunction()

# White box: the archive, whose symbols the library hides. Black box: the library as clients get it.
rt_add_tests(graph rt_core)
rt_add_tests(executor rt_core)
if(RT_SANITIZE)
  # Unoptimised, g++ 12 does not align vectors that are passed by value.
  set_source_files_properties(tests/executor/simd_math_test.cpp PROPERTIES COMPILE_OPTIONS
                                                                           "${RT_VECTORS};-O1")
endif()
rt_add_tests(files rt_files)
target_sources(rt_test_files PRIVATE tests/fuzz_files/readers.cpp)
rt_add_tests(ops rt_torch)
rt_add_tests(abi rt_torch)
# Both: programs are made from the table, and run as batches and through the library.
rt_add_tests(fuzz rt_core rt_torch)
# The table's samples as calls of the library.
rt_add_tests(autograd rt_core rt_torch)
rt_run_tests(graph core)
rt_run_tests(executor core)
rt_run_tests(files core)
rt_run_tests(fuzz core reference)
rt_run_tests(ops core reference)
rt_run_tests(abi core reference)
rt_run_tests(autograd core reference)
if(RT_LIBTORCH_FOUND)
  # The plugin's own sources, with their torch headers, beside the core.
  rt_add_tests(torchscript rt_core rt_torchscript)
  set_target_properties(rt_test_torchscript PROPERTIES UNITY_BUILD ON)  # see rt_torchscript
  # Its own list, since CMake warns of two folders with a libgomp in the one it would make.
  set_target_properties(rt_test_torchscript PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH
                                                                              ${RT_LIBTORCH_DIR}/lib)
  # These in one process each: loading libtorch takes longer than all of their tests.
  foreach(folder torchscript abi ops autograd)
    add_test(NAME libtorch.${folder} COMMAND rt_test_${folder})
    set_tests_properties(libtorch.${folder} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                                       RT_TORCH_BACKEND=libtorch)
  endforeach()
  add_test(NAME libtorch.ops_compiled_at_once COMMAND rt_test_ops)
  set_tests_properties(
    libtorch.ops_compiled_at_once
    PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
               "RT_TORCH_BACKEND=libtorch;RT_TORCH_COMPILE_AFTER=0")
  add_test(NAME libtorch.ops_not_fused COMMAND rt_test_ops)
  set_tests_properties(libtorch.ops_not_fused
                       PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                  "RT_TORCH_BACKEND=libtorch;RT_TORCH_FUSE=0")
  # Likewise, and without the tests of the fuzzer itself.
  add_test(NAME libtorch.fuzz COMMAND rt_test_fuzz --gtest_filter=Seeds/*)
  set_tests_properties(libtorch.fuzz PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                                RT_TORCH_BACKEND=libtorch)
endif()

# Steps that write over their parameters, on a thread beside the client's.
set(name autograd.async)
add_test(NAME ${name} COMMAND rt_test_autograd --gtest_filter=*StepMemory*)
set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS core ENVIRONMENT
                                        "RT_TORCH_BACKEND=reference;RT_TORCH_ASYNC=1")
if(RT_LIBTORCH_FOUND)
  add_test(NAME libtorch.${name} COMMAND rt_test_autograd --gtest_filter=*StepMemory*)
  set_tests_properties(libtorch.${name} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                                   "RT_TORCH_BACKEND=libtorch;RT_TORCH_ASYNC=1")
endif()

# rt_run_ops_on(<ours> <libtorch's> <oneDNN's> <MKL's>): the golden cases as on a processor that has
# no more than these instructions.
function(rt_run_ops_on simd aten onednn mkl)
  set(instructions RT_TORCH_SIMD=${simd} ATEN_CPU_CAPABILITY=${aten} ONEDNN_MAX_CPU_ISA=${onednn}
                   MKL_ENABLE_INSTRUCTIONS=${mkl})
  add_test(NAME ops_on_${simd} COMMAND rt_test_ops)
  set_tests_properties(ops_on_${simd} PROPERTIES TIMEOUT 300 LABELS core ENVIRONMENT
                                                 "RT_TORCH_BACKEND=reference;${instructions}")
  if(RT_LIBTORCH_FOUND)
    # Ours and libtorch's kernels, then libtorch's alone, which may be the same for several of ours.
    set(name libtorch.ops_on_${simd})
    set(name_alone libtorch.ops_not_fused_on_${aten}_${onednn})
    add_test(NAME ${name} COMMAND rt_test_ops)
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                            "RT_TORCH_BACKEND=libtorch;${instructions}")
    if(NOT TEST ${name_alone})
      add_test(NAME ${name_alone} COMMAND rt_test_ops)
      set_tests_properties(
        ${name_alone} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                 "RT_TORCH_BACKEND=libtorch;RT_TORCH_FUSE=0;${instructions}")
    endif()
  endif()
endfunction()
# What the processor has beyond these is tested above.
if(NOT RT_SANITIZE AND EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo flags REGEX "^flags.* sse4_2 " LIMIT_COUNT 1)
  if(flags)
    rt_run_ops_on(baseline default SSE41 SSE4_2)
  endif()
  if(flags MATCHES " avx2 ")
    rt_run_ops_on(sse4 default SSE41 SSE4_2)
  endif()
  if(flags MATCHES " avx512bw ")
    rt_run_ops_on(avx2 avx2 AVX2 AVX2)
  endif()
endif()

# The batch explorer, where there is a browser.
find_program(RT_CHROMIUM NAMES chromium chromium-browser google-chrome)
mark_as_advanced(RT_CHROMIUM)
if(RT_CHROMIUM AND NOT RT_SANITIZE)
  rt_add_tests(page rt_graph)
  target_compile_definitions(rt_test_page PRIVATE RT_CHROMIUM="${RT_CHROMIUM}")
  rt_run_tests(page shipped)
elseif(NOT RT_CHROMIUM)
  message(STATUS "Chromium was not found: the pages are not tested (see tools/setup.sh)")
endif()

# The dump tool, run on the dumps of a program, and its parts on damaged ones.
if(TARGET rt_graph_dump)
  add_executable(rt_dump_client tests/tools/client.c)
  target_link_libraries(rt_dump_client PRIVATE rt_torch rt_c99)
  rt_add_tests(tools rt_dump_tool)
  add_dependencies(rt_test_tools rt_graph_dump rt_dump_client rt_test_ops)
  target_compile_definitions(
    rt_test_tools
    PRIVATE RT_TEST_TOOL="$<TARGET_FILE:rt_graph_dump>" RT_TEST_SUITE="$<TARGET_FILE:rt_test_ops>"
            RT_TEST_CLIENT="$<TARGET_FILE:rt_dump_client>")
  gtest_discover_tests(
    rt_test_tools
    TEST_FILTER -*.Libtorch*
    TEST_PREFIX tools.
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS core)
  if(RT_LIBTORCH_FOUND)
    gtest_discover_tests(
      rt_test_tools
      TEST_FILTER *.Libtorch*
      TEST_PREFIX libtorch.tools.
      DISCOVERY_MODE PRE_TEST
      DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 300 LABELS libtorch)
  endif()
endif()

# Likewise, one process each: one ends with batches under way, one begins with many first calls.
foreach(name overlap waiting)
  add_executable(rt_test_${name} tests/overlap/${name}_test.cpp)
  target_link_libraries(rt_test_${name} PRIVATE rt_test_settings rt_torch)
  add_test(NAME ${name} COMMAND rt_test_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS core ENVIRONMENT
                                          RT_TORCH_BACKEND=reference)
  if(RT_LIBTORCH_FOUND)
    add_test(NAME libtorch.${name} COMMAND rt_test_${name})
    set_tests_properties(libtorch.${name} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                                     RT_TORCH_BACKEND=libtorch)
  endif()
endforeach()
target_link_libraries(rt_test_waiting PRIVATE GTest::gtest_main)

# How long calls hold the engine's lock. Each test is some programs, which are processes of their own;
# the machine's load does not count.
if(NOT RT_SANITIZE)
  add_executable(rt_test_holds tests/overlap/holds_test.cpp)
  target_link_libraries(rt_test_holds PRIVATE rt_test_settings rt_torch GTest::gtest_main)
  target_compile_definitions(
    rt_test_holds
    PRIVATE RT_TEST_OPS="$<TARGET_FILE:rt_test_ops>" RT_TEST_ABI="$<TARGET_FILE:rt_test_abi>"
            RT_TEST_AUTOGRAD="$<TARGET_FILE:rt_test_autograd>")
  add_dependencies(rt_test_holds rt_test_ops rt_test_abi rt_test_autograd)
  add_test(NAME holds COMMAND rt_test_holds)
  set_tests_properties(holds PROPERTIES TIMEOUT 600 LABELS core ENVIRONMENT
                                        RT_TORCH_BACKEND=reference)
  if(RT_LIBTORCH_FOUND)
    # The suite takes minutes there, and the lock is the same.
    add_test(NAME libtorch.holds COMMAND rt_test_holds --gtest_filter=-*.TheSuite)
    set_tests_properties(libtorch.holds PROPERTIES TIMEOUT 600 LABELS libtorch ENVIRONMENT
                                                   RT_TORCH_BACKEND=libtorch)
  endif()
endif()

# Allocations that fail, in turn: malloc's kin are the program's own, which sanitizers have, too. On
# both backends, with batches that run on the client's thread and on one of their own.
if(NOT RT_SANITIZE)
  add_executable(rt_test_memory tests/memory/failing_malloc.cpp tests/memory/out_of_memory_test.cpp)
  target_link_libraries(rt_test_memory PRIVATE rt_test_settings rt_torch GTest::gtest_main)
  foreach(async 0 1)
    set(name memory.async_${async})
    set(settings "RT_TORCH_ASYNC=${async};RT_TORCH_THREADS=1")
    add_test(NAME ${name} COMMAND rt_test_memory)
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS core ENVIRONMENT
                                            "RT_TORCH_BACKEND=reference;${settings}")
    if(RT_LIBTORCH_FOUND)
      add_test(NAME libtorch.${name} COMMAND rt_test_memory)
      set_tests_properties(libtorch.${name} PROPERTIES TIMEOUT 600 LABELS libtorch ENVIRONMENT
                                                       "RT_TORCH_BACKEND=libtorch;${settings}")
    endif()
  endforeach()
endif()

# rt_mutation: the golden cases against a core whose rows are changed one by one. The linker puts
# the tool between the core and these functions; the core knows nothing of it.
if(CLI11_FOUND AND NOT RT_SANITIZE)
  set(rt_infer _ZN2rt5inferERNS_4ArgsESt4spanIKNS_10TensorTypeELm18446744073709551615EE)
  set(rt_infer_alike _ZNK2rt5Graph11infer_alikeERNS_4ArgsE)
  set(rt_make_backend _ZN2rt22make_reference_backendERNS_11MemoryCountEiNS_13OptimizationsE)
  file(GLOB mutation_sources CONFIGURE_DEPENDS tests/mutation/*.cpp)
  add_executable(rt_mutation ${mutation_sources} $<TARGET_OBJECTS:rt_torch>)
  # The library's own objects, whose calls are found by name.
  set_target_properties(rt_mutation PROPERTIES ENABLE_EXPORTS ON)
  target_compile_definitions(
    rt_mutation PRIVATE RT_INFER="${rt_infer}" RT_INFER_ALIKE="${rt_infer_alike}"
                        RT_MAKE_BACKEND="${rt_make_backend}")
  target_link_libraries(rt_mutation PRIVATE rt_test_support rt_frontend CLI11::CLI11)
  foreach(wrapped ${rt_infer} ${rt_infer_alike} ${rt_make_backend})
    target_link_options(rt_mutation PRIVATE -Wl,--wrap=${wrapped})
  endforeach()
  add_test(NAME mutation.sample COMMAND rt_mutation --sample 60 --seed 1)
  add_test(NAME mutation.tells_what_survives COMMAND rt_mutation --cases relu/f32 --row relu --kind
                                                     element)
  set_tests_properties(mutation.sample mutation.tells_what_survives PROPERTIES TIMEOUT 300 LABELS
                                                                               core)
  set_tests_properties(
    mutation.tells_what_survives
    PROPERTIES PASS_REGULAR_EXPRESSION
               "noticed relu element:f32.*SURVIVED, for no case comes by, relu element:f64")
endif()

# On demand: random calls and threads for as long as asked for. Here both run for a moment only.
if(CLI11_FOUND)
  foreach(name random_calls stress)
    add_executable(rt_${name} tests/stress/${name}.cpp)
    target_include_directories(rt_${name} PRIVATE frontend_abi)
    target_link_libraries(rt_${name} PRIVATE rt_test_support rt_torch CLI11::CLI11 ${CMAKE_DL_LIBS})
  endforeach()
  # rt_random_calls finds the calls by name, which the linker does not see as a use.
  target_link_options(rt_random_calls PRIVATE -Wl,--no-as-needed)
  foreach(backend reference libtorch)
    if(backend STREQUAL libtorch AND NOT RT_LIBTORCH_FOUND)
      continue()
    endif()
    set(label core)
    if(backend STREQUAL libtorch)
      set(label libtorch)
    endif()
    set(stress stress.${backend}.scenes)
    add_test(NAME stress.${backend}.scenes COMMAND rt_stress --seconds 3)
    # It bounds its memory, which the sanitizers need more of, and end the process without.
    if(NOT RT_SANITIZE)
      list(APPEND stress stress.${backend}.random_calls)
      add_test(NAME stress.${backend}.random_calls COMMAND rt_random_calls --calls 200000 --threads
                                                           2)
    endif()
    set_tests_properties(${stress} PROPERTIES TIMEOUT 300 LABELS ${label} ENVIRONMENT
                                              RT_TORCH_BACKEND=${backend})
  endforeach()
endif()

file(GLOB c_sources CONFIGURE_DEPENDS tests/abi/*.c)
foreach(source IN LISTS c_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(rt_test_${name} ${source})
  target_link_libraries(rt_test_${name} PRIVATE rt_torch rt_c99 Threads::Threads m)
  add_test(NAME abi.c99.${name} COMMAND rt_test_${name})
  set_tests_properties(abi.c99.${name} PROPERTIES TIMEOUT 120 LABELS core)
endforeach()

# What the environment asks for, seen from outside.
add_test(NAME abi.leaks_are_reported_when_asked COMMAND rt_test_leak)
set_tests_properties(
  abi.leaks_are_reported_when_asked
  PROPERTIES ENVIRONMENT RT_TORCH_DEBUG=1 TIMEOUT 60 LABELS core PASS_REGULAR_EXPRESSION
             "1 handles were never freed.*f32.2,3. .kept. made at leak.spl:9")
add_test(NAME abi.each_step_is_told_when_asked COMMAND rt_test_leak)
set_tests_properties(
  abi.each_step_is_told_when_asked
  PROPERTIES ENVIRONMENT RT_TORCH_DEBUG=4 TIMEOUT 60 LABELS core PASS_REGULAR_EXPRESSION
             "rt_torch: %0: f32.2,3. = full.fill_value=<[0-9.]+>.  [0-9]+ ns")
add_test(NAME abi.a_miss_is_explained_when_asked COMMAND rt_test_misses)
set_tests_properties(
  abi.a_miss_is_explained_when_asked
  PROPERTIES
    ENVIRONMENT RT_TORCH_DEBUG=2 TIMEOUT 60 LABELS core PASS_REGULAR_EXPRESSION
    "nearest .* is [0-9a-f]+ .A., seen 1 time\n.*1. step 2: dim=1 in A, dim=0 in B\n.*\"probs\" at misses.spl:4"
)
add_test(NAME abi.no_output_unless_asked COMMAND rt_test_leak)
set_tests_properties(abi.no_output_unless_asked PROPERTIES TIMEOUT 60 LABELS core
                                                           FAIL_REGULAR_EXPRESSION ".")
add_test(NAME abi.a_wrong_variable_is_an_error_of_the_first_call COMMAND rt_test_leak)
set_tests_properties(
  abi.a_wrong_variable_is_an_error_of_the_first_call
  PROPERTIES ENVIRONMENT RT_TORCH_POLICY=lazy TIMEOUT 60 LABELS core PASS_REGULAR_EXPRESSION
             "RT_TORCH_POLICY.*lazy.*observe")
add_test(NAME abi.the_cuda_fallback_is_told_once COMMAND rt_test_fallback)
set_tests_properties(
  abi.the_cuda_fallback_is_told_once
  PROPERTIES ENVIRONMENT RT_TORCH_DEBUG=1 TIMEOUT 60 LABELS core FAIL_REGULAR_EXPRESSION
             "CPU is used.*CPU is used")

# rt_unchecked(<name> <variable> <property> <value>...): a program that checks nothing.
function(rt_unchecked name variable)
  add_test(NAME abi.unchecked.${name} COMMAND rt_test_unchecked)
  set_tests_properties(abi.unchecked.${name} PROPERTIES ENVIRONMENT "${variable}" TIMEOUT 60
                                                        LABELS core ${ARGN})
endfunction()
set(told "error at unchecked.spl:3: rt_torch_torchtensor_matmul.self=#")
set(told_batch "error: rt_torch_torchtensor_index_select.* at unchecked.spl:5: ")
rt_unchecked(prints_nothing RT_TORCH_ON_ERROR= FAIL_REGULAR_EXPRESSION ".")
rt_unchecked(prints_causes RT_TORCH_ON_ERROR=print PASS_REGULAR_EXPRESSION
             "${told}.*\nrt_torch: ${told_batch}[^\n]*\n$")
rt_unchecked(prints_causes_once RT_TORCH_ON_ERROR=print FAIL_REGULAR_EXPRESSION
             "unchecked.spl:[4678]")
rt_unchecked(prints_each_failed_call RT_TORCH_DEBUG=1 PASS_REGULAR_EXPRESSION
             "${told}.*spl:4: rt_torch_torchtensor_relu.*${told_batch}.*spl:8: rt_torch_torchtensor_sum.self=#")
add_test(NAME abi.unchecked.aborts COMMAND sh -c "$<TARGET_FILE:rt_test_unchecked>; echo rc $?")
set_tests_properties(
  abi.unchecked.aborts PROPERTIES ENVIRONMENT RT_TORCH_ON_ERROR=abort TIMEOUT 60 LABELS core
                                  PASS_REGULAR_EXPRESSION "${told}[^\n]*\n.*rc 134")
add_test(NAME abi.the_first_error_is_told COMMAND first)
set_tests_properties(
  abi.the_first_error_is_told PROPERTIES ENVIRONMENT RT_TORCH_POLICY=lazy TIMEOUT 60 LABELS core
                                         PASS_REGULAR_EXPRESSION
                                         "RT_TORCH_POLICY is 'lazy'; allowed is observe")

# Against PyTorch itself, where a python has it: the one that `tools/setup.sh --python-torch` made,
# the one that the found libtorch belongs to, or the one that comes first.
set(python_torch ${PROJECT_SOURCE_DIR}/build/deps/python/bin/python3)
if(NOT EXISTS ${python_torch})
  find_program(RT_TORCH_PYTHON NAMES python3 PATHS ${RT_LIBTORCH_DIR}/../../../../bin
               NO_DEFAULT_PATH)
  find_program(RT_TORCH_PYTHON NAMES python3)
  mark_as_advanced(RT_TORCH_PYTHON)
  set(python_torch ${RT_TORCH_PYTHON})
elseif(NOT RT_SANITIZE)
  add_test(NAME ops.golden_cases_are_what_pytorch_computes
           COMMAND ${python_torch} ${PROJECT_SOURCE_DIR}/tests/golden/make_golden.py --check)
  set_tests_properties(ops.golden_cases_are_what_pytorch_computes PROPERTIES TIMEOUT 300 LABELS
                                                                             shipped)
endif()
if(python_torch AND NOT RT_SANITIZE)
  add_test(NAME files.against_torch
           COMMAND ${python_torch} ${PROJECT_SOURCE_DIR}/tests/files/against_torch.py
                   $<TARGET_FILE:rt_torch>)
  set_tests_properties(files.against_torch PROPERTIES TIMEOUT 300 LABELS libtorch
                                                      SKIP_RETURN_CODE 77)
endif()

add_test(NAME abi.generated_files_are_current
         COMMAND ${CMAKE_COMMAND} -DABI_GEN=$<TARGET_FILE:abi_gen>
                 -DFOLDER=${PROJECT_SOURCE_DIR}/frontend_abi "-DGENERATED=${RT_GENERATED}"
                 -P ${PROJECT_SOURCE_DIR}/cmake/check_generated.cmake)
set_tests_properties(abi.generated_files_are_current PROPERTIES TIMEOUT 120 LABELS shipped)

# rt_check_exports(<library> <flavor>): it exports its header and the list.
function(rt_check_exports library flavor)
  add_test(NAME abi.exports_are_the_list.${flavor}
           COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DLIBRARY=$<TARGET_FILE:${library}>
                   -DHEADER=${PROJECT_SOURCE_DIR}/frontend_abi/${library}.h
                   -DLIST=${PROJECT_SOURCE_DIR}/tests/abi/symbols.tsv -DFLAVOR=${flavor}
                   -P ${PROJECT_SOURCE_DIR}/cmake/check_exports.cmake)
  set_tests_properties(abi.exports_are_the_list.${flavor} PROPERTIES TIMEOUT 120 LABELS shipped)
endfunction()
rt_check_exports(rt_torch c)
rt_check_exports(spl_torch spl)

# The Simple flavor, opened at run time by two hosts: one exports the Simple runtime's functions,
# one exports nothing. Both run all of the tests.
file(GLOB spl_sources CONFIGURE_DEPENDS tests/spl/*.cpp)
add_library(rt_test_spl OBJECT ${spl_sources})
target_include_directories(rt_test_spl PRIVATE frontend_abi)
target_compile_definitions(rt_test_spl PRIVATE RT_TEST_SPL_LIBRARY="$<TARGET_FILE:spl_torch>"
                                               RT_TEST_C_LIBRARY="$<TARGET_FILE:rt_torch>")
target_link_libraries(rt_test_spl PUBLIC rt_test_support GTest::gtest_main ${CMAKE_DL_LIBS})
foreach(host exporting silent)
  add_executable(rt_test_spl_${host} tests/spl/hosts/${host}.cpp)
  target_include_directories(rt_test_spl_${host} PRIVATE frontend_abi)
  target_link_libraries(rt_test_spl_${host} PRIVATE rt_test_spl)
  add_dependencies(rt_test_spl_${host} rt_torch spl_torch)
  rt_run_tests(spl_${host} core reference)
  if(RT_LIBTORCH_FOUND)
    add_test(NAME libtorch.spl_${host} COMMAND rt_test_spl_${host})
    set_tests_properties(
      libtorch.spl_${host}
      PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                 "RT_TORCH_BACKEND=libtorch;RT_TORCH_THREADS=1")
  endif()
endforeach()
set_target_properties(rt_test_spl_exporting PROPERTIES ENABLE_EXPORTS ON)

# A third host passes its lists as tagged words, and has tests of its own.
add_executable(rt_test_spl_tagged tests/spl/hosts/tagged.cpp tests/spl/hosts/silent.cpp)
target_include_directories(rt_test_spl_tagged PRIVATE frontend_abi)
target_compile_definitions(rt_test_spl_tagged
                           PRIVATE RT_TEST_SPL_LIBRARY="$<TARGET_FILE:spl_torch>")
target_link_libraries(rt_test_spl_tagged PRIVATE rt_test_support GTest::gtest_main
                                                 ${CMAKE_DL_LIBS})
add_dependencies(rt_test_spl_tagged spl_torch)
set_target_properties(rt_test_spl_tagged PROPERTIES ENABLE_EXPORTS ON)
rt_run_tests(spl_tagged core reference)

add_executable(rt_test_spl_linked tests/spl/hosts/linked.c)
target_link_libraries(rt_test_spl_linked PRIVATE spl_torch rt_c99)
add_test(NAME abi.c99.spl_linked COMMAND rt_test_spl_linked)
set_tests_properties(
  abi.c99.spl_linked PROPERTIES TIMEOUT 120 LABELS core PASS_REGULAR_EXPRESSION
                                "^2x3 ones, sum 6, error \"\"\n$")

# Simple's programs, checked and run by a script that knows enough of the language for them.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND NOT RT_SANITIZE)
  set(run_example ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/simple/run_example.py
                  ${PROJECT_SOURCE_DIR}/frontend_abi/rt_torch.spl)
  file(GLOB simple_examples CONFIGURE_DEPENDS examples/simple/*.spl)
  foreach(source IN LISTS simple_examples)
    get_filename_component(name ${source} NAME_WE)
    add_test(NAME examples.simple.${name} COMMAND ${run_example} ${source} $<TARGET_FILE:rt_torch>
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(
      examples.simple.${name} PROPERTIES TIMEOUT 120 LABELS shipped ENVIRONMENT
                                         "RT_TORCH_BACKEND=reference;RT_TORCH_THREADS=1")
  endforeach()
  add_test(NAME examples.simple.mistakes_are_noticed
           COMMAND ${run_example} ${PROJECT_SOURCE_DIR}/tests/simple/wrong.spl)
  set_tests_properties(
    examples.simple.mistakes_are_noticed
    PROPERTIES TIMEOUT 60 LABELS shipped PASS_REGULAR_EXPRESSION
               "mul is not declared as in.*relu takes 1 .*exp is not declared.*tanh is declared and")
endif()

# As users get it: installed and packed, and programs built against that.
if(NOT RT_SANITIZE)
  list(JOIN RT_LIBRARIES " " libraries)
  set(environment
      BUILD=${PROJECT_BINARY_DIR} CMAKE=${CMAKE_COMMAND} CPACK=${CMAKE_CPACK_COMMAND}
      CC=${CMAKE_C_COMPILER} CONFIG=${CMAKE_BUILD_TYPE} VERSION=${PROJECT_VERSION}
      LIBRARIES=${libraries} LIBTORCH=${RT_LIBTORCH_DIR} TOOL=$<TARGET_NAME_IF_EXISTS:rt_graph_dump>
      BINDIR=${CMAKE_INSTALL_BINDIR} LIBDIR=${CMAKE_INSTALL_LIBDIR}
      INCLUDEDIR=${CMAKE_INSTALL_INCLUDEDIR} DATADIR=${CMAKE_INSTALL_DATADIR}
      DOCDIR=${CMAKE_INSTALL_DOCDIR})
  foreach(scenario find_package pkg_config compiler_alone without_plugin tarball deb)
    add_test(NAME install.${scenario}
             COMMAND ${PROJECT_SOURCE_DIR}/tests/install/install_test.sh ${scenario})
    set_tests_properties(
      install.${scenario} PROPERTIES TIMEOUT 300 LABELS shipped SKIP_RETURN_CODE 77 ENVIRONMENT
                                                                        "${environment}")
  endforeach()
endif()

# Loading and forking, each scenario in a process of its own: two programs that open the library at
# run time, the test that arranges folders for them, and what may lie in such a folder.
if(NOT RT_SANITIZE)
  add_executable(rt_loading_host tests/loading/host.cpp)
  add_executable(rt_fork_host tests/loading/fork_host.cpp)
  foreach(host rt_loading_host rt_fork_host)
    target_include_directories(${host} PRIVATE ${PROJECT_SOURCE_DIR} frontend_abi)
    target_link_libraries(${host} PRIVATE rt_settings Threads::Threads ${CMAKE_DL_LIBS})
    add_dependencies(${host} rt_torch)
  endforeach()
  add_library(rt_fake_plugin MODULE tests/loading/fake_plugin.cpp)
  target_link_libraries(rt_fake_plugin PRIVATE rt_settings)
  target_include_directories(rt_fake_plugin PRIVATE ${PROJECT_SOURCE_DIR})
  add_library(rt_marker MODULE tests/loading/marker.c)
  target_link_libraries(rt_marker PRIVATE rt_c99)
  add_executable(rt_test_loading tests/loading/fork_test.cpp tests/loading/loading_test.cpp
                                 tests/loading/trace_test.cpp)
  target_link_libraries(rt_test_loading PRIVATE rt_test_settings GTest::gtest_main)
  add_dependencies(rt_test_loading rt_torch rt_loading_host rt_fork_host rt_fake_plugin rt_marker)
  target_compile_definitions(
    rt_test_loading
    PRIVATE RT_TEST_LIBRARY="$<TARGET_FILE:rt_torch>" RT_TEST_HOST="$<TARGET_FILE:rt_loading_host>"
            RT_TEST_FORK_HOST="$<TARGET_FILE:rt_fork_host>"
            RT_TEST_FAKE_PLUGIN="$<TARGET_FILE:rt_fake_plugin>"
            RT_TEST_MARKER_LIBRARY="$<TARGET_FILE:rt_marker>")
  if(RT_LIBTORCH_FOUND)
    foreach(name rt_fake_libtorch rt_silent_libtorch)
      add_library(${name} MODULE tests/loading/fake_libtorch.c)
      target_link_libraries(${name} PRIVATE rt_c99)
      target_link_options(${name} PRIVATE -Wl,-soname,libtorch_cpu.so)
    endforeach()
    target_compile_definitions(rt_fake_libtorch PRIVATE FAKE_VERSION)
    # The plugin itself, as another build makes it.
    add_library(rt_other_plugin MODULE executor/torchscript/plugin.cpp)
    target_compile_definitions(rt_other_plugin PRIVATE RT_TORCH_BUILD="another build")
    target_link_libraries(rt_other_plugin PRIVATE rt_torchscript)
    target_link_options(rt_other_plugin PRIVATE -Wl,-Bsymbolic -Wl,-z,nodelete -Wl,--exclude-libs,ALL)
    add_dependencies(rt_test_loading rt_fake_libtorch rt_silent_libtorch rt_other_plugin)
    target_compile_definitions(
      rt_test_loading
      PRIVATE RT_TEST_LIBTORCH="${RT_LIBTORCH_DIR}" RT_TEST_LIBTORCH_VERSION="${RT_LIBTORCH_VERSION}"
              RT_TEST_PLUGIN="$<TARGET_FILE:rt_torch_torchscript>"
              RT_TEST_OTHER_PLUGIN="$<TARGET_FILE:rt_other_plugin>"
              RT_TEST_FAKE_LIBTORCH="$<TARGET_FILE:rt_fake_libtorch>"
              RT_TEST_SILENT_LIBTORCH="$<TARGET_FILE:rt_silent_libtorch>")
    gtest_discover_tests(
      rt_test_loading
      TEST_FILTER *Libtorch*
      TEST_PREFIX libtorch.loading.
      DISCOVERY_MODE PRE_TEST
      DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 300 LABELS libtorch)
  endif()
  gtest_discover_tests(
    rt_test_loading
    TEST_FILTER -*Libtorch*
    TEST_PREFIX loading.
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS shipped)
endif()

# How programs and threads end, each scenario in a process of its own, as a client that links the
# library.
add_executable(rt_end_host tests/loading/end_host.cpp)
target_include_directories(rt_end_host PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(rt_end_host PRIVATE rt_settings rt_torch Threads::Threads)
add_executable(rt_test_end tests/loading/end_test.cpp)
target_link_libraries(rt_test_end PRIVATE rt_test_settings GTest::gtest_main)
target_compile_definitions(rt_test_end PRIVATE RT_TEST_END_HOST="$<TARGET_FILE:rt_end_host>")
add_dependencies(rt_test_end rt_end_host)
gtest_discover_tests(
  rt_test_end
  TEST_FILTER OnReference/*
  TEST_PREFIX end.
  DISCOVERY_MODE PRE_TEST
  DISCOVERY_TIMEOUT 60
  PROPERTIES TIMEOUT 300 LABELS core)
if(RT_LIBTORCH_FOUND)
  target_compile_definitions(rt_test_end PRIVATE RT_TEST_LIBTORCH)
  gtest_discover_tests(
    rt_test_end
    TEST_FILTER OnLibtorch/*
    TEST_PREFIX libtorch.end.
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS libtorch)
endif()

# The examples judge themselves: what they reach, that each training step is one batch, and that
# every handle was freed. A short run of the transformer learns more than how often letters occur.
function(rt_run_example example label)
  add_test(NAME examples.${example} COMMAND ${example} ${ARGN})
  set_tests_properties(examples.${example} PROPERTIES TIMEOUT 300 LABELS ${label} ENVIRONMENT
                                                      RT_TORCH_BACKEND=reference)
  if(RT_LIBTORCH_FOUND)
    add_test(NAME libtorch.examples.${example} COMMAND ${example} ${ARGN})
    set_tests_properties(
      libtorch.examples.${example} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                              "RT_TORCH_BACKEND=libtorch;RT_TORCH_THREADS=1")
  endif()
endfunction()
rt_run_example(first core)
rt_run_example(digits core)
rt_run_example(convnet shipped)
rt_run_example(char_transformer shipped --steps 100)

# rt_bench: what it makes of numbers, and the program itself, as short as it can be. Its times are
# not looked at.
if(TARGET rt_bench)
  rt_add_tests(rt_bench rt_bench_report)
  rt_run_tests(rt_bench core)
  if(Python3_FOUND)
    set(label core)
    if(RT_LIBTORCH_FOUND)
      set(label libtorch)
    endif()
    add_test(NAME tools.rt_bench
             COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/tools/rt_bench_test.py
                     $<TARGET_FILE:rt_bench> $<BOOL:${RT_LIBTORCH_FOUND}>)
    set_tests_properties(tools.rt_bench PROPERTIES TIMEOUT 300 LABELS ${label})
  endif()
endif()
