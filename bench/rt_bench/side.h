// side.h -- a workload's description, and a side that runs it.
#pragma once
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rt_bench {

/// Settings of all workloads of a run.
struct Setup {
  int threads = 1;
  bool cuda = false;
};
inline Setup setup;

/// Processor time is that of the whole process: other programs disturb it least, and it includes
/// second threads of ours. With several threads it does not measure speed.
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

/// Least speed of the lazy way relative to libtorch eager; 0: no bar.
struct Bar {
  double one_thread = 0;
  double more_threads = 0;  ///< 0: that of one thread
  double stretch = 0;       ///< on one thread
};

/// Bars for each backend of the engine.
struct Bars {
  Bar libtorch = {};
  Bar reference = {};
  double above_us = 0;  ///< for batch costs: most microseconds above libtorch eager
};

struct Info {
  std::string name;
  std::string title;
  Bars bars = {};
  double tolerance = 1e-5;  ///< greatest difference of results, relative to max(1, |value|)
  /// Times only the submission of a batch, on libtorch; policy eager submits none.
  bool batch_cost = false;
};

/// A workload with its data on one of the two libraries. Sides that ran as many steps have equal
/// state up to rounding.
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

/// The table of table.h on the C ABI and on libtorch: equal rows in equal order.
std::vector<Workload> abi_workloads();
std::vector<Workload> aten_workloads();

/// Must be called before other calls of ATen, and after the engine has loaded its backend.
void prepare_aten();

}  // namespace rt_bench
