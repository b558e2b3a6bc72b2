// tape.h -- values and nodes: recording, holding and freeing them. Never recursive.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/batch/batch.h"
#include "graph/memory/buffer.h"
#include "graph/ops/builder.h"
#include "graph/ops/op.h"
#include "graph/tape/families.h"
#include "graph/tape/grad.h"
#include "graph/tape/rhythm.h"

namespace rt {

/// The failure of a value, shared by all values that depend on it.
using Message = std::shared_ptr<const std::string>;
/// "out of memory", allocated before memory is short.
const Message& out_of_memory();

enum class State : uint8_t { Free, Pending, InFlight, Concrete, Poisoned };

/// A value, and while it is pending the node that computes it.
/// Pending: linked into its tape; a consumer of its operands.
/// InFlight: a root of a running batch; off the tape and without operands.
/// Concrete: `buffer` holds the result. Poisoned: the graph keeps the message.
/// A value ends when `holders` and `consumers` are both 0 (a random node stays until it has run).
struct Node {
  Op op;
  State state;
  DType dtype;
  Device device;
  bool labelled : 1;        ///< the graph keeps a label for it
  bool has_region : 1;      ///< the graph keeps its region, see Graph::region
  bool keeps_itself : 1;    ///< one of its holders is its own record
  uint16_t call;            ///< the call that recorded it, see symbols.h
  uint32_t holders;         ///< handles, gradient slots, optimizer state, saved sets, running reads
  uint32_t consumers;       ///< pending nodes that read it, once per operand
  uint32_t previous, next;  ///< neighbours on the tape; `next` links free slots and work lists
  uint32_t tape;            ///< id of the tape that it is pending on
  uint32_t location;        ///< see source_locations.h
  uint32_t index;  ///< in the batch that is being built, valid while `stamp` is that batch's
  uint32_t stamp;
  uint32_t grad;    ///< index of its gradient record, 0: none
  uint32_t family;  ///< the values that it may share memory with, see families.h
  uint32_t undo;    ///< while pending: the first of its Undos, 0: none
  Shape shape;
  Small<int64_t, 4> attributes;  ///< see Args
  Small<Value, 4> operands;
  BufferRef buffer;
};
static_assert(sizeof(Node) - sizeof(Node::operands) <= 160,
              "a pending node costs at most 160 bytes");

/// The way back from a change in place, for the case that the pending value which replaced another
/// one fails. `before` counts the pending value as a consumer.
struct Undo {
  Value before = kNone;  ///< the value that was replaced; kNone: there was none
  /// Set where the value is no change, but the first gradient of a backward pass from the value
  /// `from`, whose record is `leaf`. `from` does not count it as a consumer.
  Value from = kNone;
  uint32_t leaf = 0;   ///< the record whose gradient was replaced; 0: the value of all holders
  bool zeros = false;  ///< the gradient was zeros that had not been made
  uint32_t unit = 0;   ///< the group of the change; a group goes back together
  uint64_t order = 0;  ///< of the leaf's record, see Leaf
  int64_t steps = -1;  ///< an optimizer's steps before; -1: not its state
  uint32_t next = 0;   ///< next of the same value; of a free one: the next free one
};

/// The memory region of a value, as far as it is known before the value has run: whose memory, and
/// the layout in it. Values of one family with the same origin share memory, as in PyTorch.
struct MemoryRegion {
  Value origin = kNone;              ///< the viewed value; kNone: a concrete value's storage
  const Storage* storage = nullptr;  ///< of a concrete origin
  Layout layout;
  bool same_memory(const MemoryRegion& other) const {
    return origin == other.origin && storage == other.storage;
  }
};

/// The pending nodes of one thread in record order. All of them are live: a node that nothing can
/// need any more is unlinked at once. When a thread ends, its pending nodes stay on its tape until
/// a call reads them. An empty tape is used again for another thread.
struct Tape {
  uint32_t id = 0;
  bool open = false;  ///< its thread lives
  uint32_t first = kNone.id, last = kNone.id;
  int64_t nodes = 0;
  int64_t bytes = 0;      ///< of pending results that are not views, and of long lists of operands
  uint64_t path = 0;      ///< hash of all nodes since the previous batch; finds known batches
  uint64_t trail = 0;     ///< hash of the latest nodes; a position in a loop
  uint64_t began = 0;     ///< the trail when the previous batch was taken off
  uint64_t recorded = 0;  ///< nodes since then, dead ones included
  uint64_t round = 0;     ///< nodes of a round of the loop that it is cut by, 0: unknown
  Rhythm rhythm;          ///< of the nodes beyond the soft limit
  /// True where the loop is back at the position where the previous batch was taken off.
  bool is_round() const { return trail == began && (round == 0 || recorded % round == 0); }
  uint32_t units = 0;  ///< groups of changes in place since then, numbered from 1
  uint16_t call = 0;   ///< the call that records now, see symbols.h
  /// Failures of its batches that no call of its thread has reported. Running
  /// batches share the list.
  std::shared_ptr<std::vector<Message>> unreported = std::make_shared<std::vector<Message>>();
};

/// A batch taken off a tape, with the data that are not part of its key.
struct Submission {
  Batch built;                         ///< the batch, unless `known` is set
  std::shared_ptr<const Batch> known;  ///< an equal batch that others share
  std::vector<int64_t> scalars;        ///< of this submission
  std::vector<BufferRef> inputs;       ///< null where poisoned
  std::vector<Value> roots;            ///< in the order of the batch's roots
  std::vector<uint32_t> locations;     ///< of the steps
  std::vector<uint16_t> calls;         ///< that recorded the steps, see symbols.h
  std::vector<std::string> labels;     ///< of the steps; empty when no step has one
  int64_t nodes = 0;
  /// An Undo by ids of the batch, in the order of `now`.
  struct Back {
    uint32_t now;
    uint32_t before;    ///< kNone.id: `outside`, or there was nothing
    BufferRef outside;  ///< a buffer that the batch does not read
    Undo undo;
  };
  std::vector<Back> backs;
  uint32_t units = 0;  ///< groups of changes in place, numbered from 1
  /// A backward pass, whose first gradient fails where the value that it started from does.
  struct Pass {
    uint32_t gradient;
    uint32_t from;  ///< kNone.id: the batch does not compute it
    Undo undo;
  };
  std::vector<Pass> passes;
  /// Messages of the poisoned inputs, by input; empty when there are none.
  std::vector<Message> poison;
  const Batch& batch() const { return known ? *known : built; }
  Batch whole() const;  ///< a copy with these scalars
  void clear();
};

class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  Node& operator[](Value value) { return chunks_[value.id / kChunk][value.id % kChunk]; }
  const Node& operator[](Value value) const {
    return chunks_[value.id / kChunk][value.id % kChunk];
  }
  TensorType type(Value value) const {
    if (value == kNone) return {.dtype = DType::F32, .device = {}, .none = true, .sizes = {}};
    const Node& node = (*this)[value];
    return {.dtype = node.dtype, .device = node.device, .none = false, .sizes = node.shape};
  }

