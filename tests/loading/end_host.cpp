// end_host.cpp -- a program that makes calls while and after it ends: "end_host SCENE". Every scene
// leaves work pending. It prints a word for each right result, and exits with status 9 at the first
// wrong one.
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "rt_torch.h"
#include "tests/support/sandbox.h"

/// LeakSanitizer needs to start a thread, which some scenes prevent, and reports condition
/// variables that a child inherits from its parent.
static bool leaks_are_ignored = false;
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return leaks_are_ignored; }

namespace {

void wrong(const char* where, double number, double right) {
  std::fprintf(stderr, "%s: %.9g should be %.9g [%s]\n", where, number, right,
               rt_torch_last_error());
  std::fflush(nullptr);
  _exit(9);
}

/// A model of one convolution, whose kernels keep thread-local objects.
class Model {
 public:
  Model() {
    const int64_t image[] = {2, 3, 8, 8}, weight[] = {4, 3, 3, 3};
    image_ = rt_torch_tensor_full(image, 4, 0.5);
    weight_ = rt_torch_tensor_full(weight, 4, 0.25);
    rt_torch_autograd_set_requires_grad(weight_, 1);
  }
  int64_t convolve() const {
    return rt_torch_nn_conv2d_simple(image_, weight_, 0, 1, 1, 0, 0, 1, 1, 1);
  }
  /// Expects 288 elements of 27 * 0.5 * 0.25.
  void check(const char* where) const {
    const int64_t result = convolve();
    const double sum = rt_torch_torchtensor_sum(result);
    const double right = 288 * 27 * 0.125;
    if (!(std::fabs(sum - right) < 1e-3)) wrong(where, sum, right);
    const int64_t row = rt_torch_torchtensor_view_1d(result, 288);
    const int64_t soft = rt_torch_torchtensor_softmax(row, 0);
    const double norm = rt_torch_torchtensor_norm(soft);
    if (!(std::fabs(norm - 1 / std::sqrt(288.0)) < 1e-6)) wrong(where, norm, 1 / std::sqrt(288.0));
    for (const int64_t handle : {result, row, soft}) rt_torch_torchtensor_free(handle);
    std::printf("%s ", where);
  }
  /// Trains on after the last read, as a training loop may.
  void train(int steps) {
    const int64_t results[] = {2, 4, 6, 6};
    const int64_t target = rt_torch_tensor_full(results, 4, 27 * 0.125 + 1);
    const int64_t sgd = rt_torch_sgd_new(&weight_, 1, 1e-3, 0.9, 0);
    double loss = 0;
    for (int i = 0; i <= steps; ++i) {
      rt_torch_optimizer_zero_grad(sgd);
      const int64_t step = rt_torch_nn_mse_loss_tensor(convolve(), target);
      rt_torch_autograd_backward(step);
      rt_torch_optimizer_step(sgd);
      if (i < steps) loss = rt_torch_torchtensor_item(step);
    }
    if (!(loss > 0 && loss < 1)) wrong("training", loss, 0.5);
  }
  /// Repeats until the batch is compiled.
  void warm_up(const char* where) const {
    for (int i = 0; i < 4; ++i) check(where);
    convolve();
  }

 private:
  int64_t image_, weight_;
};

/// Runs on a thread with a stack of 1 MiB, as clients' threads have.
void on_thread(void* (*body)(void*), void* argument = nullptr) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, body, argument) != 0) wrong("a thread", 0, 1);
  pthread_join(thread, nullptr);
}

/// Computes in its destructor, and leaves work pending.
struct Late {
  explicit Late(const char* name) : name_(name) {}
  ~Late() {
    if (!used) return;
    Model model;
    model.check(name_);
    model.convolve();
    std::fflush(stdout);
  }
  bool used = false;

 private:
  const char* name_;
};
Late early_static("early-static");
thread_local Late early_thread_local("early-thread-local");

[[gnu::destructor]] void at_the_last() {
  if (!early_static.used) return;
  Model().warm_up("at-the-last");
  std::fflush(stdout);
}

// ---- The scenes.

void main_returns() {
  Model().warm_up("main");
  Model().train(20);
}

void exit_calls() {
  Model().warm_up("main");
  std::exit(0);
}

void quick_exit_calls() {
  Model().warm_up("main");
  std::fflush(stdout);
  std::at_quick_exit([] {
    Model().check("at-quick-exit");
    std::fflush(stdout);
  });
  std::quick_exit(0);
}

