// cache.h -- compiled programs by the key of their batch; bounded, least recently used out.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "graph/backend.h"

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
    uint64_t path = 0;    ///< see likely()
    bool random = false;  ///< it draws numbers
    int64_t run_ns = -1;  ///< of the newest run, -1: there was none
  };

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
  /// Of the other entries, as many of the newest as are looked at, the one whose batch is most like
  /// that of `entry`; nullptr when none has anything of it.
  const Entry* nearest(const Entry& entry) const;
  void set_program(Entry& entry, std::shared_ptr<Program> program);
  /// Notes how long a run took. Of several entries of one key any may be taken for the others.
  void note_run(Key key, int64_t ns);
  /// Drops the least recently used entries beyond the bounds; returns how many held a program.
  int64_t shrink();
  void clear();
  size_t size() const { return entries_.size(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct KeyHash {
    size_t operator()(const Key& key) const { return static_cast<size_t>(key.low); }
  };
  using List = std::list<Entry>;  ///< most recently used first

  void forget_path(const Entry& entry);

  int64_t max_entries_, max_bytes_, bytes_ = 0;
  List entries_;
  std::unordered_multimap<Key, List::iterator, KeyHash> by_key_;
  std::unordered_map<uint64_t, List::iterator> by_path_;
};

}  // namespace rt
