// libtorch_visit.h -- when libtorch may be called: not at the end of a thread or of the process.
#pragma once
#include <array>
#include <cstdint>

#include "graph/batch/batch.h"
#include "graph/uncancelled.h"

namespace rt {

/// A set of ops; trivial, since threads keep one.
class OpSet {
 public:
  static constexpr size_t kWords = static_cast<size_t>(Op::Fused) / 64 + 1;
  constexpr void add(Op op) { words_[number(op) / 64] |= uint64_t{1} << number(op) % 64; }
  bool operator[](Op op) const { return (words_[number(op) / 64] >> number(op) % 64 & 1) != 0; }
  uint64_t& attr(size_t i) { return words_[i]; }
  uint64_t attr(size_t i) const { return words_[i]; }

 private:
  static constexpr size_t number(Op op) { return static_cast<size_t>(op); }
  std::array<uint64_t, kWords> words_{};
};
OpSet ops_of(const Batch& batch);

/// The calling thread's stay in libtorch. libtorch has objects that C++ destroys with the thread,
/// and others that it destroys with the process. Most are made when an op runs for the first time,
/// so the order in which they go, among them and those of the client, is not known to anybody.
/// Calls may come later than that, from destructors and exit handlers of the client: from the first
/// such destructor on, libtorch is closed to the thread or to all. Whoever finds it closed does
/// without. The end of the process waits for other threads' stays.
class LibtorchVisit {
 public:
  LibtorchVisit();
  LibtorchVisit(const LibtorchVisit&) = delete;
  ~LibtorchVisit();
  explicit operator bool() const { return inside_; }  ///< false: it is closed
  /// libtorch has been loaded, so that objects of the process may be there now.
  static void opened();
  /// These ops have run in this stay, so that objects of theirs may be there now.
  void ran(Op op);
  void ran(const OpSet& ops);
  /// In a forked child, where stays of other threads have no end.
  static void after_fork();

 private:
  const Uncancelled uncancelled_;
  bool inside_ = false;
};

}  // namespace rt
