// recorder.h -- calls become nodes: handles to values, inference, a node, a handle.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "graph/memory/buffer.h"
#include "graph/ops/builder.h"
#include "graph/tape/tape.h"

namespace rt {

class Engine;
struct CallContext;

/// A call that records an op, unpacked from the ABI.
struct Call {
  std::string_view symbol;    ///< as the client called it
  Args args;                  ///< operands not filled in yet
  Small<int64_t, 6> handles;  ///< of the tensor parameters, in order; 0 may stand for an OptTensor
};

/// Tensors that a call changes in place besides its result: their handles are bound to new values.
struct InPlaceUpdate {
  Call subject;  ///< of the operands that the values are computed of; checked and not recorded
  Small<int64_t, 4> handles;
  std::function<Small<Value, 4>(Builder&, const Args& subject)> values;  ///< one for each handle
};

/// Records calls on the calling thread's tape. All throw Error; handles are those of tensors.
class Recorder {
 public:
  explicit Recorder(Engine& engine) : engine_(engine) {}

  int64_t record(CallContext& context, Call& call);  ///< a handle to the result
  /// Records the call and the update, which is computed from the values before the call. The call's
  /// operands are among those of the update's subject.
  int64_t record_updating(CallContext& context, Call& call, InPlaceUpdate& update);
  double record_and_read(CallContext& context, Call& call);    ///< the one number of the result
  int64_t add_tensor(CallContext& context, BufferRef buffer);  ///< a handle to data from outside
  int64_t alias(CallContext& context, int64_t handle);         ///< one more handle to the value
  void free(CallContext& context, int64_t handle);             ///< a force point
  TensorType type(CallContext& context, int64_t handle);       ///< of pending values, too; no force
  void observe_shape(CallContext& context, int64_t handle);    ///< the force point of shape calls
  BufferRef read(CallContext& context, int64_t handle);        ///< a force point; waits
  void set_label(CallContext& context, int64_t handle, std::string label);
  /// The source location of the nodes that this thread records next; no file clears it.
  void set_location(CallContext& context, std::string_view file, int64_t line);
  /// Before data from outside, a backward pass and a step: where a tape over its soft limit is cut.
  void batch_boundary(CallContext& context);
  int64_t pending(CallContext& context) const;  ///< nodes of the calling thread

  // For the other parts of the engine.
  Value value_of(CallContext& context, int64_t handle);
  Value here(CallContext& context, int64_t handle);
  bool bring_here(CallContext& context, Value value);
  /// Infers an op over values that are there, and records it. With `graded` a backward pass can go
  /// through the result.
  Value append(CallContext& context, Args& args, bool graded);
  void check_limits(CallContext& context);
  int64_t handle_to(Value value);
  void put(int64_t handle, Value now);
  void replace(int64_t handle, Value now);

 private:
  Value append(CallContext& context, Call& call, bool graded);
  Value append_inferred(CallContext& context, const Args& args, bool graded);
  Value at_once(CallContext& context, const Args& args);
  void complete(CallContext& context, Call& call);
  void resolve(CallContext& context, Call& call);
  Small<TensorType, 6> types(const Args& args) const;
  void cut_where_it_repeats(CallContext& context);
  bool over_soft_limit(const Tape& tape, double factor) const;
  void drop_locations();

  Engine& engine_;
};

}  // namespace rt
