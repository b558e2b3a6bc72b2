// host_state_test.cpp -- PyTorch in the same process has its own random numbers and thread count,
// and so have we.
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include "fallback_cpu/reference.h"
#include "tests/executor/random_state.h"
#include "tests/torchscript/rig.h"

namespace rt::test {
namespace {

std::vector<float> numbers(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), tensor.const_data_ptr<float>() + tensor.numel()};
}

/// Runs all random ops, step by step and compiled.
void draw_much(Backend& backend) {
  for (const Op op : {Op::Rand, Op::Randn, Op::Dropout, Op::DropoutMask}) {
    Batch batch;
    std::vector<BufferRef> inputs;
    const int64_t sizes[] = {64};
    uint32_t result = 0;
    if (op == Op::Rand || op == Op::Randn) {
      result = batch.add_step(op, {}, {}, DType::F32, {}, sizes);
    } else {
      const uint32_t operand = batch.add_input(DType::F32, {}, sizes, {});
      inputs.push_back(backend.allocate(DType::F32, sizes, {}));
      batch.scalars = {std::bit_cast<int64_t>(0.5)};
      batch.free_scalars = 1;
      const int64_t attributes[] = {0, 1};
      result = batch.add_step(op, {&operand, 1}, attributes, DType::F32, {}, sizes);
    }
    batch.roots = {result};
    std::vector<BufferRef> values(batch.values.size());
    for (size_t i = 0; i < inputs.size(); ++i) values[i] = inputs[i];
    Frame frame{values, batch.scalars};
    backend.run_step(batch, 0, frame);
    BufferRef root;
    backend.compile(batch)->run(inputs, batch.scalars, {&root, 1});
  }
}

TEST(HostState, PyTorchDrawsWhatItWouldDrawWithoutUs) {
  const auto backend = libtorch({});
  at::manual_seed(123);
  const std::vector<float> first = numbers(at::rand({8})), second = numbers(at::randn({8}));
  at::manual_seed(123);
  backend->seed(7);
  draw_much(*backend);
  EXPECT_EQ(numbers(at::rand({8})), first);
  draw_much(*backend);
  EXPECT_EQ(numbers(at::randn({8})), second);
  EXPECT_EQ(at::globalContext().defaultGenerator(at::kCPU).current_seed(), 123u);
}

TEST(HostState, WeDrawWhatWeWouldDrawWithoutPyTorch) {
  Drawing drawing(libtorch({})), reference(make_reference_backend(drawing.memory, 1));
  for (Drawing* one : {&drawing, &reference}) one->backend->seed(7);
  at::manual_seed(1);
  EXPECT_EQ(drawing.draw(), reference.draw());
  at::rand({1000});
  EXPECT_EQ(drawing.draw(), reference.draw());
}

TEST(HostState, NumbersOfAFailedRunComeAgainThoseOfOthersNever) {
  Drawing drawing(libtorch({}));
  expect_only_own_numbers_again(drawing);
}

TEST(HostState, EachHasItsNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  const auto backend = libtorch({}, 2);
  const auto multiply = [&] {
    Batch batch;
    const int64_t sizes[] = {64, 64};
    const uint32_t operand = batch.add_input(DType::F32, {}, sizes, {});
    const uint32_t operands[] = {operand, operand};
    batch.roots = {batch.add_step(Op::Matmul, operands, {}, DType::F32, {}, sizes)};
    const std::vector<BufferRef> inputs = {backend->allocate(DType::F32, sizes, {})};
    BufferRef root;
    backend->compile(batch)->run(inputs, {}, {&root, 1});
    return at::get_num_threads();
  };
  EXPECT_EQ(multiply(), 3);
  EXPECT_EQ(at::get_num_threads(), 3);
  int elsewhere = 0;
  std::thread([&] { elsewhere = multiply(); }).join();
  EXPECT_EQ(elsewhere, 3);
  at::set_num_threads(before);
}

}  // namespace
}  // namespace rt::test
