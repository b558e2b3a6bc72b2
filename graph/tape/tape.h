// tape.h -- values and nodes: what is recorded, who holds it, and when it goes. Never recursive.
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

/// The failure of a value, for all that depend on it.
using Message = std::shared_ptr<const std::string>;
/// "out of memory", made before memory is short.
const Message& out_of_memory();

enum class State : uint8_t { Free, Pending, InFlight, Concrete, Poisoned };

/// A value, and while it is pending the node that computes it.
/// Pending: linked into its tape; holds its operands by their `consumers`.
/// InFlight: a root of a batch that runs; out of the tape, operands let go.
/// Concrete: `buffer` holds the result. Poisoned: the graph keeps the message.
/// A value goes when `holders` and `consumers` are both 0 (a random node stays until it has run).
struct Node {
  Op op;
  State state;
  DType dtype;
  Device device;
  bool labelled : 1;        ///< the graph keeps a label for it
  bool has_region : 1;      ///< the graph keeps its region, see Graph::region
  bool keeps_itself : 1;    ///< one of its holders is the record it is linked to
  uint16_t call;            ///< the call that recorded it, see symbols.h
  uint32_t holders;         ///< handles, gradient slots, optimizer state, saved sets, running reads
  uint32_t consumers;       ///< pending nodes that read it, once per operand
  uint32_t previous, next;  ///< neighbours on the tape; `next` links free slots and work lists
  uint32_t tape;            ///< number of the tape it is pending on
  uint32_t location;        ///< see source_locations.h
  uint32_t index;  ///< in the batch that is being built, valid while `stamp` is that batch's
  uint32_t stamp;
  uint32_t grad;    ///< its record among those of gradients, 0: none
  uint32_t family;  ///< the values it may share memory with, see families.h
  uint32_t undo;    ///< while pending: the first of its Undos, 0: none
  Shape shape;
  Small<int64_t, 4> attributes;  ///< see Args
  Small<Value, 4> operands;
  BufferRef buffer;
};
static_assert(sizeof(Node) - sizeof(Node::operands) <= 160,
              "a pending node costs at most 160 bytes");

/// What a pending value took the place of, as calls in place let it: where it fails to be computed,
/// that place goes back to what it had before. `before` counts the pending value as a consumer.
struct Undo {
  Value before = kNone;  ///< kNone: the place was empty
  /// The value is no change but the gradient that a backward pass from this value begins with. It
  /// does not count as a consumer; it is the one that record `leaf` tells of.
  Value from = kNone;
  uint32_t leaf = 0;   ///< the place is the gradient of this record; 0: all that hold the value
  bool zeros = false;  ///< the gradient was zeros that nobody had asked for
  uint32_t unit = 0;   ///< what one call changes together goes back together
  uint64_t order = 0;  ///< of the leaf's record, which tells it from later ones of that number
  int64_t steps = -1;  ///< of an optimizer over its parameter before; -1: that is not its state
  uint32_t next = 0;   ///< of the same value; of one that is not in use: the next such
};

/// Where a value's elements lie, as far as that is known before it has run: in whose memory and
/// how. Two values of one family with the same origin see each other's memory, as in PyTorch.
struct MemoryRegion {
  Value origin = kNone;              ///< what was viewed; kNone: a concrete value's storage
  const Storage* storage = nullptr;  ///< of a concrete origin
  Layout layout;
  bool same_memory(const MemoryRegion& other) const {
    return origin == other.origin && storage == other.storage;
  }
};

/// The pending nodes of one thread in record order. All of them are live: a node that nothing can
/// need any more is unlinked at once. What a thread leaves pending stays on its tape when it ends,
/// until somebody reads it; an empty tape then serves another thread.
struct Tape {
  uint32_t id = 0;
  bool open = false;  ///< its thread lives
  uint32_t first = kNone.id, last = kNone.id;
  int64_t nodes = 0;
  int64_t bytes = 0;   ///< of pending results that are not views, and of long lists of operands
  uint64_t path = 0;   ///< of all that was recorded since the batch before; tells what it may be
  uint64_t trail = 0;  ///< what was recorded last, older ops shifted out; tells a place in a loop
  uint64_t began = 0;  ///< the trail when the batch before was taken off
  uint64_t recorded = 0;  ///< nodes since then, those that are dead by now, too
  uint64_t round = 0;     ///< nodes of a round of the loop that it is cut by, 0: not known
  Rhythm rhythm;          ///< of what is recorded beyond the soft limit
  /// Whether the loop has come round to where the batch before was taken off.
  bool is_round() const { return trail == began && (round == 0 || recorded % round == 0); }
  uint32_t units = 0;  ///< groups of changes in place since then, which are numbered from 1
  uint16_t call = 0;   ///< that records now, see symbols.h
  /// Failures of its batches that no call of its thread has told. Batches that run share it.
  std::shared_ptr<std::vector<Message>> untold = std::make_shared<std::vector<Message>>();
};