void another_thread_exits() {
  Model().warm_up("main");
  on_thread([](void*) -> void* {
    Model().warm_up("thread");
    std::exit(0);
  });
}

void a_thread_that_never_called_exits() {
  Model().warm_up("main");
  early_static.used = true;
  on_thread([](void*) -> void* { std::exit(0); });
}

/// The process ends while threads run batches.
void exit_while_others_compute() {
  static std::atomic<int> rounds{0};
  for (int i = 0; i < 3; ++i)
    std::thread([] {
      const int64_t sizes[] = {256, 256};
      const int64_t square = rt_torch_tensor_full(sizes, 2, 1.0);
      for (;; ++rounds) {
        const int64_t product = rt_torch_torchtensor_matmul(square, square);
        const int64_t soft = rt_torch_torchtensor_softmax(product, 1);
        const double sum = rt_torch_torchtensor_sum(soft);
        if (!(std::fabs(sum - 256) < 1e-2)) wrong("a thread", sum, 256);
        rt_torch_torchtensor_free(product);
        rt_torch_torchtensor_free(soft);
      }
    }).detach();
  while (rounds < 20) std::this_thread::yield();
  early_static.used = true;
  std::exit(0);
}

void main_thread_ends_first() {
  Model().warm_up("main");
  static const pthread_t main_thread = pthread_self();
  std::thread([] {
    pthread_join(main_thread, nullptr);
    Model().warm_up("thread");
  }).detach();
  early_static.used = true;
  pthread_exit(nullptr);
}

std::vector<int64_t> left;

/// A read computes the work that an ended thread left pending.
void read_what_threads_left() {
  for (int round = 0; round < 20; ++round) {
    on_thread([](void*) -> void* {
      const Model model;
      for (int i = 0; i < 10; ++i)
        left.push_back(rt_torch_nn_mse_loss_tensor(model.convolve(), model.convolve()));
      return nullptr;
    });
    for (const int64_t handle : left) {
      const double loss = rt_torch_torchtensor_item(handle);
      if (loss != 0) wrong("left", loss, 0);
      rt_torch_torchtensor_free(handle);
    }
    left.clear();
  }
  std::printf("read ");
}

/// Work of many ended threads is neither lost nor kept after its handles are freed.
void many_threads_leave_work() {
  for (int i = 0; i < 500; ++i)
    on_thread([](void*) -> void* {
      const int64_t size = 8;
      const int64_t one = rt_torch_tensor_full(&size, 1, 1.0);
      left.push_back(rt_torch_torchtensor_add_scalar(one, 2));
      rt_torch_torchtensor_free(one);
      return nullptr;
    });
  for (size_t i = 0; i < left.size(); ++i) {
    const double sum = i % 3 == 0 ? 24 : rt_torch_torchtensor_sum(left[i]);
    if (sum != 24) wrong("left", sum, 24);
    rt_torch_torchtensor_free(left[i]);
  }
  if (rt_torch_live_handles() != 0 || rt_torch_stat("pending_nodes") != 0)
    wrong("pending", static_cast<double>(rt_torch_stat("pending_nodes")), 0);
  std::printf("read ");
}

void static_objects() {
  early_static.used = true;
  Model model;
  static Late late("late-static");
  late.used = true;
  model.train(3);
  static Late later("later-static");
  later.used = true;
}

void static_object_makes_the_first_call() { early_static.used = true; }

void static_object_makes_the_first_batch() {
  early_static.used = true;
  if (*rt_torch_backend() == '\0') wrong("the backend", 0, 1);
}

void exit_handlers() {
  std::atexit([] { Model().warm_up("early-handler"); });
  Model().warm_up("main");
  std::atexit([] { Model().warm_up("late-handler"); });
}

/// Thread locals of two threads, constructed before and after the first call.
void thread_locals() {
  const auto body = [](void*) -> void* {
    early_thread_local.used = true;
    Model().warm_up("thread");
    thread_local Late late("late-thread-local");
    late.used = true;
    Model().train(3);
    return nullptr;
  };
  on_thread(body);
  body(nullptr);
}

