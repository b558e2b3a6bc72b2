// libtorch_visit.cpp -- counts visits, and registers destructors that run before libtorch's.
#include "executor/libtorch/libtorch_visit.h"

#include <cxxabi.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

extern "C" void* __dso_handle;

namespace rt {
namespace {

/// The visits of a thread. Trivially destructible, so that it can be read at the thread's end.
struct Mine {
  int stays = 0;  ///< more than one where a signal handler calls during a visit
  bool closed = false;
  OpSet ran;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local Mine mine;

std::atomic<int> stays{0};  ///< of all threads
std::atomic<bool> closed{false};
std::array<std::atomic<uint64_t>, OpSet::kWords> ran_anywhere{};

void close_process() {
  closed = true;
  while (stays != mine.stays) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

/// Registers handlers after those of libtorch's new objects, so that they run before: handlers run
/// in reverse order.
void register_ends(const OpSet& ops) {
  __cxxabiv1::__cxa_thread_atexit([](void*) { mine.closed = true; }, nullptr, &__dso_handle);
  bool is_new = false;
  for (size_t i = 0; i < OpSet::kWords; ++i) {
    mine.ran.word(i) |= ops.word(i);
    is_new = (ops.word(i) & ~ran_anywhere[i].fetch_or(ops.word(i))) != 0 || is_new;
  }
  if (is_new) std::atexit(close_process);
}

}  // namespace

OpSet ops_of(const Batch& batch) {
  OpSet ops;
  for (const Batch::Step& step : batch.steps) ops.add(step.op);
  return ops;
}

void LibtorchVisit::opened() { std::atexit(close_process); }

LibtorchVisit::LibtorchVisit() {
  if (mine.closed) return;
  ++stays;
  inside_ = !closed;
  if (inside_) ++mine.stays;
  else --stays;
}

LibtorchVisit::~LibtorchVisit() {
  if (!inside_) return;
  --mine.stays;
  --stays;
}

void LibtorchVisit::ran(Op op) {
  if (mine.ran[op]) [[likely]]
    return;
  OpSet ops;
  ops.add(op);
  register_ends(ops);
}

void LibtorchVisit::ran(const OpSet& ops) {
  for (size_t i = 0; i < OpSet::kWords; ++i)
    if (ops.word(i) & ~mine.ran.word(i)) return register_ends(ops);
}

void LibtorchVisit::after_fork() { stays = mine.stays; }

}  // namespace rt
