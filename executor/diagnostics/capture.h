// capture.h -- what RT_TORCH_DUMP writes: every new batch, and the last ones when a batch fails.
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
///     batch-KEY.json             a batch, when it is first seen; KEY is its key
///     batch-KEY.safetensors      its inputs, where they are wanted, by their values' names: "%0"
///     failure-1/1-KEY.json       the batches that ran last, the oldest first ...
///     failure-1/8-KEY-failed.json   ... up to the one that failed, which says why
/// Failures are numbered on from what the folder has; a process writes at most kMaxFailures.
/// Nothing here throws: what cannot be written is told by take_complaint(). For several threads.
class Capture {
 public:
  static constexpr size_t kLast = 8;
  static constexpr int kMaxFailures = 16;

  Capture(std::string folder, bool inputs) : folder_(std::move(folder)), inputs_(inputs) {}
  bool wanted() const { return !folder_.empty(); }

  /// A batch that is about to run, with the texts of its steps' places; its number.
  int64_t note(const Submission& submission, std::span<const std::string> locations,
               Backend& backend);
  /// The batch of that number has failed.
  void failed(int64_t id, const std::string& error, Backend& backend);
  /// Lets go of what it keeps of batches, and of their inputs.
  void forget() {
    const std::lock_guard lock(mutex_);
    last_.clear();
  }
  std::string take_complaint() {
    const std::lock_guard lock(mutex_);
    return std::exchange(environment_error_, {});
  }

  // Around a fork, so that the child finds everything whole.
  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

 private:
  /// Inputs are kept as they are, since nothing writes over what somebody holds; those that nobody
  /// will want are null.
  struct Noted {
    int64_t id;
    Key key;
    Batch batch;
    std::vector<std::string> locations;
    std::vector<std::string> labels;
    std::vector<BufferRef> inputs;
  };

  bool wants(const BufferRef& input) const;
  void write(const std::string& stem, const Noted& noted, const std::string& error,
             Backend& backend) const;
  std::string new_folder();

  const std::string folder_;
  const bool inputs_;
  /// Files are written with it held, and with the engine's lock let go: of two batches one waits.
  std::mutex mutex_;
  std::deque<Noted> last_;
  int64_t noted_ = 0;
  int failures_ = 0;
  std::string environment_error_;
};

}  // namespace rt
