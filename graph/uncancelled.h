// uncancelled.h -- where pthread_cancel has to wait.
#pragma once
#include <pthread.h>

namespace rt {

/// While it lives, pthread_cancel does not end the calling thread. It stands where the library
/// waits, writes or runs kernels: a thread that ended there would leave a batch without an end, and
/// no exception of its kind may pass code of others.
class Uncancelled {
 public:
  Uncancelled() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  Uncancelled(const Uncancelled&) = delete;
  ~Uncancelled() { pthread_setcancelstate(before_, nullptr); }

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace rt