/// Destructors of other keys may run before and after ours, and repeatedly.
void thread_keys() {
  static pthread_key_t early, late;
  const auto destructor = [](void* rounds) {
    Model().check("key");
    Model().convolve();
    const auto left_over = reinterpret_cast<intptr_t>(rounds) - 1;
    if (left_over > 0) pthread_setspecific(early, reinterpret_cast<void*>(left_over));
  };
  pthread_key_create(&early, destructor);
  Model().check("main");
  pthread_key_create(&late, destructor);
  on_thread([](void*) -> void* {
    pthread_setspecific(early, reinterpret_cast<void*>(3));
    pthread_setspecific(late, reinterpret_cast<void*>(1));
    Model().warm_up("thread");
    return nullptr;
  });
}

void a_child_exits() {
  Model().warm_up("main");
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    leaks_are_ignored = true;
    Model().warm_up("child");
    early_static.used = true;
    std::exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) wrong("the child", status, 0);
}

/// Threads are cancelled anywhere in their calls; their locks must not stay held.
void threads_are_cancelled() {
  for (int i = 0; i < 30; ++i) {
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          const int64_t sizes[] = {64, 64};
          const int64_t square = rt_torch_tensor_full(sizes, 2, 1.0);
          for (;;) {
            const int64_t product = rt_torch_torchtensor_matmul(square, square);
            const int64_t soft = rt_torch_torchtensor_softmax(product, 1);
            rt_torch_flush();
            const double sum = rt_torch_torchtensor_sum(soft);
            if (!(std::fabs(sum - 64) < 1e-2)) wrong("a thread", sum, 64);
            rt_torch_torchtensor_free(product);
            rt_torch_torchtensor_free(soft);
            rt_torch_sync();
          }
        },
        nullptr);
    Model().check("main");
    std::this_thread::sleep_for(std::chrono::microseconds(300 * i));
    pthread_cancel(thread);
    void* result = nullptr;
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED) wrong("the thread's result", 0, 1);
  }
  std::printf("cancelled ");
}

/// Loops large enough for several threads.
void compute_much(const char* where) {
  const int64_t sizes[] = {1024, 1024};
  const int64_t square = rt_torch_tensor_full(sizes, 2, 0.5);
  for (int i = 0; i < 4; ++i) {
    const int64_t product = rt_torch_torchtensor_matmul(square, square);
    const int64_t soft = rt_torch_torchtensor_softmax(product, 1);
    const int64_t ones = rt_torch_torchtensor_tanh(product);
    const double sum = rt_torch_torchtensor_sum(soft), mean = rt_torch_torchtensor_mean(ones);
    if (!(std::fabs(sum - 1024) < 1e-2)) wrong(where, sum, 1024);
    if (!(std::fabs(mean - 1) < 1e-3)) wrong(where, mean, 1);
  }
  std::printf("%s ", where);
}

void refuse_threads() {
  leaks_are_ignored = true;
  if (rt_test::refuse(SYS_clone, EAGAIN) && rt_test::refuse(SYS_clone3, EAGAIN)) return;
  std::printf("no filter");
  std::exit(0);
}

/// A container that allows no further thread.
void no_threads() {
  refuse_threads();
  compute_much("main");
}

void no_more_threads() {
  compute_much("main");
  on_thread([](void*) -> void* {
    refuse_threads();
    compute_much("thread");
    return nullptr;
  });
  refuse_threads();
  compute_much("main");
}

const std::map<std::string, void (*)()> kScenes = {
    {"main-returns", main_returns},
    {"exit", exit_calls},
    {"quick-exit", quick_exit_calls},
    {"another-thread-exits", another_thread_exits},
    {"a-stranger-exits", a_thread_that_never_called_exits},
    {"exit-while-others-compute", exit_while_others_compute},
    {"main-thread-ends-first", main_thread_ends_first},
    {"read-what-threads-left", read_what_threads_left},
    {"many-threads-leave-work", many_threads_leave_work},
    {"static-objects", static_objects},
    {"static-object-calls-first", static_object_makes_the_first_call},
    {"static-object-computes-first", static_object_makes_the_first_batch},
    {"exit-handlers", exit_handlers},
    {"thread-locals", thread_locals},
    {"thread-keys", thread_keys},
    {"a-child-exits", a_child_exits},
    {"threads-are-cancelled", threads_are_cancelled},
    {"no-threads", no_threads},
    {"no-more-threads", no_more_threads},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1)
    for (const auto& [name, body] : kScenes) std::puts(name.c_str());
  else kScenes.at(argv[1])();
  return 0;
}
