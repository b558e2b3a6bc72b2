// machine.h -- a dump brought to run: a backend, inputs, and a walk over the steps.
#pragma once
#include <memory>

#include "graph/batch/backend.h"
#include "graph/batch/passes.h"
#include "tools/rt_graph_dump/tool.h"

namespace rt::tool {

/// What the commands that run something are told.
struct Setup {
  std::string backend = "auto";  ///< auto, libtorch or reference
  std::string libtorch{};        ///< its folder, "": it is searched
  int threads = 0;               ///< 0: all cores
  uint64_t seed = 0;             ///< of random inputs and of the batch's own random numbers
  bool random = false;           ///< whatever was captured
  bool cpu = false;              ///< what was recorded on a GPU as well
};

std::unique_ptr<Backend> open_backend(const std::string& name, const Setup& setup,
                                      MemoryCount& memory);

/// Whether some steps are fused already, as they are in programs and never in what was recorded.
bool holds_groups(const Batch& batch);

/// Refuses what could not have been recorded, and moves the batch to the CPU where that is asked.
void prepare(Subject& subject, const Setup& setup);

struct Inputs {
  std::vector<BufferRef> buffers;
  std::string origin;  ///< where they come from, for the reader
};
Inputs make_inputs(Backend& backend, const Subject& subject, const Setup& setup);

/// What runs where and on which inputs: the first line of what a command tells.
std::string headline(const Subject& subject, const Backend& backend, const Setup& setup,
                     const Inputs& inputs);

/// A batch while it runs step by step.
class Walk {
 public:
  Walk(Backend& backend, const Batch& batch, const Inputs& inputs, uint64_t seed);
  /// Runs the next step; "" or why it failed. One whose operands are not there is not run. First
  /// lets go of what nothing needs after the step before.
  std::string step();
  uint32_t at() const { return next_ - 1; }  ///< the step that ran last
  bool done() const { return next_ == batch_.steps.size(); }
  bool ready(uint32_t step) const;  ///< its operands are there
  const BufferRef& value(uint32_t number) const { return values_[number]; }
  std::span<const BufferRef> values() const { return values_; }

 private:
  Backend& backend_;
  const Batch& batch_;
  LastUses uses_;
  std::vector<BufferRef> values_;
  uint32_t next_ = 0;
};

/// How long each step takes, and all of them as a compiled program, 0 where it does not compile;
/// medians of `repeats` runs after one that does not count. Throws when a step fails.
struct Times {
  std::vector<int64_t> steps;
  int64_t compiled = 0;
};
Times measure(Backend& backend, const Batch& batch, const Inputs& inputs, const Setup& setup,
              int repeats);

}  // namespace rt::tool
