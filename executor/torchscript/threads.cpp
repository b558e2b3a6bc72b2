// threads.cpp -- the numbers of threads that OpenMP and MKL keep.
#include "executor/torchscript/threads.h"

#include <ATen/Parallel.h>

#include <atomic>

#include "graph/spare_threads.h"

// Of the OpenMP that libtorch brings, and of the MKL inside of it, where it has one.
extern "C" {
[[gnu::weak]] int omp_get_max_threads() noexcept;
[[gnu::weak]] void omp_set_num_threads(int) noexcept;
[[gnu::weak]] int MKL_Set_Num_Threads_Local(int);
}

namespace rt::torchscript {
namespace {

std::atomic<int> wanted{1};

/// libtorch sets both when a thread asks for the first time.
void let_libtorch_begin() { [[maybe_unused]] thread_local const int asked = at::get_num_threads(); }

/// OpenMP keeps the threads of a first loop for the next ones.
void start(int threads) {
  omp_set_num_threads(threads);
  at::parallel_for(0, threads, 1, [](int64_t, int64_t) {});
}

}  // namespace

void use_threads(int count) { wanted = count > 0 ? count : at::get_num_threads(); }

OwnThreads::OwnThreads() {
  if (!omp_set_num_threads) return;
  let_libtorch_begin();
  openmp_before_ = omp_get_max_threads();
  const int count = threads_for_loop(wanted.load(std::memory_order_relaxed), start);
  omp_set_num_threads(count);
  if (MKL_Set_Num_Threads_Local) mkl_before_ = MKL_Set_Num_Threads_Local(count);
}

OwnThreads::~OwnThreads() {
  if (!omp_set_num_threads) return;
  omp_set_num_threads(openmp_before_);
  if (MKL_Set_Num_Threads_Local) MKL_Set_Num_Threads_Local(mkl_before_);
}

}  // namespace rt::torchscript
