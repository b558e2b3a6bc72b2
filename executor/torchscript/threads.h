// threads.h -- sets the engine's number of threads for batches, and restores PyTorch's.
#pragma once

namespace rt::torchscript {

/// Sets the number of threads of all later batches. <= 0: the number that libtorch has now.
void use_threads(int count);

/// OpenMP and MKL keep a number of threads for each calling thread, and PyTorch sets it too. In
/// this scope it is ours, or 1 where the system starts no more threads.
class OwnThreads {
 public:
  OwnThreads();
  OwnThreads(const OwnThreads&) = delete;
  ~OwnThreads();

 private:
  int openmp_before_, mkl_before_ = 0;
};

}  // namespace rt::torchscript
