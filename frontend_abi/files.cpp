// files.cpp -- calls that save tensors to files and load them from there.
#include "files/safetensors.h"
#include "files/torch_file.h"
#include "frontend_abi/calls.h"

namespace rt::call {
namespace {

/// All elements on the host in row-major order.
BufferRef on_host(Backend& backend, const BufferRef& buffer, DType dtype) {
  if (!buffer->device().is_cuda() && buffer->contiguous() && buffer->dtype() == dtype)
    return buffer;
  BufferRef copy = backend.allocate(dtype, buffer->sizes(), Device{});
  if (copy->numel() > 0) backend.to_host(*buffer, dtype, copy->data());
  return copy;
}

/// A handle to a tensor on the default device. `buffer` is its whole storage, on the host.
int64_t add(CallContext& context, BufferRef buffer, const Layout& layout) {
  Engine& engine = context.engine;
  if (const Device device = engine.backends.default_device(); device.is_cuda()) {
    Backend& backend = engine.backends.get();
    const Unlocked unlocked(engine);
    buffer = backend.from_host(buffer->data(), buffer->dtype(), buffer->sizes(), device);
  }
  return engine.recorder.add_tensor(
      context, BufferRef(new Buffer(buffer->storage(), buffer->dtype(), layout)));
}

}  // namespace

void rt_torch_tensor_save(CallContext& context, int64_t handle, std::string_view path) {
  Engine& engine = context.engine;
  BufferRef read = engine.recorder.read(context, handle);
  Backend& backend = engine.backends.get();
  const Unlocked unlocked(engine);
  const BufferRef saved = std::move(read);
  const BufferRef buffer = on_host(backend, saved, saved->dtype());
  files::save_torch_file(std::string(path), buffer->dtype(), buffer->sizes(), buffer->data());
}

int64_t rt_torch_tensor_load(CallContext& context, std::string_view path) {
  Engine& engine = context.engine;
  engine.recorder.batch_boundary(context);
  Backend& backend = engine.backends.get();
  BufferRef storage;
  Layout layout;
  {
    const Unlocked unlocked(engine);
    layout = files::load_torch_file(std::string(path), [&](DType dtype, int64_t elements) {
      storage = backend.allocate(dtype, std::array{elements}, Device{});
      return storage->data();
    });
  }
  return add(context, std::move(storage), layout);
}

int64_t rt_torch_safetensors_open(CallContext& context, std::string_view path) {
  OpenFile file;
  {
    const Unlocked unlocked(context.engine);
    file = std::make_shared<files::Safetensors>(std::string(path));
  }
  return context.engine.files.add(context, std::move(file));
}
void rt_torch_safetensors_close(CallContext& context, int64_t handle) {
  context.engine.files.close(context, handle);
}
int64_t rt_torch_safetensors_num_tensors(CallContext& context, int64_t handle) {
  return static_cast<int64_t>(context.engine.files.at(context, handle)->tensors().size());
}
std::string rt_torch_safetensors_list_names(CallContext& context, int64_t handle) {
  OpenFile open = context.engine.files.at(context, handle);
  const Unlocked unlocked(context.engine);
  const OpenFile file = std::move(open);
  return file->names();
}

int64_t rt_torch_safetensors_get_tensor(CallContext& context, int64_t handle,
                                        std::string_view name) {
  Engine& engine = context.engine;
  engine.recorder.batch_boundary(context);
  Backend& backend = engine.backends.get();
  OpenFile open = engine.files.at(context, handle);
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
  return add(context, buffer, buffer->layout());
}

}  // namespace rt::call
