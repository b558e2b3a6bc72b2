// waiting_test.cpp -- calls wait only for what they need: copies, files, a backend that loads and
// other threads' batches delay no other call.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

/// Memory whose first access stops the accessing thread until let_go_on().
class Blocking {
 public:
  Blocking() {
    if (pipe(reached_) != 0 || pipe(go_on_) != 0) abort();
    memory_ = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    current = this;
    struct sigaction action {};
    action.sa_handler = [](int) { current->stop(); };
    sigaction(SIGSEGV, &action, &before_);
  }
  ~Blocking() {
    sigaction(SIGSEGV, &before_, nullptr);
    munmap(memory_, kBytes);
    for (const int end : {reached_[0], reached_[1], go_on_[0], go_on_[1]}) close(end);
  }
  template <class T>
  T* data() const {
    return static_cast<T*>(memory_);
  }
  void wait_until_reached() { take(reached_[0]); }
  void let_go_on() { give(go_on_[1]); }
  static constexpr int64_t kBytes = 1 << 16;

 private:
  void stop() {
    give(reached_[1]);
    take(go_on_[0]);
    mprotect(memory_, kBytes, PROT_READ | PROT_WRITE);
  }
  static void give(int end) {
    if (write(end, "x", 1) != 1) abort();
  }
  static void take(int end) {
    char byte;
    if (read(end, &byte, 1) != 1) abort();
  }
  static Blocking* current;
  int reached_[2], go_on_[2];
  void* memory_;
  struct sigaction before_ {};
};
Blocking* Blocking::current = nullptr;

/// Calls of all kinds, none of which may wait.
void go_on_undisturbed() {
  Tensor a = full({2, 2}, 3), b = rt_torch_torchtensor_mul(a, a);
  EXPECT_EQ(values(b)[3], 9);
  EXPECT_EQ(rt_torch_flush(), 0);
  EXPECT_EQ(rt_torch_sync(), 1) << last_error();
  EXPECT_NE(rt_torch_graph_text()[0], '\0');
}

class Waiting : public AbiTest {};

/// Must be the first test of its process.
TEST_F(Waiting, ManyThreadsMakeTheFirstCall) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(go_on_undisturbed);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Waiting, ACopyFromTheHostHoldsUpItsCallerAlone) {
  Blocking memory;
  const int64_t size = Blocking::kBytes / 8;
  std::thread copying([&] {
    Tensor made = rt_torch_tensor_from_data(memory.data<double>(), size, &size, 1);
    EXPECT_EQ(values(made)[7], 0) << last_error();
    Tensor converted = rt_torch_tensor(memory.data<double>(), size, &size, 1, 0, 0);
    EXPECT_EQ(values(converted)[7], 0) << last_error();
  });
  memory.wait_until_reached();
  go_on_undisturbed();
  memory.let_go_on();
  copying.join();
}

TEST_F(Waiting, ACopyToTheHostHoldsUpItsCallerAlone) {
  Blocking memory;
  Tensor ones = full({Blocking::kBytes / 4}, 1);
  std::thread copying([&] {
    EXPECT_EQ(rt_torch_copy_data(ones, memory.data<float>(), Blocking::kBytes / 4, 0),
              Blocking::kBytes / 4);
  });
  memory.wait_until_reached();
  go_on_undisturbed();
  ones.free();  // the copy holds the memory
  memory.let_go_on();
  copying.join();
  EXPECT_EQ(memory.data<float>()[Blocking::kBytes / 4 - 1], 1);
}

TEST_F(Waiting, TheBackendStaysWhileItIsUsed) {
  Blocking memory;
  const int64_t size = Blocking::kBytes / 8;
  std::thread copying([&] {
    Tensor made = rt_torch_tensor_from_data(memory.data<double>(), size, &size, 1);
    EXPECT_NE(made, 0);
  });
  memory.wait_until_reached();
  EXPECT_EQ(rt_torch_set_backend("reference"), 0);
  EXPECT_THAT(last_error(), testing::HasSubstr("tensors exist"));
  memory.let_go_on();
  copying.join();
}

TEST_F(Waiting, ADumpThatNobodyReadsHoldsUpItsCallerAlone) {
  std::string folder = (std::filesystem::temp_directory_path() / "rt_torch_XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  std::thread dumping([&] {
    Tensor x = full({2}, 1);
    for (int i = 0; i < 4000; ++i) x = Tensor(rt_torch_torchtensor_add_scalar(x, 1));
    EXPECT_EQ(rt_torch_graph_dump(path.c_str(), "json"), 1) << last_error();
  });
  for (int there = 0; there == 0; std::this_thread::yield())
    ASSERT_EQ(ioctl(reader, FIONREAD, &there), 0);
  go_on_undisturbed();
  fcntl(reader, F_SETFL, 0);
  std::vector<char> text(1 << 16);
  while (read(reader, text.data(), text.size()) > 0) continue;
  dumping.join();
  close(reader);
  std::filesystem::remove_all(folder);
}

/// Threads that run batches until destruction.
class Busy {
 public:
  Busy() {
    for (int i = 0; i < 3; ++i)
      threads_.emplace_back([this] {
        Tensor x = full({64, 64}, 0.5);
        while (!stop_) {
          Tensor y = rt_torch_torchtensor_matmul(x, x);
          rt_torch_torchtensor_sum(y);
          ++batches_;
        }
      });
    while (batches_ < 10) std::this_thread::yield();
  }
  ~Busy() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  int64_t batches() const { return batches_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> batches_{0};
  std::vector<std::thread> threads_;
};

TEST_F(Waiting, SyncWaitsForWhatWasSubmittedBefore) {
  const Busy others;
  for (int i = 0; i < 200; ++i) {
    Tensor mine = full({2}, i), more = rt_torch_torchtensor_neg(mine);
    EXPECT_EQ(rt_torch_sync(), 1) << last_error();
    EXPECT_EQ(values(more)[1], -i);
  }
}

TEST_F(Waiting, AStreamBecomesIdleBesideOthersAtWork) {
  const int64_t stream = rt_torch_stream_create(-1);
  if (stream == 0) GTEST_SKIP() << last_error();
  const Busy others;
  for (int i = 0; i < 100; ++i) {
    Tensor mine = full({2}, i), more = rt_torch_torchtensor_neg(mine);
    while (rt_torch_torchstream_query(stream) == 0) std::this_thread::yield();
    rt_torch_torchstream_sync(stream);
  }
  rt_torch_torchstream_free(stream);
}

TEST_F(Waiting, WhatSyncWaitedForHasRun) {
  std::vector<std::thread> threads;
  for (int me = 0; me < 4; ++me)
    threads.emplace_back([me] {
      for (int i = 0; i < 100; ++i) {
        Tensor x = full({8, 8}, me), y = rt_torch_torchtensor_add_scalar(x, i);
        rt_torch_flush();
        EXPECT_EQ(rt_torch_sync(), 1) << last_error();
        EXPECT_EQ(rt_torch_pending(), 0);
        EXPECT_EQ(values(y)[63], me + i);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace rt_test
