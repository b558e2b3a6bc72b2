// capture.h -- the files of RT_TORCH_DUMP: every new batch, and the last ones when a batch fails.
#pragma once
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "graph/batch/backend.h"
#include "graph/dump/dump.h"
#include "graph/tape/tape.h"

namespace rt {

/// In the folder:
///     batch-KEY.json                a batch, when it is first seen; KEY is its key
///     batch-KEY.safetensors         its inputs, if asked for, by their values' names: "%0"
///     failure-1/1-KEY.json          the batches that ran last, the oldest first ...
///     failure-1/8-KEY-failed.json   ... up to the one that failed, with its error
/// Failures are numbered on from those in the folder; a process writes at most kMaxFailures.
/// Failures to write do not throw, but are kept for take_complaint(). Several threads may call.
class Capture {
 public:
  static constexpr size_t kLast = 8;
  static constexpr int kMaxFailures = 16;

  Capture(std::string folder, bool inputs) : folder_(std::move(folder)), inputs_(inputs) {}
  bool wanted() const { return !folder_.empty(); }

  /// Keeps a batch that is about to run, with its inputs and the source locations of its steps, and
  /// writes it if it is new. Returns an id for failed().
  int64_t note(const Submission& submission, std::span<const std::string> locations,
               Backend& backend);
  /// Writes the last batches, because the one with this id has failed.
  void failed(int64_t id, const std::string& error, Backend& backend);
  /// Releases the kept batches and their inputs.
  void forget() {
    const std::lock_guard lock(mutex_);
    last_.clear();
  }
  /// The newest failure to write since the previous call, for the user; "": none.
  std::string take_complaint() {
    const std::lock_guard lock(mutex_);
    return std::exchange(complaint_, {});
  }

  // Around a fork, so that the child finds a consistent state.
  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

 private:
  /// Inputs are shared and not copied, because buffers with several holders are never overwritten.
  /// Those that no dump needs are null.
  struct Noted {
    int64_t id;
    Key key;
    Batch batch;
    std::vector<std::string> locations;
    std::vector<std::string> labels;
    std::vector<BufferRef> inputs;
  };

  void complain(const std::exception& error);
  bool wants(const BufferRef& input) const;
  void write(const std::string& stem, const Noted& noted, const std::string& error,
             Backend& backend) const;
  std::string new_folder();

  const std::string folder_;
  const bool inputs_;
  /// Held while files are written, with the engine's lock released, so that of two batches one
  /// waits.
  std::mutex mutex_;
  std::deque<Noted> last_;
  int64_t noted_ = 0;
  int failures_ = 0;
  std::string complaint_;
};

}  // namespace rt
