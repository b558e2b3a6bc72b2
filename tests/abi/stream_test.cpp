// stream_test.cpp -- streams: their calls submit pending work, and their handles are a kind apart.
#include <gmock/gmock.h>

#include <thread>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class Streams : public AbiTest {
 protected:
  void SetUp() override {
    AbiTest::SetUp();
    stream_ = rt_torch_stream_create(-1);
    ASSERT_GT(stream_, 0) << last_error();
  }
  void TearDown() override {
    rt_torch_torchstream_free(stream_);
    AbiTest::TearDown();
  }
  /// A pending tensor.
  static Tensor pending() {
    Tensor x = rt_torch_torchtensor_neg(full({2}, 1));
    EXPECT_GT(rt_torch_pending(), 0);
    return x;
  }
  /// Expects that pending work was submitted by a flush.
  static void expect_flushed(int64_t flushes) {
    EXPECT_EQ(rt_torch_pending(), 0);
    EXPECT_EQ(stat("forced_by_flush"), flushes);
    EXPECT_EQ(last_error(), "");
  }

  int64_t stream_ = 0;
};

TEST_F(Streams, EveryCallSubmitsWhatIsPending) {
  const Tensor a = pending();
  rt_torch_torchstream_sync(stream_);
  expect_flushed(1);
  const Tensor b = pending();
  EXPECT_EQ(rt_torch_torchstream_query(stream_), 1);
  expect_flushed(2);
  const Tensor c = pending();
  const int64_t other = rt_torch_stream_create(-1);
  EXPECT_GT(other, 0);
  expect_flushed(3);
  const Tensor d = pending();
  rt_torch_torchstream_free(other);
  expect_flushed(4);
  const Tensor e = pending();
  rt_torch_stream_free(rt_torch_stream_create(-7));  // every negative index is the CPU
  expect_flushed(5);
}

TEST_F(Streams, ACopyRunsAtOnceAndIsTheSame) {
  const Tensor x = pending();
  const Tensor copy = rt_torch_torchtensor_to_stream(x, -1, stream_);
  expect_flushed(1);
  rt_torch_torchstream_sync(stream_);
  EXPECT_THAT(values(copy), ElementsAre(-1, -1));
  EXPECT_THAT(values(x), ElementsAre(-1, -1));
  EXPECT_EQ(rt_torch_torchtensor_device(copy), -1);
}

TEST_F(Streams, TheDefaultOneIsZero) {
  const Tensor x = pending();
  const Tensor copy = rt_torch_torchtensor_to_stream(x, -1, 0);
  expect_flushed(1);
  EXPECT_THAT(values(copy), ElementsAre(-1, -1));
}

TEST_F(Streams, AFreedOneIsNoStream) {
  const int64_t freed = rt_torch_stream_create(-1);
  rt_torch_torchstream_free(freed);
  EXPECT_EQ(rt_torch_torchstream_query(freed), 1);
  EXPECT_THAT(last_error(), StartsWith("rt_torch_torchstream_query("));
  EXPECT_THAT(last_error(), HasSubstr("was freed before"));
  rt_torch_clear_error();
  rt_torch_torchstream_sync(freed);
  EXPECT_THAT(last_error(), StartsWith("rt_torch_torchstream_sync("));
  rt_torch_torchstream_free(freed);
  EXPECT_THAT(last_error(), StartsWith("rt_torch_torchstream_free("));
  const Tensor x = full({2}, 1);
  EXPECT_EQ(rt_torch_torchtensor_to_stream(x, -1, freed), 0);
  EXPECT_THAT(last_error(), StartsWith("rt_torch_torchtensor_to_stream("));
}

TEST_F(Streams, ATensorIsNoStreamAndAStreamNoTensor) {
  const Tensor x = full({2}, 1);
  EXPECT_EQ(rt_torch_torchstream_query(x), 1);
  EXPECT_THAT(last_error(), HasSubstr("is a tensor, not a stream"));
  rt_torch_torchstream_free(x);
  EXPECT_EQ(rt_torch_torchtensor_neg(stream_), 0);
  EXPECT_THAT(last_error(), HasSubstr("is a stream, not a tensor"));
  rt_torch_torchtensor_free(stream_);
  EXPECT_EQ(rt_torch_torchtensor_to_stream(stream_, -1, stream_), 0);
  EXPECT_EQ(rt_torch_torchtensor_to_stream(x, -1, x), 0);
  rt_torch_clear_error();
  EXPECT_EQ(rt_torch_torchstream_query(stream_), 1);
  EXPECT_EQ(last_error(), "");
  EXPECT_THAT(values(x), ElementsAre(1, 1));
}

TEST_F(Streams, OfADeviceThatIsNotThere) {
  const int64_t absent = rt_torch_cuda_device_count();
  EXPECT_EQ(rt_torch_stream_create(absent), 0);
  EXPECT_THAT(last_error(), StartsWith("rt_torch_stream_create("));
  EXPECT_THAT(last_error(), HasSubstr("cuda:" + std::to_string(absent)));
  const Tensor x = full({2}, 1);
  EXPECT_EQ(rt_torch_torchtensor_to_stream(x, absent, stream_), 0);
  EXPECT_THAT(last_error(), StartsWith("rt_torch_torchtensor_to_stream("));
}

TEST_F(Streams, WaitForTheBatchesOfOtherThreads) {
  const int64_t batches = stat("batches");
  std::thread other([] {
    std::vector<Tensor> products;
    products.push_back(full({512, 512}, 0.01));
    for (size_t i = 0; i < 30; ++i)
      products.emplace_back(rt_torch_torchtensor_matmul(products[i], products[0]));
    rt_torch_flush();
  });
  while (stat("batches") == batches) std::this_thread::yield();
  rt_torch_torchstream_sync(stream_);
  EXPECT_EQ(stat("nodes"), stat("batch_nodes") + stat("dead_nodes") + stat("pending_nodes"))
      << "the other thread's batch is in flight still";
  other.join();
}

TEST_F(Streams, OnCuda) {
  if (!rt_torch_cuda_available()) GTEST_SKIP() << "there is no CUDA device";
  const int64_t stream = rt_torch_stream_create(0);
  ASSERT_GT(stream, 0) << last_error();
  const Tensor x = full({512, 512}, 1);
  const Tensor there = rt_torch_torchtensor_to_stream(x, 0, stream);
  EXPECT_EQ(rt_torch_torchtensor_device(there), 0);
  const Tensor product = rt_torch_torchtensor_matmul(there, there);
  rt_torch_torchstream_sync(stream);
  EXPECT_EQ(rt_torch_torchstream_query(stream), 1);
  const Tensor back = rt_torch_torchtensor_to_stream(product, -1, stream);
  EXPECT_THAT(values(back), testing::Each(512));
  rt_torch_torchstream_free(stream);
  EXPECT_EQ(last_error(), "");
}

}  // namespace
}  // namespace rt_test
