# tests.cmake -- one program per folder of tests/, and the checks on what is shipped.
include(GoogleTest)

# Tests look for their data (golden cases) from the root of the sources.
add_library(rt_test_settings INTERFACE)
target_compile_definitions(rt_test_settings INTERFACE RT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_include_directories(rt_test_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_link_libraries(rt_test_settings INTERFACE rt_settings GTest::gtest GTest::gmock
                                                 nlohmann_json::nlohmann_json Threads::Threads)

file(GLOB support_sources CONFIGURE_DEPENDS tests/support/*.cpp)
if(support_sources)
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
  set(prefix ${folder}.)
  set(environment "")
  if(ARGN)
    set(environment ENVIRONMENT RT_TORCH_BACKEND=${ARGN})
    if(ARGN STREQUAL libtorch)
      set(prefix libtorch.${folder}.)
    endif()
  endif()
  # Sanitizers slow a test down by a factor of ten and more.
  gtest_discover_tests(
    rt_test_${folder}
    TEST_PREFIX ${prefix}
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS ${label} ${environment})
endfunction()

# White box: the archive, whose symbols the library hides. Black box: the library as clients get it.
rt_add_tests(graph rt_core)
rt_add_tests(executor rt_core)
rt_add_tests(ops rt_torch)
rt_add_tests(abi rt_torch)
rt_run_tests(graph core)
rt_run_tests(executor core)
rt_run_tests(ops core reference)
rt_run_tests(abi core reference)
if(RT_LIBTORCH_FOUND)
  # The plugin's own sources, with their torch headers, beside the core.
  rt_add_tests(torchscript rt_core rt_torchscript)
  rt_run_tests(abi libtorch libtorch)
  # These in one process each: loading libtorch takes longer than all of their tests.
  foreach(folder torchscript ops)
    add_test(NAME libtorch.${folder} COMMAND rt_test_${folder})
    set_tests_properties(libtorch.${folder} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                                       RT_TORCH_BACKEND=libtorch)
  endforeach()
endif()

# rt_mutation: the golden cases against a core whose rows are changed one by one. The linker puts
# the tool between the core and these two functions; the core knows nothing of it.
if(CLI11_FOUND)
  set(rt_infer _ZN2rt5inferERNS_4ArgsESt4spanIKNS_10TensorTypeELm18446744073709551615EE)
  set(rt_make_backend _ZN2rt22make_reference_backendERNS_11MemoryCountEi)
  file(GLOB mutation_sources CONFIGURE_DEPENDS tests/mutation/*.cpp)
  add_executable(rt_mutation ${mutation_sources} $<TARGET_OBJECTS:rt_torch>)
  # The library's own objects, whose calls are found by name.
  set_target_properties(rt_mutation PROPERTIES ENABLE_EXPORTS ON)
  target_compile_definitions(rt_mutation PRIVATE RT_INFER="${rt_infer}"
                                                 RT_MAKE_BACKEND="${rt_make_backend}")
  target_link_libraries(rt_mutation PRIVATE rt_test_support rt_core CLI11::CLI11)
  target_link_options(rt_mutation PRIVATE -Wl,--wrap=${rt_infer},--wrap=${rt_make_backend})
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
add_test(NAME abi.no_output_unless_asked COMMAND rt_test_leak)
set_tests_properties(abi.no_output_unless_asked PROPERTIES TIMEOUT 60 LABELS core
                                                           FAIL_REGULAR_EXPRESSION ".")
add_test(NAME abi.a_wrong_variable_is_an_error_of_the_first_call COMMAND rt_test_leak)
set_tests_properties(
  abi.a_wrong_variable_is_an_error_of_the_first_call
  PROPERTIES ENVIRONMENT RT_TORCH_POLICY=lazy TIMEOUT 60 LABELS core PASS_REGULAR_EXPRESSION
             "RT_TORCH_POLICY.*lazy.*observe")

add_test(NAME abi.generated_files_are_current
         COMMAND ${CMAKE_COMMAND} -DABI_GEN=$<TARGET_FILE:abi_gen>
                 -DFOLDER=${PROJECT_SOURCE_DIR}/frontend_abi "-DGENERATED=${RT_GENERATED}"
                 -P ${PROJECT_SOURCE_DIR}/cmake/check_generated.cmake)
add_test(NAME abi.exports_are_the_header
         COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DLIBRARY=$<TARGET_FILE:rt_torch>
                 -DHEADER=${PROJECT_SOURCE_DIR}/frontend_abi/rt_torch.h
                 -P ${PROJECT_SOURCE_DIR}/cmake/check_exports.cmake)
set_tests_properties(abi.generated_files_are_current abi.exports_are_the_header
                     PROPERTIES TIMEOUT 120 LABELS shipped)

# The examples judge themselves: digits its accuracy, and that each step is one batch.
foreach(example first digits)
  add_test(NAME examples.${example} COMMAND ${example})
  set_tests_properties(examples.${example} PROPERTIES TIMEOUT 300 LABELS core ENVIRONMENT
                                                      RT_TORCH_BACKEND=reference)
  if(RT_LIBTORCH_FOUND)
    add_test(NAME libtorch.examples.${example} COMMAND ${example})
    set_tests_properties(
      libtorch.examples.${example} PROPERTIES TIMEOUT 300 LABELS libtorch ENVIRONMENT
                                              "RT_TORCH_BACKEND=libtorch;RT_TORCH_THREADS=1")
  endif()
endforeach()
