// reference_nn_test.cpp -- layers at sizes where their kernels split the work, against plain loops.
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

/// Pseudorandom numbers between -1 and 1.
template <class T = double>
std::vector<T> noise(int64_t count, uint32_t seed = 1) {
  std::vector<T> numbers(static_cast<size_t>(count));
  for (T& number : numbers) {
    seed = seed * 1664525u + 1013904223u;
    number = static_cast<T>(static_cast<double>(seed >> 8) * 0x1p-23 - 1);
  }
  return numbers;
}

template <class T>
std::vector<T> elements(const BufferRef& buffer) {
  const T* const data = reinterpret_cast<const T*>(buffer->data());
  return {data, data + buffer->numel()};
}

template <class T>
void expect_near(const std::vector<T>& got, const Doubles& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(static_cast<double>(got[i]), want[i], tolerance) << "element " << i;
}

struct Pair {
  int64_t height, width;
};
struct Shape4 {
  int64_t n, c, h, w;
  int64_t count() const { return n * c * h * w; }
  Shape shape() const { return {n, c, h, w}; }
  size_t at(int64_t i, int64_t j, int64_t y, int64_t x) const {
    return static_cast<size_t>(((i * c + j) * h + y) * w + x);
  }
};

struct ConvCase {
  Shape4 input, weight;
  Pair stride{1, 1}, padding{0, 0}, dilation{1, 1};
  int64_t groups = 1;
};

Shape4 made_by(const ConvCase& c) {
  const auto size = [](int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
    return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  };
  return {c.input.n, c.weight.n,
          size(c.input.h, c.weight.h, c.stride.height, c.padding.height, c.dilation.height),
          size(c.input.w, c.weight.w, c.stride.width, c.padding.width, c.dilation.width)};
}

/// The definition of a convolution: calls product(out, in, weight) with the offsets of each pair of
/// factors and of the result that their product is added to.
template <class Product>
void for_products(const ConvCase& c, const Product& product) {
  const Shape4 out = made_by(c);
  const int64_t per_group = c.weight.n / c.groups;
  for (int64_t n = 0; n < out.n; ++n)
    for (int64_t o = 0; o < out.c; ++o)
      for (int64_t y = 0; y < out.h; ++y)
        for (int64_t z = 0; z < out.w; ++z)
          for (int64_t i = 0; i < c.weight.c; ++i)
            for (int64_t u = 0; u < c.weight.h; ++u)
              for (int64_t v = 0; v < c.weight.w; ++v) {
                const int64_t row = y * c.stride.height - c.padding.height + u * c.dilation.height;
                const int64_t column = z * c.stride.width - c.padding.width + v * c.dilation.width;
                if (row < 0 || row >= c.input.h || column < 0 || column >= c.input.w) continue;
                const int64_t channel = o / per_group * c.weight.c + i;
                product(out.at(n, o, y, z), c.input.at(n, channel, row, column),
                        c.weight.at(o, i, u, v));
              }
}

Doubles convolved(const ConvCase& c, const Doubles& x, const Doubles& w, const Doubles& bias) {
  const Shape4 out = made_by(c);
  Doubles result(static_cast<size_t>(out.count()));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = bias[i / static_cast<size_t>(out.h * out.w) % static_cast<size_t>(out.c)];
  for_products(c, [&](size_t to, size_t in, size_t weight) { result[to] += x[in] * w[weight]; });
  return result;
}

