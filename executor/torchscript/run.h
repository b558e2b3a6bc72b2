// run.h -- steps and programs on libtorch.
#pragma once
#include <atomic>
#include <memory>

#include "elementwise/tail.h"
#include "executor/plugin/plugin.h"
#include "executor/torchscript/lower.h"

namespace rt::torchscript {

/// Runs one step by its plan. The caller has checked that the plan has no problem.
Buffer* run_step(const plugin::Host& host, const Plan& plan, const plugin::StepCall& call);

/// A batch as consecutive graphs, each compiled once.
class CompiledBatch {
 public:
  CompiledBatch(const plugin::Host& host, const Batch& batch);
  ~CompiledBatch();
  CompiledBatch(const CompiledBatch&) = delete;
  CompiledBatch& operator=(const CompiledBatch&) = delete;

  /// As plugin::Program::run; throws.
  void run(const BufferRef* inputs, const int64_t* scalars, BufferRef* roots);
  size_t bytes() const;
  bool uses_cuda() const { return uses_cuda_; }
  FusedCount fused() const { return fused_; }

 private:
  struct Piece;  ///< one graph, its code, and where its values stand
  struct Kept;   ///< tensors for the scalars and the planned memory of one run at a time
  /// A value that the graphs compute for a root or for the tail.
  struct Leaving {
    const OpInfo* row;  ///< that computes it
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
  std::vector<Leaving> roots_;       ///< those that the tail computes have no slot
  std::unique_ptr<cpu::Tail> tail_;  ///< the end of the batch, which no piece has, or null
  std::vector<Leaving> needed_;      ///< by the tail
  uint32_t slots_ = 0;               ///< values that enter or leave a piece, inputs first
  size_t inputs_ = 0, values_ = 0, scalars_ = 0;
  size_t steps_ = 0;
  bool uses_cuda_ = false;
  FusedCount fused_;
  std::atomic<Kept*> kept_{nullptr};  ///< those of the newest run, for the next
};

}  // namespace rt::torchscript
