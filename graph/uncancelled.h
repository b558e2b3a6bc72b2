// uncancelled.h -- delays pthread_cancel.
#pragma once
#include <pthread.h>

namespace rt {

/// While it lives, pthread_cancel does not end the calling thread. It is used where the library
/// waits, writes or runs kernels: a thread that ended there would leave a batch without an end, and
/// the unwinding must not pass through other libraries' code.
class Uncancelled {
 public:
  Uncancelled() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  Uncancelled(const Uncancelled&) = delete;
  ~Uncancelled() { pthread_setcancelstate(before_, nullptr); }

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace rt
