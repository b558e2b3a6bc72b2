// machine.h -- runs a dump: a backend, inputs, and a walk over the steps.
#pragma once
#include <memory>

#include "graph/batch/backend.h"
#include "graph/batch/passes.h"
#include "tools/rt_graph_dump/tool.h"

namespace rt::tool {

/// Options of the commands that run something.
struct Setup {
  std::string backend = "auto";  ///< auto, libtorch or reference
  std::string libtorch{};        ///< its folder; "": the usual search
  int threads = 0;               ///< 0: all cores
  uint64_t seed = 0;             ///< of random inputs and of the batch's own random numbers
  bool random = false;           ///< random inputs even where some were captured
  bool cpu = false;              ///< run a batch on the CPU that was recorded on a GPU
};

std::unique_ptr<Backend> open_backend(const std::string& name, const Setup& setup,
                                      MemoryCount& memory, Optimizations use = {});

/// True if steps are fused: programs have such steps, recorded batches never.
bool holds_groups(const Batch& batch);

/// Throws for a batch that could not have been recorded. Moves it to the CPU where `setup` says so.
void prepare(Subject& subject, const Setup& setup);

struct Inputs {
  std::vector<BufferRef> buffers;
  std::string origin;  ///< as text, for the headline
};
Inputs make_inputs(Backend& backend, const Subject& subject, const Setup& setup);

/// The first line of a command's output: the dump, the backend and the inputs.
std::string headline(const Subject& subject, const Backend& backend, const Setup& setup,
                     const Inputs& inputs);

/// Runs a batch step by step.
class Walk {
 public:
  Walk(Backend& backend, const Batch& batch, const Inputs& inputs, uint64_t seed);
  /// Runs the next step after it released the values that no later step needs. Returns "" or the
  /// cause of the failure. A step with a missing operand does not run.
  std::string step();
  uint32_t at() const { return next_ - 1; }  ///< the step that ran last
  bool done() const { return next_ == batch_.steps.size(); }
  bool ready(uint32_t step) const;  ///< true if all its operands exist
  const BufferRef& value(uint32_t number) const { return values_[number]; }
  std::span<const BufferRef> values() const { return values_; }

 private:
  Backend& backend_;
  const Batch& batch_;
  LastUses uses_;
  std::vector<BufferRef> values_;
  uint32_t next_ = 0;
};

/// Nanoseconds of each step, and of the compiled batch, 0 where it does not compile. Medians of
/// `repeats` runs after one that warms up. Throws when a step fails.
struct Times {
  std::vector<int64_t> steps;
  int64_t compiled = 0;
};
Times measure(Backend& backend, const Batch& batch, const Inputs& inputs, const Setup& setup,
              int repeats);

}  // namespace rt::tool
