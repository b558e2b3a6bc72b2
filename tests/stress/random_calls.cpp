// random_calls.cpp -- makes any exported calls with random arguments, as many as requested.
//   rt_random_calls --calls 100000000 --threads 2 --seed 7
// Arguments may be mistakes of a client, but memory behind pointers is always valid, since no
// library could notice otherwise. Checked promises: a handle is not negative, a failed call has an
// error, and nothing is left when all handles are freed.
#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "rt_torch.h"
#include "tests/support/nasty.h"

namespace rt_test {
namespace {

constexpr size_t kShared = 256;        ///< most live handles
constexpr int64_t kMaxElements = 512;  ///< of a kept tensor
constexpr size_t kData = 1 << 16;      ///< elements behind a pointer
constexpr int kRare = 4096;            ///< one call in so many is of those that access files

/// A generator with a seed (SplitMix64, Steele and others 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  bool one_in(uint64_t times) { return below(times) == 0; }
  template <class T, size_t n>
  T pick(const T (&values)[n]) {
    return values[below(n)];
  }

 private:
  uint64_t state_;
};

enum class Result { Plain, Handle, Ints, Handles, Text };

enum class Thing : int64_t { Tensor, Stream, Optimizer, File };

/// A handle, below 2^53, and its kind, packed into one integer that threads exchange.
struct Held {
  int64_t handle = 0;
  Thing thing = Thing::Tensor;
  static Held of(int64_t attr) { return {attr & kMask, static_cast<Thing>(attr >> kBits)}; }
  int64_t attr() const { return handle | static_cast<int64_t>(thing) << kBits; }
  void free() const {
    if (handle == 0) return;
    switch (thing) {
      case Thing::Tensor: return rt_torch_torchtensor_free(handle);
      case Thing::Stream: return rt_torch_torchstream_free(handle);
      case Thing::Optimizer: rt_torch_optimizer_free(handle); return;
      case Thing::File: return rt_torch_safetensors_close(handle);
    }
  }

 private:
  static constexpr int kBits = 56;
  static constexpr int64_t kMask = (int64_t{1} << kBits) - 1;
};

Thing thing_of(const std::string& symbol) {
  if (symbol.find("stream_create") != std::string::npos) return Thing::Stream;
  if (symbol.ends_with("_new")) return Thing::Optimizer;
  if (symbol.find("safetensors_open") != std::string::npos) return Thing::File;
  return Thing::Tensor;
}

struct Row {
  std::string symbol;
  void* function = nullptr;
  std::vector<std::string> kinds;
  Result result = Result::Plain;
  Thing thing = Thing::Tensor;
  bool has_memory = false;  ///< takes a pointer, whose length is another argument
  bool rare = false;
  bool zero_is_failure = true;
};

/// State that all threads share.
struct Shared {
  std::vector<Row> rows;
  std::array<std::atomic<int64_t>, kShared> handles{};
  std::atomic<int64_t> wrong{0}, failed{0};
  std::string folder;
  std::vector<std::string> texts;
};

/// True for pointers to numbers, whose count is another argument.
bool is_memory(const std::string& kind) {
  return kind == "Doubles" || kind == "Int64s" || kind == "IntData" || kind == "FloatList" ||
         kind.ends_with("Out");
}

std::vector<Row> read_rows() {
  std::vector<Row> rows;
  for (const auto& json : rows_of_flavor("c")) {
    Row row;
    row.symbol = json["symbol"];
    row.function = dlsym(RTLD_DEFAULT, row.symbol.c_str());
    if (!row.function) throw std::runtime_error(row.symbol + " is not exported");
    for (const auto& param : json["params"]) {
      row.kinds.push_back(param["kind"]);
      row.has_memory = row.has_memory || is_memory(row.kinds.back());
    }
    const std::string returns = json["returns"];
    if (returns == "Tensor" || returns == "Handle") row.result = Result::Handle;
    if (returns == "IntList") row.result = Result::Ints;
    if (returns == "TensorList") row.result = Result::Handles;
    row.thing = thing_of(row.symbol);
    row.zero_is_failure = zero_is_failure(json);
    for (const char* slow :
         {"save", "load", "open", "graph", "dump", "stats_json", "set_backend", "empty_cache"})
      row.rare = row.rare || row.symbol.find(slow) != std::string::npos;
    rows.push_back(std::move(row));
  }
  return rows;
}

class Caller {
 public:
  Caller(Shared& shared, uint64_t seed) : shared_(shared), random_(seed), data_(kData) {
    for (double& number : data_) number = real();
  }