const ConvCase kConvCases[] = {
    {{3, 4, 40, 33}, {5, 4, 3, 3}, {1, 1}, {1, 1}},
    {{2, 16, 50, 45}, {8, 16, 5, 3}, {2, 1}, {2, 0}, {1, 2}},
    {{1, 12, 37, 41}, {6, 4, 2, 7}, {3, 2}, {0, 5}, {2, 3}, 3},
    {{2, 6, 30, 31}, {6, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 6},
    {{2, 20, 33, 35}, {7, 20, 1, 1}},
    {{2, 20, 33, 35}, {7, 20, 1, 1}, {2, 2}, {1, 0}},
    {{1, 3, 4, 300}, {2, 3, 3, 150}, {1, 1}, {1, 100}},
    {{1, 400, 12, 12}, {3, 400, 9, 9}, {1, 1}, {4, 4}},
};

Doubles convolve(const ConvCase& c, int threads, const Doubles& x, const Doubles& w,
                 const Doubles& bias) {
  Rig rig(threads);
  const Value input = rig.input(c.input.shape(), x), weight = rig.input(c.weight.shape(), w);
  const BufferRef result =
      rig.run(rig.step(Op::Conv2d, {input, weight, rig.input({c.weight.n}, bias)},
                       {c.groups, 2, c.stride.height, c.stride.width, 2, c.padding.height,
                        c.padding.width, 2, c.dilation.height, c.dilation.width}));
  EXPECT_EQ(to_string(result->sizes()), to_string(made_by(c).shape()));
  return elements<double>(result);
}

TEST(ReferenceConv, AgreesWithItsDefinitionAndDoesNotShowThreads) {
  for (const ConvCase& c : kConvCases) {
    SCOPED_TRACE(to_string(c.input.shape()) + " by " + to_string(c.weight.shape()));
    const Doubles x = noise(c.input.count()), w = noise(c.weight.count(), 2),
                  bias = noise(c.weight.n, 3);
    const Doubles result = convolve(c, 1, x, w, bias);
    expect_near(result, convolved(c, x, w, bias), 1e-10);
    EXPECT_EQ(convolve(c, 3, x, w, bias), result);
  }
}

TEST(ReferenceConv, GradientsAgreeWithTheirDefinitionAndDoNotShowThreads) {
  for (const ConvCase& c : kConvCases) {
    SCOPED_TRACE(to_string(c.input.shape()) + " by " + to_string(c.weight.shape()));
    const Shape4 out = made_by(c);
    const Doubles x = noise(c.input.count()), w = noise(c.weight.count(), 2),
                  grad = noise(out.count(), 3);
    Doubles of_input(x.size()), of_weight(w.size());
    for_products(c, [&](size_t to, size_t in, size_t weight) {
      of_input[in] += grad[to] * w[weight];
      of_weight[weight] += grad[to] * x[in];
    });
    for (const Op op : {Op::Conv2dBackwardInput, Op::Conv2dBackwardWeight}) {
      const auto run = [&](int threads) {
        Rig rig(threads);
        const Value operands[] = {rig.input(out.shape(), grad), rig.input(c.input.shape(), x),
                                  rig.input(c.weight.shape(), w)};
        return elements<double>(
            rig.run(rig.step(op, {operands[0], operands[1], operands[2]},
                             {c.groups, 2, c.stride.height, c.stride.width, 2, c.padding.height,
                              c.padding.width, 2, c.dilation.height, c.dilation.width})));
      };
      const Doubles result = run(1);
      expect_near(result, op == Op::Conv2dBackwardInput ? of_input : of_weight, 1e-10);
      EXPECT_EQ(run(3), result);
    }
  }
}

TEST(ReferenceConv, OfNoImagesTheWeightHasAGradientOfZeros) {
  Rig rig;
  const Value grad = rig.input({0, 2, 3, 3}, Doubles{}), x = rig.input({0, 1, 4, 4}, Doubles{});
  const Value w = rig.input({2, 1, 2, 2}, Doubles(8, 1));
  const std::initializer_list<Word> attributes = {1, 2, 1, 1, 2, 0, 0, 2, 1, 1};
  rig.expect(rig.step(Op::Conv2dBackwardWeight, {grad, x, w}, attributes), {2, 1, 2, 2},
             Doubles(8, 0));
  rig.expect(rig.step(Op::Conv2dBackwardInput, {grad, x, w}, attributes), {0, 1, 4, 4}, Doubles{});
}

constexpr Pair kPoolKernel{5, 4}, kPoolPadding{2, 1};

Shape4 pooled_shape(const Shape4& in, const Pair& stride) {
  return {in.n, in.c, (in.h + 2 * kPoolPadding.height - kPoolKernel.height) / stride.height + 1,
          (in.w + 2 * kPoolPadding.width - kPoolKernel.width) / stride.width + 1};
}

/// Calls element(out, in, index) for the elements of all windows; `index` is that in the plane.
template <class Element>
void for_windows(const Shape4& in, const Pair& stride, const Element& element) {
  const Shape4 out = pooled_shape(in, stride);
  for (int64_t plane = 0; plane < in.n * in.c; ++plane)
    for (int64_t y = 0; y < out.h; ++y)
      for (int64_t z = 0; z < out.w; ++z)
        for (int64_t u = 0; u < kPoolKernel.height; ++u)
          for (int64_t v = 0; v < kPoolKernel.width; ++v) {
            const int64_t row = y * stride.height - kPoolPadding.height + u;
            const int64_t column = z * stride.width - kPoolPadding.width + v;
            if (row < 0 || row >= in.h || column < 0 || column >= in.w) continue;
            element(out.at(0, plane, y, z), in.at(0, plane, row, column), row * in.w + column);
          }
}

TEST(ReferencePool, AgreesWithItsDefinitionAndDoesNotShowThreads) {
  const Shape4 in{4, 8, 45, 50};
  const Doubles x = noise(in.count());
  constexpr double kSize = kPoolKernel.height * kPoolKernel.width;
  for (const Pair stride : {Pair{1, 1}, Pair{2, 2}, Pair{3, 5}}) {
    const Shape4 out = pooled_shape(in, stride);
    const Doubles grad = noise(out.count(), 2);
    Doubles largest(grad.size(), -2), mean(grad.size()), places(grad.size());
    Doubles to_largest(x.size()), to_all(x.size());
    for_windows(in, stride, [&](size_t to, size_t from, int64_t place) {
      if (x[from] > largest[to]) places[to] = static_cast<double>(place);
      largest[to] = std::max(largest[to], x[from]);
      mean[to] += x[from] / kSize;
      to_all[from] += grad[to] / kSize;
    });
    for_windows(in, stride, [&](size_t to, size_t from, int64_t place) {
      if (places[to] == static_cast<double>(place)) to_largest[from] += grad[to];
    });
    const auto check = [&](Op op, const Doubles& wanted) {
      SCOPED_TRACE(info(op).name);
      const auto run = [&](int threads) {
        Rig rig(threads);
        const std::initializer_list<Word> attributes = {2, kPoolKernel.height,  kPoolKernel.width,
                                                        2, stride.height,       stride.width,
                                                        2, kPoolPadding.height, kPoolPadding.width};
        const Value input = rig.input(in.shape(), x);
        const auto result = [&] {
          if (info(op).tensors == 1) return rig.step(op, {input}, attributes);
          const Value gradient = rig.input(out.shape(), grad);
          if (op == Op::AvgPool2dBackward) return rig.step(op, {gradient, input}, attributes);
          return rig.step(op,
                          {gradient, input, rig.step(Op::MaxPool2dIndices, {input}, attributes)},
                          attributes);
        };
        const BufferRef buffer = rig.run(result());
        Doubles numbers(static_cast<size_t>(buffer->numel()));
        rig.backend->to_host(*buffer, DType::F64, numbers.data());
        return numbers;
      };
      const Doubles result = run(1);
      expect_near(result, wanted, 1e-14);
      EXPECT_EQ(run(3), result);
    };
    check(Op::MaxPool2d, largest);
    check(Op::AvgPool2d, mean);
    check(Op::MaxPool2dIndices, places);
    check(Op::MaxPool2dBackward, to_largest);
    check(Op::AvgPool2dBackward, to_all);
  }
}

// As in PyTorch: the first of equals, the last NaN, the first element where all are -inf.
TEST(ReferencePool, TheLargestIsAtOnePlace) {
  const auto places = [](const Floats& row, const std::vector<int64_t>& wanted) {
    Rig rig;
    const Value x = rig.input<float>({1, 1, 6}, row);
    rig.expect(rig.step(Op::MaxPool2dIndices, {x}, {2, 1, 3, 2, 1, 2, 2, 0, 1}), {1, 1, 3}, wanted);
  };
  places({1, 1, 1, 2, 2, 0}, {0, 3, 3});
  places({kNaN, 5, kNaN, kNaN, 9, 1}, {0, 3, 3});
  places({-kInf, -kInf, -kInf, -kInf, -kInf, -kInf}, {0, 1, 3});
}

TEST(ReferencePool, AnIndexOutsideOfItsPlaneGetsNothing) {
  Rig rig;
  const Value grad = rig.input<float>({1, 1, 3}, {1, 2, 4}),
              x = rig.input<float>({1, 1, 3}, {0, 0, 0});
  const Value indices = rig.input<int64_t>({1, 1, 3}, {3, -1, 1});
  rig.expect(rig.step(Op::MaxPool2dBackward, {grad, x, indices}, {2, 1, 1, 2, 1, 1, 2, 0, 0}),
             {1, 1, 3}, Floats{0, 4, 0});
}

TEST(ReferenceLayerNorm, KeepsItsPrecisionInLongRowsFarFromZero) {
  constexpr int64_t kRows = 70, kSize = 3001;
  Floats x = noise<float>(kRows * kSize);
  for (float& value : x) value += 1000;
  Doubles wanted;
  for (int64_t row = 0; row < kRows; ++row) {
    const float* const from = x.data() + row * kSize;
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < kSize; ++i) mean += static_cast<double>(from[i]) / kSize;
    for (int64_t i = 0; i < kSize; ++i)
      squares += (static_cast<double>(from[i]) - mean) * (static_cast<double>(from[i]) - mean);
    for (int64_t i = 0; i < kSize; ++i)
      wanted.push_back((static_cast<double>(from[i]) - mean) / std::sqrt(squares / kSize + 1e-5));
  }
  const auto run = [&](int threads) {
    Rig rig(threads);
    const Value input = rig.input<float>({kRows, kSize}, x);
    const Value one = rig.input<float>({kSize}, Floats(kSize, 1.f));
    const Value zero = rig.input<float>({kSize}, Floats(kSize, 0.f));
    return elements<float>(rig.run(rig.step(Op::LayerNorm, {input, one, zero}, {1e-5, 1, kSize})));
  };
  expect_near(run(1), wanted, 1e-4);
  EXPECT_EQ(run(3), run(1));
}

