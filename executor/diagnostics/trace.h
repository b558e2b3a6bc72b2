// trace.h -- the timeline of RT_TORCH_TRACE, for Perfetto and chrome://tracing.
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

/// The tracks of a thread, each a line in the viewer. The slices of one track do not overlap, but
/// may be nested.
enum class Track : uint8_t { Recording, Forces, Batches, Compile, Nodes };

/// A file in the JSON array format of Chrome's trace events. flush() writes whole events only, so
/// that the file of a killed process lacks just its last `]`, which the format allows. Adding an
/// event to a track other than Nodes does not write, so that it may be done under a lock.
///
/// Each engine has its own file. Where another engine uses the file, of this process or of another,
/// the trace goes to "name.PID.json" beside it, and so does that of a forked child from its first
/// event on. Several threads may call.
class Trace final : public RunObserver {
 public:
  /// Throws Error with the reason where the file cannot be written.
  explicit Trace(std::string_view file);
  ~Trace() override;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// A text or a number. An empty text is not written.
  struct Detail {
    Detail(std::string_view of, std::string_view value) : name(of), text(value) {}
    Detail(std::string_view of, int64_t value) : name(of), number(value) {}
    std::string_view name, text{};
    std::optional<int64_t> number{};
  };
  using Details = std::initializer_list<Detail>;
  /// Adds a slice of the calling thread. Times are those of now_ns().
  void slice(Track track, std::string_view name, int64_t start, int64_t end,
             Details details) noexcept;

  /// Counts a client's call on this thread. The first one begins a slice of recording.
  void call();
  /// Ends the thread's slice of recording.
  void recorded(int64_t nodes);

  void ran_steps(const Batch& batch, std::span<const int64_t> times) noexcept override;
  void ran_steps(const Batch& batch, std::span<const int64_t> times,
                 const DumpNotes& notes) noexcept;
  void ran(std::string_view name, std::string_view about, int64_t start,
           int64_t end) noexcept override;
  /// The time at which the newest run on this thread ended, before its report. To be called once
  /// after each run.
  int64_t end_of_run();

  void flush();   ///< writes all events; prints an error and ends the trace where that fails
  void finish();  ///< at exit: completes the file; later events are ignored

  // Around a fork, so that the child finds a consistent state.
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

  const std::filesystem::path file_;  ///< absolute: the program may change its working directory

  std::mutex file_mutex_;  ///< guards the members up to mutex_; taken before mutex_
  int64_t written_ = 0;    ///< bytes of whole events in the file
  int descriptor_ = -1;    ///< -1: closed
  bool is_due_ = false;    ///< the next flush opens the file

  std::mutex mutex_;  ///< guards the members below; never held while the file is written
  std::string buffer_;
  int64_t put_ = 0;     ///< bytes that have left the buffer
  bool begun_ = false;  ///< events are added
  uint32_t files_ = 0;  ///< files begun so far; tracks are named anew in each
  int64_t process_ = 0;
};

/// Adds a slice from its construction to the end of its scope. Does nothing without a trace.
class TraceScope {
 public:
  TraceScope(Trace* trace, Track track, std::string_view name, std::string_view location = {})
      : trace_(trace), track_(track), name_(name) {
    if (!trace_) return;
    location_ = location;
    start_ = now_ns();
  }
  ~TraceScope() {
    if (trace_) trace_->slice(track_, name_, start_, now_ns(), {{"at", location_}});
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  Trace* trace_;
  Track track_;
  std::string_view name_;
  std::string location_;  ///< a copy, because the lock may be released before the end
  int64_t start_ = 0;
};

}  // namespace rt
