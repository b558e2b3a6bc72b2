// diff.h -- the differences of two batches, which tell why one was compiled again.
#pragma once
#include "graph/dump/dump.h"

namespace rt {

/// Describes the differences of two batches, called A and B, in the order of their steps:
///     A has 4 steps and B has 4; 3 are the same.
///     1. dim=1 in A, dim=0 in B
///        A  %3: f32[2,3] = softmax(%2, dim=1)  # "probs" at train.spl:12
///        B  %3: f32[2,3] = softmax(%2, dim=0)  # "probs" at train.spl:12
/// Shows at most `most` differences, and the number of all. Scalars that are set at every
/// run make no difference.
std::string explain_difference(const Batch& a, const Batch& b, const DumpNotes* a_notes = nullptr,
                               const DumpNotes* b_notes = nullptr, size_t most = 20);

/// A measure of likeness: steps of the same op and attributes, in any order, count one, and one
/// more where the result has the same type. Takes linear time.
size_t likeness(const Batch& a, const Batch& b);

}  // namespace rt
