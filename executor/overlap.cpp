// overlap.cpp -- the worker, a thread that runs batches while the client's threads record.
#include <pthread.h>
#include <signal.h>

#include <thread>

#include "executor/engine.h"
#include "graph/uncancelled.h"

namespace rt {
namespace {

/// The shortest run that is worth a change of threads.
constexpr int64_t kWorthNs = 100'000;
/// The limit for a batch that has not run as a program before, in bytes of its results.
constexpr int64_t kWorthBytes = int64_t{1} << 20;
/// Few, because batches that wait keep their inputs alive.
constexpr size_t kMaxJobs = 8;

}  // namespace

/// True where the worker should run the batch. While the worker has another one it gets every batch
/// that no call waits for, to keep their order.
bool Scheduler::is_worth_a_thread(Reason reason, int64_t last_ns, int64_t bytes) const {
  if (!overlaps_ || reason == Reason::Read || reason == Reason::Eager) return false;
  if (jobs_handed_ != jobs_completed_) return true;
  return last_ns >= 0 ? last_ns >= kWorthNs : bytes >= kWorthBytes;
}

/// Gives the batch to the worker, and releases the lock to wait while its queue is full. False
/// where no thread can be started.
bool Scheduler::hand_over(JobRef& job) {
  if (!start_worker()) return false;
  engine_.wait([&] { return jobs_handed_ - jobs_completed_ < kMaxJobs; });
  jobs_.put(std::move(job));
  ++jobs_handed_;
  job_there_.notify_one();
  return true;
}

bool Scheduler::start_worker() {
  if (has_worker_) return true;
  // The worker blocks all signals, because their handlers belong on the client's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread worker([this] { work(); });
    pthread_setname_np(worker.native_handle(), "rt_torch");
    worker.detach();
    has_worker_ = true;
  } catch (const std::exception&) {
    overlaps_ = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return has_worker_;
}

void Scheduler::work() {
  engine_.lock();
  for (;;) {
    engine_.wait(job_there_, [&] { return jobs_.first != nullptr; });
    Flight flight{*this, jobs_.take()};
    run_and_deliver(flight);
    ++jobs_completed_;
    engine_.notify();
  }
}

/// Waits with the lock released for all batches that were given to the worker so far.
void Scheduler::complete_jobs() {
  const Uncancelled uncancelled;
  const uint64_t handed = jobs_handed_;
  engine_.wait([&] { return jobs_completed_ >= handed; });
}

/// In a forked child: no thread is left to complete the batches in flight.
void Scheduler::forget_jobs() {
  new (&job_there_) std::condition_variable_any;
  while (jobs_.first) jobs_.take();
  oldest_ = youngest_ = nullptr;
  jobs_handed_ = jobs_completed_ = 0;
  has_worker_ = overlaps_ = false;
}

}  // namespace rt
