// trace.h -- what happened when, written as it happens for Perfetto and chrome://tracing.
#pragma once
#include <filesystem>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "graph/batch/backend.h"
#include "graph/clock.h"
#include "graph/dump/dump.h"

namespace rt {

/// Every thread has these, each a line of its own in the viewer. What one of them shows is nested
/// or one after the other.
enum class Track : uint8_t { Recording, Forces, Batches, Compile, Nodes };

/// A file in the JSON array format of Chrome's trace events. Only whole events leave the buffer, at
/// flush(), so that the file of a killed process lacks its last `]` and nothing else, which the
/// format allows. Noting an event writes nothing: it may be done under a lock.
///
/// Each engine has a file of its own: one that finds its file in use by another, of this process or
/// not, writes beside it, to "name.PID.json", and so does the child of a fork from its first event
/// on.
class Trace final : public RunObserver {
 public:
  /// Throws an Error that says why the file cannot be written.
  explicit Trace(std::string_view file);
  ~Trace() override;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// A text, left out when it is empty, or a number.
  struct Detail {
    Detail(std::string_view of, std::string_view value) : name(of), text(value) {}
    Detail(std::string_view of, int64_t value) : name(of), number(value) {}
    std::string_view name, text{};
    std::optional<int64_t> number{};
  };
  using Details = std::initializer_list<Detail>;
  /// What the calling thread did; times of now_ns().
  void slice(Track track, std::string_view name, int64_t start, int64_t end,
             Details details) noexcept;

  /// A client's call begins on this thread. The first of them begins a run of recording.
  void call();
  /// The thread's run of recording ends here.
  void recorded(int64_t nodes);

  void ran_steps(const Batch& batch, std::span<const int64_t> times) noexcept override;
  void ran_steps(const Batch& batch, std::span<const int64_t> times,
                 const DumpNotes& notes) noexcept;
  void ran(std::string_view name, std::string_view about, int64_t start,
           int64_t end) noexcept override;
  /// When the run that has just ended on this thread did so: before it was told about.
  int64_t end_of_run();

  void flush();
  void finish();  ///< at exit: completes the file, and nothing is written from here on

  // Around a fork, so that the child finds everything whole.
  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }
  void after_fork_in_child();

 private:
  struct Mine;
  static Mine& mine();
  void begin();
  void open(bool beside);
  bool take(const std::string& file);
  void put(std::string_view event);
  void name_track(Track track);
  bool write_out(std::string_view events);
  void close();
  void give_up(const std::string& why);

  const std::filesystem::path file_;  ///< absolute: the program may change its folder

  std::mutex file_mutex_;  ///< guards what follows; taken before the other where both are
  int64_t written_ = 0;    ///< bytes in the file, all of whole events
  int descriptor_ = -1;    ///< -1: closed
  bool is_due_ = false;    ///< it is to be opened at the next flush

  std::mutex mutex_;  ///< guards what follows, and nothing is written with it held
  std::string buffer_;
  int64_t put_ = 0;     ///< bytes that have left the buffer
  bool begun_ = false;  ///< events are wanted
  uint32_t files_ = 0;  ///< how many there were, so that tracks get their names in each
  int64_t process_ = 0;
};

/// A slice from here to the end of its scope; nothing where there is no trace.
class TraceScope {
 public:
  TraceScope(Trace* trace, Track track, std::string_view name, std::string_view location = {})
      : trace_(trace), track_(track), name_(name) {
    if (!trace_) return;
    place_ = location;
    start_ = now_ns();
  }
  ~TraceScope() {
    if (trace_) trace_->slice(track_, name_, start_, now_ns(), {{"at", place_}});
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  Trace* trace_;
  Track track_;
  std::string_view name_;
  std::string place_;  ///< a copy: the lock that guards places may be let go meanwhile
  int64_t start_ = 0;
};

}  // namespace rt
