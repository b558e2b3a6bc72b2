// gradients_test.cpp -- rows that only gradients record, on libtorch: expanded values, additions by
// index, our own operators.
#include <ATen/ATen.h>

#include "executor/torchscript/operators.h"
#include "tests/executor/reference_rig.h"
#include "tests/torchscript/rig.h"

namespace rt::test {
namespace {

using Floats = std::vector<float>;

TEST(Expand, GoesInAndOutWithItsStrides) {
  Rig rig(libtorch());
  const Value row = rig.input({3}, Floats{1, 2, 3});
  const Value rows = rig.step(Op::Expand, {row}, {}, {2, 3});
  const BufferRef view = rig.run(rows);
  EXPECT_EQ(view->data(), rig.inputs[0]->data());
  EXPECT_EQ(to_string(view->strides()), "[0,1]");
  EXPECT_EQ(rig.values<float>(*view), (Floats{1, 2, 3, 1, 2, 3}));
  const Value in = rig.strided(Floats{1, 2, 3}, {{2, 3}, {0, 1}, 0});
  for (const Value expanded : {rows, in}) {
    rig.expect(rig.step(Op::Add, {expanded, expanded}), {2, 3}, Floats{2, 4, 6, 2, 4, 6});
    rig.expect(rig.step(Op::Sum, {expanded}), {}, Floats{12});
    rig.expect(rig.step(Op::Reshape, {expanded}, {}, {3, 2}), {3, 2}, Floats{1, 2, 3, 1, 2, 3});
    rig.expect(rig.step(Op::Contiguous, {expanded}), {2, 3}, Floats{1, 2, 3, 1, 2, 3});
    rig.expect(rig.step(Op::T, {expanded}), {3, 2}, Floats{1, 1, 2, 2, 3, 3});
    rig.expect(rig.step(Op::Matmul, {rig.step(Op::T, {expanded}), expanded}), {3, 3},
               Floats{2, 4, 6, 4, 8, 12, 6, 12, 18});
  }
  const BufferRef doubled = rig.run(rig.step(Op::MulScalar, {rows}, {2.0}));
  EXPECT_EQ(to_string(doubled->strides()), "[3,1]");
}

TEST(Scatter, TakesWhatTheForwardRowsTake) {
  Rig rig(libtorch());
  const Value number = rig.input({}, Floats{3}), two = rig.input({}, Floats{2});
  const Value zero = rig.input<int64_t>({}, {0}), zeros = rig.input<int64_t>({3}, {0, 0, 0});
  rig.expect(rig.step(Op::ScatterAdd, {number, zero, two}, {0}), {}, Floats{5});
  rig.expect(rig.step(Op::ScatterAdd, {number, zeros, rig.input({3}, Floats{1, 2, 4})}, {0}), {},
             Floats{10});
  rig.expect(rig.step(Op::IndexAdd, {number, zero, two}, {0}), {}, Floats{5});
  const Value x = rig.input({2, 3}, Floats{0, 1, 2, 3, 4, 5});
  const Value narrow = rig.input<int32_t>({2, 3}, {0, 2, 2, 1, 1, 0});
  const Value ones = rig.step(Op::Expand, {rig.input({}, Floats{1})}, {}, {2, 3});
  rig.expect(rig.step(Op::ScatterAdd, {x, narrow, ones}, {1}), {2, 3}, Floats{1, 1, 4, 4, 6, 5});
  const Value rows = rig.input<int32_t>({3}, {1, 1, 0});
  const Value source = rig.input({3, 3}, Floats{1, 2, 3, 4, 5, 6, 7, 8, 9});
  rig.expect(rig.step(Op::IndexAdd, {x, rows, source}, {0}), {2, 3}, Floats{7, 9, 11, 8, 11, 14});
  const Value grad = rig.input({2, 2}, Floats{1, 2, 3, 4});
  rig.expect(rig.step(Op::SliceBackward, {grad}, {-4, 9, 1, 3}, {2, 5}), {2, 5},
             Floats{0, 1, 0, 0, 2, 0, 3, 0, 0, 4});
}

at::Tensor matrix(std::vector<double> numbers) {
  const auto n = static_cast<int64_t>(std::sqrt(static_cast<double>(numbers.size())) + .5);
  return at::tensor(numbers).reshape({n, n});
}

TEST(DetBackward, GivesTheCofactorsOfAnyMatrix) {
  const auto expect = [](std::vector<double> of, std::vector<double> cofactors) {
    for (const auto& [dtype, tolerance] : {std::pair(at::kDouble, 1e-12), {at::kFloat, 1e-4}}) {
      const at::Tensor self = matrix(of).to(dtype);
      const at::Tensor got = torchscript::det_backward(at::scalar_tensor(2, dtype), self);
      EXPECT_TRUE(at::allclose(got, (matrix(cofactors) * 2).to(dtype), 0, tolerance)) << got;
    }
  };
  expect({2, 1, 0, -1, 3, 4, .5, -2, 1}, {11, 3, .5, -1, 2, 4.5, 4, -8, 7});
  expect({1, 2, 3, 4, 5, 6, 7, 8, 9}, {-3, 6, -3, 6, -12, 6, -3, 6, -3});
  expect({1, 2, 2, 4}, {4, -2, -2, 1});
  expect({0}, {1});
  EXPECT_EQ(torchscript::det_backward(at::ones({}), at::ones({0, 0})).sizes(),
            (at::IntArrayRef{0, 0}));
}

TEST(EigBackward, TakesValuesThatAreComplex) {
  const at::Tensor turn = matrix({0, -1, 1, 0});
  const at::Tensor grad = at::tensor(std::vector<double>{1, 3});
  EXPECT_TRUE(at::allclose(torchscript::eig_backward(grad, turn), at::eye(2, at::kDouble) * 2));
  const at::Tensor many = at::stack({turn, matrix({1, -2, 3, 1})}).to(at::kFloat);
  const at::Tensor grads = at::tensor(std::vector<float>{1, 3, 3, 5}).reshape({2, 2});
  const at::Tensor eye = at::eye(2);
  EXPECT_TRUE(
      at::allclose(torchscript::eig_backward(grads, many), at::stack({eye * 2, eye * 4}), 0, 1e-5));
  // Weights follow the order in which eig returns the values.
  const at::Tensor self = matrix({2, 1, 0, -1, 3, 4, .5, -2, 1}).set_requires_grad(true);
  const at::Tensor weights = at::tensor(std::vector<double>{1, 2, 5});
  at::real(std::get<0>(at::linalg_eig(self))).mul(weights).sum().backward();
  EXPECT_TRUE(at::allclose(torchscript::eig_backward(weights, self.detach()), self.grad()));
}

TEST(EmbeddingBackward, RefusesWhatAtenPassesOver) {
  for (const int64_t index : {-1, 3}) {
    Rig rig(libtorch());
    const Value grad = rig.input({1, 2}, Floats{1, 2});
    const Value at = rig.input<int64_t>({1}, {index});
    rig.expect_failure(
        rig.step(Op::EmbeddingBackward, {grad, at}, {3}), 0,
        "index " + std::to_string(index) + " is out of range for dimension 0 of size 3");
  }
  Rig rig(libtorch());
  const Value grad = rig.input({2, 3, 2}, Floats{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Value indices = rig.input<int64_t>({2, 3}, {3, 0, 3, 1, 3, 0});
  rig.expect(rig.step(Op::EmbeddingBackward, {grad, indices}, {4}), {4, 2},
             Floats{14, 16, 7, 8, 0, 0, 15, 18});
}

TEST(OwnOperators, RunAsRowsDo) {
  Rig rig(libtorch());
  const Value two = rig.input({}, Floats{2});
  const Value self = rig.input({2, 2}, Floats{1, 2, 2, 4});
  rig.expect(rig.step(Op::DetBackward, {two, self}), {2, 2}, Floats{8, -4, -4, 2}, 1e-5);
  const Value turn = rig.input({2, 2}, Floats{0, -1, 1, 0});
  const Value grad = rig.input({2}, Floats{1, 3});
  rig.expect(rig.step(Op::EigBackward, {grad, turn}), {2, 2}, Floats{2, 0, 0, 2}, 1e-5);
  EXPECT_EQ(rig.backend->fallback_nodes(), 0);
}

}  // namespace
}  // namespace rt::test
