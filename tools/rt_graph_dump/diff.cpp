// diff.cpp -- `diff`: why two batches are not one program.
#include "graph/dump/diff.h"
#include "tools/rt_graph_dump/commands.h"

namespace rt::tool {

Status diff(const Subject& a, const Subject& b, size_t most) {
  const DumpNotes a_notes = a.dump.notes(), b_notes = b.dump.notes();
  write("", "A is " + a.path + "\nB is " + b.path + '\n' +
                explain_difference(a.batch(), b.batch(), &a_notes, &b_notes, most));
  return same_work(a.batch(), b.batch()) ? kFine : kFound;
}

}  // namespace rt::tool
