// reference_reduce_test.cpp -- reductions, softmax and matrix products of the reference backend.
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

TEST(ReferenceReduce, AllElements) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats{1, 2, 3, 4, 5, 6});
  rig.expect(rig.step(Op::Sum, {x}), {}, Floats{21});
  rig.expect(rig.step(Op::Mean, {x}), {}, Floats{3.5});
  rig.expect(rig.step(Op::Max, {x}), {}, Floats{6});
  rig.expect(rig.step(Op::Min, {x}), {}, Floats{1});
  rig.expect(rig.step(Op::Var, {x}), {}, Floats{3.5});
  rig.expect(rig.step(Op::Std, {x}), {}, Floats{std::sqrt(3.5f)});
  rig.expect(rig.step(Op::Norm, {x}), {}, Floats{static_cast<float>(std::sqrt(91.0))});
  rig.expect(rig.step(Op::Argmax, {x}, {-1, 0}), {}, Ints{5});
  rig.expect(rig.step(Op::Argmin, {x}, {-1, 1}), {1, 1}, Ints{0});
}

TEST(ReferenceReduce, AlongEachDimension) {
  Rig rig;
  const Value x = rig.input({2, 3}, Floats{1, 5, 3, 4, 2, 6});
  const Value turned = rig.step(Op::T, {x});
  rig.expect(rig.step(Op::SumDim, {x}, {0, 0}), {3}, Floats{5, 7, 9});
  rig.expect(rig.step(Op::SumDim, {x}, {-1, 1}), {2, 1}, Floats{9, 12});
  rig.expect(rig.step(Op::SumDim, {turned}, {0, 0}), {2}, Floats{9, 12});
  rig.expect(rig.step(Op::MeanDim, {x}, {0, 1}), {1, 3}, Floats{2.5, 3.5, 4.5});
  rig.expect(rig.step(Op::MaxDim, {x}, {1, 0}), {2}, Floats{5, 6});
  rig.expect(rig.step(Op::MinDim, {turned}, {1, 0}), {3}, Floats{1, 2, 3});
  rig.expect(rig.step(Op::Argmax, {x}, {0, 0}), {3}, Ints{1, 0, 1});
  rig.expect(rig.step(Op::Argmin, {turned}, {0, 1}), {1, 2}, Ints{0, 1});
}

TEST(ReferenceReduce, EmptyAndSingle) {
  Rig rig;
  const Value none = rig.input({0, 2}, Floats{}), one = rig.input({}, Floats{3});
  rig.expect(rig.step(Op::Sum, {none}), {}, Floats{0});
  rig.expect(rig.step(Op::Mean, {none}), {}, Floats{kNaN});
  rig.expect(rig.step(Op::SumDim, {none}, {0, 0}), {2}, Floats{0, 0});
  rig.expect(rig.step(Op::MeanDim, {none}, {0, 0}), {2}, Floats{kNaN, kNaN});
  rig.expect(rig.step(Op::MaxDim, {none}, {1, 0}), {0}, Floats{});
  rig.expect(rig.step(Op::Std, {one}), {}, Floats{kNaN});
  rig.expect(rig.step(Op::Var, {none}), {}, Floats{kNaN});
  rig.expect(rig.step(Op::SumDim, {one}, {0, 1}), {}, Floats{3});
}

TEST(ReferenceReduce, IntegersAndBoolsSumAsI64) {
  Rig rig;
  const Value ints = rig.input<int32_t>({2}, {INT32_MAX, INT32_MAX});
  rig.expect(rig.step(Op::Sum, {ints}), {}, Ints{2 * int64_t{INT32_MAX}});
  const Value wide = rig.input<int64_t>({2}, {INT64_MAX, 1});
  rig.expect(rig.step(Op::Sum, {wide}), {}, Ints{INT64_MIN});
  const Value truth = rig.input<bool>({2, 2}, {true, true, false, true});
  rig.expect(rig.step(Op::SumDim, {truth}, {0, 0}), {2}, Ints{1, 2});
  rig.expect(rig.step(Op::Min, {truth}), {}, std::vector<bool>{false});
}

TEST(ReferenceReduce, NaNWinsAndTheFirstOfEqualsStays) {
  Rig rig;
  const Value x = rig.input({2, 4}, Floats{1, kNaN, 3, kNaN, 2, 7, 7, 2});
  rig.expect(rig.step(Op::Max, {x}), {}, Floats{kNaN});
  rig.expect(rig.step(Op::MinDim, {x}, {1, 0}), {2}, Floats{kNaN, 2});
  rig.expect(rig.step(Op::Argmax, {x}, {1, 0}), {2}, Ints{1, 1});
  rig.expect(rig.step(Op::Argmin, {x}, {1, 0}), {2}, Ints{1, 0});
}

TEST(ReferenceReduce, LongSumsStayAccurate) {
  Rig rig;
  const int64_t n = 1'000'003;
  const Value x = rig.input({n}, Floats(static_cast<size_t>(n), .1f));
  rig.expect(rig.step(Op::Sum, {x}), {}, Floats{static_cast<float>(n * double{.1f})});
  rig.expect(rig.step(Op::Mean, {x}), {}, Floats{.1f});
  rig.expect(rig.step(Op::Var, {x}), {}, Floats{0}, 1e-12);
}

