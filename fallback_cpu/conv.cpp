// conv.cpp -- Conv2d: the windows laid out as the columns of a matrix, and a matrix product.
#include <cstring>

#include "fallback_cpu/dtypes.h"
#include "fallback_cpu/gemm.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// One dimension of a picture under the moving window.
struct Axis {
  int64_t in, out, kernel, stride, padding, dilation;

  /// Where tap `tap` of the window at output `at` reads; outside [0, in) lies padding.
  int64_t place(int64_t at, int64_t tap) const { return at * stride - padding + tap * dilation; }
  /// The outputs whose tap `tap` reads inside the input.
  std::pair<int64_t, int64_t> inside(int64_t tap) const {
    const int64_t first = -place(0, tap);  // at * stride must be at least this
    const int64_t low = first <= 0 ? 0 : (first + stride - 1) / stride;
    const int64_t last = first + in - 1;
    const int64_t high = last < 0 ? 0 : last / stride + 1;
    const int64_t begin = std::min(low, out);
    return {begin, std::clamp(high, begin, out)};
  }
};

struct Convolution {
  Axis height, width;
  int64_t images, groups;
  int64_t channels, made;  ///< of one group: taken, made
  int64_t depth() const { return channels * height.kernel * width.kernel; }
  int64_t plane_in() const { return height.in * width.in; }
  int64_t plane_out() const { return height.out * width.out; }
  /// Each window is one element of the input, in its order.
  bool pointwise() const {
    const auto plain = [](const Axis& axis) {
      return axis.kernel == 1 && axis.stride == 1 && axis.padding == 0;
    };
    return plain(height) && plain(width);
  }
};

Convolution convolution_of(const Call& call) {
  const Sizes input = call.operand(0)->sizes(), weight = call.operand(1)->sizes();
  const size_t at = input.size() - 3, out = call.sizes.size() - 3;
  const auto stride = call.words.list(0), padding = call.words.list(1),
             dilation = call.words.list(2);
  const auto axis = [&](size_t i) {
    return Axis{input[at + 1 + i], call.sizes[out + 1 + i], weight[2 + i], stride[i], padding[i],
                dilation[i]};
  };
  const int64_t groups = call.words.integer(0);
  return {axis(0), axis(1), at == 0 ? 1 : input[0], groups, weight[1], weight[0] / groups};
}

/// Lays out the windows of output rows [begin, end) as columns: one row of the matrix for each
/// channel and tap.
template <class T>
void lay_out(const Convolution& conv, const T* image, int64_t begin, int64_t end, T* matrix) {
  const Axis &height = conv.height, &width = conv.width;
  for (int64_t channel = 0; channel < conv.channels; ++channel, image += conv.plane_in()) {
    for (int64_t y = 0; y < height.kernel; ++y) {
      for (int64_t x = 0; x < width.kernel; ++x) {
        const auto [first, last] = width.inside(x);
        for (int64_t at = begin; at < end; ++at, matrix += width.out) {
          const int64_t row = height.place(at, y);
          if (row < 0 || row >= height.in || first == last) {
            std::fill_n(matrix, width.out, T{0});
            continue;
          }
          const T* const from = image + row * width.in + width.place(first, x);
          std::fill_n(matrix, first, T{0});
          if (width.stride == 1) std::copy_n(from, last - first, matrix + first);
          else
            for (int64_t i = first; i < last; ++i) matrix[i] = from[(i - first) * width.stride];
          std::fill_n(matrix + last, width.out - last, T{0});
        }
      }
    }
  }
}

template <class T>
void add_bias(T* row, int64_t n, T bias) {
  for (int64_t i = 0; i < n; ++i) row[i] = row[i] + bias;
}

/// The work is cut into strips of output rows, whose matrix stays in the second-level cache. Each
/// is computed alone, so that the threads do not show in the result.
template <class T>
void convolve(const Call& call, const Convolution& conv, const T* input, const T* weight,
              const T* bias, T* out) {
  constexpr int64_t kStrip = 32768;  // elements of a strip's matrix, at least one row of output
  const int64_t depth = conv.depth(), plane = conv.plane_out(), pointwise = conv.pointwise();
  const int64_t rows =
      pointwise ? conv.height.out
                : std::clamp<int64_t>(kStrip / (depth * conv.width.out), 1, conv.height.out);
  const int64_t strips = (conv.height.out + rows - 1) / rows;
  const int64_t pieces = conv.images * conv.groups * strips;
  const int64_t work = conv.made * depth * plane * conv.images * conv.groups;
  const int64_t teams = work < kParallelFrom ? 1 : std::min<int64_t>(pieces, call.machine.threads);
  const int64_t matrix_size = pointwise ? 0 : depth * rows * conv.width.out;
  const int64_t scratch_sizes[] = {teams, matrix_size};
  const BufferRef scratch = allocate(call.dtype, scratch_sizes, call.machine.memory);
  const auto run = [&](int64_t piece, T* matrix) {
    const int64_t strip = piece % strips, part = piece / strips, group = part % conv.groups;
    const int64_t begin = strip * rows, end = std::min(begin + rows, conv.height.out);
    const int64_t columns = (end - begin) * conv.width.out;
    const T* const image = input + part * conv.channels * conv.plane_in();
    if (!pointwise) lay_out(conv, image, begin, end, matrix);
    const auto bytes = [](const T* data) { return reinterpret_cast<const char*>(data); };
    const Matrix left{bytes(weight + group * conv.made * depth), conv.made, depth, depth, 1};
    const Matrix right{bytes(pointwise ? image : matrix), depth, columns, columns, 1};
    T* const target = out + part * conv.made * plane + begin * conv.width.out;
    gemm_here()(call.dtype, left, right, reinterpret_cast<char*>(target), plane);
    if (!bias) return;
    for (int64_t i = 0; i < conv.made; ++i)
      add_bias(target + i * plane, columns, bias[group * conv.made + i]);
  };
  for_pieces(teams, call.machine.threads, [&](int64_t team) {
    T* const matrix = reinterpret_cast<T*>(scratch->data()) + team * matrix_size;
    for (int64_t i = pieces * team / teams; i < pieces * (team + 1) / teams; ++i) run(i, matrix);
  });
}

}  // namespace

BufferRef conv2d(const Call& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  const BufferRef weight = call.contiguous(call.operand(1));
  const BufferRef bias =
      call.operands[2] == kNone.number ? BufferRef() : call.contiguous(call.operand(2));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Convolution conv = convolution_of(call);
  visit_number(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    // Integers wrap, so they are computed unsigned.
    using Word = std::conditional_t<std::is_same_v<T, int32_t>, uint32_t,
                                    std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, T>>;
    const auto data = [](const BufferRef& buffer) {
      return buffer ? reinterpret_cast<Word*>(buffer->data()) : nullptr;
    };
    convolve<Word>(call, conv, data(input), data(weight), data(bias), data(result));
  });
  return result;
}

}  // namespace rt::cpu
