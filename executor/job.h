// job.h -- a batch from the moment it leaves its tape until it has completed.
#pragma once
#include <memory>
#include <vector>

#include "executor/cache.h"
#include "graph/batch/backend.h"
#include "graph/tape/tape.h"

namespace rt {

struct ThreadState;
struct Job;
using JobRef = std::unique_ptr<Job>;

struct Job {
  ThreadState* thread = nullptr;                     ///< that submitted it
  std::shared_ptr<std::vector<Message>> unreported;  ///< the list for its failures
  Submission submission;
  std::shared_ptr<Program> program;  ///< null: step by step
  Key key;                           ///< of its cache entry
  bool compiles = false;             ///< it is compiled before it runs
  bool random = false;               ///< it draws random numbers
  bool is_lost = false;              ///< memory was short, so that no step has run
  Cache::Sighted nearest;            ///< the nearest cache entry, where a miss is explained
  int64_t capture_id = 0;            ///< its id in Reports::capture()
  int64_t compile_ns = 0, run_ns = 0;
  std::vector<BufferRef> results;  ///< of the roots, once it has run
  std::vector<Message> failures;   ///< by root; null where it has a result
  std::vector<Message> causes;     ///< of steps that failed themselves, not by an operand
  /// A failed change of a gradient or of an optimizer's state, which Scheduler::put_back() undoes.
  struct Reversal {
    uint32_t root;
    Undo undo;
    BufferRef before;
  };
  std::vector<Reversal> reversals;
  uint64_t ticket = 0;    ///< grows from batch to batch
  Job* before = nullptr;  ///< the batch in flight with the next smaller ticket
  Job* after = nullptr;   ///< the batch in flight with the next larger ticket
  JobRef next;            ///< in a queue, or in the list of spare jobs
};

/// A queue of jobs that needs no allocation.
struct JobQueue {
  JobRef first;
  Job* last = nullptr;
  void put(JobRef job) noexcept;
  JobRef take() noexcept;
};

}  // namespace rt
