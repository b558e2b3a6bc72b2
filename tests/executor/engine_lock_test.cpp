// engine_lock_test.cpp -- the lock has one holder at a time, also if a thread owns the fast path.
#include "executor/engine_lock.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <thread>
#include <vector>

#include "tests/support/sandbox.h"

namespace rt {
namespace {

/// More lockings in a row than a thread needs to own the fast path.
constexpr int kMany = 5000;

/// A count that only the lock protects: two holders would lose increments.
struct Guarded {
  EngineLock lock;
  int64_t count = 0, twice = 0;
  void visit() {
    const std::lock_guard guard(lock);
    ++count;
    twice += 2;
  }
};

TEST(EngineLock, ThreadsThatTakeTurnsLoseNothing) {
  Guarded guarded;
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20 * kMany; ++k) guarded.visit();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(guarded.count, kThreads * 20 * kMany);
  EXPECT_EQ(guarded.twice, 2 * guarded.count);
}

TEST(EngineLock, AnotherThreadComesInBesideABusyOwner) {
  Guarded guarded;
  std::atomic<bool> stop{false};
  std::atomic<int64_t> owner_visits{0};
  std::thread owner([&] {
    while (!stop) {
      guarded.visit();
      ++owner_visits;
    }
  });
  while (owner_visits < kMany) std::this_thread::yield();
  constexpr int kGuestVisits = 500;
  for (int i = 0; i < kGuestVisits; ++i) {
    guarded.visit();
    const int64_t seen = owner_visits;  // lets the owner regain the fast path sometimes
    while (i % 50 == 0 && owner_visits < seen + 1000) std::this_thread::yield();
  }
  stop = true;
  owner.join();
  EXPECT_EQ(guarded.count, owner_visits + kGuestVisits);
}

TEST(EngineLock, AConditionIsWaitedForByAnOwner) {
  Guarded guarded;
  std::condition_variable_any changed;
  bool ready = false, seen = false;
  for (int i = 0; i < kMany; ++i) guarded.visit();
  std::thread other([&] {
    const std::lock_guard guard(guarded.lock);
    ready = true;
    changed.notify_all();
  });
  {
    std::unique_lock<EngineLock> guard(guarded.lock);
    changed.wait(guard, [&] { return ready; });
    seen = ready;
  }
  other.join();
  EXPECT_TRUE(seen);
}

TEST(EngineLock, AThreadThatEndedHasNoFastWay) {
  Guarded guarded;
  for (int round = 0; round < 50; ++round) {
    std::thread([&] {
      for (int i = 0; i < 1000; ++i) guarded.visit();
      guarded.lock.forget_this_thread();
    }).join();
  }
  EXPECT_EQ(guarded.count, 50 * 1000);
}

TEST(EngineLock, AForkedChildGoesOnWithIt) {
  Guarded guarded;
  for (int i = 0; i < kMany; ++i) guarded.visit();
  guarded.lock.lock();
  const pid_t child = fork();
  if (child == 0) {
    guarded.lock.after_fork();
    guarded.lock.unlock();
    for (int i = 0; i < kMany; ++i) guarded.visit();
    std::thread([&] { guarded.visit(); }).join();
    _exit(guarded.count == 2 * kMany + 1 ? 0 : 1);
  }
  guarded.lock.unlock();
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/// A sandbox begins to refuse membarrier after a thread owns the fast path. An alarm ends the child
/// if a thread waits forever.
TEST(EngineLock, WhereTheKernelBeginsToRefuseBarriersItIsAMutex) {
  constexpr int kNoFilter = 77;
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    Guarded guarded;
    for (int i = 0; i < kMany; ++i) guarded.visit();
    if (!rt_test::refuse(SYS_membarrier, EPERM)) _exit(kNoFilter);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int round = 0; round < kMany; ++round) guarded.visit();
      });
    for (int i = 0; i < kMany; ++i) guarded.visit();
    for (std::thread& thread : threads) thread.join();
    _exit(guarded.count == 6 * kMany && guarded.twice == 2 * guarded.count ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoFilter) GTEST_SKIP() << "no filter to be set";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

/// The parent forks while it holds the lock by the fast path and another thread, which has the
/// mutex, waits for it. The child has no such thread.
TEST(EngineLock, AForkBesideAThreadThatWaits) {
  Guarded guarded;
  for (int i = 0; i < kMany; ++i) guarded.visit();
  guarded.lock.lock();
  std::thread waiting([&] { guarded.visit(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    guarded.lock.after_fork();
    guarded.lock.unlock();
    for (int i = 0; i < kMany; ++i) guarded.visit();
    _exit(guarded.count == 2 * kMany ? 0 : 1);
  }
  guarded.lock.unlock();
  waiting.join();
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace rt
