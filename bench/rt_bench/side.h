// side.h -- what the harness knows of a workload: its description, and a side that can run it.
#pragma once
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rt_bench {

/// What holds for all workloads of a run.
struct Setup {
  int threads = 1;
  bool cuda = false;
};
inline Setup setup;

/// Processor time is that of the whole process: other work on the machine disturbs it least, and a
/// second thread of ours does not hide in it. With several threads it says nothing of the speed.
enum class Clock { Wall, Processor };

class Stopwatch {
 public:
  explicit Stopwatch(Clock clock) : clock_(clock) {}
  void start() { started_ = now_us(); }
  void stop() { us_ += now_us() - started_; }
  double us() const { return us_; }

 private:
  double now_us() const {
    if (clock_ == Clock::Wall) {
      const auto time = std::chrono::steady_clock::now().time_since_epoch();
      return std::chrono::duration<double, std::micro>(time).count();
    }
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
  }

  Clock clock_;
  double started_ = 0, us_ = 0;
};

/// How many times as fast as libtorch eager the lazy way has to be; 0 where nothing is asked.
struct Bar {
  double one_thread = 0;
  double more_threads = 0;  ///< 0: the same
  double stretch = 0;       ///< on one thread
};

/// One for each backend of the engine.
struct Bars {
  Bar libtorch = {};
  Bar reference = {};
  double above_us = 0;  ///< for batch costs instead: most microseconds above libtorch eager
};

struct Info {
  std::string name;
  std::string title;
  Bars bars = {};
  double tolerance = 1e-5;  ///< most that results may differ, relative to max(1, |value|)
  /// Times the submission of a batch alone, on libtorch; policy eager has nothing to submit.
  bool batch_cost = false;
};

/// A workload with its data, on one of the two libraries. Two sides that ran the same number of
/// steps have the same state, to rounding.
class Side {
 public:
  Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  virtual ~Side() = default;
  virtual void run(int64_t steps, Stopwatch& watch) = 0;
  virtual std::vector<float> state() = 0;
};

struct Workload {
  Info info;
  std::function<std::unique_ptr<Side>()> make;
};

/// The table of workloads.h on the C ABI, and on libtorch: the same rows in the same order.
std::vector<Workload> abi_workloads();
std::vector<Workload> aten_workloads();

/// Before the first other call of ATen, but after the engine has loaded its backend.
void prepare_aten();

}  // namespace rt_bench
