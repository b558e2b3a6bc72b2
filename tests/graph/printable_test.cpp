// printable_test.cpp -- foreign text in messages, and sizes that overflow beside a size of 0.
#include "graph/printable.h"

#include <gtest/gtest.h>

#include "graph/ops/views.h"
#include "graph/types.h"

namespace rt::test {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const char* text : {"", "a b", "größe", "\u4e2d\U0001f600", "a\"b\\c"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, ControlCharactersAreEscaped) {
  EXPECT_EQ(printable("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(printable("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(printable(std::string_view("\0a", 2)), "\\x00a");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");  // C1: equivalent to ESC [
}

TEST(Printable, BytesThatAreNoUtf8AreEscaped) {
  for (const std::string_view bytes : {"\xff", "\x80", "\xc0", "\xf5"}) {
    EXPECT_EQ(utf8_length(bytes), 0u);
    EXPECT_EQ(printable(bytes).substr(0, 2), "\\x");
  }
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // an overlong encoding
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond the last code point
  EXPECT_EQ(printable("\xe4\xb8"), "\\xe4\\xb8");                    // truncated
}

TEST(Printable, LongTextIsCut) {
  EXPECT_EQ(printable(std::string(2000, 'x')), std::string(1024, 'x') + "...");
}

// As torch.empty() of PyTorch 2.11 accepts them.
TEST(Numel, SizesBesideAZero) {
  constexpr int64_t k40 = int64_t{1} << 40, k62 = int64_t{1} << 62;
  const std::vector<std::vector<int64_t>> accepted = {{0, k62},    {k62, 0},        {2, 0, k62},
                                                      {4, 0, k62}, {4, k62 / 2, 0}, {k40, 0, k40}};
  const std::vector<std::vector<int64_t>> refused = {
      {k40, k40, 0}, {0, k40, k40}, {k62, 4, 0}, {k62, k62, 0, 1}, {2, 0, -1}};
  for (const auto& sizes : accepted) EXPECT_EQ(checked_numel(sizes), 0) << to_string(Sizes(sizes));
  for (const auto& sizes : refused)
    EXPECT_EQ(checked_numel(sizes), std::nullopt) << to_string(Sizes(sizes));
  EXPECT_EQ(contiguous_strides(accepted[2]), Strides({k62, k62, 1}));
}

}  // namespace
}  // namespace rt::test
