// threads.h -- as many threads as the engine was told, and PyTorch's own number back behind it.
#pragma once

namespace rt::torchscript {

/// From here on, for all batches. 0: as many as libtorch has now.
void use_threads(int count);

/// OpenMP and MKL keep a number of threads for each thread that calls them, which libtorch and
/// PyTorch set as well: in this scope it is ours, and 1 where the system gives no more threads.
class OwnThreads {
 public:
  OwnThreads();
  OwnThreads(const OwnThreads&) = delete;
  ~OwnThreads();

 private:
  int openmp_before_, mkl_before_ = 0;
};

}  // namespace rt::torchscript
