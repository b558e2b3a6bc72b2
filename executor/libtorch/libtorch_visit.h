// libtorch_visit.h -- keeps calls out of libtorch at the end of a thread or of the process.
#pragma once
#include <array>
#include <cstdint>

#include "graph/batch/batch.h"
#include "graph/uncancelled.h"

namespace rt {

/// A set of ops. Trivially destructible, because it is a thread-local variable.
class OpSet {
 public:
  static constexpr size_t kWords = static_cast<size_t>(Op::Fused) / 64 + 1;
  constexpr void add(Op op) { words_[number(op) / 64] |= uint64_t{1} << number(op) % 64; }
  bool operator[](Op op) const { return (words_[number(op) / 64] >> number(op) % 64 & 1) != 0; }
  uint64_t& word(size_t i) { return words_[i]; }
  uint64_t word(size_t i) const { return words_[i]; }

 private:
  static constexpr size_t number(Op op) { return static_cast<size_t>(op); }
  std::array<uint64_t, kWords> words_{};
};
OpSet ops_of(const Batch& batch);

/// A scope in which the calling thread may call libtorch. C++ destroys some objects of libtorch
/// with the thread and others with the process. Most are made when an op runs for the first time,
/// so that their order among the client's objects is unknown. Destructors and exit handlers of the
/// client may still call us later. So libtorch is closed, to the thread or to all threads, before
/// the first of its objects is destroyed, and callers must then work without it. The end of the
/// process waits for the visits of other threads.
class LibtorchVisit {
 public:
  LibtorchVisit();
  LibtorchVisit(const LibtorchVisit&) = delete;
  ~LibtorchVisit();
  explicit operator bool() const { return inside_; }  ///< false: libtorch is closed
  /// Called after libtorch was loaded, because it may have made objects of the process.
  static void opened();
  /// Called after these ops ran in this visit, because they may have made objects.
  void ran(Op op);
  void ran(const OpSet& ops);
  /// In a forked child: forgets the visits of other threads, which will not end.
  static void after_fork();

 private:
  const Uncancelled uncancelled_;
  bool inside_ = false;
};

}  // namespace rt
