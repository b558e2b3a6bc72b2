// engine.h -- the one object: tapes, handles, policy, cache, backend, counters.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "executor/cache.h"
#include "executor/config.h"
#include "executor/diagnostics/capture.h"
#include "executor/diagnostics/counters.h"
#include "executor/diagnostics/trace.h"
#include "executor/engine_lock.h"
#include "executor/optimizer.h"
#include "executor/slots.h"
#include "graph/dump/dump.h"
#include "graph/failure.h"
#include "graph/ops/builder.h"
#include "graph/tape/handles.h"
#include "graph/tape/source_locations.h"
#include "graph/tape/tape.h"
#include "graph/uncancelled.h"

namespace rt {

namespace files {
class Safetensors;
}
using OpenFile = std::shared_ptr<const files::Safetensors>;

/// What belongs to one calling thread. Errors and text results are its own.
struct ThreadState {
  explicit ThreadState(Graph& graph) : tape(graph.open_tape()) {}
  Tape& tape;
  std::string last_error;
  std::string text;             ///< the newest text result
  uint64_t ticket = 0;          ///< of the newest batch that it has submitted
  uint32_t location = 0;        ///< of the nodes recorded next
  int64_t no_grad = 0;          ///< calls of no_grad_begin that wait for their end
  int64_t in_flight = 0;        ///< batches that it submitted and that have not landed
  bool ended = false;           ///< its last batch takes it along
  std::vector<BufferRef> dead;  ///< room for those that it ends, empty while it holds the lock
  /// Number of its newest backward pass that was given handle 0, 0: none since a gradient was
  /// cleared.
  uint64_t lost_pass = 0;
};

class Engine;
class Fallbacks;

/// A client's stream, which stands for its device.
struct Stream {
  Device device;
  uint64_t awaited = 0;  ///< the ticket that queries ask about, 0: none does
};

/// One call's turn: the engine, locked, and the calling thread. The lock guards the engine's state
/// and nothing else: whatever takes long lets it go, see Unlocked.
struct CallContext {
  Engine& engine;
  const std::lock_guard<Engine> lock;
  ThreadState& thread;
  const int64_t recorded;  ///< by all calls before this one
  explicit CallContext(Engine& engine);
  /// After a failure in the middle of the call: takes back what it has recorded.
  void take_back() noexcept;
};

/// Releases the engine's lock for as long as it lives: around copies, files, long texts and waits.
/// The backend stays meanwhile; handles and values that nobody holds may go. No thread is cancelled
/// there.
class Unlocked {
 public:
  explicit Unlocked(Engine& engine);
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked();

 private:
  Engine& engine_;
  const Uncancelled uncancelled_;
};

/// A call that records an op, unpacked from the ABI.
struct Call {
  std::string_view symbol;    ///< as the client called it
  Args args;                  ///< operands not filled in yet
  Small<int64_t, 6> handles;  ///< of the tensor parameters, in order; 0 may stand for an OptTensor
};

/// What a call also does to tensors of its client, as a call in place does: new values take the
/// place of what the handles stand for.
struct InPlaceUpdate {
  Call subject;  ///< of the operands that the values are computed of; checked and not recorded
  Small<int64_t, 4> handles;
  std::function<Small<Value, 4>(Builder&, const Args& subject)> values;  ///< one for each handle
};

class Engine {
 public:
  /// Made at the first use, never destroyed.
  static Engine& instance() {
    Engine* const engine = instance_.load(std::memory_order_acquire);
    return engine ? *engine : make_instance();
  }
  static ThreadState* this_thread() { return current_; }  ///< nullptr ahead of its first turn

  // As std::lock_guard wants it. Buffers that died under the lock end when it is let go.
  void lock() { mutex_.lock(); }
  void unlock() {
    if (graph_.has_dead()) [[unlikely]]
      return unlock_and_end_dead();
    mutex_.unlock();
  }

  /// Every call begins here: tells once, by throwing, what is wrong with the environment.
  void begin(CallContext& context) {
    if (is_watched_) [[unlikely]]
      begin_watched(context);
  }

