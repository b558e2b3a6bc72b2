// scheduler.h -- the way of a batch: off its tape, through the cache, to a backend, to its values.
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

/// Submits tapes. A batch that was taken off its tape completes, however it ends.
class Scheduler {
 public:
  explicit Scheduler(Engine& engine);

  /// Submits a tape and runs its batch, or hands it to the worker; the number of its nodes.
  int64_t submit(CallContext& context, Tape& tape, Reason reason);
  int64_t flush(CallContext& context);  ///< number of nodes submitted
  /// Waits for all that was submitted before. Throws the oldest failure that was not reported yet.
  bool sync(CallContext& context);
  void seed(CallContext& context, uint64_t seed);
  void set_policy(CallContext& context, Policy policy);
  /// The buffer of a value, submitting and waiting as needed; throws its failure.
  BufferRef settle(CallContext& context, Value value);
  void wait_for(CallContext& context, Value value);

  // Batches have tickets, which grow.
  uint64_t newest_ticket() const { return tickets_; }
  bool has_completed(uint64_t ticket) const { return !oldest_ || oldest_->ticket > ticket; }
  void wait_until_completed(uint64_t ticket);
  void complete_jobs();  ///< waits for all that the worker has been handed so far

  const Job* newest() const { return newest_.get(); }  ///< the newest completed batch, or null
  int64_t in_flight_nodes() const { return in_flight_nodes_; }
  void begin_round() { batches_since_flush_ = 0; }     ///< RT_TORCH_FORBID counts from here
  void mark_locations(std::vector<bool>& used) const;  ///< of all batches that it knows
  Cache::List take_programs();                         ///< all, when their backend goes
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
  void keep_untold(const Job& job);

  // run_batch.cpp, without the lock
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
  Cache::List dropped_;  ///< out of the cache; its programs end while the lock is released
  JobRef newest_;        ///< the newest batch, for dumps
  int64_t batches_since_flush_ = 0;
  int64_t in_flight_nodes_ = 0;
  uint64_t tickets_ = 0;   ///< the newest
  Job* oldest_ = nullptr;  ///< of the batches in flight, by tickets
  Job* youngest_ = nullptr;
  JobQueue jobs_;  ///< to be run by the worker, in this order
  std::condition_variable_any job_there_;
  JobRef spare_;  ///< jobs whose memory the next batches use
  uint64_t jobs_handed_ = 0, jobs_completed_ = 0;
  bool overlaps_;  ///< batches may be handed over
  bool has_worker_ = false;
};

}  // namespace rt
