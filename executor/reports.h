// reports.h -- output for users: errors, batches, dumps, leaks, counters, holds of the lock.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "executor/diagnostics/capture.h"
#include "executor/diagnostics/counters.h"
#include "executor/diagnostics/trace.h"
#include "executor/job.h"
#include "graph/dump/dump.h"
#include "graph/failure.h"

namespace rt {

class Engine;
struct CallContext;
struct Config;

class Reports {
 public:
  explicit Reports(Engine& engine);

  /// Opens the trace of RT_TORCH_TRACE. A failure is printed, and described in `problem` unless
  /// that has a text already.
  void open_trace(std::string& problem);
  /// Counts a failed call, prints it where the user asked for that, and makes `message` the
  /// thread's last error. A failure that only follows from an earlier one does not replace an
  /// error. `call` is the call with its arguments. Releases the lock to print.
  void report(CallContext& context, std::string message, std::string_view call,
              Failure failure) noexcept;
  /// Prints an error where RT_TORCH_DEBUG or RT_TORCH_ON_ERROR asks for it. With
  /// RT_TORCH_ON_ERROR=abort a cause ends the process. Needs no lock.
  void announce_error(std::string_view location, std::string_view text,
                      bool is_cause) const noexcept;
  /// Prints and dumps a batch as RT_TORCH_DEBUG and RT_TORCH_DUMP ask. Releases the lock.
  void announce(Job& job, Reason reason) noexcept;
  void report_capture();
  void report_holds() const;
  void report_leaks() const;

  /// The pending graph of this thread, or the newest batch where nothing is pending, in `format`:
  /// text, json, dot, html, torchscript or "torchscript module". Releases the lock. Throws Error
  /// for another format, and for torchscript on the reference backend.
  std::string dump(CallContext& context, std::string_view format);
  std::vector<std::string> locations_of(const Submission& submission) const;

  CounterValues counters() const;
  void reset_counters();

  Trace* trace() const { return trace_.get(); }  ///< null unless RT_TORCH_TRACE asks for one
  Capture& capture() { return capture_; }

 private:
  static std::string miss_of(const Job& job, const DumpNotes& notes);
  std::string dump(const Submission& submission, std::span<const std::string> locations,
                   std::string_view format);
  bool wants_errors(bool is_cause) const;

  Engine& engine_;
  Capture capture_;
  std::unique_ptr<Trace> trace_;
  bool dump_has_failed_ = false;  ///< a failure to write a dump was printed
};

}  // namespace rt
