// cache.cpp -- finds, adds and drops entries.
#include "executor/cache.h"

#include <iterator>

#include "graph/dump/diff.h"

namespace rt {
namespace {

// Bytes of an entry's nodes in the list and in the maps.
constexpr int64_t kOverhead = 128;

// Limits the search for the nearest entry, which only RT_TORCH_DEBUG asks for.
constexpr size_t kMaxCompared = 64;

}  // namespace

Cache::Entry& Cache::find_or_add(Key key, const Batch& batch) {
  const auto [begin, end] = by_key_.equal_range(key);
  for (auto it = begin; it != end; ++it) {
    if (!same_work(*it->second->batch, batch)) continue;
    entries_.splice(entries_.begin(), entries_, it->second);
    return entries_.front();
  }
  List fresh(1);
  Entry& entry = fresh.front();
  entry.key = key;
  entry.batch = std::make_shared<const Batch>(batch);
  by_key_.emplace(key, fresh.begin());
  entries_.splice(entries_.begin(), fresh);
  entry.bytes = static_cast<int64_t>(sizeof(Entry) + entry.batch->bytes()) + kOverhead;
  bytes_ += entry.bytes;
  return entry;
}

Cache::Entry* Cache::likely(uint64_t path) {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &*found->second;
}

void Cache::use(Entry& entry, uint64_t path) {
  const auto known = by_path_.find(path);
  if (known != by_path_.end() && &*known->second == &entry) {
    entries_.splice(entries_.begin(), entries_, known->second);
    return;
  }
  // The entry is in front, where find_or_add() has put it.
  forget_path(entry);
  if (known != by_path_.end()) known->second->path = 0;
  entry.path = path;
  by_path_.insert_or_assign(path, entries_.begin());
}

void Cache::forget_path(const Entry& entry) {
  const auto known = by_path_.find(entry.path);
  if (known != by_path_.end() && &*known->second == &entry) by_path_.erase(known);
}

Cache::Sighted Cache::nearest(const Entry& entry) const {
  const Entry* found = nullptr;
  size_t most = 0, compared = 0;
  for (const Entry& other : entries_) {
    if (&other == &entry) continue;
    if (++compared > kMaxCompared) break;
    const size_t alike = likeness(*other.batch, *entry.batch);
    if (alike <= most) continue;
    found = &other;
    most = alike;
  }
  if (!found) return {};
  return {found->key, found->batch, found->sightings};
}

void Cache::set_program(Entry& entry, std::shared_ptr<Program> program) {
  const auto size = [](const std::shared_ptr<Program>& of) {
    return of ? static_cast<int64_t>(of->bytes()) : 0;
  };
  // entry.bytes has the size that was counted. program->bytes() may have changed in a run since.
  const int64_t without = static_cast<int64_t>(sizeof(Entry) + entry.batch->bytes()) + kOverhead;
  bytes_ -= entry.bytes;
  entry.program = std::move(program);
  entry.bytes = without + size(entry.program);
  bytes_ += entry.bytes;
}

Cache::Entry* Cache::find(Key key, const Batch& batch) {
  const auto [begin, end] = by_key_.equal_range(key);
  for (auto it = begin; it != end; ++it)
    if (it->second->batch.get() == &batch) return &*it->second;
  return nullptr;
}

Cache::List Cache::shrink() {
  List gone;
  while (!entries_.empty() &&
         (static_cast<int64_t>(entries_.size()) > max_entries_ || bytes_ > max_bytes_)) {
    const auto last = std::prev(entries_.end());
    auto [it, end] = by_key_.equal_range(last->key);
    while (it != end && it->second != last) ++it;
    by_key_.erase(it);
    forget_path(*last);
    bytes_ -= last->bytes;
    gone.splice(gone.end(), entries_, last);
  }
  return gone;
}

Cache::List Cache::clear() {
  by_key_.clear();
  by_path_.clear();
  bytes_ = 0;
  return std::exchange(entries_, {});
}

}  // namespace rt