  Tape& open_tape();                ///< for a new thread
  void close(Tape& tape) noexcept;  ///< its thread has ended
  void close_all_but(const Tape& tape) noexcept;
  Tape& tape(uint32_t number) { return *tapes_[number]; }

  /// A short form of infer() for rows that keep the operands' type, and operands of one type, as
  /// most are. False for all other calls.
  bool infer_alike(Args& args) const;
  /// Appends a node whose args have gone through inference. Nothing holds the result yet.
  Value append(Tape& tape, const Args& args, uint32_t location);
  /// infer_alike() and append() in one, for the calls that are most of all: of a plain row, see
  /// OpInfo, with at most kMostPlain operands, which are here and take no part in gradients.
  /// kNone for all other calls, of which it records nothing.
  Value append_plain(Tape& tape, Op op, std::span<const Value> operands,
                     const Small<int64_t, 10>& attributes, uint32_t location);
  static constexpr uint32_t kMostPlain = 3;
  /// A value over a buffer. Nothing holds it yet.
  Value concrete(BufferRef buffer, uint32_t location);
  /// As concrete(), for a view of `source`.
  Value concrete_view(BufferRef buffer, Value source, uint32_t location);

  void hold(Value value) { ++(*this)[value].holders; }
  void unhold(Value value) { --(*this)[value].holders; }  ///< release() that never ends the value
  /// Removes one holder. A value that nothing can need any more is freed, with all
  /// that only it needed.
  void release(Value value) noexcept;
  /// After a failed call: removes those of the tape's last `nodes` nodes that nothing needs.
  void take_back(Tape& tape, int64_t nodes) noexcept;
  /// Frees concrete values that nothing needs: a call made them and then ran out of memory.
  void sweep() noexcept;

