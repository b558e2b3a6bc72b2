// reports.h -- the output that users ask for: errors, batches, dumps, leaks, holds of the lock.
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

  /// Opens the trace that RT_TORCH_TRACE asks for. Fills in `problem` where that fails.
  void open_trace(std::string& problem);
  /// Counts a failed call, prints it where the user asked for that, and makes its message the
  /// thread's error; one that only follows from an earlier failure leaves an error that is there.
  /// `call` is the call with its arguments.
  void report(CallContext& context, std::string message, std::string_view call,
              Failure failure) noexcept;
  /// Prints an error if the user wants it. The process ends where RT_TORCH_ON_ERROR says so.
  void announce_error(std::string_view location, std::string_view text,
                      bool is_cause) const noexcept;
  /// Prints and dumps a batch as RT_TORCH_DEBUG and RT_TORCH_DUMP ask for.
  void announce(Job& job, Reason reason) noexcept;
  void report_capture();
  void report_holds() const;
  void report_leaks() const;

  /// The pending graph of this thread, or the newest batch when nothing is pending, in `format`:
  /// text, json, dot, html, torchscript or "torchscript module".
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
  bool dump_has_failed_ = false;  ///< and that was printed
};

}  // namespace rt
