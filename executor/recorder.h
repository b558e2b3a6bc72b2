// recorder.h -- records calls as nodes, and the calls about handles to tensors.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/memory/buffer.h"
#include "graph/ops/builder.h"
#include "graph/tape/tape.h"

namespace rt {

class Engine;
struct CallContext;

/// A call that records an op, unpacked from the ABI.
struct Call {
  std::string_view symbol;    ///< name of the function that the client called
  Args args;                  ///< operands not filled in yet
  Small<int64_t, 6> handles;  ///< of the tensor parameters, in order; 0: no OptTensor
};

/// Tensors that a call changes in place besides its result: their handles are bound to new values.
struct InPlaceUpdate {
  Call subject;  ///< has the operands of the new values; checked but not recorded
  Small<int64_t, 4> handles;
  std::function<Small<Value, 4>(Builder&, const Args& subject)> values;  ///< one for each handle
};

/// The ops of a call that records several: from the operands, the results. It checks its arguments
/// before it appends ops that draw random numbers.
using Composition =
    std::function<std::vector<Value>(Builder& build, std::span<const Value> operands)>;

/// Records calls on the calling thread's tape. Functions with a handle throw Error where that is no
/// live tensor; those that record also throw for wrong arguments. Submitting a batch and waiting
/// for one release the lock, and so other calls may free handles meanwhile.
class Recorder {
 public:
  explicit Recorder(Engine& engine) : engine_(engine) {}

  int64_t record(CallContext& context, Call& call);  ///< a handle to the result
  /// Records the call and the update, whose values are computed from those before the call. Returns
  /// a handle to the result. The call's operands are among those of the update's subject.
  int64_t record_updating(CallContext& context, Call& call, InPlaceUpdate& update);
  double record_and_read(CallContext& context, Call& call);  ///< the element of the result; waits
  /// Records several ops over the values of handles, of which 0 becomes kNone. A backward pass can
  /// go through them. Returns a handle to each result.
  std::vector<int64_t> compose(CallContext& context, std::span<const int64_t> handles,
                               const Composition& composition);
  int64_t add_tensor(CallContext& context, BufferRef buffer);  ///< a handle to data from outside
  int64_t alias(CallContext& context, int64_t handle);         ///< one more handle to the value
  void free(CallContext& context, int64_t handle);             ///< submits under policy observe
  TensorType type(CallContext& context, int64_t handle);       ///< never submits
  void observe_shape(CallContext& context, int64_t handle);    ///< submits under policy observe
  BufferRef read(CallContext& context, int64_t handle);        ///< submits and waits
  void set_label(CallContext& context, int64_t handle, std::string label);
  /// Sets the source location of the nodes that this thread records next. An empty file clears it.
  void set_location(CallContext& context, std::string_view file, int64_t line);
  /// Submits a tape over its soft limit. Called before data from outside, a backward pass and a
  /// step, where a loop's tapes are cut best.
  void batch_boundary(CallContext& context);
  int64_t pending(CallContext& context) const;  ///< nodes of the calling thread

  // For the other parts of the engine.
  Value value_of(CallContext& context, int64_t handle);
  Value here(CallContext& context, int64_t handle);
  bool bring_here(CallContext& context, Value value);
  /// Infers and records an op over values that were brought here. With `graded` a backward pass can
  /// go through the result.
  Value append(CallContext& context, Args& args, bool graded);
  void check_limits(CallContext& context);
  int64_t handle_to(Value value);
  void put(int64_t handle, Value now);
  void replace(int64_t handle, Value now);

 private:
  Value append_plain(CallContext& context, const Call& call);
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