  /// A new handle, which holds the value. Throws before it changes anything.
  int64_t new_handle(Value value, Handles& handles) {
    Node& node = (*this)[value];
    families_.make_room(node.family, false);
    const int64_t handle = handles.add(HandleKind::Tensor, value);
    families_.add(node.family, handles, Handles::slot_of(handle));
    ++node.holders;
    return handle;
  }
  /// Makes the next add_handle(), or several, unable to fail.
  void make_room_for_handle(Value value, bool several = false) {
    families_.make_room((*this)[value].family, several);
  }
  /// Lets an existing handle, by its slot, stand for a value and hold it. Nothing else changes.
  void add_handle(Value value, Handles& handles, uint32_t slot) {
    families_.add((*this)[value].family, handles, slot);
    hold(value);
  }
  void remove_handle(Value value, Handles& handles, uint32_t slot) {
    families_.remove((*this)[value].family, handles, slot);
    release(value);
  }
  /// The slot of the first handle to a value and to those that may share memory with it. The others
  /// follow by Handles::Entry::next. All handles that share memory are in this list; others may be.
  uint32_t first_relative(Value value) const { return families_.first((*this)[value].family); }

  /// The region that a value has or will have. Views of a pending value are
  /// followed to their origin.
  MemoryRegion region(Value value);
  Layout layout(Value value) { return region(value).layout; }

  /// Builds the batch of the tape's pending nodes, which stay on the tape. Returns the
  /// first operand that is still in flight, to be waited for before building again; kNone
  /// when there is none.
  Value build(const Tape& tape, Submission& out);
  /// True where that batch would equal `batch`; then fills in all else of `out`. Costs
  /// less than building.
  bool matches(const Tape& tape, const Batch& batch, Submission& out);
  /// Takes the nodes of build() or matches() off the tape: roots become in flight, others end.
  void detach(Tape& tape) noexcept;
  /// Ends the flight of a root with a buffer, or with a message that poisons it. Without memory for
  /// the message, it is out_of_memory().
  void deliver(Value root, BufferRef buffer) noexcept;
  void poison(Value root, Message message) noexcept;
  /// Poisons all values in flight with this message.
  void abandon(const Message& message);

  const Message& poison_of(Value value) const {
    const auto found = poison_.find(value.id);
    return found == poison_.end() ? out_of_memory() : found->second;
  }

  /// The number of a new group of changes in place on the tape, which take
  /// effect all or not at all.
  static uint32_t begin_unit(Tape& tape) { return ++tape.units; }
  /// Notes the way back from `now`. Does nothing where `now` is not pending, because it cannot
  /// fail, or where the value before has failed.
  void note_undo(Value now, Undo undo);
  /// Replaces the gradient `now` of a leaf, which has failed, by `before`; null: by zeros or none.
  void put_back_gradient(const Undo& undo, Value now, BufferRef before);
  // Gradients (grad.cpp).
  bool takes_part(Value value) const {
    const uint32_t record = (*this)[value].grad;
    return record != 0 && records_[record].wanted;
  }
  bool is_leaf(Value value) const;  ///< a leaf, or a value that takes no part
  /// True where a gradient is wanted of the result of these args, which have gone through infer().
  bool wants_gradient(const Args& args) const;
  /// Records how a value is computed, for a backward pass.
  void track(Value result, const Args& args);
  void make_leaf(Value value);                ///< whatever it was before
  void carry_gradient(Value from, Value to);  ///< `to` replaces `from` from here on
  Leaf leaf_of(Value value) const {
    const uint32_t record = (*this)[value].grad;
    return {record, records_[record].order};
  }
  Value leaf(Leaf of) const;  ///< its value now; kNone when it has ended
  GradRecord& record_of(Value value) { return records_[(*this)[value].grad]; }
  const GradRecord& record(uint32_t number) const { return records_[number]; }
  void renew_gradient(Value leaf, Value now);  ///< by an equal one, or by zeros that are read
  /// Marks a backward pass from a failed value: the next step of an optimizer skips the leaves
  /// below it, unless their gradients are cleared or get another pass.
  void spoil(Value value);
  /// The records that a backward pass from a value goes through, results before operands. Throws
  /// Error when an earlier pass has released some of them.
  std::vector<uint32_t> reach(Value value);
  /// Appends the gradients of a value of one element by the records that reach() found, adds them
  /// to those of the leaves, and releases the values that were saved.
  void backward(Builder& build, Value value, std::span<const uint32_t> records);

