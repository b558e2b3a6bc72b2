// machine.cpp -- backends, captured or random inputs, steps run one after the other.
#include "tools/rt_graph_dump/machine.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <random>

#include "executor/libtorch/libtorch.h"
#include "fallback_cpu/reference.h"
#include "files/safetensors.h"
#include "graph/batch/verify.h"
#include "graph/clock.h"
#include "graph/error.h"
#include "tools/rt_graph_dump/numbers.h"

namespace rt::tool {
namespace {

namespace fs = std::filesystem;

/// Bytes that the elements of an input span. Throws where the strides are impossible.
int64_t memory_of(const Batch& batch, uint32_t value) {
  const Batch::Item& item = batch.values[value];
  const auto refuse = [&](std::string_view cause) {
    fail("input %", value, ' ', cause, "; the dump is damaged, or of another machine");
  };
  if (!(item.flags & Batch::kStrided) || numel(batch.sizes(value)) == 0)
    return numel(batch.sizes(value)) * item_size(item.dtype);
  int64_t last = 0;
  for (size_t d = 0; d < item.rank; ++d) {
    const int64_t stride = batch.strides(value)[d];
    int64_t reach = 0;
    if (stride < 0) refuse("has a negative stride");
    if (__builtin_mul_overflow(batch.sizes(value)[d] - 1, stride, &reach) ||
        __builtin_add_overflow(last, reach, &last))
      refuse("has strides beyond all memory");
  }
  int64_t bytes = 0;
  if (__builtin_add_overflow(last, 1, &last) ||
      __builtin_mul_overflow(last, item_size(item.dtype), &bytes))
    refuse("has strides beyond all memory");
  return bytes;
}

void check_memory(const Batch& batch) {
  const int64_t there = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
  int64_t wanted = 0;
  for (uint32_t value = 0; value < batch.values.size(); ++value)
    if (batch.is_input(value) &&
        (__builtin_add_overflow(wanted, memory_of(batch, value), &wanted) || wanted > there))
      fail("its inputs take more memory than the ", bytes_text(there), " of this machine");
}

/// Row-major elements, laid out by the strides that the batch gives its input.
BufferRef laid_out(Backend& backend, const Batch& batch, uint32_t value, const char* elements) {
  const Batch::Item& item = batch.values[value];
  const Sizes sizes = batch.sizes(value);
  const Device device{item.device};
  if (!(item.flags & Batch::kStrided) || numel(sizes) == 0)
    return backend.from_host(elements, item.dtype, sizes, device);
  const Sizes strides = batch.strides(value);
  const auto size = static_cast<size_t>(item_size(item.dtype));
  std::vector<char> memory(static_cast<size_t>(memory_of(batch, value)));
  for (int64_t i = 0, count = numel(sizes); i < count; ++i) {
    int64_t rest = i, at = 0;
    for (size_t d = sizes.size(); d-- > 0; rest /= sizes[d]) at += rest % sizes[d] * strides[d];
    std::memcpy(&memory[static_cast<size_t>(at) * size], elements + static_cast<size_t>(i) * size,
                size);
  }
  const int64_t span = std::ssize(memory) / item_size(item.dtype);
  const BufferRef whole = backend.from_host(memory.data(), item.dtype, {&span, 1}, device);
  return BufferRef(new Buffer(whole->storage(), item.dtype,
                              {Shape(sizes), Strides(strides), whole->layout().offset}));
}

BufferRef captured(Backend& backend, const Batch& batch, uint32_t value,
                   const files::Safetensors& file) {
  const files::Safetensors::Tensor& tensor = file.at(join('%', value));
  const TensorType type = batch.type(value);
  if (file.dtype(tensor) != type.dtype || !std::ranges::equal(tensor.sizes, type.sizes))
    fail(file.path(), ": ", tensor.name, " is ", to_string(file.dtype(tensor), tensor.sizes),
         ", and in the dump ", to_string(type.dtype, type.sizes),
         "; they are of two batches: use the file that was written with the dump, or --random");
  std::vector<char> elements(static_cast<size_t>(numel(type.sizes) * item_size(type.dtype)));
  file.read(tensor, elements.data());
  return laid_out(backend, batch, value, elements.data());
}

/// Random: floats in [0, 1), where every row is defined; integers in `range`, or 0.
BufferRef drawn(Backend& backend, const Batch& batch, uint32_t value, const Range& range,
                std::mt19937_64& random) {
  const TensorType type = batch.type(value);
  Numbers numbers{type.dtype, Shape(type.sizes), {}, {}};
  const auto count = static_cast<size_t>(numel(type.sizes));
  if (is_float(type.dtype)) {
    numbers.reals.resize(count);
    for (double& real : numbers.reals) real = static_cast<double>(random() >> 40) * 0x1p-24;
  } else {
    numbers.integers.resize(count);
    const auto least = static_cast<uint64_t>(range.known() ? range.least : 0);
    const auto most = static_cast<uint64_t>(range.known() ? range.most : 0);
    const uint64_t width = most - least + 1;  // 0: every integer
    for (int64_t& integer : numbers.integers)
      integer = static_cast<int64_t>(least + (width == 0 ? random() : random() % width));
  }
  const BufferRef row_major = write(backend, numbers, Device{});
  return laid_out(backend, batch, value, row_major->data());
}

/// Throws where libtorch would write out of bounds, since it does not check these indices.
void check_indices(Backend& backend, const Batch& batch, const Batch::Step& step,
                   std::span<const BufferRef> values) {
  if (step.op != Op::MaxPool2dBackward) return;
  const auto operands = batch.operands_of(step);
  const Sizes sizes = batch.sizes(operands[1]);
  const int64_t plane = numel(sizes.subspan(sizes.size() - 2));
  for (const int64_t index : read(backend, *values[operands[2]]).integers)
    if (index < 0 || index >= plane)
      fail("index ", index, " is outside of self, whose planes have ", plane, " elements");
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t median(std::vector<int64_t> times) {
  const auto middle = times.begin() + std::ssize(times) / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

std::unique_ptr<Backend> open_backend(const std::string& name, const Setup& setup,
                                      MemoryCount& memory, Optimizations use) {
  if (name != "reference") {
    try {
      return make_libtorch_backend(memory, setup.threads, setup.libtorch, use);
    } catch (const Error& error) {
      if (name == "libtorch") fail("the libtorch backend is not available: ", error.text());
    }
  }
  return make_reference_backend(memory, setup.threads);
}

std::string headline(const Subject& subject, const Backend& backend, const Setup& setup,
                     const Inputs& inputs) {
  const std::string version = backend.version();
  const std::string name =
      version.starts_with(backend.name()) ? version : join(backend.name(), ' ', version);
  const std::string threads =
      setup.threads > 0 ? join(" with ", counted(setup.threads, "thread")) : "";
  return join(subject.path, ": ", counted(std::ssize(subject.batch().steps), "node"), " on ", name,
              threads, ", ", inputs.origin);
}

bool holds_groups(const Batch& batch) {
  return std::ranges::any_of(batch.steps,
                             [](const Batch::Step& step) { return step.op == Op::Fused; });
}

void prepare(Subject& subject, const Setup& setup) {
  try {
    if (holds_groups(subject.batch()))
      fail("it has fused groups; dump the batch as it was recorded, RT_TORCH_DUMP does");
    if (setup.cpu)
      for (Batch::Item& item : subject.dump.batch.values) item.device = Device{}.index;
    verify_scalars(subject.batch());
    check_memory(subject.batch());
  } catch (const Error& error) {
    fail(subject.path, ": ", error.text());
  }
}

Inputs make_inputs(Backend& backend, const Subject& subject, const Setup& setup) {
  const Batch& batch = subject.batch();
  for (const Batch::Item& item : batch.values)
    if (item.device >= backend.device_count())
      fail(subject.path, ": it was recorded on ", name(Device{item.device}), ", and the ",
           backend.name(), " backend has ", backend.device_count(),
           " CUDA devices here; --cpu runs it on the CPU");
  Inputs inputs;
  std::unique_ptr<files::Safetensors> file;
  if (!setup.random && !subject.dump.inputs.empty()) {
    // Only the file name is used, because a dump may come from another machine.
    const fs::path beside =
        fs::path(subject.path).parent_path() / fs::path(subject.dump.inputs).filename();
    if (!fs::exists(beside))
      fail(subject.path, ": its inputs are in ", beside.string(),
           ", which is not there; --random runs it on random ones");
    file = std::make_unique<files::Safetensors>(beside.string());
    inputs.origin = "inputs from " + beside.string();
  } else {
    inputs.origin = join("random inputs of seed ", setup.seed,
                         ", floats in [0, 1), integers in the range that was recorded, else 0");
  }
  std::mt19937_64 random(setup.seed);
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    if (!batch.is_input(value)) continue;
    const size_t number = inputs.buffers.size();
    const std::vector<Range>& ranges = subject.dump.ranges;
    inputs.buffers.push_back(file ? captured(backend, batch, value, *file)
                                  : drawn(backend, batch, value,
                                          number < ranges.size() ? ranges[number] : Range{},
                                          random));
  }
  return inputs;
}

Walk::Walk(Backend& backend, const Batch& batch, const Inputs& inputs, uint64_t seed)
    : backend_(backend), batch_(batch), uses_(last_uses(batch)), values_(batch.values.size()) {
  backend_.seed(seed);
  for (uint32_t value = 0, input = 0; value < batch.values.size(); ++value)
    if (batch.is_input(value)) values_[value] = inputs.buffers[input++];
}

bool Walk::ready(uint32_t step) const {
  for (const uint32_t operand : batch_.operands_of(batch_.steps[step]))
    if (operand != kNone.id && !values_[operand]) return false;
  return true;
}

std::string Walk::step() {
  const uint32_t step = next_++;
  if (step > 0)
    for (const uint32_t value : uses_.after(step - 1)) values_[value] = {};
  if (!ready(step)) return "it was not run, since an operand of it failed";
  Frame frame{values_, batch_.scalars};
  try {
    check_indices(backend_, batch_, batch_.steps[step], values_);
    backend_.run_step(batch_, step, frame);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

Times measure(Backend& backend, const Batch& batch, const Inputs& inputs, const Setup& setup,
              int repeats) {
  const auto wait = [&] {
    for (int device = 0; device < backend.device_count(); ++device)
      backend.synchronize(Device{static_cast<int8_t>(device)});
  };
  std::vector<std::vector<int64_t>> times(batch.steps.size());
  for (int round = 0; round <= repeats; ++round) {
    Walk walk(backend, batch, inputs, setup.seed);
    while (!walk.done()) {
      const int64_t start = now_ns();
      const std::string failure = walk.step();
      wait();
      if (!failure.empty()) fail(step_text(batch, walk.at()), ": ", failure);
      if (round > 0) times[walk.at()].push_back(now_ns() - start);
    }
  }
  Times all;
  for (const auto& of_step : times) all.steps.push_back(median(of_step));
  try {
    const auto program = backend.compile(batch);
    std::vector<BufferRef> roots(batch.roots.size());
    std::vector<int64_t> runs;
    const std::vector<BufferRef> held = inputs.buffers;  // no run writes over them
    for (int round = 0; round <= repeats; ++round) {
      backend.seed(setup.seed);
      std::ranges::fill(roots, BufferRef());
      const int64_t start = now_ns();
      program->run(inputs.buffers, batch.scalars, roots);
      wait();
      if (round > 0) runs.push_back(now_ns() - start);
    }
    all.compiled = median(runs);
  } catch (const Error&) {  // only the time of the compiled batch is missing
  }
  return all;
}

}  // namespace rt::tool
