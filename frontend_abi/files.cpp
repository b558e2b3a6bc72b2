// files.cpp -- calls that save tensors to files and load them from there.
#include "files/safetensors.h"
#include "files/torch_file.h"
#include "frontend_abi/calls.h"

namespace rt::call {
namespace {

/// All elements, row-major and on the host.
BufferRef on_host(Backend& backend, const BufferRef& buffer, DType dtype) {
  if (!buffer->device().is_cuda() && buffer->contiguous() && buffer->dtype() == dtype)
    return buffer;
  BufferRef copy = backend.allocate(dtype, buffer->sizes(), Device{});
  if (copy->numel() > 0) backend.to_host(*buffer, dtype, copy->data());
  return copy;
}

/// A handle to a tensor on the default device, of which `buffer` is the whole storage on the host.
int64_t add(Turn& turn, BufferRef buffer, const Layout& layout) {
  Engine& engine = turn.engine;
  if (const Device device = engine.default_device(); device.is_cuda()) {
    Backend& backend = engine.backend();
    const Unlocked unlocked(engine);
    buffer = backend.from_host(buffer->data(), buffer->dtype(), buffer->sizes(), device);
  }
  return engine.add_tensor(turn, BufferRef(new Buffer(buffer->storage(), buffer->dtype(), layout)));
}

}  // namespace

void rt_torch_tensor_save(Turn& turn, int64_t handle, std::string_view path) {
  Engine& engine = turn.engine;
  BufferRef read = engine.read(turn, handle);
  Backend& backend = engine.backend();
  const Unlocked unlocked(engine);
  const BufferRef saved = std::move(read);
  const BufferRef buffer = on_host(backend, saved, saved->dtype());
  files::save_torch_file(std::string(path), buffer->dtype(), buffer->sizes(), buffer->data());
}

int64_t rt_torch_tensor_load(Turn& turn, std::string_view path) {
  Engine& engine = turn.engine;
  engine.seam(turn);
  Backend& backend = engine.backend();
  BufferRef storage;
  Layout layout;
  {
    const Unlocked unlocked(engine);
    layout = files::load_torch_file(std::string(path), [&](DType dtype, int64_t elements) {
      storage = backend.allocate(dtype, std::array{elements}, Device{});
      return storage->data();
    });
  }
  return add(turn, std::move(storage), layout);
}

int64_t rt_torch_safetensors_open(Turn& turn, std::string_view path) {
  OpenFile file;
  {
    const Unlocked unlocked(turn.engine);
    file = std::make_shared<files::Safetensors>(std::string(path));
  }
  return turn.engine.add_file(turn, std::move(file));
}
void rt_torch_safetensors_close(Turn& turn, int64_t handle) {
  turn.engine.close_file(turn, handle);
}
int64_t rt_torch_safetensors_num_tensors(Turn& turn, int64_t handle) {
  return static_cast<int64_t>(turn.engine.file(turn, handle)->tensors().size());
}
std::string rt_torch_safetensors_list_names(Turn& turn, int64_t handle) {
  OpenFile open = turn.engine.file(turn, handle);
  const Unlocked unlocked(turn.engine);
  const OpenFile file = std::move(open);
  return file->names();
}

int64_t rt_torch_safetensors_get_tensor(Turn& turn, int64_t handle, std::string_view name) {
  Engine& engine = turn.engine;
  engine.seam(turn);
  Backend& backend = engine.backend();
  OpenFile open = engine.file(turn, handle);
  BufferRef buffer;
  {
    const Unlocked unlocked(engine);
    const OpenFile file = std::move(open);
    const files::Safetensors::Tensor& tensor = file->at(name);
    const DType dtype = file->dtype(tensor);
    buffer = backend.allocate(dtype, tensor.sizes, Device{});
    file->read(tensor, buffer->data());
    if (dtype == DType::F16 || dtype == DType::BF16) buffer = on_host(backend, buffer, DType::F32);
  }
  return add(turn, buffer, buffer->layout());
}

// ---- The same with texts as integers.

void rt_torch_tensor_save_dyn(Turn& turn, int64_t handle, std::string_view path_ptr) {
  rt_torch_tensor_save(turn, handle, path_ptr);
}
int64_t rt_torch_tensor_load_dyn(Turn& turn, std::string_view path_ptr) {
  return rt_torch_tensor_load(turn, path_ptr);
}
int64_t rt_torch_safetensors_open_dyn(Turn& turn, std::string_view path_ptr) {
  return rt_torch_safetensors_open(turn, path_ptr);
}
void rt_torch_safetensors_close_dyn(Turn& turn, int64_t handle) {
  rt_torch_safetensors_close(turn, handle);
}
int64_t rt_torch_safetensors_num_tensors_dyn(Turn& turn, int64_t handle) {
  return rt_torch_safetensors_num_tensors(turn, handle);
}
std::string rt_torch_safetensors_list_names_dyn(Turn& turn, int64_t handle) {
  return rt_torch_safetensors_list_names(turn, handle);
}
int64_t rt_torch_safetensors_get_tensor_dyn(Turn& turn, int64_t handle, std::string_view name_ptr) {
  return rt_torch_safetensors_get_tensor(turn, handle, name_ptr);
}

}  // namespace rt::call
