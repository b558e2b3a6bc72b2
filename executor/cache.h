// cache.h -- compiled programs by the key of their batch; drops the least recently used ones.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "graph/batch/backend.h"

namespace rt {

/// A batch gets an entry when it is first seen, and a program when it has been seen often enough.
/// Equal keys are no proof of equal batches, so that a hit also compares the batches. The caller
/// holds the engine's lock.
class Cache {
 public:
  struct Entry {
    Key key;
    std::shared_ptr<const Batch> batch;  ///< to confirm hits
    int64_t sightings = 0;
    std::shared_ptr<Program> program;  ///< shared with runs in flight; null: none was compiled
    int64_t bytes = 0;
    uint64_t path = 0;         ///< see likely()
    bool random = false;       ///< the batch draws random numbers
    int64_t run_ns = -1;       ///< of the newest run; -1: it has not run as a program
    uint64_t compiled_by = 0;  ///< the ticket of the newest batch that compiles it
    int64_t next_try = 0;      ///< the count of sightings at which to compile next
    /// True where the batch should be compiled now. A failure is tried again after twice as many
    /// sightings: memory may have been short, but most other reasons stay.
    bool is_worth_a_try() {
      if (program || sightings < next_try) return false;
      next_try = 2 * sightings;
      return true;
    }
  };

  using List = std::list<Entry>;  ///< most recently used first

  Cache(int64_t max_entries, int64_t max_bytes)
      : max_entries_(max_entries), max_bytes_(max_bytes) {}

  /// Finds or makes the entry of the batch, and makes it the most recently used one. The reference
  /// is valid until the entry is dropped by shrink() or clear().
  Entry& find_or_add(Key key, const Batch& batch);
  /// The entry that was used last for a tape with this Tape::path; null: none. The caller compares
  /// the batch.
  Entry* likely(uint64_t path);
  /// Makes the entry the most recently used one, and the one that likely() finds for this path. An
  /// entry without that path must be the newest already, as find_or_add() leaves it.
  void use(Entry& entry, uint64_t path);
  /// A copy for a report, which is printed after the entry may have been dropped.
  struct Sighted {
    Key key;
    std::shared_ptr<const Batch> batch;
    int64_t sightings = 0;
  };
  /// The entry whose batch is most like that of `entry`, among the 64 most recently used others.
  /// Without a batch where none is like it.
  Sighted nearest(const Entry& entry) const;
  void set_program(Entry& entry, std::shared_ptr<Program> program);
  /// The entry that has this object as its batch; null where it was dropped.
  Entry* find(Key key, const Batch& batch);
  /// Removes the least recently used entries beyond the bounds. The caller destroys them with the
  /// lock released, because freeing programs takes long.
  [[nodiscard]] List shrink();
  [[nodiscard]] List clear();  ///< removes all entries; see shrink()
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
