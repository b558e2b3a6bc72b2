// job.h -- a batch between its tape and its completion.
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

struct Job {                                     ///< a batch taken off its tape, to be run
  ThreadState* thread = nullptr;                 ///< that submitted it
  std::shared_ptr<std::vector<Message>> untold;  ///< where its failures are kept
  Submission submission;
  std::shared_ptr<Program> program;  ///< null: step by step
  Key key;                           ///< where the cache has it
  bool compiles = false;             ///< its program is to be made first
  bool random = false;               ///< it draws numbers
  bool is_lost = false;              ///< it could not even begin
  Cache::Sighted nearest;            ///< of those in the cache, where a miss is to be explained
  int64_t noted = 0;                 ///< its number in capture_
  int64_t compile_ns = 0, run_ns = 0;
  std::vector<BufferRef> results;  ///< of the roots, once it has run
  std::vector<Message> failures;   ///< null where a root has a result
  std::vector<Message> causes;     ///< of the steps that failed themselves
  /// A root whose place is not all that holds it, or is an optimizer's, and what it goes back to.
  struct Reversal {
    uint32_t root;
    Undo undo;
    BufferRef before;
  };
  std::vector<Reversal> reversals;
  uint64_t ticket = 0;    ///< grows from batch to batch
  Job* before = nullptr;  ///< the batch in flight with the next smaller ticket
  Job* after = nullptr;   ///< likewise
  JobRef next;            ///< in a queue, or of those to be used again
};

/// Jobs in a row, without an allocation.
struct JobQueue {
  JobRef first;
  Job* last = nullptr;
  void put(JobRef job) noexcept;
  JobRef take() noexcept;
};

}  // namespace rt
