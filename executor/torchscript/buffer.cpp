// buffer.cpp -- makes tensors over storages, and storages over memory of libtorch.
#include "executor/torchscript/buffer.h"

#include <algorithm>

namespace rt::torchscript {
namespace {

void drop_storage(void* storage) { static_cast<Storage*>(storage)->drop(); }

c10::DataPtr data_of(Storage* held) {
  const Device device = held->device();
  return {held->data(), held, drop_storage, device_of(device)};
}

/// A storage over memory that libtorch has allocated.
class LibtorchStorage final : public Storage {
 public:
  LibtorchStorage(c10::DataPtr owned, int64_t bytes, Device device, MemoryCount& memory)
      : Storage(owned.mutable_get(), bytes, device, &memory), owned_(std::move(owned)) {}

 private:
  c10::DataPtr owned_;
};

}  // namespace

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::F32: return at::kFloat;
    case DType::F64: return at::kDouble;
    case DType::I32: return at::kInt;
    case DType::I64: return at::kLong;
    case DType::Bool: return at::kBool;
    case DType::F16: return at::kHalf;
    case DType::BF16: return at::kBFloat16;
  }
  fail("dtype ", static_cast<int>(dtype), " is not known");
}

at::Device device_of(Device device) {
  return device.is_cuda() ? at::Device(at::kCUDA, device.index) : at::Device(at::kCPU);
}

at::Tensor tensor_over(const Buffer& buffer) {
  Storage* const storage = buffer.storage().get();
  storage->retain();
  auto data = c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(),
                                                    storage->bytes(), data_of(storage),
                                                    /*allocator=*/nullptr, /*resizable=*/false);
  const auto key = buffer.device().is_cuda() ? c10::DispatchKey::CUDA : c10::DispatchKey::CPU;
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(
      c10::Storage(std::move(data)), c10::DispatchKeySet(key),
      c10::scalarTypeToTypeMeta(scalar_type(buffer.dtype())));
  const Layout& layout = buffer.layout();
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(
      {layout.sizes.data(), layout.sizes.size()}, {layout.strides.data(), layout.strides.size()},
      layout.offset);
  return tensor;
}

bool is_alone(const at::Tensor& tensor) {
  if (tensor.use_count() != 1 || !tensor.is_contiguous()) return false;
  const c10::Storage& storage = tensor.storage();
  return storage.use_count() == 1 && storage.nbytes() == tensor.nbytes() &&
         storage.data_ptr().get_deleter() != drop_storage;
}

Buffer* buffer_of(const at::Tensor& tensor, DType dtype, Device device, Sizes sizes,
                  MemoryCount& memory) {
  if (!std::ranges::equal(tensor.sizes(), sizes) || tensor.scalar_type() != scalar_type(dtype) ||
      tensor.device() != device_of(device))
    fail("libtorch gave ", toString(tensor.scalar_type()), " ",
         to_string(Sizes(tensor.sizes().data(), tensor.sizes().size())), " on ",
         tensor.device().str(), " where ", to_string(dtype, sizes), " on ", name(device),
         " was inferred");
  // Memory of libtorch gets its storage when a tensor over it is converted for the first time.
  // Later tensors over that memory find this storage.
  c10::StorageImpl* const data = tensor.storage().unsafeGetStorageImpl();
  if (data->data_ptr().get_deleter() != drop_storage) {
    c10::DataPtr owned = data->set_data_ptr(c10::DataPtr());
    const auto bytes = static_cast<int64_t>(data->nbytes());
    data->set_data_ptr_noswap(
        data_of(new LibtorchStorage(std::move(owned), bytes, device, memory)));
  }
  auto* const storage = static_cast<Storage*>(data->data_ptr().get_context());
  storage->retain();
  Ref<Storage> kept(storage);  // releases the storage if the code below throws
  Layout layout{Shape(sizes), Strides(Sizes(tensor.strides().data(), tensor.strides().size())),
                tensor.storage_offset()};
  return new Buffer(std::move(kept), dtype, std::move(layout));
}

}  // namespace rt::torchscript
