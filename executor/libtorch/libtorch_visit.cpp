// libtorch_visit.cpp -- counting stays, and destructors of our own that come before libtorch's.
#include "executor/libtorch/libtorch_visit.h"

#include <cxxabi.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

extern "C" void* __dso_handle;

namespace rt {
namespace {

/// What this thread knows of its stays. Nothing destroys it.
struct Mine {
  int stays = 0;  ///< one in another, where a signal's handler calls in
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

/// Handlers are called in the reverse order of their registration.
void register_ends(const OpSet& ops) {
  __cxxabiv1::__cxa_thread_atexit([](void*) { mine.closed = true; }, nullptr, &__dso_handle);
  bool is_new = false;
  for (size_t i = 0; i < OpSet::kWords; ++i) {
    mine.ran.attr(i) |= ops.attr(i);
    is_new = (ops.attr(i) & ~ran_anywhere[i].fetch_or(ops.attr(i))) != 0 || is_new;
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
    if (ops.attr(i) & ~mine.ran.attr(i)) return register_ends(ops);
}

void LibtorchVisit::after_fork() { stays = mine.stays; }

}  // namespace rt
