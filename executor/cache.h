// cache.h -- compiled programs by the key of their batch; bounded, least recently used out.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "graph/batch/backend.h"

namespace rt {

/// An entry begins when a batch is first seen and gets its program when it is seen often enough.
/// A hit is confirmed by comparing the batch, never by the key alone.
class Cache {
 public:
  struct Entry {
    Key key;
    std::shared_ptr<const Batch> batch;  ///< to confirm hits
    int64_t sightings = 0;
    std::shared_ptr<Program> program;  ///< shared with the runs under way
    int64_t bytes = 0;
    uint64_t path = 0;         ///< see likely()
    bool random = false;       ///< it draws numbers
    int64_t run_ns = -1;       ///< of the newest run, -1: there was none
    uint64_t compiled_by = 0;  ///< the ticket of the batch that makes the program or has made it
    int64_t next_try = 0;      ///< the sighting from which on a program is worth a try
    /// Whether to try for a program now. What does not compile is tried again after twice as many
    /// sightings: memory may have been short, and most other reasons stay.
    bool is_worth_a_try() {
      if (program || sightings < next_try) return false;
      next_try = 2 * sightings;
      return true;
    }
  };

  using List = std::list<Entry>;  ///< most recently used first

  Cache(int64_t max_entries, int64_t max_bytes)
      : max_entries_(max_entries), max_bytes_(max_bytes) {}

  /// The entry of this batch, made when there is none, now the most recently used one. The
  /// reference
  /// holds until the next call.
  Entry& find_or_add(Key key, const Batch& batch);
  /// The entry that was last found for a tape of this path (Tape::path), to be tried first; nullptr
  /// when there is none.
  Entry* likely(uint64_t path);
  /// Makes the entry the most recently used one, to be found by this path.
  void use(Entry& entry, uint64_t path);
  /// A copy of what is told of an entry, which may be gone by then.
  struct Sighted {
    Key key;
    std::shared_ptr<const Batch> batch;
    int64_t sightings = 0;
  };
  /// Of the other entries, as many of the newest as are looked at, the one whose batch is most like
  /// that of `entry`; without a batch when none has anything of it.
  Sighted nearest(const Entry& entry) const;
  void set_program(Entry& entry, std::shared_ptr<Program> program);
  /// The entry that has this very batch; nullptr when it has been dropped.
  Entry* find(Key key, const Batch& batch);
  /// Takes out the least recently used entries beyond the bounds. Their end takes a while.
  [[nodiscard]] List shrink();
  [[nodiscard]] List clear();  ///< likewise of all entries
  size_t size() const { return entries_.size(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct KeyHash {
    size_t operator()(const Key& key) const { return static_cast<size_t>(key.low); }
  };

  void forget_path(const Entry& entry);

  int64_t max_entries_, max_bytes_, bytes_ = 0;
  List entries_;
  std::unordered_multimap<Key, List::iterator, KeyHash> by_key_;
  std::unordered_map<uint64_t, List::iterator> by_path_;
};

}  // namespace rt
