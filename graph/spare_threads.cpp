// spare_threads.cpp -- starts threads to find out whether the system has them.
#include "graph/spare_threads.h"

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace rt {
namespace {

/// Loops that run on one thread before more are tried again.
constexpr int kPatience = 256;

/// State of the calling thread, without a destructor.
struct Mine {
  int threads = 1;
  int patience = 0;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Mine mine;

/// True where so many more threads can exist at the same time.
bool can_start(int count) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  const auto wait = [&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  };
  std::vector<std::thread> threads;
  bool all = true;
  try {
    threads.reserve(static_cast<size_t>(count));
    while (std::ssize(threads) < count) threads.emplace_back(wait);
  } catch (const std::exception&) {
    all = false;
  }
  {
    const std::lock_guard lock(mutex);
    done = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) thread.join();
  return all;
}

}  // namespace

int threads_for_loop(int wanted, void (*start)(int threads)) {
  if (wanted <= mine.threads) return wanted;
  if (mine.patience-- > 0) return 1;
  if (!can_start(wanted - 1)) {
    mine.patience = kPatience;
    return 1;
  }
  start(wanted);
  mine.threads = wanted;
  return wanted;
}

}  // namespace rt
