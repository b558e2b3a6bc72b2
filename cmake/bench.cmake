# bench.cmake -- rt_bench: the engine beside the same computation in libtorch, where that is found.

# All that knows neither library, so that tests can look inside.
add_library(rt_bench_report STATIC bench/rt_bench/html.cpp bench/rt_bench/report.cpp
                                   bench/rt_bench/result.cpp bench/rt_bench/statistics.cpp)
target_include_directories(rt_bench_report PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(
  rt_bench_report
  PUBLIC rt_settings
  PRIVATE nlohmann_json::nlohmann_json)

add_executable(rt_bench bench/rt_bench/abi_sides.cpp bench/rt_bench/machine.cpp
                        bench/rt_bench/main.cpp bench/rt_bench/measure.cpp)
target_link_libraries(rt_bench PRIVATE rt_bench_report rt_torch CLI11::CLI11)
if(RT_LIBTORCH_FOUND)
  target_sources(rt_bench PRIVATE bench/rt_bench/aten_sides.cpp)
  target_compile_definitions(rt_bench PRIVATE RT_BENCH_LIBTORCH)
  target_link_libraries(rt_bench PRIVATE libtorch::torch_cpu)
endif()
