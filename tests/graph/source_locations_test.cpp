// source_locations_test.cpp -- a source location has an id as long as something refers to it.
#include "graph/tape/source_locations.h"

#include <gtest/gtest.h>

namespace rt {
namespace {

TEST(SourceLocations, OnePlaceHasOneNumber) {
  SourceLocations locations;
  const uint32_t a = locations.exchange("a.spl", 1, 0), b = locations.exchange("b.spl", 1, a);
  EXPECT_NE(a, b);
  EXPECT_EQ(locations.exchange("a.spl", 1, b), a);
  EXPECT_EQ(locations.text(a), "a.spl:1");
  EXPECT_EQ(locations.exchange("", 0, a), 0u);
  EXPECT_EQ(locations.text(0), "");
}

TEST(SourceLocations, OnlyWhatIsNamedIsKept) {
  SourceLocations locations;
  const uint32_t used = locations.exchange("used", 1, 0),
                 dropped = locations.exchange("dropped", 2, used);
  const uint32_t here = locations.exchange("here", 3, dropped);
  std::vector<bool> marks(locations.end());
  marks[used] = true;
  locations.keep(marks);
  EXPECT_EQ(locations.size(), 2u);
  EXPECT_EQ(locations.text(used), "used:1");
  EXPECT_EQ(locations.text(here), "here:3");
  EXPECT_EQ(locations.exchange("new", 4, here), dropped) << "its number serves again";
  EXPECT_EQ(locations.text(dropped), "new:4");
}

TEST(SourceLocations, WithoutEndTheyStayFew) {
  SourceLocations locations;
  size_t most = 0;
  uint32_t here = 0;
  for (int line = 0; line < 200'000; ++line) {
    if (locations.is_crowded()) locations.keep(std::vector<bool>(locations.end()));
    here = locations.exchange("loop.spl", line, here);
    most = std::max(most, locations.end());
  }
  EXPECT_LE(most, 20'000u);
  EXPECT_EQ(locations.text(here), "loop.spl:199999");
}

}  // namespace
}  // namespace rt