TEST(ReferenceSoftmax, RowsAndColumns) {
  Rig rig;
  const Value x = rig.input({2, 2}, Floats{0, std::log(3.f), 1000, -kInf});
  rig.expect(rig.step(Op::Softmax, {x}, {1}), {2, 2}, Floats{.25, .75, 1, 0}, 1e-6);
  rig.expect(rig.step(Op::Softmax, {x}, {0}), {2, 2}, Floats{0, 1, 1, 0}, 1e-6);
  rig.expect(rig.step(Op::LogSoftmax, {x}, {-1}), {2, 2},
             Floats{std::log(.25f), std::log(.75f), 0, -kInf}, 1e-6);
  const Value lost = rig.input({2}, Floats{-kInf, -kInf});
  rig.expect(rig.step(Op::Softmax, {lost}, {0}), {2}, Floats{kNaN, kNaN});
  rig.expect(rig.step(Op::Softmax, {rig.input({0, 3}, Floats{})}, {0}), {0, 3}, Floats{});
  rig.expect(rig.step(Op::Softmax, {rig.input({}, Floats{4})}, {0}), {}, Floats{1});
}

TEST(ReferenceMatmul, VectorsMatricesAndBatches) {
  Rig rig;
  const Value a = rig.input({2, 3}, Floats{1, 2, 3, 4, 5, 6});
  const Value b = rig.input({3, 2}, Floats{1, 0, 0, 1, 1, 1});
  const Value v = rig.input({3}, Floats{1, 10, 100}), w = rig.input({2}, Floats{1, -1});
  rig.expect(rig.step(Op::Matmul, {a, b}), {2, 2}, Floats{4, 5, 10, 11});
  rig.expect(rig.step(Op::Matmul, {a, v}), {2}, Floats{321, 654});
  rig.expect(rig.step(Op::Matmul, {w, a}), {3}, Floats{-3, -3, -3});
  rig.expect(rig.step(Op::Matmul, {v, v}), {}, Floats{10101});
  rig.expect(rig.step(Op::Dot, {v, v}), {}, Floats{10101});
  rig.expect(rig.step(Op::Matmul, {a, rig.step(Op::T, {a})}), {2, 2}, Floats{14, 32, 32, 77});
  const Value stack = rig.step(Op::Stack, {a, a}, {0});
  rig.expect(rig.step(Op::Matmul, {stack, b}), {2, 2, 2}, Floats{4, 5, 10, 11, 4, 5, 10, 11});
  const Value batch = rig.step(Op::Unsqueeze, {rig.step(Op::Stack, {b, b}, {0})}, {1});
  rig.expect(rig.step(Op::Matmul, {stack, batch}), {2, 2, 2, 2},
             Floats{4, 5, 10, 11, 4, 5, 10, 11, 4, 5, 10, 11, 4, 5, 10, 11});
}

TEST(ReferenceMatmul, StridesEmptySizesAndIntegers) {
  Rig rig;
  Floats numbers(24);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const Value gaps = rig.strided(numbers, {{2, 2}, {12, 3}, 1});  // 1 4 13 16
  const Value same = rig.strided(numbers, {{2, 2}, {0, 1}, 2});   // 2 3 2 3
  rig.expect(rig.step(Op::Matmul, {gaps, same}), {2, 2}, Floats{10, 15, 58, 87});
  const Value flat = rig.input({2, 0}, Floats{}), thin = rig.input({0, 3}, Floats{});
  rig.expect(rig.step(Op::Matmul, {flat, thin}), {2, 3}, Floats(6, 0));
  rig.expect(rig.step(Op::Matmul, {thin, rig.input({3, 1}, Floats{1, 2, 3})}), {0, 1}, Floats{});
  const Value wide = rig.input<int64_t>({1, 2}, {INT64_MAX, 2});
  rig.expect(rig.step(Op::Matmul, {wide, rig.step(Op::T, {wide})}), {1, 1}, Ints{5});
  const Value ints = rig.input<int32_t>({2, 2}, {1, 2, 3, 4});
  rig.expect(rig.step(Op::Matmul, {ints, ints}), {2, 2}, std::vector<int32_t>{7, 10, 15, 22});
}

/// The bits of all results of the kernels that split work among threads.
std::vector<char> bits_with(int threads) {
  Rig rig(threads);
  constexpr int64_t kSide = 400;
  rig.backend->seed(3);
  const Value x = rig.step(Op::Randn, {}, {}, {kSide, kSide});
  const Value y = rig.step(Op::T, {rig.step(Op::Exp, {x})});
  const Value roots[] = {rig.step(Op::Add, {x, y}),
                         rig.step(Op::Matmul, {x, y}),
                         rig.step(Op::Softmax, {y}, {1}),
                         rig.step(Op::Softmax, {x}, {0}),
                         rig.step(Op::Sum, {x}),
                         rig.step(Op::Std, {x}),
                         rig.step(Op::SumDim, {x}, {0, 0}),
                         rig.step(Op::SumDim, {y}, {0, 0}),
                         rig.step(Op::Max, {y}),
                         rig.step(Op::Argmax, {x}, {1, 0}),
                         rig.step(Op::Contiguous, {y}),
                         rig.step(Op::Cat, {x, y}, {1})};
  for (const Value root : roots) rig.batch.roots.push_back(root.id);
  std::vector<char> all;
  for (const BufferRef& root : rig.run_program()) {
    const auto bytes = rig.bytes(*root);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

TEST(ReferenceThreads, TheNumberOfThreadsDoesNotShow) {
  const auto one = bits_with(1);
  EXPECT_TRUE(one == bits_with(2));
  EXPECT_TRUE(one == bits_with(3));
}

}  // namespace
}  // namespace rt::test
