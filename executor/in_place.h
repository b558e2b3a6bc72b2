// in_place.h -- calls in place: values never change, handles are bound to new values.
#pragma once
#include <map>
#include <utility>
#include <vector>

#include "executor/engine.h"

namespace rt {

/// Keeps values alive until the end of its scope.
class Held {
 public:
  explicit Held(Graph& graph) : graph_(graph) {}
  Held(const Held&) = delete;
  ~Held() {
    for (const Value value : values_) graph_.release(value);
  }
  void reserve(size_t more) { values_.reserve(values_.size() + more); }
  Value add(Value value) {
    if (value == kNone) return value;
    values_.push_back(value);
    graph_.hold(value);
    return value;
  }
  /// Releases all now. `kept` does not end, although nothing else may hold it yet.
  void release_but(Value kept) {
    for (const Value value : values_)
      if (value == kept) graph_.unhold(value);
      else graph_.release(value);
    values_.clear();
  }

 private:
  Graph& graph_;
  std::vector<Value> values_;
};

/// One call that writes to the memory of some handles, in order. Handles change only in finish(),
/// which binds all handles to that memory to new values. The new contents of a memory are recorded
/// once, however many of its parts are written. Never releases the lock.
class Rewriting {
 public:
  /// The handles that will be written to. Their values must be brought here (Recorder::here).
  Rewriting(CallContext& context, std::span<const int64_t> handles);
  Value read(size_t i);             ///< the value of handle i after the writes so far
  void write(size_t i, Value now);  ///< `now` has the type of read(i)
  /// Lets all changes go back together where one fails. Otherwise those of each memory do.
  void change_together() { unit_ = Graph::begin_unit(context_.thread.tape); }
  uint32_t unit(size_t i);  ///< the group of the change of handle i, see Undo
  /// Records all nodes. May throw; then no handle has changed.
  void prepare();
  /// Binds the handles to their new values. After prepare().
  void finish();

 private:
  /// A rectangle of a memory, which is seen as a grid of rows. It has all elements of a layout.
  struct Block {
    int64_t first_row, end_row, begin, end;
    bool exact;  ///< it has no other elements, and in the layout's order
    bool meets(const Block& other) const {
      return first_row < other.end_row && other.first_row < end_row && begin < other.end &&
             other.begin < end;
    }
  };
  struct Write {
    size_t part;
    Value now;
  };
  struct Alias {
    int64_t handle;
    Value before;
    Layout layout;
  };
  struct Memory {
    Value member;         ///< a value that lies there
    MemoryRegion region;  ///< of that value
    std::vector<size_t> parts;
    int64_t width = 1;           ///< of the grid's rows, in elements
    bool apart = true;           ///< no two of the parts overlap
    Value base = kNone;          ///< the whole memory after earlier writes; kNone: not recorded yet
    std::vector<Write> writes;   ///< that are not in `base`
    uint32_t unit = 0;           ///< 0: not assigned yet
    std::vector<Alias> aliases;  ///< all handles to values that lie there
    bool is_written() const { return base != kNone || !writes.empty(); }
  };
  struct Part {
    int64_t handle;
    Memory* memory = nullptr;  ///< null: no other handle shares it
    Layout layout;
    Block block{};
    Value now = kNone;  ///< the newest write; used where `memory` is null
    uint32_t unit = 0;  ///< as Memory::unit; used where `memory` is null
  };
  using Key = std::pair<uint32_t, const Storage*>;
  static Key key_of(const MemoryRegion& region) { return {region.origin.id, region.storage}; }

  int64_t width_of(const Memory& memory) const;
  static Block block_of(const Layout& layout, int64_t width);
  bool are_apart(std::span<const size_t> parts) const;
  Value append(Args& args);
  Value as_strided(Value base, const Layout& layout, int64_t offset);
  Value reshaped(Value value, const Shape& sizes);
  Value whole(const Memory& memory);
  Value scattered(Value base, const Write& write);
  void put_together(Memory& memory);
  Value with_rest(const Memory& memory, Value grid, int64_t done);
  Value joined(const Memory& memory, const Block& region, std::span<const Write> writes, int depth);
  void find_aliases();
  void prepare(Memory& memory);
  void go_over(int64_t handle, Value now, uint32_t unit);

  Engine& engine_;
  CallContext& context_;
  Held held_;
  std::vector<Part> parts_;
  std::map<Key, Memory> memories_;
  std::vector<std::pair<int64_t, Value>> replacements_;
  uint32_t unit_ = 0;  ///< of all changes; 0: each memory has its own
};

}  // namespace rt
