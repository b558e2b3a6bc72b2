// fork_host.cpp -- a program that opens the library, uses it and forks: "fork_host LIB SCENE".
// Writes failures to stderr, and nothing else.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "tests/loading/client.h"

namespace rt_test {
namespace {

constexpr int64_t kBig = 512;      ///< large enough for several threads
constexpr unsigned kSeconds = 30;  ///< more than any child takes; an alarm kills one that hangs

/// Runs `body` in a child and waits for its end. The child calls exit, as programs do, because
/// exit handlers of the library and libtorch are part of the test.
void in_child(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    alarm(kSeconds);  // a child does not inherit alarms
    try {
      body();
      std::exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
      std::exit(1);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    throw Wrong("the child was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) throw Wrong("the child failed");
}

/// Runs cached batches of this size, and new ones.
void compute_on(const Library& library, int64_t size = kBig) {
  const int64_t hits = library.stat("cache_hits");
  compute(library, size);
  if (library.stat("cache_hits") == hits) throw Wrong("no batch came from the cache");
  compute_often(library, size / 2);
  draw(library);
}

void computes(const Library& library) {
  compute_often(library, kBig);
  draw(library);
  in_child([&] { compute_on(library); });
  compute_on(library);
  in_child([&] { compute_on(library); });
}

void first_use_in_child(const Library& library) {
  in_child([&] {
    compute_often(library, kBig);
    draw(library);
  });
  compute_often(library, kBig);
}

void grandchild(const Library& library) {
  compute_often(library, kBig);
  in_child([&] {
    compute_on(library);
    in_child([&] { compute_on(library); });
    compute_on(library);
  });
  compute_on(library);
}

/// Parent and child both own pending work.
void pending(const Library& library) {
  compute_often(library, kBig);
  Client client(library);
  const int64_t last = client.chain(client.square(64, 0), 100);
  const auto run = [&] {
    if (library.pending() != 101) throw Wrong("the work is not pending");
    client.expect(library.torchtensor_sum(last), 100 * 64 * 64);
  };
  in_child(run);
  run();
}

/// A thread that runs long batches and many short ones without a pause. With `draws` they draw
/// random numbers.
class Worker {
 public:
  Worker(const Library& library, bool draws) : library_(library), draws_(draws) {}
  ~Worker() {
    stop_ = true;
    thread_.join();
  }
  /// The sum that it computes, or 0.
  int64_t value() const { return value_; }
  static constexpr double kSum = 0x1p24;

 private:
  void work() {
    for (int round = 0; !stop_; ++round) {
      Client client(library_);
      const int64_t size = round % 32 == 0 ? 256 : 32, count = 16 * size * size;
      const double element = kSum / static_cast<double>(2 * size * size * size);
      const int64_t left = client.square(size, element), right = client.square(size, 2);
      const int64_t product = client.keep(library_.torchtensor_matmul(left, right));
      for (int i = 0; i < 4; ++i) {
        const int64_t scaled = client.keep(library_.torchtensor_matmul(product, left));
        client.keep(library_.torchtensor_softmax(scaled, 1));
      }
      if (draws_) client.keep(library_.tensor_rand(&count, 1));
      value_ = client.keep(library_.torchtensor_sum_tensor(product));
      library_.flush();
      value_ = 0;
    }
  }
  const Library& library_;
  const bool draws_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> value_ = 0;
  std::thread thread_{[this] { work(); }};
};

/// In the child the value must be right, or lost with the thread. Returns true if it was lost.
bool is_lost(const Library& library, int64_t value) {
  if (value == 0) return false;
  const double sum = library.torchtensor_item(value);
  if (sum == Worker::kSum) return false;
  const std::string error = library.last_error();
  if (error.find("was being computed by another thread when this process was forked; sync before "
                 "fork") == std::string::npos)
    throw Wrong("the value of the other thread: " + std::to_string(sum) + ", " + error);
  library.clear_error();
  return true;
}

/// Forks while the worker runs. At least one fork must interrupt a batch.
void beside(const Library& library, bool draws, int forks) {
  compute_often(library, 64);
  int channel[2];  // each child writes its finding
  if (pipe(channel) != 0) throw std::runtime_error("pipe failed");
  int lost = 0;
  std::mt19937 random(1);
  Worker worker(library, draws);
  for (int i = 0; i < forks; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
    in_child([&] {
      const char found = is_lost(library, worker.value());
      compute_on(library, 64);
      if (write(channel[1], &found, 1) != 1) throw std::runtime_error("write failed");
      _exit(0);  // without exit handlers, which take half a second and which other scenes test
    });
    char found = 0;
    if (read(channel[0], &found, 1) != 1) throw std::runtime_error("read failed");
    lost += found;
  }
  if (lost == 0) throw Wrong("no fork came in the middle of a batch");
}
void busy(const Library& library) { beside(library, false, 50); }
void drawing(const Library& library) { beside(library, true, 20); }

const std::map<std::string, void (*)(const Library&)> kScenes = {
    {"computes", computes},
    {"first-use", first_use_in_child},
    {"grandchild", grandchild},
    {"pending", pending},
    {"busy", busy},
    {"drawing", drawing},
};

}  // namespace
}  // namespace rt_test

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    const rt_test::Library library(argv[1]);
    rt_test::kScenes.at(argv[2])(library);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
