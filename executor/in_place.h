// in_place.h -- calls in place: values stay as they are, and handles go over to new ones.
#pragma once
#include <map>
#include <utility>
#include <vector>

#include "executor/engine.h"

namespace rt {

/// Values that a call keeps until its end.
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

 private:
  Graph& graph_;
  std::vector<Value> values_;
};

/// One call that writes into the memory that some handles stand for, one after the other. Nothing
/// changes before finish(), which lets all handles to that memory go over to new values. However
/// many parts of one memory are written, it is put together once.
class Rewriting {
 public:
  /// The handles that will be written to, which have values that are here.
  Rewriting(CallContext& context, std::span<const int64_t> handles);
  Value read(size_t i);             ///< what handle i stands for, after the writes so far
  void write(size_t i, Value now);  ///< of the same type as read(i)
  /// All changes go back together where one of them fails; else those of each memory do.
  void change_together() { unit_ = Graph::begin_unit(context_.thread.tape); }
  uint32_t unit(size_t i);  ///< of what handle i stands for, see Undo
  /// Records all that is to be recorded.
  void prepare();
  /// The handles go over. After prepare().
  void finish();

 private:
  /// A memory is seen as a grid of rows of some width. Of a layout the elements there, or more.
  struct Block {
    int64_t first_row, end_row, begin, end;
    bool exact;  ///< it is these elements, in their order
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
    int64_t width = 1;          ///< of the grid
    bool apart = true;          ///< no two of the parts meet
    Value base = kNone;         ///< all of it, with the writes before; kNone: nothing was put there
    std::vector<Write> writes;  ///< that are not in `base`
    uint32_t unit = 0;          ///< 0: not numbered yet
    std::vector<Alias> aliases;  ///< the handles that see it
    bool is_written() const { return base != kNone || !writes.empty(); }
  };
  struct Part {
    int64_t handle;
    Memory* memory = nullptr;  ///< null: no other value shares it
    Layout layout;
    Block block{};
    Value now = kNone;  ///< without a memory
    uint32_t unit = 0;  ///< likewise; 0: not numbered yet
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
  uint32_t unit_ = 0;  ///< of all changes, 0: they have several
};

}  // namespace rt
