// host_memory_test.cpp -- size classes, and the blocks that threads and the pool keep.
#include "graph/memory/host_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

namespace rt {
namespace {

#define RT_NEEDS_POOL \
  if (!kPooled) GTEST_SKIP() << "nothing is kept under this sanitizer"

TEST(HostMemory, ClassesHoldWhatTheyAreFor) {
  for (int64_t bytes :
       {int64_t{0}, int64_t{1}, int64_t{255}, int64_t{256}, int64_t{257}, int64_t{320},
        int64_t{321}, int64_t{4096}, int64_t{4097}, int64_t{1} << 30, (int64_t{1} << 30) + 1}) {
    SCOPED_TRACE(bytes);
    const SizeClass size = size_class(bytes);
    EXPECT_GE(size.bytes, bytes);
    EXPECT_LE(size.bytes, std::max<int64_t>(256, bytes + bytes / 4));
    EXPECT_EQ(size.bytes % kAlignment, 0);
    EXPECT_EQ(class_bytes(size.id), size.bytes);
    EXPECT_EQ(size_class(size.bytes).id, size.id);
    EXPECT_EQ(size_class(size.bytes + 1).id, size.id + 1);
  }
}

TEST(HostMemory, BlocksAreAlignedAndWhole) {
  std::vector<char*> blocks;
  for (int64_t bytes = 1; bytes < 100'000; bytes += 997) {
    blocks.push_back(static_cast<char*>(take_block(bytes)));
    ASSERT_NE(blocks.back(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % kAlignment, 0u);
    std::memset(blocks.back(), static_cast<int>(blocks.size()), static_cast<size_t>(bytes));
  }
  int64_t bytes = 1;
  for (size_t i = 0; i < blocks.size(); ++i, bytes += 997) {
    EXPECT_EQ(blocks[i][0], static_cast<char>(i + 1));
    EXPECT_EQ(blocks[i][bytes - 1], static_cast<char>(i + 1));
    give_block(blocks[i], bytes);
  }
}

TEST(HostMemory, AThreadFindsItsLastBlockAgain) {
  RT_NEEDS_POOL;
  for (const int64_t bytes : {100, 5000, 60'000, 1 << 20}) {
    void* const block = take_block(bytes);
    give_block(block, bytes);
    EXPECT_EQ(take_block(bytes - 1), block);  // its size is of the same class
    give_block(block, bytes - 1);
  }
}

TEST(HostMemory, AThreadKeepsSoMuchAndThePoolTheRest) {
  RT_NEEDS_POOL;
  constexpr int64_t kBytes = 64 << 10;
  constexpr size_t kBlocks = 200;  // 12.5 MiB, of which a thread keeps 4
  std::vector<void*> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(take_block(kBytes));
  const int64_t before = pooled_bytes();
  for (void* block : blocks) give_block(block, kBytes);
  EXPECT_EQ(pooled_bytes() - before, static_cast<int64_t>(kBlocks) * kBytes);
  // Another thread gets the blocks that this one does not keep.
  size_t found = 0;
  std::thread([&] {
    std::vector<void*> theirs;
    const int64_t shared = pooled_bytes();
    for (size_t i = 0; i < kBlocks; ++i) theirs.push_back(take_block(kBytes));
    found = static_cast<size_t>((shared - pooled_bytes()) / kBytes);
    for (void* block : theirs) give_block(block, kBytes);
  }).join();
  EXPECT_GE(found, kBlocks / 2);
  EXPECT_LT(found, kBlocks);
}

TEST(HostMemory, WhatAThreadKeepsIsFreedWithIt) {
  RT_NEEDS_POOL;
  const int64_t before = pooled_bytes();
  std::thread([&] {
    std::vector<void*> blocks;
    for (int i = 0; i < 100; ++i) blocks.push_back(take_block(3000));
    for (void* block : blocks) give_block(block, 3000);
  }).join();
  EXPECT_EQ(pooled_bytes(), before);
}

TEST(HostMemory, BlocksMayEndOnAnotherThread) {
  for (int round = 0; round < 50; ++round) {
    std::vector<void*> blocks;
    for (int64_t i = 0; i < 100; ++i) blocks.push_back(take_block(100 * i));
    std::thread([blocks] {
      for (size_t i = 0; i < blocks.size(); ++i)
        give_block(blocks[i], 100 * static_cast<int64_t>(i));
    }).join();
  }
}

/// Is destroyed after the thread's blocks if it was constructed before them.
struct Late {
  void* block = nullptr;
  ~Late() {
    give_block(block, 777);
    give_block(take_block(777), 777);
  }
};

TEST(HostMemory, ADyingThreadStillTakesAndGives) {
  std::thread([] {
    thread_local Late late;
    late.block = nullptr;  // constructs it before the thread's first block
    late.block = take_block(777);
  }).join();
}

}  // namespace
}  // namespace rt
