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
  uint64_t awaited = 0;  ///< the ticket that queries ask about, 0: none does
};

/// All of these calls submit what is pending; sync and is_idle are about what was submitted before,
/// by any thread.
class Streams {
 public:
  explicit Streams(Engine& engine) : engine_(engine) {}

  int64_t add(CallContext& context, Device device);
  Device device(CallContext& context, int64_t handle);  ///< of a live stream; submits nothing
  void sync(CallContext& context, int64_t handle);
  bool is_idle(CallContext& context, int64_t handle);
  void remove(CallContext& context, int64_t handle);

 private:
  Engine& engine_;
  Slots<Stream> streams_;
};

}  // namespace rt