  void set_label(Value value, std::string label);
  std::string label(Value value) const;                ///< "" when there is none
  void mark_locations(std::vector<bool>& used) const;  ///< of all values

  /// Ends a reference to a buffer. The last one is kept until the engine's lock is released,
  /// because freeing memory may take the system milliseconds.
  void end(BufferRef buffer) noexcept;
  bool has_dead() const { return !dead_.empty(); }
  /// Swaps the dead buffers for an empty list.
  void take_dead(std::vector<BufferRef>& list) noexcept { dead_.swap(list); }

  int64_t recorded_nodes = 0, dead_nodes = 0, pending_nodes = 0;

 private:
  friend struct GraphProbe;  // tests set counters to just below their limits
  static constexpr uint32_t kChunk = 512;

  /// A free slot. It stays free until take(), so that a failure in between changes nothing.
  uint32_t free_slot() {
    if (free_ == kNone.id) [[unlikely]]
      new_slot();
    return free_;
  }
  void take(uint32_t slot) { free_ = (*this)[Value{slot}].next; }
  /// Takes a free slot for a pending node, whose lists are filled in, and links it into the tape.
  Value place(Tape& tape, uint32_t slot, Op op, DType dtype, Device device, uint32_t family,
              uint32_t location);
  void new_slot();
  uint32_t next_stamp();
  void vacate(uint32_t slot);
  template <class F>
  void for_each_needed(const Node& node, F f) const;
  void forget_undos(Node& node);
  void put_undos(const Node& node, Submission& out) const;
  Value add_backs(const Tape& tape, Submission& out) const;
  std::vector<uint32_t> below(Value value);
  void unlink(Tape& tape, Node& node);
  bool let_go(uint32_t slot, uint32_t& work);
  bool let_go(Node& node, uint32_t slot, uint32_t& work);
  void dispose(uint32_t work);
  void release_value(Value value);
  void link(Value value, uint32_t record);
  void unlink_gradient(Node& node);
  void unlink_if_out_of_reach(Node& node);
  void drop(uint32_t record);
  void release_saved(GradRecord& record);
  void release_dead_records();
  void note_gradient(uint32_t record, Value now);
  void add_incoming(Builder& build, uint32_t record, Value gradient);
  void add_part(uint32_t slice);
  void join_parts(Builder& build, uint32_t record);
  void differentiate(Builder& build, uint32_t number);
  void end_pass(std::span<const uint32_t> records);

  std::vector<std::unique_ptr<Node[]>> chunks_;
  std::vector<std::unique_ptr<Tape>> tapes_;
  std::vector<uint32_t> empty_tapes_;  ///< closed ones without nodes, for new threads
  size_t most_tapes_ = 0;              ///< with so many, closed ones are searched
  uint32_t free_ = kNone.id;
  uint32_t used_ = 0;
  uint32_t stamp_ = 0;
  Families families_;
  std::vector<Undo> undos_{1};
  uint32_t free_undo_ = 0;
  std::unordered_map<uint32_t, Message> poison_;
  std::unordered_map<uint32_t, std::string> labels_;
  std::unordered_map<uint32_t, MemoryRegion> regions_;  ///< of some pending views
  std::vector<BufferRef> dead_;
  GradRecords records_;
  uint32_t dying_ = 0;             ///< records without references, for release_dead_records()
  std::vector<TensorType> types_;  ///< scratch of differentiate()
  std::vector<GradPart> parts_;    ///< of the running pass; GradRecord::part is an index plus one
  uint64_t passes_ = 0;
};

/// Calls f for all values of which the pending node is a consumer.
template <class F>
void Graph::for_each_needed(const Node& node, F f) const {
  for (const Value operand : node.operands)
    if (operand != kNone) f(operand);
  for (uint32_t at = node.undo; at != 0; at = undos_[at].next)
    if (undos_[at].before != kNone) f(undos_[at].before);
}

}  // namespace rt
