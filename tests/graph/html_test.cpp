// html_test.cpp -- the batch explorer's page: complete, self-contained, with its batch.
#include "graph/dump/html.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/graph/samples.h"

namespace rt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The page's data, delimited as a browser does: by the next "</script".
json data_of(const std::string& page) {
  const std::string_view mark = "id=\"data\">";
  const size_t begin = page.find(mark) + mark.size();
  return json::parse(page.substr(begin, page.find("</script", begin) - begin));
}

size_t count(std::string_view text, std::string_view part) {
  size_t found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++found;
  return found;
}

TEST(Html, ThePageIsWholeAndNeedsNothingElse) {
  const std::string page = to_html(small_batch(), {});
  EXPECT_THAT(page, StartsWith("<!doctype html>"));
  EXPECT_THAT(page, Not(HasSubstr("{{"))) << "every mark is filled in";
  for (std::string_view outside : {"http:", "https:", "src=", "@import", "url(", "<link"})
    EXPECT_EQ(count(page, outside), 0u) << outside;
  EXPECT_EQ(count(page, "<script"), 2u);
  EXPECT_EQ(count(page, "</script"), 2u);
}

TEST(Html, TheBatchReadsBackFromThePage) {
  for (const OpInfo& row : all_ops()) {
    SCOPED_TRACE(row.name);
    const Batch batch = sample(row);
    const json data = data_of(to_html(batch, {}));
    EXPECT_TRUE(same_work(parse_json(data["batch"].dump()), batch));
    const json& op = data["ops"][std::string(row.name)];
    EXPECT_EQ(op["doc"], row.doc);
    EXPECT_FALSE(op["family"].get<std::string>().empty());
    EXPECT_EQ(op["operands"].size(), row.tensors + (row.variadic ? 1u : 0u));
  }
}

TEST(Html, TextsOfUsersStayTexts) {
  const std::string nasty = "</script><script>alert(1)</script><!--<script> {{data}} \"'&\\\n\xff";
  const std::string labels[] = {nasty, ""}, locations[] = {"", nasty};
  PageNotes notes;
  notes.notes = {locations, labels};
  notes.title = nasty;
  const std::string page = to_html(small_batch(), notes);
  EXPECT_EQ(count(page, "<script"), 2u);
  EXPECT_EQ(count(page, "<!--"), 0u);
  const json data = data_of(page);
  std::string sound = nasty;
  sound.replace(sound.find('\xff'), 1, "\xef\xbf\xbd");
  EXPECT_EQ(data["title"], sound);
  EXPECT_EQ(data["batch"]["labels"][0], sound);
  EXPECT_EQ(data["batch"]["places"][1], sound);
}

TEST(Html, NotesTravelAlong) {
  const int64_t times[] = {7, 1234567890123};
  const uint32_t groups[] = {PageNotes::kNoGroup, 3};
  const float far = std::numeric_limits<float>::infinity();
  const Position positions[] = {{1, 2}, {0.5, -3}, {far, 0}, {0, 0}};
  PageNotes notes;
  notes.times_ns = times;
  notes.groups = groups;
  notes.positions = positions;
  const json data = data_of(to_html(small_batch(), notes));
  EXPECT_EQ(data["times_ns"], json::parse("[7, 1234567890123]"));
  EXPECT_EQ(data["groups"], json::parse("[null, 3]"));
  EXPECT_EQ(data["positions"], json::parse("[[1,2],[0.5,-3],[0,0],[0,0]]"));
  const json bare = data_of(to_html(small_batch(), {}));
  for (const char* name : {"times_ns", "groups", "positions"}) EXPECT_FALSE(bare.contains(name));
}

}  // namespace
}  // namespace rt::test
