// conv.cpp -- Conv2d and its gradients as products of matrices whose columns are the windows.
#include <utility>

#include "elementwise/dtypes.h"
#include "fallback_cpu/gemm.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// One dimension of a picture under the moving window.
struct Axis {
  int64_t in, out, kernel, stride, padding, dilation;

  /// The input index that tap `tap` of the window at output `at` reads; outside [0, in) is padding.
  int64_t offset(int64_t at, int64_t tap) const { return at * stride - padding + tap * dilation; }
  /// The range of outputs whose tap `tap` reads inside the input.
  std::pair<int64_t, int64_t> inside(int64_t tap) const {
    const int64_t first = -offset(0, tap);  // at * stride must be at least this
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
  int64_t channels, made;  ///< input and output channels of one group
  int64_t depth() const { return channels * height.kernel * width.kernel; }
  int64_t plane_in() const { return height.in * width.in; }
  int64_t plane_out() const { return height.out * width.out; }
  /// True where each window is one element of the input, in the input's order.
  bool pointwise() const {
    const auto plain = [](const Axis& axis) {
      return axis.kernel == 1 && axis.stride == 1 && axis.padding == 0;
    };
    return plain(height) && plain(width);
  }
};

Convolution convolution_of(const KernelCall& call, Sizes input, Sizes weight, Sizes output) {
  const size_t at = input.size() - 3;
  const auto stride = call.attributes.list(0), padding = call.attributes.list(1),
             dilation = call.attributes.list(2);
  const auto axis = [&](size_t i) {
    return Axis{input[at + 1 + i], output[at + 1 + i], weight[2 + i],
                stride[i],         padding[i],         dilation[i]};
  };
  const int64_t groups = call.attributes.integer(0);
  return {axis(0), axis(1), at == 0 ? 1 : input[0], groups, weight[1], weight[0] / groups};
}

/// Walks the matrix of output rows [begin, end), which has a row for each channel and tap, one
/// output row at a time. Calls body(from, first, last): outputs [first, last) read the input, from
/// `from` on. Where all outputs read padding, `from` is nullptr.
template <class T, class Body>
void for_rows(const Convolution& conv, T* image, int64_t channels, int64_t begin, int64_t end,
              const Body& body) {
  const Axis &height = conv.height, &width = conv.width;
  for (int64_t channel = 0; channel < channels; ++channel, image += conv.plane_in())
    for (int64_t y = 0; y < height.kernel; ++y)
      for (int64_t x = 0; x < width.kernel; ++x) {
        const auto [first, last] = width.inside(x);
        for (int64_t at = begin; at < end; ++at) {
          const int64_t row = height.offset(at, y);
          const bool padding = row < 0 || row >= height.in || first == last;
          body(padding ? nullptr : image + row * width.in + width.offset(first, x), first, last);
        }
      }
}

/// Lays out the windows of output rows [begin, end) as columns.
template <class T>
void lay_out(const Convolution& conv, const T* image, int64_t channels, int64_t begin, int64_t end,
             T* matrix) {
  const Axis& width = conv.width;
  for_rows(conv, image, channels, begin, end, [&](const T* from, int64_t first, int64_t last) {
    T* const to = std::exchange(matrix, matrix + width.out);
    if (!from) {
      std::fill_n(to, width.out, T{0});
      return;
    }
    std::fill_n(to, first, T{0});
    if (width.stride == 1) std::copy_n(from, last - first, to + first);
    else
      for (int64_t i = first; i < last; ++i) to[i] = from[(i - first) * width.stride];
    std::fill_n(to + last, width.out - last, T{0});
  });
}

/// The reverse of lay_out: adds the columns to the image's elements in their windows.
template <class T>
void add_back(const Convolution& conv, const T* matrix, int64_t channels, int64_t begin,
              int64_t end, T* image) {
  const int64_t stride = conv.width.stride;
  for_rows(conv, image, channels, begin, end, [&](T* to, int64_t first, int64_t last) {
    const T* const from = std::exchange(matrix, matrix + conv.width.out) + first;
    if (!to) return;
    if (stride == 1)
      for (int64_t i = 0; i < last - first; ++i) to[i] += from[i];
    else
      for (int64_t i = 0; i < last - first; ++i) to[i * stride] += from[i];
  });
}

constexpr int64_t kStrip = 32768;  ///< elements of a strip's matrix, so that a cache holds it
constexpr int64_t kColumns = 192;  ///< least columns of a strip, about: each reads all weights
constexpr int64_t kPieces = 16;    ///< pieces that the work is cut into, if it has as many

/// The output rows in strips, for a matrix of `depth` rows.
struct Strips {
  int64_t rows, count;
  Strips(const Convolution& conv, int64_t depth)
      : rows(conv.pointwise()
                 ? conv.height.out
                 : std::clamp<int64_t>(std::max(kStrip / depth, kColumns) / conv.width.out, 1,
                                       conv.height.out)),
        count((conv.height.out + rows - 1) / rows) {}
};

/// Calls run(piece, matrix) for every piece. `matrix` is memory for `size` elements that is the
/// thread's own. Each piece is computed by itself, so that results do not depend on the threads.
template <class T, class Run>
void for_each_piece(const KernelCall& call, const Convolution& conv, int64_t pieces, int64_t size,
                    const Run& run) {
  const int64_t work = conv.made * conv.depth() * conv.plane_out() * conv.images * conv.groups;
  const int64_t teams =
      work < kParallelFrom ? 1 : std::min<int64_t>(pieces, call.machine.team.threads);
  const int64_t scratch_sizes[] = {teams, size};
  const BufferRef scratch = allocate(call.dtype, scratch_sizes, call.machine.memory);
  for_pieces(teams, call.machine.team, [&](int64_t team) {
    T* const matrix = reinterpret_cast<T*>(scratch->data()) + team * size;
    for (int64_t i = pieces * team / teams; i < pieces * (team + 1) / teams; ++i) run(i, matrix);
  });
}

template <class T>
const char* bytes(const T* data) {
  return reinterpret_cast<const char*>(data);
}
template <class T>
char* bytes(T* data) {
  return reinterpret_cast<char*>(data);
}

template <class T>
void add_bias(T* row, int64_t n, T bias) {
  for (int64_t i = 0; i < n; ++i) row[i] = row[i] + bias;
}

template <class T>
void convolve(const KernelCall& call, const Convolution& conv, const T* input, const T* weight,
              const T* bias, T* out) {
  const int64_t depth = conv.depth(), plane = conv.plane_out();
  const bool pointwise = conv.pointwise();
  const Strips strips(conv, depth);
  const auto run = [&](int64_t piece, T* matrix) {
    const int64_t strip = piece % strips.count, part = piece / strips.count;
    const int64_t group = part % conv.groups;
    const int64_t begin = strip * strips.rows, end = std::min(begin + strips.rows, conv.height.out);
    const int64_t columns = (end - begin) * conv.width.out;
    const T* const image = input + part * conv.channels * conv.plane_in();
    if (!pointwise) lay_out(conv, image, conv.channels, begin, end, matrix);
    const Matrix left{bytes(weight + group * conv.made * depth), conv.made, depth, depth, 1};
    const Matrix right{bytes(pointwise ? image : matrix), depth, columns, columns, 1};
    T* const target = out + part * conv.made * plane + begin * conv.width.out;
    gemm(call.dtype, left, right, bytes(target), plane, false);
    if (!bias) return;
    for (int64_t i = 0; i < conv.made; ++i)
      add_bias(target + i * plane, columns, bias[group * conv.made + i]);
  };
  for_each_piece<T>(call, conv, conv.images * conv.groups * strips.count,
                    pointwise ? 0 : depth * strips.rows * conv.width.out, run);
}

/// The channels of a group in blocks, one for each piece of work.
struct Blocks {
  int64_t channels, count;
  Blocks(const Convolution& conv, int64_t wanted)
      : channels((conv.channels + wanted - 1) / wanted),
        count((conv.channels + channels - 1) / channels) {}
};

/// The gradient of the input: a product gives the windows'
/// gradients as columns, which are added up.
template <class T>
void spread(const KernelCall& call, const Convolution& conv, const T* grad, const T* weight,
            T* out) {
  const int64_t taps = conv.height.kernel * conv.width.kernel, plane = conv.plane_out();
  const bool pointwise = conv.pointwise();
  const int64_t parts = conv.images * conv.groups;
  const Blocks blocks(conv, std::min(conv.channels, (kPieces + parts - 1) / parts));
  const Strips strips(conv, blocks.channels * taps);
  const auto run = [&](int64_t piece, T* matrix) {
    const int64_t part = piece / blocks.count, group = part % conv.groups;
    const int64_t channel = piece % blocks.count * blocks.channels;
    const int64_t channels = std::min(blocks.channels, conv.channels - channel);
    T* const image = out + (part * conv.channels + channel) * conv.plane_in();
    const Matrix left{bytes(weight + group * conv.made * conv.depth() + channel * taps),
                      channels * taps, conv.made, 1, conv.depth()};
    if (!pointwise) std::fill_n(image, channels * conv.plane_in(), T{0});
    for (int64_t begin = 0; begin < conv.height.out; begin += strips.rows) {
      const int64_t end = std::min(begin + strips.rows, conv.height.out);
      const int64_t columns = (end - begin) * conv.width.out;
      const Matrix right{bytes(grad + part * conv.made * plane + begin * conv.width.out), conv.made,
                         columns, plane, 1};
      gemm(call.dtype, left, right, bytes(pointwise ? image : matrix), 0, false);
      if (!pointwise) add_back(conv, matrix, channels, begin, end, image);
    }
  };
  for_each_piece<T>(call, conv, parts * blocks.count,
                    pointwise ? 0 : blocks.channels * taps * strips.rows * conv.width.out, run);
}

/// The gradient of the weight: products of the result's gradient and the windows, added up over the
/// images. Where channels give too few pieces, shares of the images have sums of their own.
template <class T>
void correlate(const KernelCall& call, const Convolution& conv, const T* grad, const T* input,
               T* out) {
  constexpr int64_t kRows = 256, kMaxSums = 1 << 22;
  const int64_t taps = conv.height.kernel * conv.width.kernel, plane = conv.plane_out();
  const int64_t depth = conv.depth(), weights = conv.groups * conv.made * depth;
  const bool pointwise = conv.pointwise();
  const Blocks blocks(conv, std::clamp<int64_t>(depth / kRows, 1, conv.channels));
  const Strips strips(conv, blocks.channels * taps);
  const int64_t cuts = conv.groups * blocks.count;
  const int64_t shares =
      std::min({conv.images, (kPieces + cuts - 1) / cuts, 1 + kMaxSums / weights});
  const int64_t sum_sizes[] = {shares - 1, weights};
  const BufferRef sums = allocate(call.dtype, sum_sizes, call.machine.memory);
  T* const others = reinterpret_cast<T*>(sums->data());
  const auto run = [&](int64_t piece, T* matrix) {
    const int64_t share = piece / cuts, group = piece % cuts / blocks.count;
    const int64_t channel = piece % blocks.count * blocks.channels;
    const int64_t channels = std::min(blocks.channels, conv.channels - channel);
    T* const sum = (share == 0 ? out : others + (share - 1) * weights) + group * conv.made * depth +
                   channel * taps;
    bool add = false;
    for (int64_t at = conv.images * share / shares; at < conv.images * (share + 1) / shares; ++at) {
      const int64_t part = at * conv.groups + group;
      const T* const image = input + (part * conv.channels + channel) * conv.plane_in();
      for (int64_t begin = 0; begin < conv.height.out; begin += strips.rows) {
        const int64_t end = std::min(begin + strips.rows, conv.height.out);
        const int64_t columns = (end - begin) * conv.width.out;
        if (!pointwise) lay_out(conv, image, channels, begin, end, matrix);
        const Matrix left{bytes(grad + part * conv.made * plane + begin * conv.width.out),
                          conv.made, columns, plane, 1};
        const Matrix right{bytes(pointwise ? image : matrix), columns, channels * taps, 1, columns};
        gemm(call.dtype, left, right, bytes(sum), depth, std::exchange(add, true));
      }
    }
  };
  for_each_piece<T>(call, conv, shares * cuts,
                    pointwise ? 0 : blocks.channels * taps * strips.rows * conv.width.out, run);
  for (int64_t share = 0; share + 1 < shares; ++share)
    for (int64_t i = 0; i < weights; ++i) out[i] += others[share * weights + i];
}

template <class T>
T* elements(const BufferRef& buffer) {
  return buffer ? reinterpret_cast<T*>(buffer->data()) : nullptr;
}

BufferRef convolution(const KernelCall& call) {
  const BufferRef input = call.contiguous(call.operand(0));
  const BufferRef weight = call.contiguous(call.operand(1));
  const BufferRef bias =
      call.operands[2] == kNone.id ? BufferRef() : call.contiguous(call.operand(2));
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  const Convolution conv = convolution_of(call, input->sizes(), weight->sizes(), call.sizes);
  visit_number(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    // Unsigned, because integers wrap.
    using Attribute =
        std::conditional_t<std::is_same_v<T, int32_t>, uint32_t,
                           std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, T>>;
    convolve<Attribute>(call, conv, elements<Attribute>(input), elements<Attribute>(weight),
                        elements<Attribute>(bias), elements<Attribute>(result));
  });
  return result;
}

BufferRef gradient(const KernelCall& call) {
  const bool of_input = call.row.op == Op::Conv2dBackwardInput;
  const BufferRef grad = call.contiguous(call.operand(0));
  const BufferRef other = call.contiguous(call.operand(of_input ? 2 : 1));
  const Convolution conv = convolution_of(call, call.operand(1)->sizes(), call.operand(2)->sizes(),
                                          call.operand(0)->sizes());
  BufferRef result = call.result();
  if (result->numel() == 0) return result;
  visit_float(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    T* const out = elements<T>(result);
    if (grad->numel() == 0) std::fill_n(out, result->numel(), T{0});
    else if (of_input) spread<T>(call, conv, elements<T>(grad), elements<T>(other), out);
    else correlate<T>(call, conv, elements<T>(grad), elements<T>(other), out);
  });
  return result;
}

}  // namespace

BufferRef conv2d(const KernelCall& call) {
  return call.row.op == Op::Conv2d ? convolution(call) : gradient(call);
}

}  // namespace rt::cpu
