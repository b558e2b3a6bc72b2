// thread_end.h -- what is to be done when a thread ends, after all that C++ destroys there.
#pragma once
#include <pthread.h>

namespace rt {

/// A destructor of thread_local objects runs in an order that nobody knows, among those of all
/// other libraries, and calls may still come after it. So objects of ours in a thread's memory have
/// none: what is left to do for them is done here, by a function that is called with what expect()
/// was told, after the last of those destructors. It is not called in the thread that ends the
/// process. Meant for objects that are never destroyed.
class ThreadEnd {
 public:
  explicit ThreadEnd(void (*ended)(void*)) : there_(pthread_key_create(&key_, ended) == 0) {}
  /// For the calling thread, once each time. False where the system has no room for it: nothing
  /// will be done.
  bool expect(void* object) const { return there_ && pthread_setspecific(key_, object) == 0; }

 private:
  pthread_key_t key_{};
  bool there_;
};

}  // namespace rt
