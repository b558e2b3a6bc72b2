// run.h -- runs steps and compiled batches on libtorch.
#pragma once
#include <atomic>
#include <memory>

#include "elementwise/tail.h"
#include "executor/plugin/plugin.h"
#include "executor/torchscript/lower.h"

namespace rt::torchscript {

/// Runs one step by its plan, which must have no problem. The caller owns the reference. Throws
/// libtorch's exceptions.
Buffer* run_step(const plugin::Host& host, const Plan& plan, const plugin::StepCall& call);

/// A batch as consecutive compiled graphs. `host` must outlive it. Several threads may run it.
class CompiledBatch {
 public:
  CompiledBatch(const plugin::Host& host, const Batch& batch);
  ~CompiledBatch();
  CompiledBatch(const CompiledBatch&) = delete;
  CompiledBatch& operator=(const CompiledBatch&) = delete;

  /// As PluginProgram::run, but throws.
  void run(const BufferRef* inputs, const int64_t* scalars, BufferRef* roots);
  size_t bytes() const;
  bool uses_cuda() const { return uses_cuda_; }
  FusedCount fused() const { return fused_; }

 private:
  struct Piece;  ///< one graph, its code, and the slots of its values
  struct Kept;   ///< tensors for the scalars, and planned memory, for one run at a time
  /// A root, or a value that the tail needs.
  struct Leaving {
    const OpInfo* row;  ///< of the step that computes it
    uint32_t value, slot;
    DType dtype;
    Device device;
    Shape sizes;
  };

  std::unique_ptr<Kept> make_kept() const;
  BufferRef buffer(const Leaving& leaving, const std::vector<c10::IValue>& slots) const;
  void run_pieces(const BufferRef* inputs, const int64_t* scalars, std::vector<c10::IValue>& slots);
  void run_tail(const BufferRef* inputs, const int64_t* scalars, BufferRef* roots,
                std::vector<c10::IValue>& slots) const;

  const plugin::Host& host_;
  std::vector<Piece> pieces_;
  std::vector<Leaving> roots_;       ///< roots that the tail computes have no slot
  std::unique_ptr<cpu::Tail> tail_;  ///< the last steps, which are in no piece; or null
  std::vector<Leaving> needed_;      ///< by the tail
  uint32_t slots_ = 0;               ///< values that enter or leave a piece, inputs first
  size_t inputs_ = 0, values_ = 0;
  const std::vector<int64_t> scalars_;  ///< free ones, which each run sets, then constants
  const size_t free_scalars_;
  size_t steps_ = 0;
  bool uses_cuda_ = false;
  FusedCount fused_;
  std::atomic<Kept*> kept_{nullptr};  ///< of the newest run, for the next; null during a run
};

}  // namespace rt::torchscript
