// run.cpp -- `run`: runs one batch, prints its results and the time of each step.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "files/safetensors.h"
#include "graph/error.h"
#include "tools/rt_graph_dump/commands.h"
#include "tools/rt_graph_dump/numbers.h"

namespace rt::tool {
namespace {

constexpr size_t kTime = 12, kShare = 9;

/// For example "%3: f32[2,3] softmax".
std::string short_text(const Batch& batch, uint32_t step) {
  const uint32_t value = batch.steps[step].result;
  return join('%', value, ": ", to_string(batch.values[value].dtype, batch.sizes(value)), ' ',
              info(batch.steps[step].op).name);
}

void save(Backend& backend, const Batch& batch, const std::vector<BufferRef>& outputs,
          const std::string& path) {
  std::vector<files::Stored> tensors;
  for (size_t i = 0; i < outputs.size(); ++i)
    tensors.push_back({join('%', batch.roots[i]), outputs[i]->dtype(), Shape(outputs[i]->sizes())});
  std::vector<char> bytes;
  files::save_safetensors(path, tensors, [&](size_t i) {
    bytes.resize(static_cast<size_t>(outputs[i]->numel() * item_size(outputs[i]->dtype())));
    if (!bytes.empty()) backend.to_host(*outputs[i], outputs[i]->dtype(), bytes.data());
    return static_cast<const void*>(bytes.data());
  });
}

std::string times_text(const Subject& subject, const Times& times, size_t top) {
  std::vector<uint32_t> order(times.steps.size());
  std::iota(order.begin(), order.end(), 0);
  if (top > 0) {
    std::ranges::stable_sort(
        order, [&](uint32_t a, uint32_t b) { return times.steps[a] > times.steps[b]; });
    order.resize(std::min(order.size(), top));
  }
  const int64_t total = std::accumulate(times.steps.begin(), times.steps.end(), int64_t{0});
  std::string text = right("time", kTime) + right("share", kShare) + "  node\n";
  for (const uint32_t step : order) {
    const double share = 100.0 * static_cast<double>(times.steps[step]) /
                         static_cast<double>(std::max<int64_t>(1, total));
    text += right(time_text(times.steps[step]), kTime) +
            right(number_text(std::round(share * 10) / 10) + " %", kShare) + "  " +
            subject.step_text(step) + '\n';
  }
  if (order.size() < times.steps.size())
    text += right("...", kTime) + right("", kShare) +
            join("  and ", times.steps.size() - order.size(), " more\n");
  text += right(time_text(total), kTime) + right("", kShare) + "  all, one by one";
  if (times.compiled > 0) text += join("; compiled as one: ", time_text(times.compiled));
  return text + '\n';
}

}  // namespace

Status run(Subject& subject, const RunOptions& options, const Setup& setup) {
  prepare(subject, setup);
  const Batch& batch = subject.batch();
  MemoryCount memory;
  const auto backend = open_backend(setup.backend, setup, memory);
  const Inputs inputs = make_inputs(*backend, subject, setup);
  std::string text = headline(subject, *backend, setup, inputs) + "\n\n";
  Walk walk(*backend, batch, inputs, setup.seed);
  std::string table = statistics_head("output");
  std::vector<BufferRef> outputs;
  size_t root = 0;
  while (!walk.done()) {
    if (const std::string failure = walk.step(); !failure.empty())
      fail(subject.path, ": ", subject.step_text(walk.at()), ": ", failure);
    const uint32_t value = batch.steps[walk.at()].result;
    if (root < batch.roots.size() && batch.roots[root] == value) {
      ++root;
      outputs.push_back(walk.value(value));
      table += statistics_line(short_text(batch, walk.at()),
                               statistics(read(*backend, *outputs.back())));
    }
  }
  if (!options.save.empty()) save(*backend, batch, outputs, options.save);
  text += table + '\n';
  if (options.repeats > 0)
    text +=
        times_text(subject, measure(*backend, batch, inputs, setup, options.repeats), options.top);
  write("", text);
  return kFine;
}

}  // namespace rt::tool
