// allocator.h -- gives libtorch recycled memory for results on the CPU, while a batch runs.
#pragma once

namespace rt::torchscript {

/// In its scope this thread's CPU tensors come from recycled blocks. The results of a training loop
/// have the same sizes in every step; fresh memory costs a page fault for each 4 kB, and the
/// system's allocator half the time of a small operator. Other users of libtorch in the process
/// keep the allocator that they had.
class PooledMemory {
 public:
  PooledMemory();
  ~PooledMemory();
  PooledMemory(const PooledMemory&) = delete;
  PooledMemory& operator=(const PooledMemory&) = delete;
};

}  // namespace rt::torchscript
