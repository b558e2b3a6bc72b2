// places_test.cpp -- places have numbers for as long as something names them.
#include "graph/tape/source_locations.h"

#include <gtest/gtest.h>

namespace rt {
namespace {

TEST(Places, OnePlaceHasOneNumber) {
  Places places;
  const uint32_t a = places.enter("a.spl", 1, 0), b = places.enter("b.spl", 1, a);
  EXPECT_NE(a, b);
  EXPECT_EQ(places.enter("a.spl", 1, b), a);
  EXPECT_EQ(places.text(a), "a.spl:1");
  EXPECT_EQ(places.enter("", 0, a), 0u);
  EXPECT_EQ(places.text(0), "");
}

TEST(Places, OnlyWhatIsNamedIsKept) {
  Places places;
  const uint32_t used = places.enter("used", 1, 0), dropped = places.enter("dropped", 2, used);
  const uint32_t here = places.enter("here", 3, dropped);
  std::vector<bool> marks(places.end());
  marks[used] = true;
  places.keep(marks);
  EXPECT_EQ(places.size(), 2u);
  EXPECT_EQ(places.text(used), "used:1");
  EXPECT_EQ(places.text(here), "here:3");
  EXPECT_EQ(places.enter("new", 4, here), dropped) << "its number serves again";
  EXPECT_EQ(places.text(dropped), "new:4");
}

TEST(Places, WithoutEndTheyStayFew) {
  Places places;
  size_t most = 0;
  uint32_t here = 0;
  for (int line = 0; line < 200'000; ++line) {
    if (places.is_crowded()) places.keep(std::vector<bool>(places.end()));
    here = places.enter("loop.spl", line, here);
    most = std::max(most, places.end());
  }
  EXPECT_LE(most, 20'000u);
  EXPECT_EQ(places.text(here), "loop.spl:199999");
}

}  // namespace
}  // namespace rt