  // Recording and handles. All throw Error; handles of tensors unless it says otherwise.
  int64_t record(CallContext& context, Call& call);  ///< a handle to the result
  /// The same and the update, computed from what the handles stood for before. The call's operands
  /// are among those of the update's subject.
  int64_t record_updating(CallContext& context, Call& call, InPlaceUpdate& update);
  double record_and_read(CallContext& context, Call& call);    ///< the one number the result holds
  int64_t add_tensor(CallContext& context, BufferRef buffer);  ///< a handle to data from outside
  int64_t alias(CallContext& context, int64_t handle);    ///< a second handle to the same value
  void free(CallContext& context, int64_t handle);        ///< a force point
  TensorType type(CallContext& context, int64_t handle);  ///< of pending values too; forces nothing
  void observe_shape(CallContext& context, int64_t handle);  ///< the force point of shape questions
  BufferRef read(CallContext& context, int64_t handle);      ///< a force point; waits
  void set_label(CallContext& context, int64_t handle, std::string label);
  void set_location(CallContext& context, std::string_view file,
                    int64_t line);  ///< of what is recorded next
  /// Ahead of creation from data: where a tape over its soft limit is cut.
  void batch_boundary(CallContext& context);

  // Gradients (gradients.cpp). A leaf that shares its value with other handles gets one of its own.
  void set_requires_grad(CallContext& context, int64_t handle, bool wanted);
  bool requires_grad(CallContext& context, int64_t handle);
  int64_t detach(CallContext& context, int64_t handle);
  void backward(CallContext& context, int64_t handle);
  int64_t gradient(CallContext& context,
                   int64_t handle);  ///< a handle to a snapshot, 0 when there is none
  void zero_gradient(CallContext& context, int64_t handle);

  // Optimizers (optimizer.cpp).
  int64_t add_optimizer(CallContext& context, Optimizer optimizer, Sizes handles);
  void step(CallContext& context, int64_t handle);
  void zero_gradients(CallContext& context, int64_t handle);
  double learning_rate(CallContext& context, int64_t handle);
  void set_learning_rate(CallContext& context, int64_t handle, double rate);
  void free_optimizer(CallContext& context, int64_t handle);

  // Streams (streams.cpp). All of these calls submit what is pending.
  int64_t add_stream(CallContext& context, Device device);
  Device stream(CallContext& context, int64_t handle);  ///< of a live stream; submits nothing
  /// Both are about what was submitted before, by any thread.
  void sync_stream(CallContext& context, int64_t handle);
  bool stream_is_idle(CallContext& context, int64_t handle);
  void free_stream(CallContext& context, int64_t handle);

  // Open files, by handles of their own. A file stays open while somebody reads from it.
  int64_t add_file(CallContext& context, OpenFile file);
  OpenFile file(CallContext& context, int64_t handle);
  void close_file(CallContext& context, int64_t handle);

  // Batches.
  int64_t flush(CallContext& context);  ///< number of nodes submitted
  /// Waits for all that was submitted before. False, with the thread's error set, when a batch
  /// failed.
  bool sync(CallContext& context);
  void seed(CallContext& context, uint64_t seed);
  void set_policy(CallContext& context, Policy policy);
  Policy policy() const { return policy_; }
  /// Chooses the backend by name; throws when it cannot be had or a tensor exists already.
  void set_backend(CallContext& context, std::string_view name);
  Backend& backend();       ///< made at its first use, for which the lock is let go
  Device default_device();  ///< throws when RT_TORCH_DEVICE names one that is not there
  /// CPU for index < 0, else CUDA `index`; throws when it is not there.
  Device device(int64_t index);
  TensorType type_of(Value value) const { return graph_.type(value); }
  int64_t pending(CallContext& context) const { return context.thread.tape.nodes; }
  int64_t live_handles() const { return handles_.live(); }

  /// The pending graph of this thread, or the newest batch when nothing is pending, in `format`:
  /// text, json, dot, html, torchscript or "torchscript module".
  std::string dump(CallContext& context, std::string_view format);