  void call() {
    const Row& row = shared_.rows[random_.below(shared_.rows.size())];
    if (row.rare && !random_.one_in(kRare)) return;
    const bool looks = random_.one_in(16);
    if (looks) rt_torch_clear_error();
    std::array<int64_t, 18> attributes{};
    std::array<double, 6> reals{};
    size_t at = 0, real_at = 0;
    for (const std::string& kind : row.kinds) {
      if (kind == "Float") reals[real_at++] = real();
      else put(row, kind, attributes, at);
    }
    if (row.result == Result::Ints || row.result == Result::Handles) {
      attributes[at++] = reinterpret_cast<int64_t>(out_.data());
      attributes[at++] = static_cast<int64_t>(random_.below(out_.size()));
    }
    using Any = int64_t (*)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                            int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                            int64_t, int64_t, double, double, double, double, double, double);
    const auto& w = attributes;
    const int64_t result = reinterpret_cast<Any>(row.function)(
        w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13],
        w[14], w[15], w[16], w[17], reals[0], reals[1], reals[2], reals[3], reals[4], reals[5]);
    if (row.result == Result::Handle) take(row, result, looks);
    if (row.result == Result::Handles)
      for (int64_t i = 0; i < std::min(result, w[at - 1]); ++i)
        keep({out_[static_cast<size_t>(i)], Thing::Tensor});
  }

 private:
  void put(const Row& row, const std::string& kind, std::array<int64_t, 18>& attributes,
           size_t& at) {
    const auto list = [&](int64_t* items, size_t there) {
      const bool null = random_.one_in(32);
      attributes[at++] = null ? 0 : reinterpret_cast<int64_t>(items);
      attributes[at++] = length(null, there);
    };
    if (kind == "Tensor" || kind == "OptTensor" || kind == "Handle") {
      attributes[at++] = handle();
    } else if (kind == "Sizes" || kind == "IntList") {
      for (int64_t& item : list_) item = row.has_memory ? small() : integer();
      list(list_.data(), list_.size());
    } else if (kind == "TensorList") {
      for (int64_t& item : handles_) item = handle();
      list(handles_.data(), handles_.size());
    } else if (kind == "FloatList" || kind == "IntData") {
      attributes[at++] = reinterpret_cast<int64_t>(data_.data());
      attributes[at++] = random_.one_in(4) ? static_cast<int64_t>(random_.below(kData)) : small();
    } else if (kind == "Text" || kind == "TextBits") {
      attributes[at++] = random_.one_in(64) ? 0 : reinterpret_cast<int64_t>(text());
    } else if (kind == "Int64s") {
      for (int64_t& item : list_) item = small();
      attributes[at++] = random_.one_in(32) ? 0 : reinterpret_cast<int64_t>(list_.data());
    } else if (is_memory(kind)) {
      attributes[at++] = random_.one_in(32) ? 0 : reinterpret_cast<int64_t>(data_.data());
    } else if (kind == "Bits") {
      attributes[at++] = std::bit_cast<int64_t>(real());
    } else {
      attributes[at++] = row.has_memory ? small() : integer();
    }
  }

  int64_t handle() {
    static constexpr int64_t kWrong[] = {0, -1,      INT64_MAX,        INT64_MIN,
                                         1, 1 << 26, int64_t{1} << 52, int64_t{1} << 61};
    if (random_.one_in(16)) return random_.one_in(2) ? stale_ : random_.pick(kWrong);
    return Held::of(shared_.handles[random_.below(kShared)].load(std::memory_order_relaxed)).handle;
  }
  int64_t small() { return static_cast<int64_t>(random_.below(9)) - (random_.one_in(8) ? 4 : 0); }
  int64_t integer() {
    static constexpr int64_t kExtreme[] = {
        INT64_MAX,        INT64_MIN,           INT32_MAX,        INT32_MIN, int64_t{1} << 32,
        int64_t{1} << 40, -(int64_t{1} << 40), int64_t{1} << 62, 64,        4096};
    return random_.one_in(24) ? random_.pick(kExtreme) : small();
  }
  double real() {
    static constexpr double kReals[] = {0.0,
                                        -0.0,
                                        1.0,
                                        -1.0,
                                        0.5,
                                        2.0,
                                        1e-3,
                                        1e300,
                                        -1e300,
                                        1e-310,
                                        std::numeric_limits<double>::infinity(),
                                        std::numeric_limits<double>::quiet_NaN()};
    return random_.pick(kReals);
  }
  int64_t length(bool null, size_t there) {
    static constexpr int64_t kWrong[] = {-1, INT64_MIN, INT64_MAX, (int64_t{1} << 20) + 1};
    if (random_.one_in(32)) return random_.pick(kWrong);
    return null ? 0 : static_cast<int64_t>(random_.below(random_.one_in(32) ? there : 5));
  }
  const char* text() { return shared_.texts[random_.below(shared_.texts.size())].c_str(); }

  void take(const Row& row, int64_t result, bool looks) {
    if (result < 0) return wrong(row, "gave a negative handle");
    if (result > 0) return keep({result, row.thing});
    shared_.failed.fetch_add(1, std::memory_order_relaxed);
    if (!looks || !row.zero_is_failure) return;
    const std::string message = rt_torch_last_error();
    // The message may be that of an earlier call, whose value failed.
    if (message.empty()) wrong(row, "failed and says nothing");
  }
  void wrong(const Row& row, const char* what) {
    std::cerr << row.symbol << ' ' << what << ": " << rt_torch_last_error() << '\n';
    ++shared_.wrong;
  }

  void keep(const Held& held) {
    // The query of the size forces under one policy only.
    const bool large =
        held.thing == Thing::Tensor && rt_torch_torchtensor_numel(held.handle) > kMaxElements;
    Held gone = held;
    if (!large) {
      auto& slot = shared_.handles[random_.below(kShared)];
      gone = Held::of(slot.exchange(held.attr(), std::memory_order_relaxed));
    }
    gone.free();
    stale_ = gone.handle;
  }

  Shared& shared_;
  Random random_;
  std::vector<double> data_;
  std::array<int64_t, 128> list_{}, handles_{}, out_{};
  int64_t stale_ = 0;
};