TEST(ReferenceLayerNorm, SquaresThatOverflowAreNoZeros) {
  Rig rig;
  const Value x = rig.input({4}, Floats{1e30F, -1e30F, 2e30F, 1e30F});
  const Value one = rig.input({4}, Floats(4, 1)), zero = rig.input({4}, Floats(4, 0));
  rig.expect(rig.step(Op::LayerNorm, {x, one, zero}, {1e-5, 1, 4}), {4},
             Floats{.2294157F, -1.605910F, 1.147079F, .2294157F}, 1e-5);
  Rig wide;
  const Value y = wide.input({2}, Doubles{1e200, -1e200});
  const Value rstd = wide.step(Op::LayerNormRstd, {y}, {1e-5, 1, 2});
  EXPECT_TRUE(std::isnan(wide.values<double>(*wide.run(rstd))[0]));
}

TEST(ReferenceNorms, OfHalvesTakeParametersOfF32) {
  for (const DType half : {DType::F16, DType::BF16}) {
    Rig rig;
    const Value x = rig.step(Op::Cast, {rig.input({2, 2}, Floats{1.5, 2.5, 3, -1})}, {}, {}, half);
    const Value weight = rig.input({2}, Floats{1, 2}), bias = rig.input({2}, Floats{.5, 0});
    const Value mean = rig.input({2}, Floats{0, 1}), variance = rig.input({2}, Floats{1, 4});
    const auto expect = [&](Value result, const Floats& numbers) {
      EXPECT_EQ(rig.batch.values[result.id].dtype, half);
      rig.expect(rig.step(Op::Cast, {result}, {}, {}, DType::F32), {2, 2}, numbers, 1e-2);
    };
    expect(rig.step(Op::LayerNorm, {x, weight, bias}, {1e-5, 1, 2}), {-.5, 2, 1.5, -2});
    expect(rig.step(Op::BatchNorm, {x, weight, bias, mean, variance}, {1e-5}), {2, 1.5, 3.5, -2});
    expect(rig.step(Op::BatchNormOfBatch, {x, weight, bias}, {1e-5}), {-.5, 2, 1.5, -2});
  }
}

