// engine.cpp -- the engine's life: its making, threads that come and go, forks, its end.
#include "executor/engine.h"

#include <pthread.h>

#include <cstdlib>
#include <iostream>

#include "graph/error.h"
#include "graph/memory/machine_memory.h"
#include "graph/thread_end.h"
#include "graph/uncancelled.h"

namespace rt {

std::atomic<Engine*> Engine::instance_{nullptr};
constinit thread_local ThreadState* Engine::current_ = nullptr;

/// Held while the engine is made, and by a thread that forks.
static std::mutex making;

/// A child that is forked while another thread holds a lock, or makes the engine, would wait for it
/// for ever. So forks are followed from the library's loading on.
bool Engine::follow_forks() {
  const auto before = [] {
    making.lock();
    if (Engine* const engine = instance_) engine->before_fork();
  };
  const auto after = [] {
    if (Engine* const engine = instance_) engine->after_fork();
    making.unlock();
  };
  const auto after_in_child = [] {
    if (Engine* const engine = instance_) engine->after_fork_in_child();
    making.unlock();
  };
  return pthread_atfork(before, after, after_in_child) == 0;
}
const bool Engine::follows_forks_ = follow_forks();

Engine& Engine::make_instance() {
  const std::lock_guard lock(making);
  if (Engine* const made_meanwhile = instance_) return *made_meanwhile;
  auto* const made = new Engine;
  std::atexit([] { instance().finish(); });
  instance_.store(made, std::memory_order_release);
  return *made;
}

/// The batches that this thread has submitted are in the child as if they had run at once.
void Engine::before_fork() {
  mutex_.lock();
  backends.before_fork();
  scheduler.complete_jobs();
  reports.capture().before_fork();
  if (Trace* const trace = reports.trace()) trace->before_fork();
}

void Engine::after_fork() {
  mutex_.begin_anew();  // that was the fork itself, which copies the tables of all memory
  if (Trace* const trace = reports.trace()) trace->after_fork();
  reports.capture().after_fork();
  mutex_.unlock();
}

/// The locks are this thread's, the other threads are gone and with them their batches.
void Engine::after_fork_in_child() {
  if (Trace* const trace = reports.trace()) trace->after_fork_in_child();
  reports.capture().after_fork();
  mutex_.after_fork();
  new (&changed_) std::condition_variable_any;  // it may count waiters that do not exist here
  if (current_) graph.close_all_but(current_->tape);
  unlocked = 0;
  graph.abandon(std::make_shared<const std::string>(
      "the value was being computed by another thread when this process was forked; sync before "
      "fork"));
  scheduler.after_fork();
  backends.after_fork();
  forked = true;
  mutex_.unlock();
}

/// A thread that calls again at its very end, from a destructor of its client, is a new one.
ThreadState& Engine::register_thread() {
  static const ThreadEnd end(
      [](void* ended) { instance().unregister_thread(static_cast<ThreadState*>(ended)); });
  current_ = new ThreadState(graph);
  end.expect(current_);
  return *current_;
}

Engine::Engine()
    : config(read_config(environment_error_)),
      policy(config.policy),
      reports(*this),
      backends(*this),
      scheduler(*this),
      recorder(*this),
      autograd(*this),
      optimizers(*this),
      streams(*this),
      files(*this) {
  if (config.debug > 0)
    for (const std::string& note : config.notes) std::cerr << "rt_torch: " << note << '\n';
  reports.open_trace(environment_error_);
  is_watched_ = reports.trace() || !config.holds.empty() || !environment_error_.empty();
  if (!config.holds.empty()) mutex_.watch();
  out_of_memory();
  machine_memory();  // reads files, which is not to be done under the lock
}

void Engine::unlock_and_end_dead() {
  std::vector<BufferRef> none;
  std::vector<BufferRef>& dead = current_ ? current_->dead : none;
  graph.take_dead(dead);
  mutex_.unlock();
  dead.clear();
}

void Engine::begin_watched(CallContext& context) {
  if (Trace* const trace = reports.trace()) trace->call();
  if (!config.holds.empty()) EngineLock::name_holds(context.thread.tape.call);
  is_watched_ = reports.trace() || !config.holds.empty();
  if (!environment_error_.empty()) throw Error(std::exchange(environment_error_, {}));
}

/// Runs nothing: what a kernel needs of this thread may be gone. What it leaves pending waits for
/// whoever reads it.
void Engine::unregister_thread(ThreadState* thread) noexcept {
  {
    const std::lock_guard lock(mutex_);
    current_ = nullptr;
    graph.close(thread->tape);
    locations.release(thread->location);
    thread->ended = true;
    if (thread->in_flight == 0) delete thread;
  }
  mutex_.forget_this_thread();
}

void CallContext::take_back() noexcept {
  engine.graph.take_back(thread.tape, engine.graph.recorded_nodes - recorded);
  try {
    throw;
  } catch (const std::bad_alloc&) {
    engine.graph.sweep();
  } catch (const std::exception&) {
  }
}

void Engine::finish() {
  if (Trace* const trace = reports.trace()) trace->finish();
  if (!config.holds.empty()) reports.report_holds();
  if (config.debug < 1) return;  // a signal's handler that exits may have interrupted a call
  const std::lock_guard lock(mutex_);
  reports.report_leaks();
}

}  // namespace rt
