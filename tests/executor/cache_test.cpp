// cache_test.cpp -- the program cache: confirmed hits, bounds, eviction of the least recently used.
#include "executor/cache.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace rt::test {
namespace {

struct FakeProgram : Program {
  explicit FakeProgram(size_t size) : size(size) {}
  void run(std::span<const BufferRef>, std::span<const int64_t>, std::span<BufferRef>) override {}
  size_t bytes() const override { return size; }
  size_t size;
};

Batch batch_of(int64_t size) {
  Batch batch;
  batch.add_input(DType::F32, {}, {&size, 1});
  const uint32_t operand[] = {0};
  batch.roots = {batch.add_step(Op::Neg, operand, {}, DType::F32, {}, {&size, 1})};
  return batch;
}

Cache::Entry& look_up(Cache& cache, int64_t size) {
  const Batch batch = batch_of(size);
  return cache.find_or_add(key_of(batch), batch);
}

int64_t programs_in(const Cache::List& entries) {
  return std::ranges::count_if(entries, [](const auto& entry) { return entry.program != nullptr; });
}

TEST(Cache, FindsWhatItHas) {
  Cache cache(10, 1 << 20);
  Cache::Entry* entry = &look_up(cache, 1);
  EXPECT_EQ(entry->sightings, 0);
  EXPECT_EQ(entry->program, nullptr);
  entry->sightings = 5;
  look_up(cache, 2);
  EXPECT_EQ(&look_up(cache, 1), entry);
  EXPECT_EQ(entry->sightings, 5);
  EXPECT_EQ(cache.size(), 2u);
}

TEST(Cache, ConfirmsHitsByComparison) {
  Cache cache(10, 1 << 20);
  const Key key{.low = 1, .high = 2};
  Cache::Entry& one = cache.find_or_add(key, batch_of(1));
  Cache::Entry& two = cache.find_or_add(key, batch_of(2));
  EXPECT_NE(&one, &two);
  EXPECT_EQ(&cache.find_or_add(key, batch_of(1)), &one);
  EXPECT_EQ(&cache.find_or_add(key, batch_of(2)), &two);
  EXPECT_EQ(cache.size(), 2u);
}

TEST(Cache, FindsByPathWhatWasLastUsedForIt) {
  Cache cache(2, 1 << 20);
  EXPECT_EQ(cache.likely(7), nullptr);
  Cache::Entry& one = look_up(cache, 1);
  cache.use(one, 7);
  EXPECT_EQ(cache.likely(7), &one);
  Cache::Entry& two = look_up(cache, 2);
  cache.use(two, 7);
  EXPECT_EQ(cache.likely(7), &two) << "the newest of a path";
  cache.use(look_up(cache, 1), 8);
  EXPECT_EQ(cache.likely(8), &one);
  cache.use(two, 7);  // makes it the most recently used again
  look_up(cache, 3);
  (void)cache.shrink();
  EXPECT_EQ(cache.likely(8), nullptr) << "dropped, and its path with it";
  EXPECT_EQ(cache.likely(7), &two);
}

TEST(Cache, WhatDoesNotCompileIsTriedMoreAndMoreSeldom) {
  Cache cache(10, 1 << 20);
  Cache::Entry& entry = look_up(cache, 1);
  int tries = 0;
  for (entry.sightings = 1; entry.sightings <= 1000; ++entry.sightings)
    tries += entry.is_worth_a_try();
  EXPECT_EQ(tries, 10);
  entry.sightings = 5000;
  EXPECT_TRUE(entry.is_worth_a_try()) << "the reason may have passed";
  cache.set_program(entry, std::make_shared<FakeProgram>(10));
  entry.sightings = 50'000;
  EXPECT_FALSE(entry.is_worth_a_try());
}

TEST(Cache, DropsTheLeastRecentlyUsed) {
  Cache cache(3, 1 << 20);
  for (int64_t size : {1, 2, 3})
    cache.set_program(look_up(cache, size), std::make_shared<FakeProgram>(10));
  look_up(cache, 1);
  look_up(cache, 4);
  EXPECT_EQ(programs_in(cache.shrink()), 1) << "2 goes, and had a program";
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_NE(look_up(cache, 1).program, nullptr);
  EXPECT_NE(look_up(cache, 3).program, nullptr);
  EXPECT_EQ(look_up(cache, 2).program, nullptr);
  EXPECT_EQ(programs_in(cache.shrink()), 0) << "4 goes, and had none";
}

TEST(Cache, DropsTheRightOneOfEqualKeys) {
  Cache cache(2, 1 << 20);
  const Key key{.low = 1, .high = 2};
  cache.find_or_add(key, batch_of(1));
  cache.find_or_add(key, batch_of(2)).sightings = 2;
  cache.find_or_add(key, batch_of(3)).sightings = 3;
  (void)cache.shrink();
  EXPECT_EQ(cache.find_or_add(key, batch_of(2)).sightings, 2);
  EXPECT_EQ(cache.find_or_add(key, batch_of(3)).sightings, 3);
  EXPECT_EQ(cache.find_or_add(key, batch_of(1)).sightings, 0);
}

TEST(Cache, CountsBytesAndKeepsTheirBound) {
  Cache cache(100, 5000);
  const auto program = std::make_shared<FakeProgram>(4000);
  Cache::Entry& entry = look_up(cache, 1);
  const int64_t empty = cache.bytes();
  EXPECT_GT(empty, 0);
  cache.set_program(entry, program);
  EXPECT_EQ(cache.bytes(), empty + 4000);
  program->size = 7;
  cache.set_program(entry, nullptr);
  EXPECT_EQ(cache.bytes(), empty);
  cache.set_program(entry, std::make_shared<FakeProgram>(6000));
  EXPECT_EQ(programs_in(cache.shrink()), 1);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0);
  for (int64_t size = 1; size < 200; ++size) {
    look_up(cache, size);
    (void)cache.shrink();
    EXPECT_LE(cache.bytes(), 5000);
  }
  EXPECT_GT(cache.size(), 1u);
  (void)cache.clear();
  EXPECT_EQ(cache.bytes(), 0);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(Cache, ProgramsOutliveTheirEntries) {
  Cache cache(0, 0);
  const auto program = std::make_shared<FakeProgram>(1);
  cache.set_program(look_up(cache, 1), program);
  EXPECT_EQ(programs_in(cache.shrink()), 1);
  EXPECT_EQ(program.use_count(), 1);
}

}  // namespace
}  // namespace rt::test
