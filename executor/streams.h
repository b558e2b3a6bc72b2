// streams.h -- the calls about streams. A device runs its work in the order of the batches, so a
// stream stands for its device.
#pragma once
#include <cstdint>

#include "executor/slots.h"
#include "graph/types.h"

namespace rt {

class Engine;
struct CallContext;

/// A client's stream, which stands for its device.
struct Stream {
  Device device;
  uint64_t awaited = 0;  ///< the ticket that is_idle() waits for; 0: no query is open
};

/// All calls but device() submit the calling thread's tape. Functions with a handle throw Error
/// where that is no stream. Sync and is_idle regard the batches of all threads.
class Streams {
 public:
  explicit Streams(Engine& engine) : engine_(engine) {}

  int64_t add(CallContext& context, Device device);
  Device device(CallContext& context, int64_t handle);
  /// Waits with the lock released for all batches submitted so far, then for the device. Throws
  /// Error when work on the device has failed.
  void sync(CallContext& context, int64_t handle);
  /// True where nothing is left to wait for. Throws as sync does.
  bool is_idle(CallContext& context, int64_t handle);
  void remove(CallContext& context, int64_t handle);

 private:
  Engine& engine_;
  Slots<Stream> streams_;
};

}  // namespace rt
