// random.cpp -- Rand, Randn and Dropout, with the numbers that libtorch's CPU generator draws.
#include <algorithm>
#include <numbers>

#include "elementwise/dtypes.h"
#include "fallback_cpu/kernels.h"

namespace rt::cpu {
namespace {

/// Box and Muller's transform of 16 uniform numbers in place: the first 8 give the radius, the
/// others the angle.
template <class T>
void normal_from_uniform(T* block) {
  for (int i = 0; i < 8; ++i) {
    const T radius = std::sqrt(T{-2} * std::log(T{1} - block[i]));
    const T angle = T{2} * std::numbers::pi_v<T> * block[i + 8];
    block[i] = radius * std::cos(angle);
    block[i + 8] = radius * std::sin(angle);
  }
}

template <class T>
void draw_normal(Draws& draws, T* out, int64_t n) {
  constexpr int64_t kSixteen = 16;
  if (n < kSixteen) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(draws.normal());
    return;
  }
  for (int64_t i = 0; i < n; ++i) out[i] = draws.uniform<T>();
  for (int64_t i = 0; i + kSixteen <= n; i += kSixteen) normal_from_uniform(out + i);
  if (n % kSixteen == 0) return;
  // The last 16 are drawn anew, although some of them exist, as libtorch does.
  T* const last = out + n - kSixteen;
  for (int64_t i = 0; i < kSixteen; ++i) last[i] = draws.uniform<T>();
  normal_from_uniform(last);
}

/// The dimensions of a layout from the widest stride to the narrowest.
Small<int64_t, 6> memory_order(const Layout& layout) {
  Small<int64_t, 6> dims;
  for (uint32_t d = 0; d < layout.sizes.size(); ++d) dims.push_back(d);
  std::stable_sort(dims.begin(), dims.end(), [&](int64_t a, int64_t b) {
    return layout.strides[static_cast<uint32_t>(a)] > layout.strides[static_cast<uint32_t>(b)];
  });
  return dims;
}

Layout reordered(const Layout& layout, const Small<int64_t, 6>& dims) {
  Layout result;
  result.offset = layout.offset;
  for (const int64_t dim : dims) {
    result.sizes.push_back(layout.sizes[static_cast<uint32_t>(dim)]);
    result.strides.push_back(layout.strides[static_cast<uint32_t>(dim)]);
  }
  return result;
}

/// Multiplies as PyTorch does, so that a dropped element keeps its sign and NaN stays NaN.
template <class T>
void drop(Generator& random, const T* in, T* out, int64_t n, double p) {
  if (p >= 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = in[i] * T{0};
    return;
  }
  const double kept = 1 - p;
  const T scale = T{1} / static_cast<T>(kept);
  const std::lock_guard lock(random.mutex);
  random.turns.take();
  for (int64_t i = 0; i < n; ++i)  // no branch, as it would be unpredictable
    out[i] = in[i] * (static_cast<T>(random.draws.uniform_double() < kept) * scale);
}

BufferRef ones(const KernelCall& call, Sizes sizes) {
  BufferRef result = allocate(call.dtype, sizes, call.machine.memory);
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    std::fill_n(reinterpret_cast<T*>(result->data()), result->numel(), T{1});
  });
  return result;
}

}  // namespace

double Draws::normal() {
  if (next_normal_) {
    const double normal = *next_normal_;
    next_normal_.reset();
    return normal;
  }
  const double u1 = uniform_double(), u2 = uniform_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2)), angle = 2.0 * std::numbers::pi * u1;
  next_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

static BufferRef drawn(const KernelCall& call) {
  BufferRef result = call.result();
  const int64_t n = result->numel();
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    T* const out = reinterpret_cast<T*>(result->data());
    const std::lock_guard lock(call.machine.random.mutex);
    call.machine.random.turns.take();
    Draws& draws = call.machine.random.draws;
    if (call.row.op == Op::Randn) return draw_normal(draws, out, n);
    for (int64_t i = 0; i < n; ++i) out[i] = draws.uniform<T>();
  });
  return result;
}

// The numbers are drawn in the order of the operand's memory, as libtorch draws them.
static BufferRef dropout(const KernelCall& call) {
  const double p = call.number(0);
  const bool mask = call.row.op == Op::DropoutMask;
  if (p == 0 || call.attributes.integer(0) == 0 || numel(call.sizes) == 0)
    return mask ? ones(call, call.sizes) : call.operand(0);
  if (p >= 1 && call.dtype == DType::Bool) {
    BufferRef zeros = call.result();
    std::fill_n(zeros->data(), zeros->numel(), char{0});
    return zeros;
  }
  const Buffer& input = *call.operand(0);
  const Small<int64_t, 6> order = memory_order(input.layout());
  const Layout layout = reordered(input.layout(), order);
  const BufferRef in =
      mask ? ones(call, layout.sizes)
           : call.contiguous(BufferRef(new Buffer(input.storage(), input.dtype(), layout)));
  BufferRef out = allocate(call.dtype, in->sizes(), call.machine.memory);
  const auto run = [&]<class T>(Type<T>) {
    drop(call.machine.random, reinterpret_cast<const T*>(in->data()),
         reinterpret_cast<T*>(out->data()), in->numel(), p);
  };
  if (p >= 1) visit_number(call.row.name, call.dtype, run);  // draws nothing, so integers may pass
  else visit_float(call.row.name, call.dtype, run);
  if (std::is_sorted(order.begin(), order.end())) return out;
  BufferRef result = call.result();
  const Layout target = reordered(result->layout(), order);
  copy_elements(result->data(), call.dtype, target.strides, source_of(*out), out->sizes(),
                call.machine.team);
  return result;
}

BufferRef random(const KernelCall& call) {
  return call.row.tensors == 0 ? drawn(call) : dropout(call);
}

}  // namespace rt::cpu