/// Frees everything, then expects that nothing is left.
int look(Shared& shared) {
  rt_torch_set_policy("data");
  for (auto& attr : shared.handles) Held::of(attr.exchange(0)).free();
  for (int i = 0; i < 1000 && rt_torch_sync() == 0; ++i) {  // unreported failures
  }
  const auto expect = [&](const char* what, int64_t is, int64_t should) {
    if (is == should) return;
    std::cerr << what << " is " << is << " without handles and not " << should << '\n';
    ++shared.wrong;
  };
  // A leak may come from a rare path of a call, such as a list of handles beyond its capacity.
  expect("pending", rt_torch_pending(), 0);
  expect("live_handles", rt_torch_live_handles(), 0);
  expect("live_bytes", rt_torch_stat("live_bytes"), 0);
  return shared.wrong == 0 ? 0 : 1;
}

/// Limits the process to 1 GiB more, so that large tensors fail at once.
void limit_memory() {
  rt_torch_backend();  // loads libtorch before the limit
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit room{static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE) + (int64_t{1} << 30)),
                    RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &room);
}

/// Looks in a fork, so that the calls after it are those of a run that does not look.
bool is_clean(Shared& shared) {
  const pid_t child = fork();
  if (child == 0) _exit(look(shared));
  int status = 1;
  waitpid(child, &status, 0);
  return status == 0;
}

int run(int64_t calls, int threads, uint64_t seed, int64_t look_from, int64_t look_after) {
  Shared shared;
  shared.rows = read_rows();
  shared.folder =
      std::filesystem::temp_directory_path() / ("rt_random_calls." + std::to_string(seed));
  std::filesystem::create_directories(shared.folder);
  std::filesystem::current_path(shared.folder);  // any text may become a path
  shared.texts = {"observe",
                  "data",
                  "eager",
                  "auto",
                  "reference",
                  "libtorch",
                  "text",
                  "json",
                  "dot",
                  "html",
                  "/dev/null",
                  shared.folder + "/a.pt",
                  shared.folder + "/b.safetensors",
                  "no/such/thing",
                  "",
                  "nodes",
                  "live_bytes",
                  "\xff\xfe\x01",
                  std::string(5000, 'x'),
                  "w"};
  limit_memory();
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i)
    callers.emplace_back([&, i] {
      Caller caller(shared, seed * 1000 + static_cast<uint64_t>(i));
      for (int64_t n = 1; n <= calls / threads; ++n) {
        caller.call();
        if (look_after == 0 || n < look_from || n % look_after != 0 || is_clean(shared)) continue;
        std::cerr << "after call " << n << '\n';
        break;
      }
    });
  for (std::thread& caller : callers) caller.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const int status = look(shared);
  std::filesystem::remove_all(shared.folder);
  std::cout << calls << " calls on " << threads << " threads, " << shared.failed
            << " calls for a handle failed, " << rt_torch_stat("batches") << " batches, "
            << shared.wrong << " wrong, " << seconds.count() << " s\n";
  return status;
}

}  // namespace
}  // namespace rt_test

int main(int argc, char** argv) {
  CLI::App app("Makes random calls of the library and checks what must hold whatever is called.");
  int64_t calls = 1'000'000;
  int threads = 1;
  uint64_t seed = 1;
  app.add_option("--calls", calls, "how many, over all threads")->check(CLI::PositiveNumber);
  app.add_option("--threads", threads)->check(CLI::Range(1, 64));
  app.add_option("--seed", seed, "of the arguments");
  int64_t look_from = 0, look_after = 0;
  app.add_option("--look-after", look_after,
                 "with one thread: look for leaks after each N calls and end at the first");
  app.add_option("--look-from", look_from, "the call from which on --look-after looks");
  CLI11_PARSE(app, argc, argv);
  if (look_after > 0 && threads > 1) {
    std::cerr << "--look-after needs --threads 1, because it looks between two calls\n";
    return 2;
  }
  return rt_test::run(calls, threads, seed, look_from, look_after);
}
