// dump_test.cpp -- text and JSON are read back as the identical batch, and damage is an Error.
#include "graph/dump/dump.h"

#include <limits>
#include <random>

#include "graph/batch/passes.h"
#include "graph/batch/verify.h"
#include "tests/graph/samples.h"

namespace rt::test {
namespace {

void expect_identical(const Batch& got, const Batch& wanted, const std::string& dump) {
  EXPECT_TRUE(same_work(got, wanted)) << dump;
  EXPECT_EQ(got.scalars, wanted.scalars) << dump;
  EXPECT_EQ(key_of(got), key_of(wanted)) << dump;
}

void expect_round_trip(const Batch& batch) {
  const std::string text = to_text(batch), json = to_json(batch);
  SCOPED_TRACE(text);
  EXPECT_EQ(message_of([&] { expect_identical(parse_text(text), batch, text); }), "");
  EXPECT_EQ(message_of([&] { expect_identical(parse_json(json), batch, json); }), "");
}

TEST(Dump, EveryRowReadsBack) {
  for (const OpInfo& row : all_ops()) {
    SCOPED_TRACE(row.name);
    const Batch batch = sample(row);
    EXPECT_EQ(message_of([&] { verify(batch, true); }), "");
    expect_round_trip(batch);
    if (row.rules.decompose) {
      const Batch flat = decompose(batch);
      EXPECT_EQ(message_of([&] { verify(flat); }), "");
      expect_round_trip(flat);
    }
    EXPECT_NE(to_dot(batch).find(row.name), std::string::npos);
  }
}

TEST(Dump, ExpandedInputsReadBack) {
  Batch batch;
  const std::vector<int64_t> sizes = {2, 3}, strides = {0, 1};
  const uint32_t input[] = {batch.add_input(DType::F32, {}, sizes, strides)};
  batch.roots = {batch.add_step(Op::Neg, input, {}, DType::F32, {}, sizes)};
  EXPECT_EQ(message_of([&] { verify(batch, true); }), "");
  expect_round_trip(batch);
}

TEST(Dump, TextIsWhatTheReadmeShows) {
  const std::string locations[] = {"", "train.spl:12"}, labels[] = {"", "say \"hi\"\n"};
  const DumpNotes notes{locations, labels};
  const std::string text = to_text(small_batch(), &notes);
  EXPECT_EQ(text.substr(text.find('\n') + 1),
            "%0: f32[32,64] = input\n"
            "%1: f32[64,64] = input(strides=[1,64])\n"
            "%2: f32[32,64] = matmul(%0, %1)\n"
            "%3: f32[32,64] = add_scalar(%2, other=<0.5>)"
            "  # \"say \\\"hi\\\"\\n\" at train.spl:12\n"
            "return %2, %3\n");
  EXPECT_EQ(text.substr(0, text.find('\n')), "# batch " + to_string(key_of(small_batch())) +
                                                 ", 2 inputs, 2 steps, 1 scalar, 2 roots");
  expect_identical(parse_text(text), small_batch(), text);
  const std::string json = to_json(small_batch(), &notes);
  EXPECT_NE(json.find("\"places\": [\"\", \"train.spl:12\"]"), std::string::npos) << json;
  expect_identical(parse_json(json), small_batch(), json);
}

TEST(Dump, NotesReadBackFromBothForms) {
  const std::string locations[] = {"", "train.spl:12"},
                    labels[] = {"say \"hi\" \\\n\x01 \u00e9", ""};
  Batch batch;
  const std::vector<int64_t> sizes = {3};
  const uint32_t inputs[] = {batch.add_input(DType::I64, {}, sizes),
                             batch.add_input(DType::I64, {}, sizes)};
  const uint32_t sum = batch.add_step(Op::Add, inputs, {}, DType::I64, {}, sizes);
  batch.roots = {batch.add_step(Op::Neg, {&sum, 1}, {}, DType::I64, {}, sizes)};
  const Range ranges[] = {{}, {INT64_MIN, INT64_MAX}};
  const DumpNotes notes{locations, labels, ranges, "inputs.safetensors", "index 9, found \"9\""};
  for (const std::string& text : {to_text(batch, &notes), to_json(batch, &notes)}) {
    SCOPED_TRACE(text);
    const Dump read = read_dump(text);
    expect_identical(read.batch, batch, text);
    EXPECT_EQ(read.locations, std::vector(std::begin(locations), std::end(locations)));
    EXPECT_EQ(read.labels, std::vector(std::begin(labels), std::end(labels)));
    EXPECT_EQ(read.ranges, std::vector(std::begin(ranges), std::end(ranges)));
    EXPECT_EQ(read.inputs, notes.inputs);
    EXPECT_EQ(read.error, notes.error);
  }
  const std::string silent = to_json(batch, &notes);
  EXPECT_EQ(silent.find("\"range\""), silent.rfind("\"range\"")) << silent;
  const DumpNotes none;
  EXPECT_EQ(to_text(batch, &none), to_text(batch));
  EXPECT_EQ(to_json(batch, &none), to_json(batch));
}

TEST(Dump, CommentsOfOthersSayNothing) {
  const Dump read = read_dump(
      "# by hand\n%0: i64[2] = input  # from here\n%1: i64[2] = neg(%0)  # \"open\n"
      "%2: i64[2] = neg(%1)  # at\n# failed\nreturn %2 # all\n");
  EXPECT_TRUE(read.locations.empty());
  EXPECT_TRUE(read.labels.empty());
  EXPECT_TRUE(read.ranges.empty());
  EXPECT_EQ(read.error, "");
}

TEST(Dump, NotesOfTheWrongFormAreRefused) {
  const auto with = [](const std::string& more) {
    std::string json = to_json(small_batch());
    json.replace(json.rfind("\n}"), 1, ", " + more);
    return message_of([&] { read_dump(json); });
  };
  EXPECT_EQ(with("\"places\": [\"a\"]"), "$.places: expected one text a step, found array");
  EXPECT_EQ(with("\"labels\": [1, 2]"), "$.labels[0]: expected a text, found number");
  EXPECT_EQ(with("\"inputs\": {}"), "$.inputs: expected a text, found object");
  EXPECT_EQ(with("\"places\": [\"a\", \"b\"]"), "");
  std::string json = to_json(small_batch());
  json.replace(json.find("\"input\": true"), 13, "\"input\": true, \"range\": [3, 2]");
  EXPECT_EQ(message_of([&] { read_dump(json); }),
            "$.values[0].range: expected the least and the greatest, found array");
}

TEST(Dump, ScalarsKeepTheirBits) {
  using Limits = std::numeric_limits<double>;
  for (double value : {0.0, -0.0, 0.1, 1e300, -1.0, 5e-324, Limits::infinity(), -Limits::infinity(),
                       Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::signaling_NaN(),
                       std::bit_cast<double>(int64_t{0x7ff8000000000123})})
    expect_round_trip(small_batch(value));
  Args slice = plausible_args(*find_op("slice"), 2);
  Batch batch = one_step(slice, {{DType::F32, {4, 2}}});
  batch.scalars = {INT64_MIN, INT64_MAX};
  expect_round_trip(batch);
}

TEST(Dump, DevicesAbsentOperandsAndListsReadBack) {
  Batch batch = one_step(plausible_args(*find_op("linear"), 2),
                         {{DType::F32, {2, 3}}, {DType::F32, {4, 3}}}, true);
  EXPECT_NE(to_text(batch).find("linear(%0, %1, none)"), std::string::npos);
  expect_round_trip(batch);
  for (Batch::Item& item : batch.values) item.device = 1;
  EXPECT_NE(to_text(batch).find("%0: f32[2,3] @cuda:1 = input"), std::string::npos);
  expect_round_trip(batch);
  batch = one_step(plausible_args(*find_op("cat"), 1), {{DType::F32, {2}}, {DType::F32, {3}}});
  EXPECT_NE(to_text(batch).find("cat(%0, %1, dim=0)"), std::string::npos);
  batch = one_step(plausible_args(*find_op("permute"), 3), {{DType::F32, {2, 3, 4}}});
  EXPECT_NE(to_text(batch).find("permute(%0, dims=[2,1,0])"), std::string::npos);
  expect_round_trip(batch);
}

/// As after passes: scalars that are shared, out of order, unused or constant.
TEST(Dump, BatchesThatAreNotCanonicalReadBack) {
  Batch batch = small_batch();
  const uint32_t operand[] = {3};
  const std::vector<int64_t> sizes = {32, 64};
  const auto step = [&](int64_t scalar) {
    batch.add_step(Op::MulScalar, operand, {&scalar, 1}, DType::F32, {}, sizes);
  };
  batch.scalars.push_back(std::bit_cast<int64_t>(2.0));
  step(1);
  step(1);
  EXPECT_NE(to_text(batch).find("other=2)"), std::string::npos);
  EXPECT_EQ(to_text(batch).find("scalars free"), std::string::npos);
  expect_round_trip(batch);
  step(0);
  EXPECT_NE(to_text(batch).find("other=<0.5 at 0>"), std::string::npos);
  EXPECT_NE(to_text(batch).find("other=2 at 1)"), std::string::npos);
  expect_round_trip(batch);
  batch.scalars.push_back(17);
  batch.free_scalars = 2;
  expect_round_trip(batch);
}

TEST(Dump, MessagesSayWhereAndWhatIsExpected) {
  const auto text_error = [](std::string_view text) {
    return message_of([&] { parse_text(text); });
  };
  const auto json_error = [](std::string_view text) {
    return message_of([&] { parse_json(text); });
  };
  EXPECT_EQ(text_error("%0: f32[2] = input\n%1: f33[2] = neg(%0)\nreturn %1\n"),
            "line 2, column 5: expected a dtype: f32, f64, i32, i64, bool, f16 or bf16, found "
            "'f33[2] = neg(%0)'");
  EXPECT_NE(text_error("%0: f32[2] = input\n%1: f32[2] = nope(%0)").find("line 2, column 14"),
            std::string::npos);
  EXPECT_NE(text_error("%0: f32[2] = input\n").find("line 1: expected 'return'"),
            std::string::npos);
  EXPECT_NE(text_error("%0: f32[2] = input\n%1: f32[3] = neg(%0)\nreturn %1")
                .find("step 0, %1 = neg: its type is f32[3] and inference gives f32[2]"),
            std::string::npos);
  EXPECT_EQ(json_error("{\"format\": 2}"),
            "$.format: expected 1, the format this version reads, found number");
  std::string json = to_json(small_batch());
  json.replace(json.find("\"matmul\""), 8, "\"mutmal\"");
  EXPECT_EQ(json_error(json), "$.steps[0].op: expected the name of an op, found string");
  json = to_json(small_batch());
  json.replace(json.find("[32,64]"), 7, "[32,6x]");
  EXPECT_NE(json_error(json).find("this is not JSON"), std::string::npos);
  json = to_json(small_batch());
  json.replace(json.find("\"key\": \"") + 8, 2, "zz");
  EXPECT_NE(json_error(json).find("$.key: expected the key of this batch"), std::string::npos);
}

/// Damaged text must give an Error or a well-formed batch.
template <class Parse>
void expect_survives(const std::string& text, Parse parse) {
  try {
    verify(parse(text));
  } catch (const Error& error) {
    EXPECT_NE(error.text(), "");
  }
}

Batch many_rows() {
  Batch batch = small_batch();
  const uint32_t operand[] = {3};
  const int64_t slice[] = {1, 2, 0, 1}, permute[] = {2, 1, 0}, sum[] = {1, 1};
  batch.scalars.insert(batch.scalars.end(), {1, 5});
  batch.free_scalars = 3;
  const std::vector<int64_t> sliced = {4, 64}, permuted = {64, 32}, summed = {32, 1};
  batch.add_step(Op::Slice, operand, slice, DType::F32, {}, sliced);
  batch.add_step(Op::Permute, operand, permute, DType::F32, {}, permuted);
  batch.roots.push_back(batch.add_step(Op::SumDim, operand, sum, DType::F32, {}, summed));
  return batch;
}

TEST(DumpDamage, TruncatedAnywhere) {
  const std::string text = to_text(many_rows()), json = to_json(many_rows());
  EXPECT_EQ(message_of([&] { verify(many_rows(), true); }), "");
  for (size_t size = 0; size < text.size(); ++size)
    expect_survives(text.substr(0, size), parse_text);
  for (size_t size = 0; size + 2 < json.size(); ++size)
    EXPECT_NE(message_of([&] { parse_json(json.substr(0, size)); }), "");
}

TEST(DumpDamage, RandomBytes) {
  std::mt19937 random(7);
  const std::string originals[] = {to_text(many_rows()), to_json(many_rows())};
  constexpr std::string_view likely = "0123456789-[]{}<>(),%:=\"#\n e.";
  for (int round = 0; round < 20000; ++round) {
    std::string text = originals[round & 1];
    for (uint32_t flips = 1 + random() % 3; flips > 0; --flips)
      text[random() % text.size()] =
          random() % 2 ? static_cast<char>(random()) : likely[random() % likely.size()];
    if (round & 1) expect_survives(text, parse_json);
    else expect_survives(text, parse_text);
  }
}

TEST(DumpDamage, DeepJsonIsRefused) {
  EXPECT_NE(message_of([] { parse_json(std::string(1 << 20, '[')); }), "");
  const std::string deep = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  EXPECT_NE(message_of([&] { parse_json(deep); }), "");
}

TEST(Dump, DotEscapesAndTellsRolesApart) {
  const std::string locations[] = {"a\"b.spl:1", "x\\y.spl:2"};
  const DumpNotes notes{locations, {}};
  const std::string dot = to_dot(small_batch(), &notes);
  EXPECT_NE(dot.find("v0 [label=\"%0 input\\nf32[32,64]\", shape=ellipse"), std::string::npos)
      << dot;
  EXPECT_NE(dot.find("a\\\"b.spl:1"), std::string::npos) << dot;
  EXPECT_NE(dot.find("x\\\\y.spl:2"), std::string::npos) << dot;
  EXPECT_NE(dot.find("peripheries=2"), std::string::npos) << dot;
  EXPECT_NE(dot.find("v1 -> v2;"), std::string::npos) << dot;
}

TEST(Dump, MillionSteps) {
  const Batch batch = chain(1000000);
  const std::string text = to_text(batch);
  EXPECT_TRUE(same_work(parse_text(text), batch));
  EXPECT_GT(to_json(batch).size(), text.size());
  EXPECT_GT(to_dot(batch).size(), text.size() / 2);
}

}  // namespace
}  // namespace rt::test
