// thread_end.h -- calls a function when a thread ends, after all of C++'s destructors.
#pragma once
#include <pthread.h>

namespace rt {

/// The destructors of thread_local objects run in an unknown order, among those of all other
/// libraries, and calls may still come after them. So our objects in a thread's memory have
/// none. Instead, a function is called after the last of these destructors, with the object
/// that was given to expect(). It is not called in the thread that ends the process. A
/// ThreadEnd lives as long as the process, because its key is never deleted.
class ThreadEnd {
 public:
  explicit ThreadEnd(void (*ended)(void*)) : there_(pthread_key_create(&key_, ended) == 0) {}
  /// Registers an object for one call of the function when the calling thread ends. False where the
  /// system has no memory for it, so that no call will follow.
  bool expect(void* object) const { return there_ && pthread_setspecific(key_, object) == 0; }

 private:
  pthread_key_t key_{};
  bool there_;
};

}  // namespace rt