/// A batch taken off a tape, with what does not belong to its key.
struct Submission {
  Batch built;                         ///< the batch, unless
  std::shared_ptr<const Batch> known;  ///< it is this one, which others share
  std::vector<int64_t> scalars;        ///< of this submission
  std::vector<BufferRef> inputs;       ///< null where poisoned
  std::vector<Value> roots;            ///< as the batch's
  std::vector<uint32_t> locations;     ///< of the steps
  std::vector<uint16_t> calls;         ///< that recorded the steps, see symbols.h
  std::vector<std::string> labels;     ///< of the steps; empty when no step has one
  int64_t nodes = 0;
  /// An Undo in the batch's numbers, in the order of `now`.
  struct Back {
    uint32_t now;
    uint32_t before;    ///< kNone.number: `outside`, or nothing was there
    BufferRef outside;  ///< what the batch itself does not read
    Undo undo;
  };
  std::vector<Back> backs;
  uint32_t units = 0;  ///< groups of changes in place, numbered from 1
  /// A backward pass: the gradient that it began with fails where what it went back from does.
  struct Pass {
    uint32_t gradient;
    uint32_t from;  ///< kNone.number: that is not computed
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

  Tape& open_tape();                ///< for a thread that begins
  void close(Tape& tape) noexcept;  ///< its thread has ended
  void close_all_but(const Tape& tape) noexcept;
  Tape& tape(uint32_t number) { return *tapes_[number]; }

  /// What infer() makes of calls of rows that keep the type of operands that are alike, as most
  /// are; false for all others.
  bool infer_alike(Args& args) const;
  /// Appends a node whose args have gone through inference. Nothing holds the result yet.
  Value append(Tape& tape, const Args& args, uint32_t location);
  /// A value over a buffer. Nothing holds it yet.
  Value concrete(BufferRef buffer, uint32_t location);
  /// The same, a view of `source`.
  Value concrete_view(BufferRef buffer, Value source, uint32_t location);

  void hold(Value value) { ++(*this)[value].holders; }
  /// Takes one holder away; what nothing can need any more goes, with all that only it needed.
  void release(Value value) noexcept;
  /// After a call that failed: takes back what it had recorded, of the tape's last `nodes` nodes
  /// those that nothing needs.
  void take_back(Tape& tape, int64_t nodes) noexcept;
  /// Lets go of concrete values that a call had made when it ran out of memory: nothing needs them.
  void sweep() noexcept;

  /// A handle to a value, which it holds. It fails before it changes anything.
  int64_t new_handle(Value value, Handles& handles) {
    Node& node = (*this)[value];
    families_.make_room(node.family, false);
    const int64_t handle = handles.add(HandleKind::Tensor, value);
    families_.add(node.family, handles, Handles::slot_of(handle));
    ++node.holders;
    return handle;
  }
  /// Ahead of add_handle(), which does not fail then.
  void make_room_for_handle(Value value, bool several = false) {
    families_.make_room((*this)[value].family, several);
  }
  /// A handle that is there stands for a value, which it holds; and no more.
  void add_handle(Value value, Handles& handles, uint32_t slot) {
    families_.add((*this)[value].family, handles, slot);
    hold(value);
  }
  void remove_handle(Value value, Handles& handles, uint32_t slot) {
    families_.remove((*this)[value].family, handles, slot);
    release(value);
  }
  /// The first of the handles to a value and to those that may share memory with it; the others
  /// follow by Handles::Entry::next. All that share memory are there, others may be.
  uint32_t first_relative(Value value) const { return families_.first((*this)[value].family); }

  /// Where a value lies or will lie: views of a pending value are followed to their origin.
  MemoryRegion region(Value value);
  Layout layout(Value value) { return region(value).layout; }

  /// Builds the batch of what is pending on the tape, without taking it off. Returns the first
  /// operand that is still in flight, kNone when all are there: wait for it and build again.
  Value build(const Tape& tape, Submission& out);
  /// Whether that batch would be `batch`; fills in all but it then. Costs less than building.
  bool matches(const Tape& tape, const Batch& batch, Submission& out);
  /// Takes what build() saw off the tape: roots become in flight, all else goes.
  void detach(Tape& tape) noexcept;
  /// Ends a flight: a buffer for a root, or a message that poisons it. Where there is no memory to
  /// keep the message, it is out_of_memory().
  void deliver(Value root, BufferRef buffer) noexcept;
  void poison(Value root, Message message) noexcept;
  /// Ends every flight, with this message for all.
  void abandon(const Message& message);