  // Counters.
  void count(Counter counter, int64_t by = 1) { counters_[static_cast<size_t>(counter)] += by; }
  CounterValues counters() const;
  void reset_counters();

  const Config& config() const { return config_; }
  /// Counts a failed call, prints it where the user asked for that, and makes its message the
  /// thread's error; one that only follows from an earlier failure leaves an error that is there.
  /// `call` is the call with its arguments.
  void report(CallContext& context, std::string message, std::string_view call,
              Failure failure) noexcept;

 private:
  friend struct CallContext;
  friend class Unlocked;
  friend class TapeBuilder;
  Engine();
  static Engine& make_instance();
  static bool follow_forks();
  ThreadState& register_thread();
  void unlock_and_end_dead();

  // record.cpp
  Value append(CallContext& context, Call& call, bool graded);
  Value append(CallContext& context, Args& args, bool graded);
  Value append_inferred(CallContext& context, const Args& args, bool graded);
  Value at_once(CallContext& context, const Args& args);
  int64_t handle_to(Value value) { return graph_.new_handle(value, handles_); }
  void complete(CallContext& context, Call& call);
  void resolve(CallContext& context, Call& call);
  Small<TensorType, 6> types(const Args& args) const;
  void check_limits(CallContext& context) {
    const Tape& tape = context.thread.tape;
    if (tape.nodes >= config_.max_pending_nodes || tape.bytes >= config_.max_pending_bytes)
        [[unlikely]]
      cut_where_it_repeats(context);
  }
  void cut_where_it_repeats(CallContext& context);
  bool over_soft_limit(const Tape& tape, double factor) const;
  Value value_of(CallContext& context, int64_t handle);
  void drop_locations();

  // rebind.cpp
  class Rewriting;
  void put(int64_t handle, Value now);
  void replace(int64_t handle, Value now);

  // gradients.cpp, optimizer.cpp
  Value here(CallContext& context, int64_t handle);
  bool bring_here(CallContext& context, Value value);
  Value detached(CallContext& context, Value value);
  Value gradient_of(CallContext& context, Value leaf);
  void clear_gradient(Value leaf);
  Value make_leaf(CallContext& context, int64_t handle);
  Optimizer& optimizer(CallContext& context, int64_t handle);
  void find_handles(Optimizer& optimizer);
  Value value_of(const Optimizer::Parameter& parameter);
  template <class Visit>
  void for_each_parameter(CallContext& context, int64_t handle, const Visit& visit);
  void renew(Value& slot, Value now);

  // submit.cpp
  int64_t submit(CallContext& context, Tape& tape, Reason reason);
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
  struct Queue {
    JobRef first;
    Job* last = nullptr;
    void put(JobRef job) noexcept;
    JobRef take() noexcept;
  };
  JobRef new_job();
  /// A batch between its tape and its landing: however this ends, it lands.
  struct Flight {
    Engine& engine;
    JobRef job;
    ~Flight() {
      if (job) engine.complete_job(std::move(job));
    }
  };
  bool prepare(CallContext& context, Tape& tape, Job& job, Cache::Entry*& entry);
  void take_off(Tape& tape, Job& job, Reason reason) noexcept;
  void drop_beyond_bounds() noexcept;
  void run_and_deliver(Flight& flight);
  void execute(Job& job);
  void compile(Job& job);
  void run(Job& job);
  void run_steps(Job& job);
  void settle_roots(Job& job, const Fallbacks& fallbacks, std::span<const BufferRef> values,
                    std::span<const Message> failures) noexcept;
  std::shared_ptr<Program> complete_job(JobRef job) noexcept;
  bool deliver(Job& job) noexcept;
  void put_back(Job& job) noexcept;
  void keep_untold(const Job& job);
  bool has_completed(uint64_t ticket) const { return !oldest_ || oldest_->ticket > ticket; }
  void wait_until_completed(uint64_t ticket);
  void trace_steps(const Submission& submission, std::span<const int64_t> times) noexcept;
  void trace_batch(const Job& job, int64_t start, int64_t end) noexcept;
  BufferRef settle(CallContext& context, Value value);
  void wait_for(CallContext& context, Value value);
  Message failure(const Submission& submission, uint32_t step, std::string_view cause) noexcept;

