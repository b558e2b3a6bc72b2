// allocator.h -- results of libtorch on the host from recycled blocks, while a batch runs.
#pragma once

namespace rt::torchscript {

/// While one lives, this thread's tensors on the host come from recycled blocks: a training loop's
/// results are of the same sizes at every step, fresh memory costs a page fault for each 4 kB, and
/// the system's allocator costs a small operator half its time. Other users of libtorch in the
/// process get what they got before.
class PooledMemory {
 public:
  PooledMemory();
  ~PooledMemory();
  PooledMemory(const PooledMemory&) = delete;
  PooledMemory& operator=(const PooledMemory&) = delete;
};

}  // namespace rt::torchscript
