// small_test.cpp -- compares Small with std::vector.
#include "graph/small.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace rt::test {
namespace {

using List = Small<int64_t, 3>;

TEST(Small, DoesWhatAVectorDoes) {
  std::mt19937 random(3);
  List list;
  std::vector<int64_t> model;
  for (int round = 0; round < 20000; ++round) {
    const auto value = static_cast<int64_t>(random());
    const uint32_t at = model.empty() ? 0 : random() % static_cast<uint32_t>(model.size());
    switch (random() % 8) {
      case 0:
      case 1: list.push_back(value), model.push_back(value); break;
      case 2: list.insert(at, value), model.insert(model.begin() + at, value); break;
      case 3:
        if (model.empty()) break;
        list.erase(at), model.erase(model.begin() + at);
        break;
      case 4: {
        const List copy(list);
        list.append(copy);
        model.insert(model.end(), copy.begin(), copy.end());
        break;
      }
      case 5: {
        const uint32_t size = random() % 9;
        list.resize(size, value), model.resize(size, value);
        break;
      }
      case 6: {
        List moved(std::move(list));
        list = std::move(moved);
        break;
      }
      default: {
        List copy;
        copy = list;
        std::swap(copy, list);
      }
    }
    ASSERT_TRUE(std::ranges::equal(list, model)) << round;
  }
}

TEST(Small, MovedFromIsEmptyAndOfUse) {
  for (uint32_t size : {2u, 3u, 4u, 40u}) {
    List list;
    list.resize(size, 5);
    const List taken(std::move(list));
    EXPECT_EQ(taken.size(), size);
    EXPECT_TRUE(list.empty());
    list.push_back(1);
    EXPECT_EQ(list, List{1});
  }
}

TEST(Small, Compares) {
  EXPECT_EQ((List{1, 2}), (List{1, 2}));
  EXPECT_FALSE((List{1, 2}) == (List{1, 3}));
  EXPECT_FALSE((List{1, 2}) == (List{1, 2, 3}));
}

}  // namespace
}  // namespace rt::test