  // overlap.cpp
  bool is_worth_a_thread(Reason reason, int64_t last_ns, int64_t bytes) const;
  bool hand_over(JobRef& job);
  bool start_worker();
  void work();
  void complete_jobs();
  void forget_jobs();

  // engine.cpp
  void begin_watched(CallContext& context);
  void unregister_thread(ThreadState* thread) noexcept;
  std::unique_ptr<Backend> load_backend(std::string name);
  void check_no_tensors() const;
  void announce(Job& job, Reason reason) noexcept;
  void report_capture();
  static std::string miss_of(const Job& job, const DumpNotes& notes);
  std::vector<std::string> locations_of(const Submission& submission) const;
  std::string dump(const Submission& submission, std::span<const std::string> locations,
                   std::string_view format);
  void before_fork();
  void after_fork();
  void after_fork_in_child();
  void finish();
  void report_leaks() const;
  void report_holds() const;
  bool wants_errors(bool is_cause) const;
  void announce_error(std::string_view location, std::string_view text,
                      bool is_cause) const noexcept;
  bool falls_back_to_cpu(const std::string& device);

  static std::atomic<Engine*> instance_;
  static const bool follows_forks_;  ///< from the library's loading on
  // The library is linked to its clients or loaded early; one pointer finds room in the memory that
  // such variables are kept in.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local ThreadState* current_;

  EngineLock mutex_;
  std::condition_variable_any completed_;
  std::string environment_error_;  ///< about the environment; the first call tells it
  Config config_;                  ///< after complaint_, which reading it fills in
  Capture capture_;
  bool dump_has_failed_ = false;  ///< and that was told
  std::unique_ptr<Trace> trace_;  ///< where RT_TORCH_TRACE asks for one
  bool is_watched_;  ///< every call looks: there is a complaint, a trace or a file for holds
  Policy policy_;
  MemoryCount memory_;
  std::unique_ptr<Backend> backend_;
  Graph graph_;
  Handles handles_;
  Slots<Optimizer> optimizers_;
  Slots<Stream> streams_;
  Slots<OpenFile> files_;
  SourceLocations locations_;
  Cache cache_;
  Cache::List dropped_;  ///< out of the cache; its programs end while the lock is let go
  CounterValues counters_{};
  JobRef newest_;  ///< the newest batch, for dumps
  int64_t batches_since_flush_ = 0;
  int64_t in_flight_nodes_ = 0;
  int64_t fallback_nodes_ = 0;  ///< of backends before this one, less those of before a reset
  uint64_t lost_passes_ = 0;    ///< of all threads
  uint64_t tickets_ = 0;        ///< the newest
  Job* oldest_ = nullptr;       ///< of the batches in flight, by tickets
  Job* youngest_ = nullptr;
  Queue jobs_;  ///< to be run by the worker, in this order
  std::condition_variable_any job_there_;
  JobRef spare_;  ///< jobs whose memory the next batches use
  uint64_t jobs_handed_ = 0, jobs_completed_ = 0;
  int64_t unlocked_ = 0;  ///< calls that use the backend with the lock let go
  bool overlaps_;         ///< batches may be handed over
  bool has_worker_ = false;
  bool loading_ = false;            ///< some thread loads a backend
  bool reported_fallback_ = false;  ///< that the CPU stands for CUDA devices
  bool forked_ = false;             ///< this process came from a fork of one that had an engine
};

inline CallContext::CallContext(Engine& the_engine)
    : engine(the_engine),
      lock(the_engine),
      thread(Engine::current_ ? *Engine::current_ : the_engine.register_thread()),
      recorded(the_engine.graph_.recorded_nodes) {}

inline Unlocked::Unlocked(Engine& engine) : engine_(engine) {
  ++engine.unlocked_;
  engine.unlock();
}
inline Unlocked::~Unlocked() {
  engine_.lock();
  --engine_.unlocked_;
}

}  // namespace rt