TEST(ReferenceReduceDims, TakesAnyDimensions) {
  const Shape sizes = {3, 4, 5, 6};
  const Doubles x = noise(360);
  for (uint32_t mask = 1; mask < 16; ++mask) {
    Small<int64_t, 10> dims;
    Doubles sums(360, 0), squares(360, 0);
    Shape kept;
    int64_t count = 1;
    for (uint32_t d = 0; d < 4; ++d) {
      if (mask >> d & 1) {
        dims.push_back(d);
        count *= sizes[d];
      } else {
        kept.push_back(sizes[d]);
      }
    }
    const auto place = [&](int64_t i) {
      int64_t at[4], result = 0;
      for (uint32_t d = 4; d-- > 0; i /= sizes[d]) at[d] = i % sizes[d];
      for (uint32_t d = 0; d < 4; ++d)
        if (!(mask >> d & 1)) result = result * sizes[d] + at[d];
      return static_cast<size_t>(result);
    };
    for (int64_t i = 0; i < 360; ++i) sums[place(i)] += x[static_cast<size_t>(i)];
    for (double& sum : sums) sum /= static_cast<double>(count);
    for (int64_t i = 0; i < 360; ++i)
      squares[place(i)] += std::pow(x[static_cast<size_t>(i)] - sums[place(i)], 2);
    const auto results = static_cast<size_t>(numel(kept));
    sums.resize(results);
    squares.resize(results);
    for (double& square : squares) square /= static_cast<double>(count - 1);
    Rig rig;
    const Value input = rig.input(sizes, x);
    const auto step = [&](Op op, std::initializer_list<int64_t> integers) {
      Args args;
      args.op = op;
      args.attributes = integers;
      args.attributes.push_back(dims.size());
      args.attributes.append(dims);
      return rig.step(args, {input});
    };
    SCOPED_TRACE(to_string(dims));
    const BufferRef mean = rig.run(step(Op::MeanDims, {0}));
    EXPECT_EQ(to_string(mean->sizes()), to_string(kept));
    expect_near(elements<double>(mean), sums, 1e-14);
    expect_near(elements<double>(rig.run(step(Op::VarDims, {1, 1}))), squares, 1e-13);
  }
}

