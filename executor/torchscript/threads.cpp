// threads.cpp -- sets and restores the numbers of threads in OpenMP and MKL.
#include "executor/torchscript/threads.h"

#include <ATen/Parallel.h>

#include <atomic>

#include "graph/spare_threads.h"

// Functions of libtorch's OpenMP, and of its MKL. Weak, because either may be missing.
extern "C" {
[[gnu::weak]] int omp_get_max_threads() noexcept;
[[gnu::weak]] void omp_set_num_threads(int) noexcept;
[[gnu::weak]] int MKL_Set_Num_Threads_Local(int);
}

namespace rt::torchscript {
namespace {

std::atomic<int> wanted{1};

/// Makes libtorch set its numbers now: it does so when a thread asks for the first time.
void let_libtorch_begin() { [[maybe_unused]] thread_local const int asked = at::get_num_threads(); }

/// Runs an empty loop, because OpenMP keeps its threads for later loops.
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
