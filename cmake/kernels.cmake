# kernels.cmake -- parts of the reference backend that are compiled once per kind of processor.

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

rt_add_gemm(baseline)