// Dropout draws 53-bit numbers of the Mersenne twister for every dtype, also at sizes for which
// libtorch would use several threads.
TEST(ReferenceDropout, DropsWhatTheGeneratorSays) {
  constexpr int64_t kCount = 200000;
  Rig rig;
  rig.backend->seed(42);
  const BufferRef wanted = rig.run(rig.step(Op::Rand, {}, {}, {kCount}, DType::F64));
  const double* const draws = reinterpret_cast<const double*>(wanted->data());
  for (const double p : {0.25, 0.5, 0.9}) {
    Rig fresh(3);
    fresh.backend->seed(42);
    const Value ones = fresh.input<float>({kCount}, Floats(kCount, 3.f));
    const Floats got = elements<float>(fresh.run(fresh.step(Op::Dropout, {ones}, {p, 1})));
    const float scale = 1.f / static_cast<float>(1 - p);
    for (int64_t i = 0; i < kCount; ++i)
      ASSERT_EQ(got[static_cast<size_t>(i)], draws[i] < 1 - p ? 3.f * scale : 0.f) << i;
  }
}

// The mask of a transposed matrix is drawn in the order of memory.
TEST(ReferenceDropout, MultipliesByItsMaskWhateverTheStrides) {
  const Floats numbers = noise<float>(35);
  for (const double p : {0.0, 0.4, 1.0})
    for (const Strides& strides : {Strides{7, 1}, Strides{1, 5}}) {
      const auto run = [&](Op op) {
        Rig rig;
        rig.backend->seed(3);
        const Value x = rig.strided<float>(numbers, {{5, 7}, strides, 0});
        const Value result = rig.step(op, {x}, {p, 1});
        return rig.values<float>(
            *rig.run(op == Op::Dropout ? result : rig.step(Op::Mul, {x, result})));
      };
      EXPECT_EQ(run(Op::DropoutMask), run(Op::Dropout)) << p;
    }
}

}  // namespace
}  // namespace rt::test
