// cuda_test.cpp -- tests that need a CUDA device; skipped without one.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "executor/libtorch/libtorch.h"
#include "tests/executor/reference_rig.h"

namespace rt::test {
namespace {

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (rig_.backend->device_count() == 0) GTEST_SKIP() << "there is no CUDA device";
  }
  static std::unique_ptr<Backend> libtorch() {
    static MemoryCount memory;
    return make_libtorch_backend(memory, 0, "");
  }
  BufferRef on_cuda(const std::vector<float>& values, int8_t index = 0) {
    const int64_t sizes[] = {static_cast<int64_t>(values.size())};
    return rig_.backend->from_host(values.data(), DType::F32, sizes, Device{index});
  }
  std::vector<float> read(const Buffer& buffer) {
    std::vector<float> out(static_cast<size_t>(buffer.numel()));
    rig_.backend->to_host(buffer, DType::F32, out.data());
    return out;
  }
  /// Applies `op` to the last value and itself `steps` times, on the device of the only input.
  Batch chain(Op op, int steps, const Buffer& input) {
    Batch batch;
    uint32_t last = batch.add_input(input.dtype(), input.device(), input.sizes());
    for (int i = 0; i < steps; ++i) {
      const uint32_t operands[] = {last, last};
      last = batch.add_step(op, operands, {}, input.dtype(), input.device(), input.sizes());
    }
    batch.roots = {last};
    return batch;
  }

  Rig rig_{libtorch()};
};

TEST_F(Cuda, AConvolutionOnTheCpuFirstDoesNotTurnItOff) {
  const at::Tensor x = at::ones({1, 1, 4, 4}), w = at::ones({1, 1, 3, 3});
  EXPECT_EQ(at::conv2d(x, w).sum().item<float>(), 36);
  EXPECT_EQ(read(*on_cuda({1, 2, 3})), (std::vector<float>{1, 2, 3}));
}

TEST_F(Cuda, RunsStepsAndPrograms) {
  const BufferRef x = on_cuda({1, 2, 3});
  const Batch batch = chain(Op::Add, 5, *x);
  BufferRef root;
  rig_.backend->compile(batch)->run({&x, 1}, {}, {&root, 1});
  EXPECT_EQ(root->device(), Device{0});
  EXPECT_EQ(read(*root), (std::vector<float>{32, 64, 96}));
}

TEST_F(Cuda, IsIdleOnceItWasWaitedFor) {
  const BufferRef x = on_cuda({1, 2, 3});
  BufferRef root;
  rig_.backend->compile(chain(Op::Add, 5, *x))->run({&x, 1}, {}, {&root, 1});
  rig_.backend->synchronize(Device{0});
  EXPECT_TRUE(rig_.backend->idle(Device{0}));
}

TEST_F(Cuda, ABadIndexIsAnErrorAndTheDeviceWorksOn) {
  const BufferRef x = on_cuda({1, 2, 3});
  const int64_t bad[] = {7}, one[] = {1}, attributes[] = {0};
  const BufferRef index = rig_.backend->from_host(bad, DType::I64, one, Device{0});
  Batch batch;
  const uint32_t operands[] = {batch.add_input(DType::F32, Device{0}, x->sizes()),
                               batch.add_input(DType::I64, Device{0}, one)};
  batch.roots = {batch.add_step(Op::IndexSelect, operands, attributes, DType::F32, Device{0}, one)};
  const BufferRef inputs[] = {x, index};
  BufferRef root;
  EXPECT_THROW(rig_.backend->compile(batch)->run(inputs, {}, {&root, 1}), Error);
  std::vector<BufferRef> values = {x, index, {}};
  Frame frame{values, {}};
  EXPECT_THROW(rig_.backend->run_step(batch, 0, frame), StepError);
  EXPECT_NO_THROW(rig_.backend->synchronize(Device{0}));
  EXPECT_EQ(read(*on_cuda({4, 5})), (std::vector<float>{4, 5}));
}

TEST_F(Cuda, TellsItsMemory) {
  const DeviceMemory before = rig_.backend->memory(Device{0});
  const BufferRef x = on_cuda(std::vector<float>(1 << 20, 1));
  EXPECT_GE(rig_.backend->memory(Device{0}).allocated - before.allocated, 4 << 20);
  EXPECT_GE(rig_.backend->memory(Device{0}).peak, before.allocated + (4 << 20));
  rig_.backend->empty_cache();
}

TEST_F(Cuda, OneBatchMayUseSeveralDevices) {
  const bool two = rig_.backend->device_count() > 1;
  const Device other{static_cast<int8_t>(two ? 1 : -1)};
  const BufferRef x = on_cuda({1, 2, 3});
  Batch batch = chain(Op::Add, 3, *x);
  const uint32_t there[] = {batch.roots[0]};
  const uint32_t moved[] = {batch.add_step(Op::Move, there, {}, DType::F32, other, x->sizes())};
  batch.roots = {batch.add_step(Op::Neg, moved, {}, DType::F32, other, x->sizes())};
  BufferRef root;
  rig_.backend->compile(batch)->run({&x, 1}, {}, {&root, 1});
  EXPECT_EQ(root->device(), other);
  EXPECT_EQ(read(*root), (std::vector<float>{-8, -16, -24}));
}

TEST_F(Cuda, ASeedRepeatsTheNumbers) {
  const auto draw = [&] {
    const int64_t sizes[] = {64};
    Batch batch;
    batch.roots = {batch.add_step(Op::Randn, {}, {}, DType::F32, Device{0}, sizes)};
    BufferRef root;
    rig_.backend->compile(batch)->run({}, {}, {&root, 1});
    return read(*root);
  };
  rig_.backend->seed(5);
  const auto first = draw();
  EXPECT_NE(draw(), first);
  rig_.backend->seed(5);
  const auto state = rig_.backend->random_state();
  EXPECT_EQ(draw(), first);
  rig_.backend->restore(*state);
  EXPECT_EQ(draw(), first);
}

}  // namespace
}  // namespace rt::test
