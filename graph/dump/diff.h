// diff.h -- what is the same and what differs between two batches: why one compiled again.
#pragma once
#include "graph/dump/dump.h"

namespace rt {

/// What two batches share and where they differ, first difference first, the two called A and B:
///     A has 4 steps and B has 4; 3 are the same.
///     1. dim=1 in A, dim=0 in B
///        A  %3: f32[2,3] = softmax(%2, dim=1)  # "probs" at train.spl:12
///        B  %3: f32[2,3] = softmax(%2, dim=0)  # "probs" at train.spl:12
/// At most `most` differences are told, and how many more there are. Scalars that are set at every
/// run make no difference.
std::string explain_difference(const Batch& a, const Batch& b, const DumpNotes* a_notes = nullptr,
                               const DumpNotes* b_notes = nullptr, size_t most = 20);

/// How alike two batches are: steps of the same op and attributes, in any order, count one, and
/// one more where the result is of the same type. Cheap.
size_t likeness(const Batch& a, const Batch& b);

}  // namespace rt
