// engine.cpp -- the life of the engine: construction, threads, forks, the end of the process.
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

/// Held while the engine is made, and during a fork.
static std::mutex making;

/// Registers handlers of forks when the library is loaded. Without them a child that is forked
/// while another thread holds a lock, or makes the engine, would wait for ever.
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

/// Completes the worker's batches, so that the child has their results.
void Engine::before_fork() {
  mutex_.lock();
  backends.before_fork();
  scheduler.complete_jobs();
  reports.capture().before_fork();
  if (Trace* const trace = reports.trace()) trace->before_fork();
}

void Engine::after_fork() {
  mutex_.begin_anew();  // counts the fork apart, because it copies the page tables
  if (Trace* const trace = reports.trace()) trace->after_fork();
  reports.capture().after_fork();
  mutex_.unlock();
}

/// This thread holds the locks. The other threads do not exist here, so that their batches never
/// complete.
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

/// A thread that calls after it was unregistered, from a destructor of the client, is registered
/// again as a new one.
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
  machine_memory();  // reads files, which must not happen under the lock
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

/// Submits nothing, because thread-local objects that a kernel needs may be destroyed already.
/// Pending nodes stay until another thread reads them.
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
  if (config.debug < 1) return;  // no lock: a signal handler that exits may interrupt its holder
  const std::lock_guard lock(mutex_);
  reports.report_leaks();
}

}  // namespace rt
