// capture.cpp -- keeping the last batches, and writing them with their inputs.
#include "executor/diagnostics/capture.h"

#include <algorithm>
#include <filesystem>

#include "files/safetensors.h"
#include "graph/error.h"
#include "graph/printable.h"

namespace rt {
namespace {

namespace fs = std::filesystem;

Range range_of(const Buffer& buffer, Backend& backend) {
  std::vector<int64_t> elements(static_cast<size_t>(buffer.numel()));
  if (elements.empty()) return {};
  backend.to_host(buffer, DType::I64, elements.data());
  const auto [least, most] = std::ranges::minmax(elements);
  return {least, most};
}

std::vector<uint32_t> input_ids(const Batch& batch) {
  std::vector<uint32_t> ids;
  for (uint32_t value = 0; value < batch.values.size(); ++value)
    if (batch.is_input(value)) ids.push_back(value);
  return ids;
}

/// Writes the inputs that are not null, row-major, under their values' names in dumps.
void write_inputs(const std::string& path, const Batch& batch, std::span<const BufferRef> inputs,
                  Backend& backend) {
  std::vector<files::Stored> tensors;
  std::vector<const Buffer*> buffers;
  const std::vector<uint32_t> ids = input_ids(batch);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    tensors.push_back({join('%', ids[i]), inputs[i]->dtype(), Shape(inputs[i]->sizes())});
    buffers.push_back(inputs[i].get());
  }
  std::vector<char> bytes;
  files::save_safetensors(path, tensors, [&](size_t i) {
    const Buffer& buffer = *buffers[i];
    bytes.resize(static_cast<size_t>(buffer.numel() * item_size(buffer.dtype())));
    if (!bytes.empty()) backend.to_host(buffer, buffer.dtype(), bytes.data());
    return static_cast<const void*>(bytes.data());
  });
}

}  // namespace

void Capture::complain(const std::exception& error) {
  std::string reason = error.what();
  // The text of a filesystem_error has the names of C++ functions.
  if (const auto* const failed = dynamic_cast<const fs::filesystem_error*>(&error))
    reason = printable(failed->code().message());
  if (dynamic_cast<const std::bad_alloc*>(&error)) reason = "out of memory";
  complaint_ =
      join("RT_TORCH_DUMP is '", printable(folder_), "', where a dump cannot be written: ", reason,
           "; name a folder that can be written");
}

/// Integer inputs are kept even without RT_TORCH_DUMP_INPUTS, for the range in the dump.
bool Capture::wants(const BufferRef& input) const {
  return input && (inputs_ || !is_float(input->dtype()));
}

void Capture::write(const std::string& stem, const Noted& noted, const std::string& error,
                    Backend& backend) const {
  std::vector<Range> ranges(noted.inputs.size());
  for (size_t i = 0; i < ranges.size(); ++i)
    if (noted.inputs[i] && !is_float(noted.inputs[i]->dtype()))
      ranges[i] = range_of(*noted.inputs[i], backend);
  // The inputs come before the dump that names them, so that no dump names a missing file.
  std::string inputs;
  if (inputs_) {
    write_inputs(stem + ".safetensors", noted.batch, noted.inputs, backend);
    inputs = fs::path(stem).filename().string() + ".safetensors";
  }
  const std::string path = stem + ".json";
  files::naming(path, [&] {
    const DumpNotes notes{noted.locations, noted.labels, ranges, inputs, error};
    const std::string text = to_json(noted.batch, &notes);
    files::Replacement file(path);
    file.write(text.data(), static_cast<int64_t>(text.size()));
    file.replace();
  });
}

int64_t Capture::note(const Submission& submission, std::span<const std::string> locations,
                      Backend& backend) {
  const std::lock_guard lock(mutex_);
  ++noted_;
  try {
    Noted noted{noted_,
                key_of(submission.batch()),
                submission.whole(),
                {locations.begin(), locations.end()},
                submission.labels,
                submission.inputs};
    for (BufferRef& input : noted.inputs)
      if (!wants(input)) input = {};
    if (last_.size() == kLast) last_.pop_front();
    last_.push_back(std::move(noted));
    const fs::path stem = fs::path(folder_) / ("batch-" + to_string(last_.back().key));
    if (fs::exists(stem.string() + ".json")) return noted_;
    fs::create_directories(folder_);
    write(stem.string(), last_.back(), "", backend);
  } catch (const std::exception& error) {
    complain(error);
  }
  return noted_;
}

/// Makes the folder at once, so that no two processes write to the same one.
std::string Capture::new_folder() {
  for (int number = 1;; ++number) {
    const fs::path folder = fs::path(folder_) / join("failure-", number);
    if (fs::create_directory(folder)) return folder.string();
  }
}

void Capture::failed(int64_t id, const std::string& error, Backend& backend) {
  const std::lock_guard lock(mutex_);
  if (failures_ == kMaxFailures) return;
  ++failures_;
  const auto has_failed = [id](const Noted& noted) { return noted.id == id; };
  if (std::ranges::none_of(last_, has_failed)) return;
  try {
    const std::string folder = new_folder();
    int position = 0;
    for (const Noted& noted : last_) {
      const bool it = has_failed(noted);
      const std::string name = join(++position, '-', to_string(noted.key), it ? "-failed" : "");
      write((fs::path(folder) / name).string(), noted, it ? error : "", backend);
    }
  } catch (const std::exception& problem) {
    complain(problem);
  }
}

}  // namespace rt
