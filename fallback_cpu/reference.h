// reference.h -- the reference executor: a loop over a batch's steps, one kernel call each.
#pragma once
#include "fallback_cpu/kernels.h"
#include "graph/backend.h"
#include "graph/passes.h"

namespace rt::cpu {

class ReferenceBackend final : public Backend {
 public:
  ReferenceBackend(MemoryCount& memory, int threads, Optimizations use);
  std::string_view name() const override { return "reference"; }
  std::string version() const override;
  int device_count() const override { return 0; }
  void run_step(const Batch& batch, uint32_t step, Frame& frame) override;
  std::unique_ptr<Program> compile(const Batch& batch) override;
  void observe(RunObserver& observer) override { observer_ = &observer; }
  BufferRef allocate(DType dtype, Sizes sizes, Device device) override;
  BufferRef from_host(const void* data, DType dtype, Sizes sizes, Device device) override;
  void to_host(const Buffer& buffer, DType dtype, void* out) override;
  void seed(uint64_t seed) override;
  std::unique_ptr<RandomState> random_state() override;
  void restore(const RandomState& state) override;
  void after_fork() override {
    machine_.threads = 1;
    new (&random_.mutex) std::mutex;  // a thread that is not here may have been drawing
  }

 private:
  Generator random_;
  Machine machine_;
  RunObserver* observer_ = nullptr;
};

}  // namespace rt::cpu
