// spare_threads.cpp -- starting threads to see that they start.
#include "graph/spare_threads.h"

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace rt {
namespace {

/// Loops that do with one thread before more are asked for again.
constexpr int kPatience = 256;

/// Of the calling thread; nothing destroys it.
struct Mine {
  int threads = 1;
  int patience = 0;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Mine mine;

/// Whether so many threads can be there at the same time.
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
