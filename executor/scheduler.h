// scheduler.h -- takes batches off tapes, compiles, runs and completes them.
#pragma once
#include <condition_variable>
#include <memory>
#include <span>
#include <vector>

#include "executor/cache.h"
#include "executor/diagnostics/counters.h"
#include "executor/job.h"
#include "executor/policy.h"

namespace rt {

class Engine;
class Fallbacks;
struct CallContext;

/// The level of RT_TORCH_DEBUG from which each step is printed, so that no program is used.
constexpr int kDebugSteps = 4;

/// A batch that was taken off its tape always completes: its roots get results or failures. All
/// functions that submit or wait release the lock, so that other calls may free handles and values
/// meanwhile.
class Scheduler {
 public:
  explicit Scheduler(Engine& engine);

  /// Submits a tape: runs its batch, or gives it to the worker. Returns the number of its nodes.
  /// Failures of steps become failures of values. Throws Error beyond RT_TORCH_FORBID or without a
  /// backend, and std::bad_alloc; then the nodes stay pending.
  int64_t submit(CallContext& context, Tape& tape, Reason reason);
  int64_t flush(CallContext& context);  ///< submits this thread's tape; returns its nodes
  /// Flushes, and waits for all batches submitted so far and for the devices. Throws the oldest
  /// failure of this thread's batches that no call has reported.
  bool sync(CallContext& context);
  void seed(CallContext& context, uint64_t seed);
  void set_policy(CallContext& context, Policy policy);
  /// The buffer of a value. Submits and waits as needed, and throws the value's failure. Keeps the
  /// value alive meanwhile.
  BufferRef settle(CallContext& context, Value value);
  void wait_for(CallContext& context, Value value);

  // Every batch has a ticket, greater than those of earlier batches.
  uint64_t newest_ticket() const { return tickets_; }
  /// True where all batches with tickets up to `ticket` have completed.
  bool has_completed(uint64_t ticket) const { return !oldest_ || oldest_->ticket > ticket; }
  void wait_until_completed(uint64_t ticket);
  void complete_jobs();  ///< waits for all batches that were given to the worker so far

  const Job* newest() const { return newest_.get(); }  ///< the newest completed batch, or null
  int64_t in_flight_nodes() const { return in_flight_nodes_; }
  void begin_round() { batches_since_flush_ = 0; }     ///< RT_TORCH_FORBID counts from here
  void mark_locations(std::vector<bool>& used) const;  ///< of batches in flight, and newest()
  Cache::List take_programs();                         ///< all, before their backend is destroyed
  void after_fork();                                   ///< in the child

 private:
  // scheduler.cpp
  JobRef new_job();
  /// Completes the job, however the scope is left.
  struct Flight {
    Scheduler& scheduler;
    JobRef job;
    ~Flight() {
      if (job) scheduler.complete_job(std::move(job));
    }
  };
  bool prepare(CallContext& context, Tape& tape, Job& job, Cache::Entry*& entry);
  void take_off(Tape& tape, Job& job, Reason reason) noexcept;
  void drop_beyond_bounds() noexcept;
  void run_and_deliver(Flight& flight);
  std::shared_ptr<Program> complete_job(JobRef job) noexcept;
  bool deliver(Job& job) noexcept;
  void put_back(Job& job) noexcept;
  void keep_unreported(const Job& job);

  // run_batch.cpp; called with the lock released
  void execute(Job& job);
  void compile(Job& job);
  void run(Job& job);
  void run_steps(Job& job);
  void settle_roots(Job& job, const Fallbacks& fallbacks, std::span<const BufferRef> values,
                    std::span<const Message> failures) noexcept;
  void trace_steps(const Submission& submission, std::span<const int64_t> times) noexcept;
  void trace_batch(const Job& job, int64_t start, int64_t end) noexcept;
  Message failure(const Submission& submission, uint32_t step, std::string_view cause) noexcept;

  // overlap.cpp
  bool is_worth_a_thread(Reason reason, int64_t last_ns, int64_t bytes) const;
  bool hand_over(JobRef& job);
  bool start_worker();
  void work();
  void forget_jobs();

  Engine& engine_;
  Cache cache_;
  Cache::List dropped_;  ///< entries out of the cache, to be destroyed with the lock released
  JobRef newest_;        ///< the newest completed batch, for dumps
  int64_t batches_since_flush_ = 0;
  int64_t in_flight_nodes_ = 0;
  uint64_t tickets_ = 0;   ///< the newest
  Job* oldest_ = nullptr;  ///< of the batches in flight, by tickets
  Job* youngest_ = nullptr;
  JobQueue jobs_;  ///< for the worker, in this order
  std::condition_variable_any job_there_;
  JobRef spare_;  ///< completed jobs, whose memory the next batches use
  uint64_t jobs_handed_ = 0, jobs_completed_ = 0;
  bool overlaps_;  ///< batches may be given to the worker
  bool has_worker_ = false;
};

}  // namespace rt
