// engine.h -- the state of the process, the lock that guards it, and the parts that work on it.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "executor/autograd.h"
#include "executor/backends.h"
#include "executor/config.h"
#include "executor/engine_lock.h"
#include "executor/open_files.h"
#include "executor/optimizers.h"
#include "executor/policy.h"
#include "executor/recorder.h"
#include "executor/reports.h"
#include "executor/scheduler.h"
#include "executor/streams.h"
#include "graph/tape/handles.h"
#include "graph/tape/source_locations.h"
#include "graph/tape/tape.h"
#include "graph/uncancelled.h"

namespace rt {

/// The state of one calling thread.
struct ThreadState {
  explicit ThreadState(Graph& graph) : tape(graph.open_tape()) {}
  Tape& tape;
  std::string last_error;
  std::string text;             ///< the newest text result
  uint64_t ticket = 0;          ///< of the newest batch that it has submitted
  uint32_t location = 0;        ///< source location of the nodes recorded next
  int64_t no_grad = 0;          ///< calls of no_grad_begin without their no_grad_end
  int64_t in_flight = 0;        ///< batches that it submitted and that have not completed
  bool ended = false;           ///< the thread is gone; its last batch deletes this
  std::vector<BufferRef> dead;  ///< list for unlock_and_end_dead(), kept for its capacity
  /// Id of the thread's newest backward pass that got handle 0. 0: none since a gradient was
  /// cleared. Optimizers refuse the next step after such a pass.
  uint64_t lost_pass = 0;
};

/// One engine a process and library. The lock guards its state: the public data members, and those
/// of its parts, from Reports on.
class Engine {
 public:
  /// Made at the first use. Never destroyed, because static destructors of the client may call.
  static Engine& instance() {
    Engine* const engine = instance_.load(std::memory_order_acquire);
    return engine ? *engine : make_instance();
  }
  static ThreadState* this_thread() { return current_; }  ///< null before its first call

  // For std::lock_guard. Buffers that died under the lock are freed after its release, because
  // that takes long.
  void lock() { mutex_.lock(); }
  void unlock() {
    if (graph.has_dead()) [[unlikely]]
      return unlock_and_end_dead();
    mutex_.unlock();
  }
  /// Waits with the lock released until `done()` is true. It is called under the lock, first at
  /// once, then after each notify().
  template <class Done>
  void wait(Done done) {
    wait(changed_, done);
  }
  template <class Done>
  void wait(std::condition_variable_any& changed, Done done) {
    changed.wait(mutex_, done);
  }
  void notify() { changed_.notify_all(); }
  /// Counts the hold of the lock until now as the build of a batch, see EngineLock::begin_anew().
  void begin_new_hold() { mutex_.begin_anew(); }
  const EngineLock::Holds& longest_holds() const { return mutex_.longest_holds(); }

  /// Begins every call. The first one throws Error where the environment has a wrong value.
  void begin(CallContext& context) {
    if (is_watched_) [[unlikely]]
      begin_watched(context);
  }
  void count(Counter counter, int64_t by = 1) { counters[static_cast<size_t>(counter)] += by; }

 private:
  std::string environment_error_;  ///< the first call reports it

 public:
  Config config;  ///< its initializer fills in environment_error_, which is declared before it
  Policy policy;
  MemoryCount memory;
  Graph graph;
  Handles handles;
  SourceLocations locations;
  CounterValues counters{};
  int64_t unlocked = 0;  ///< Unlocked scopes, in which the backend may be in use
  bool forked = false;   ///< this process was forked from one with an engine

  Reports reports;
  Backends backends;
  Scheduler scheduler;
  Recorder recorder;
  Autograd autograd;
  Optimizers optimizers;
  Streams streams;
  OpenFiles files;

 private:
  friend struct CallContext;
  Engine();
  static Engine& make_instance();
  static bool follow_forks();
  ThreadState& register_thread();
  void unregister_thread(ThreadState* thread) noexcept;
  void unlock_and_end_dead();
  void begin_watched(CallContext& context);
  void before_fork();
  void after_fork();
  void after_fork_in_child();
  void finish();

  static std::atomic<Engine*> instance_;
  static const bool follows_forks_;  ///< its initializer registers the handlers of forks
  // initial-exec is the fastest model. The loader's reserve of static TLS has room for one pointer,
  // even if the library is opened late.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local ThreadState* current_;

  EngineLock mutex_;
  std::condition_variable_any changed_;  ///< a batch has completed, or a backend was loaded
  bool is_watched_;  ///< begin() has work: a wrong environment, a trace or RT_TORCH_HOLDS
};

/// One call: the engine with its lock held, and the calling thread. Work that takes long releases
/// the lock by Unlocked.
struct CallContext {
  Engine& engine;
  const std::lock_guard<Engine> lock;
  ThreadState& thread;
  const int64_t recorded;  ///< nodes that all calls before this one have recorded
  explicit CallContext(Engine& the_engine)
      : engine(the_engine),
        lock(the_engine),
        thread(Engine::current_ ? *Engine::current_ : the_engine.register_thread()),
        recorded(the_engine.graph.recorded_nodes) {}
  /// Removes the nodes that this call has recorded, after it failed. To be called from a handler of
  /// the exception.
  void take_back() noexcept;
};

/// Releases the engine's lock in its scope: around copies, files, long texts and waits. The backend
/// is not replaced meanwhile, but handles and values may be freed unless the caller holds them. The
/// thread cannot be cancelled in the scope.
class Unlocked {
 public:
  explicit Unlocked(Engine& engine) : engine_(engine) {
    ++engine.unlocked;
    engine.unlock();
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked() {
    engine_.lock();
    --engine_.unlocked;
  }

 private:
  Engine& engine_;
  const Uncancelled uncancelled_;
};

inline void Recorder::check_limits(CallContext& context) {
  const Tape& tape = context.thread.tape;
  if (tape.nodes >= engine_.config.max_pending_nodes ||
      tape.bytes >= engine_.config.max_pending_bytes) [[unlikely]]
    cut_where_it_repeats(context);
}
inline int64_t Recorder::handle_to(Value value) {
  return engine_.graph.new_handle(value, engine_.handles);
}

}  // namespace rt
