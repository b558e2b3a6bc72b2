// page.cpp -- `--html`: the batch explorer, with times if asked for.
#include <filesystem>

#include "graph/batch/fuse.h"
#include "graph/dump/html.h"
#include "tools/rt_graph_dump/commands.h"
#include "tools/rt_graph_dump/graphviz.h"

namespace rt::tool {

Status page(Subject& subject, const PageOptions& options, const Setup& setup) {
  const Batch& batch = subject.batch();
  Times times;
  if (options.time) {
    prepare(subject, setup);
    MemoryCount memory;
    const auto backend = open_backend(setup.backend, setup, memory);
    const Inputs inputs = make_inputs(*backend, subject, setup);
    times = measure(*backend, batch, inputs, setup, options.repeats);
  }
  std::vector<Position> positions;
  if (options.graphviz) positions = graphviz_positions(batch);
  static_assert(Groups::kNone == PageNotes::kNoGroup);
  const std::vector<uint32_t> groups =
      holds_groups(batch) ? std::vector<uint32_t>() : fusion_groups(batch).of_step;
  const PageNotes notes{.notes = subject.dump.notes(),
                        .times_ns = times.steps,
                        .groups = groups,
                        .positions = positions,
                        .title = std::filesystem::path(subject.path).filename().string()};
  write(options.out, to_html(batch, notes));
  return kFine;
}

}  // namespace rt::tool
