# kernels.cmake -- parts of the reference backend that are compiled once per kind of processor.
include(CheckCXXCompilerFlag)

# rt_add_gemm(<target> [options...]): a copy of the matrix product in namespace <target>. Eigen
# chooses its instructions when it is compiled, so run-time dispatch takes a copy each.
function(rt_add_gemm target)
  add_library(rt_gemm_${target} OBJECT fallback_cpu/gemm.cpp)
  target_include_directories(rt_gemm_${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(rt_gemm_${target} PRIVATE RT_TARGET=${target})
  target_compile_options(rt_gemm_${target} PRIVATE ${ARGN})
  target_link_libraries(rt_gemm_${target} PRIVATE rt_settings Eigen3::Eigen)
  target_sources(rt_core PRIVATE $<TARGET_OBJECTS:rt_gemm_${target}>)
endfunction()

# rt_add_gemm_if(<target> <definition> options...): the same where the compiler knows the options;
# <definition> tells the caller of the products that it is there.
function(rt_add_gemm_if target definition)
  string(JOIN " " options ${ARGN})
  check_cxx_compiler_flag("${options}" ${definition})
  if(${definition})
    rt_add_gemm(${target} ${ARGN})
    set_property(SOURCE fallback_cpu/matmul.cpp APPEND PROPERTY COMPILE_DEFINITIONS ${definition})
  endif()
endfunction()

rt_add_gemm(baseline)
# Sanitizers see the baseline alone: the copies differ in nothing but instructions, and take minutes
# to instrument.
if(NOT RT_SANITIZE
   AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$"
   AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(avx2 -mavx2 -mfma -mbmi -mbmi2)
  rt_add_gemm_if(avx2 RT_GEMM_AVX2 ${avx2})
  rt_add_gemm_if(avx512 RT_GEMM_AVX512 ${avx2} -mavx512f -mavx512dq -mavx512bw -mavx512vl)
  # g++ 12 finds fault with its own header (GCC bug 105593).
  if(TARGET rt_gemm_avx512 AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(rt_gemm_avx512 PRIVATE -Wno-maybe-uninitialized)
  endif()
endif()
