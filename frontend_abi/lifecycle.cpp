// lifecycle.cpp -- calls that create tensors from data, query, read and free them.
#include <algorithm>
#include <utility>
#include <vector>

#include "frontend_abi/calls.h"
#include "graph/error.h"

namespace rt::call {
namespace {

int64_t checked_size(Sizes sizes) {
  const auto count = checked_numel(sizes);
  if (count) return *count;
  for (const int64_t size : sizes)
    if (size < 0) fail("the size ", size, " is negative; it must be at least 0");
  fail("the product of the sizes ", to_string(sizes), " overflows 64 bits; use smaller sizes");
}

/// A handle to a tensor of `dtype` made of host data of the dtype `given`.
int64_t add(CallContext& context, const void* data, DType given, Sizes sizes, DType dtype,
            Device device) {
  Engine& engine = context.engine;
  engine.recorder.batch_boundary(context);
  Backend& backend = engine.backends.get();
  BufferRef buffer;
  {
    const Unlocked unlocked(engine);
    if (given == dtype) {
      buffer = backend.from_host(data, dtype, sizes, device);
    } else {  // the backend converts, so that the bits are those of a cast
      const BufferRef here = backend.from_host(data, given, sizes, Device{});
      buffer = backend.allocate(dtype, sizes, Device{});
      if (here->numel() > 0) backend.to_host(*here, dtype, buffer->data());
      if (device.is_cuda()) buffer = backend.from_host(buffer->data(), dtype, sizes, device);
    }
  }
  return engine.recorder.add_tensor(context, std::move(buffer));
}
/// A handle to a tensor made of host data, without a conversion.
int64_t add(CallContext& context, const void* data, DType dtype, Sizes sizes, Device device) {
  return add(context, data, dtype, sizes, dtype, device);
}

/// Throws unless `given` elements fill a tensor of `sizes`.
void check_count(int64_t given, Sizes sizes) {
  const int64_t wanted = checked_size(sizes);
  if (given != wanted)
    fail("data has ", given, " elements and ", to_string(sizes), " has ", wanted,
         "; they must be equal");
}

void check_pointer(const char* name, const void* pointer, int64_t count) {
  if (!pointer && count > 0) fail(name, " is NULL; pass the address of ", count, " elements");
}

/// Copies all elements, converted to `dtype`, to `out` of `capacity` elements. Returns the count.
int64_t copy(CallContext& context, int64_t handle, void* out, int64_t capacity, DType dtype) {
  Engine& engine = context.engine;
  const int64_t count = numel(engine.recorder.type(context, handle).sizes);
  if (capacity < count)
    fail("capacity is ", capacity, " and the tensor has ", count,
         " elements; it must be at least as large");
  check_pointer("buffer", out, count);
  BufferRef read = engine.recorder.read(context, handle);
  if (count == 0) return 0;
  Backend& backend = engine.backends.get();
  const Unlocked unlocked(engine);
  const BufferRef buffer = std::move(read);  // released before the engine is locked again
  backend.to_host(*buffer, dtype, out);
  return count;
}

/// The sizes, after the force that a query of a shape is. Inference gives them before the force,
/// since another thread may free the handle while the batch runs.
Shape observed_shape(CallContext& context, int64_t handle) {
  Shape shape(context.engine.recorder.type(context, handle).sizes);
  context.engine.recorder.observe_shape(context, handle);
  return shape;
}

int64_t from_words(CallContext& context, const int64_t* bits, Sizes sizes) {
  check_pointer("bits", bits, checked_size(sizes));
  return add(context, bits, DType::F64, sizes, context.engine.backends.default_device());
}

}  // namespace

TensorType query(CallContext& context, int64_t handle) {
  context.engine.count(Counter::calls);
  return context.engine.recorder.type(context, handle);
}

DType dtype_of_code(int64_t code, int64_t codes) {
  if (code >= 0 && code < codes) return static_cast<DType>(code);
  std::string known;
  for (int64_t i = 0; i < codes; ++i)
    known += join(i > 0 ? ", " : "", i, " ", name(static_cast<DType>(i)));
  fail("dtype ", code, " is unknown; use ", known);
}
DType loader_dtype(int64_t code) { return dtype_of_code(code, kDTypes); }

Sizes sizes_at(const char* name, const int64_t* sizes, int64_t count) {
  abi::check_list(name, sizes, count, abi::kMaxDims);
  return {sizes, static_cast<size_t>(count)};
}

// ---- Creation from data.

int64_t rt_torch_tensor_from_data(CallContext& context, std::span<const double> data, Sizes dims) {
  check_count(static_cast<int64_t>(data.size()), dims);
  return add(context, data.data(), DType::F64, dims, context.engine.backends.default_device());
}

int64_t rt_torch_tensor_from_i64_data(CallContext& context, std::span<const int64_t> data,
                                      Sizes dims) {
  check_count(static_cast<int64_t>(data.size()), dims);
  return add(context, data.data(), DType::I64, dims, context.engine.backends.default_device());
}

int64_t rt_torch_tensor(CallContext& context, const double* data, int64_t data_len,
                        const int64_t* shape, int32_t shape_len, int32_t dtype, int32_t device) {
  const Sizes sizes = sizes_at("shape", shape, shape_len);
  abi::check_list("data", data, data_len, INT64_MAX);
  check_count(data_len, sizes);
  return add(context, data, DType::F64, sizes, loader_dtype(dtype), loader_device(device));
}

int64_t rt_dyn_torch_tensor_from_bits_1d(CallContext& context, const int64_t* bits, int64_t len) {
  return from_words(context, bits, std::array{len});
}
int64_t rt_dyn_torch_tensor_from_bits_2d(CallContext& context, const int64_t* bits, int64_t rows,
                                         int64_t cols) {
  return from_words(context, bits, std::array{rows, cols});
}

// ---- Shape.

int64_t rt_torch_torchtensor_ndim(CallContext& context, int64_t handle) {
  return static_cast<int64_t>(query(context, handle).sizes.size());
}

int64_t rt_torch_torchtensor_numel(CallContext& context, int64_t handle) {
  return numel(observed_shape(context, handle));
}

int64_t rt_torch_torchtensor_shape(CallContext& context, int64_t handle,
                                   abi::OutputList<int64_t> out) {
  for (const int64_t size : observed_shape(context, handle)) out.put(size);
  return out.count();
}

int64_t rt_torch_tensor_shape(CallContext& context, int64_t handle, int64_t* dims_out,
                              int32_t max_dims) {
  abi::check_list("dims_out", dims_out, max_dims, INT32_MAX);
  return rt_torch_torchtensor_shape(context, handle, {dims_out, max_dims});
}

int64_t rt_torch_torchtensor_shape_dim(CallContext& context, int64_t handle, int64_t dim_idx) {
  const Shape shape = observed_shape(context, handle);
  if (dim_idx < 0 || dim_idx >= shape.size())
    fail("dim_idx ", dim_idx, " is out of range for ", to_string(shape), ", which has ",
         shape.size(), " dimensions");
  return shape[static_cast<uint32_t>(dim_idx)];
}

int64_t rt_torch_torchtensor_chunk(CallContext& context, int64_t handle, int64_t chunks,
                                   int64_t dim, abi::OutputList<int64_t> out) {
  const Shape shape(query(context, handle).sizes);
  const int64_t ndim = shape.size();
  if (ndim == 0) fail("a tensor without dimensions cannot be cut into chunks");
  if (chunks <= 0) fail("chunks is ", chunks, "; it must be at least 1");
  if (dim < -ndim || dim >= ndim)
    fail("dim is ", dim, "; for ", to_string(shape), " it must be from ", -ndim, " to ", ndim - 1);
  const int64_t size = shape[static_cast<uint32_t>(dim < 0 ? dim + ndim : dim)];
  // As in PyTorch, an empty dimension gives `chunks` empty pieces.
  const int64_t piece = size / chunks + (size % chunks != 0);
  const int64_t pieces = size == 0 ? chunks : size / piece + (size % piece != 0);
  if (pieces > abi::kMaxTensors)
    fail("the call makes ", pieces, " pieces; at most ", abi::kMaxTensors,
         " are possible; use fewer chunks");
  try {
    for (int64_t at = 0; at < pieces && !out.full(); ++at) {
      Call call;
      call.symbol = "rt_torch_torchtensor_chunk";
      call.args.op = Op::Slice;
      call.handles.push_back(handle);
      const int64_t start = at * piece;
      for (const int64_t word :
           {start, size - start > piece ? start + piece : size, dim, int64_t{1}})
        call.args.attributes.push_back(word);
      out.put(context.engine.recorder.record(context, call));
    }
  } catch (...) {
    for (int64_t at = 0; at < out.count(); ++at)
      context.engine.recorder.free(context, std::exchange(out[at], 0));
    throw;
  }
  return pieces;
}

int64_t rt_dyn_torch_tensor_binary_op(CallContext& context, int64_t a, int64_t b, int64_t op) {
  constexpr std::array kOps = {Op::Add, Op::Sub, Op::Mul, Op::Div};
  if (op < 0 || op >= static_cast<int64_t>(kOps.size()))
    fail("op ", op, " is unknown; use 0 add, 1 sub, 2 mul or 3 div");
  Call call;
  call.symbol = "rt_dyn_torch_tensor_binary_op";
  call.args.op = kOps[static_cast<size_t>(op)];
  call.handles = {a, b};
  return context.engine.recorder.record(context, call);
}

// ---- Reading and freeing.

double rt_torch_torchtensor_item(CallContext& context, int64_t handle) {
  const Shape shape(context.engine.recorder.type(context, handle).sizes);
  if (numel(shape) != 1) fail("the tensor is ", to_string(shape), "; it must have one element");
  double value = 0;
  copy(context, handle, &value, 1, DType::F64);
  return value;
}

int64_t rt_torch_copy_data(CallContext& context, int64_t handle, void* buffer, int64_t capacity,
                           int32_t dtype) {
  return copy(context, handle, buffer, capacity, dtype_of_code(dtype, kDTypes));
}
int64_t rt_torch_copy_data_to_cpu(CallContext& context, int64_t handle, float* buffer,
                                  int64_t capacity) {
  return copy(context, handle, buffer, capacity, DType::F32);
}

namespace {
template <class T>
int64_t put_all(CallContext& context, int64_t handle, DType dtype, abi::OutputList<T> out) {
  BufferRef read = context.engine.recorder.read(context, handle);
  Backend& backend = context.engine.backends.get();
  const Unlocked unlocked(context.engine);
  const BufferRef buffer = std::move(read);
  std::vector<T> elements(static_cast<size_t>(buffer->numel()));
  if (!elements.empty()) backend.to_host(*buffer, dtype, elements.data());
  for (const T element : elements) out.put(element);
  return out.count();
}
}  // namespace

int64_t rt_torch_torchtensor_to_list(CallContext& context, int64_t handle,
                                     abi::OutputList<double> out) {
  return put_all(context, handle, DType::F64, out);
}
int64_t rt_torch_torchtensor_to_i64_list(CallContext& context, int64_t handle,
                                         abi::OutputList<int64_t> out) {
  const DType dtype = context.engine.recorder.type(context, handle).dtype;
  if (is_float(dtype))
    fail(
        "the tensor is of ", name(dtype),
        "; read it with rt_torch_torchtensor_to_list, or cast it with rt_torch_torchtensor_to_int");
  return put_all(context, handle, DType::I64, out);
}

void rt_torch_torchtensor_free(CallContext& context, int64_t handle) {
  context.engine.recorder.free(context, handle);
}

}  // namespace rt::call