  const Message& poison_of(Value value) const {
    const auto found = poison_.find(value.id);
    return found == poison_.end() ? out_of_memory() : found->second;
  }

  /// The number of a new group of changes in place on the tape, which are made all or not at all.
  static uint32_t begin_unit(Tape& tape) { return ++tape.units; }
  /// `now` takes the place of what `undo` says. A value that is there already does not fail, and to
  /// one that has failed there is no way back.
  void note_undo(Value now, Undo undo);
  /// A leaf's gradient was `now`, which has failed: it goes back to `before`, or to zeros or none.
  void put_back_gradient(const Undo& undo, Value now, BufferRef before);
  // Gradients (grad.cpp).
  bool takes_part(Value value) const {
    const uint32_t record = (*this)[value].grad;
    return record != 0 && records_[record].wanted;
  }
  bool is_leaf(Value value) const;  ///< a leaf, or a value that takes no part
  /// Whether a gradient is wanted of the result of these args, which have gone through infer().
  bool wants_gradient(const Args& args) const;
  /// Notes how a value came to be, for a backward pass to go through it.
  void track(Value result, const Args& args);
  void make_leaf(Value value);                ///< whatever it was before
  void carry_gradient(Value from, Value to);  ///< `to` is in the place of `from` from here on
  Leaf leaf_of(Value value) const {
    const uint32_t record = (*this)[value].grad;
    return {record, records_[record].order};
  }
  Value leaf(Leaf of) const;  ///< its value now; kNone when it is gone
  GradRecord& record_of(Value value) { return records_[(*this)[value].grad]; }
  const GradRecord& record(uint32_t number) const { return records_[number]; }
  void renew_gradient(Value leaf, Value now);  ///< shows the same, or zeros that were asked for
  /// A backward pass from a value that has failed: the next step of an optimizer leaves the leaves
  /// below it out, unless their gradients are cleared or another pass comes to them.
  void spoil(Value value);
  /// What a backward pass from a value goes through, results before operands. Throws when an
  /// earlier pass has released some of it.
  std::vector<uint32_t> reach(Value value);
  /// Appends the gradients of a value of one element and adds them to those of the leaves, going
  /// through what reach() found; releases what was saved for it.
  void backward(Builder& build, Value value, std::span<const uint32_t> records);

  void set_label(Value value, std::string label);
  std::string label(Value value) const;                ///< "" when there is none
  void mark_locations(std::vector<bool>& used) const;  ///< of all values

  /// Ends a reference to a buffer. Where it was the last one, the buffer is kept for who lets the
  /// engine's lock go: to give memory back may take the system milliseconds.
  void end(BufferRef buffer) noexcept;
  bool has_dead() const { return !dead_.empty(); }
  /// Hands the dead ones over, for an empty list.
  void take_dead(std::vector<BufferRef>& list) noexcept { dead_.swap(list); }

  int64_t recorded_nodes = 0, dead_nodes = 0, pending_nodes = 0;

 private:
  friend struct GraphProbe;  // tests start counters just before their end
  static constexpr uint32_t kChunk = 512;

  /// A free slot. It stays free until it is taken, so that a failure in between changes nothing.
  uint32_t free_slot() {
    if (free_ == kNone.id) [[unlikely]]
      new_slot();
    return free_;
  }
  void take(uint32_t slot) { free_ = (*this)[Value{slot}].next; }
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
  void drop(uint32_t record);
  void release_saved(GradRecord& record);
  void release_dead_records();
  void note_gradient(uint32_t record, Value now);
  void add_incoming(Builder& build, uint32_t record, Value gradient);
  void differentiate(Builder& build, const GradRecord& record);
  void end_pass(std::span<const uint32_t> records);

  std::vector<std::unique_ptr<Node[]>> chunks_;
  std::vector<std::unique_ptr<Tape>> tapes_;
  std::vector<uint32_t> empty_tapes_;  ///< closed ones that wait for a thread
  size_t most_tapes_ = 0;              ///< from here on, closed ones are looked through for more
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
  uint32_t dying_ = 0;             ///< records without references, for bury()
  std::vector<TensorType> types_;  ///< scratch of differentiate()
  uint64_t passes_ = 0;
};

/// Calls f for all values that count the pending node as a consumer.
template <class F>
void Graph::for_each_needed(const Node& node, F f) const {
  for (const Value operand : node.operands)
    if (operand != kNone) f(operand);
  for (uint32_t at = node.undo; at != 0; at = undos_[at].next)
    if (undos_[at].before != kNone) f(undos_[at].before);
}

}  // namespace rt
