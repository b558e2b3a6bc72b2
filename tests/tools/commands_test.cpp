// commands_test.cpp -- every subcommand of the dump tool, on dumps of a real program.
#include <cstring>

#include "files/safetensors.h"
#include "graph/dump/dump.h"
#include "tests/tools/rig.h"

namespace rt_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Numbers that the client printed with all bits.
std::vector<double> printed(const std::string& out) {
  std::vector<double> numbers;
  for (const char* at = out.c_str(); *at;) {
    char* end = nullptr;
    numbers.push_back(std::strtod(at, &end));
    at = *end ? end + 1 : end;
  }
  return numbers;
}

TEST_F(DumpTool, PrintsEachForm) {
  client("work");
  const Outcome text = tool({dump()});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("%2: f64[3,2] = matmul(%0, %1)  # \"the product\" at "
                                        "work.spl:3\n"),
                              HasSubstr("%5: i64[2] = input  # from 0 to 2\n")));
  write(folder() / "it.txt", text.out);
  EXPECT_EQ(tool({"it.txt"}).out, text.out);
  const std::string json = Scratch::read(folder() / dump());
  EXPECT_EQ(tool({"it.txt", "--format", "json"}).out, json);
  EXPECT_EQ(tool({dump(), "--format", "json", "--out", "it.json"}).out, "");
  EXPECT_EQ(Scratch::read(folder() / "it.json"), json);
  EXPECT_THAT(tool({dump(), "--format", "dot"}).out,
              AllOf(StartsWith("digraph"), HasSubstr("v1 -> v2")));
}

TEST_F(DumpTool, ReadsTheStandardInput) {
  client("work");
  write(folder() / "line.sh", "cat '" + dump() + "' | '" RT_TEST_TOOL "' -\n");
  EXPECT_EQ(run("sh", {"line.sh"}, {}).out, tool({dump()}).out);
}

TEST_F(DumpTool, CapturedInputsRunToTheBitsThatTheProgramRead) {
  const Outcome program = client_with_inputs("work");
  const Outcome outcome = tool(
      {"run", dump(), "--backend", "reference", "--threads", "1", "--save", "outputs.safetensors"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("4 nodes on reference"), HasSubstr("inputs from dumps/batch-"),
                    ContainsRegex("%6: f64.2,2. index_select +[0-9.e-]+ +[0-9.e-]+ +0.5 +0 +0\n"),
                    ContainsRegex("[0-9.]+ us +[0-9.]+ %  %2: f64.3,2. = matmul"),
                    ContainsRegex("all, one by one; compiled as one: [0-9.]+ [um]s")));
  const rt::files::Safetensors file((folder() / "outputs.safetensors").string());
  std::vector<double> ran(4);
  file.read(file.at("%6"), ran.data());
  const std::vector<double> read = printed(program.out);
  ASSERT_EQ(read.size(), ran.size());
  EXPECT_EQ(std::memcmp(ran.data(), read.data(), sizeof(double) * ran.size()), 0);
}

TEST_F(DumpTool, HeedsTheEnvironmentUnlessItIsTold) {
  client("work");
  const std::vector<std::string> plain = {"run", dump(), "--repeats", "0"};
  const Environment variables = {
      {"RT_TORCH_BACKEND", "reference"}, {"RT_TORCH_THREADS", "2"}, {"RT_TORCH_SEED", "7"}};
  const Outcome heeded = run(RT_TEST_TOOL, plain, variables);
  EXPECT_THAT(heeded.out, AllOf(ContainsRegex("4 nodes on reference [0-9.]+ with 2 threads,"),
                                HasSubstr("random inputs of seed 7")))
      << heeded.err;
  std::vector<std::string> told = plain;
  told.insert(told.end(), {"--threads", "1", "--seed", "3"});
  EXPECT_THAT(run(RT_TEST_TOOL, told, variables).out,
              AllOf(HasSubstr(" with 1 thread, "), HasSubstr("random inputs of seed 3")));
  const Outcome wrong = run(RT_TEST_TOOL, plain, {{"RT_TORCH_THREADS", "many"}});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("RT_TORCH_THREADS is 'many'"));
}

TEST_F(DumpTool, RandomInputsAreTheSameEachTimeAndKeepTheRanges) {
  client("work");
  const auto random = [&](const char* seed) {
    return tool({"run", dump(), "--backend", "reference", "--repeats", "0", "--seed", seed}).out;
  };
  EXPECT_THAT(random("1"), HasSubstr("random inputs of seed 1"));
  EXPECT_EQ(random("1"), random("1"));
  EXPECT_NE(random("1").substr(random("1").find("output")),
            random("2").substr(random("2").find("output")));
  // Only rows 0 to 2 exist, so that any other index would fail.
  for (const char* seed : {"3", "4", "5", "6", "7", "8"})
    EXPECT_THAT(random(seed), HasSubstr("index_select")) << seed;
  client_with_inputs("nan");
  const auto found = files("dumps", ".safetensors");
  ASSERT_EQ(found.size(), 1u);
  const std::string with = found[0].substr(0, found[0].find('.')) + ".json";
  EXPECT_THAT(tool({"run", with, "--random", "--repeats", "0"}).out, HasSubstr("random inputs"));
}

TEST_F(DumpTool, TheSlowestNodesAlone) {
  client("work");
  const Outcome outcome = tool({"run", dump(), "--backend", "reference", "--top", "1"});
  EXPECT_THAT(outcome.out, ContainsRegex("\\.\\.\\. +and 3 more"));
}

TEST_F(DumpTool, InputsThatAreGoneAreNamed) {
  client_with_inputs("work");
  fs::remove(folder() / files("dumps", ".safetensors")[0]);
  const Outcome outcome = tool({"run", dump()});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr(".safetensors, which is not there"), HasSubstr("--random")));
}

TEST_F(DumpTool, InputsOfAnotherBatchAreRefused) {
  client_with_inputs("work");
  const std::string work = dump(), inputs = files("dumps", ".safetensors")[0];
  fs::rename(folder() / inputs, folder() / "kept");
  fs::rename(folder() / work, folder() / "work.json");
  client_with_inputs("nan");
  fs::copy_file(folder() / files("dumps", ".safetensors")[0],
                folder() / fs::path(inputs).filename());
  const Outcome outcome = tool({"run", "work.json"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("f64[2,2], and in the dump f64[3,2]"));
}

TEST_F(DumpTool, AFailingNodeIsNamedWithItsPlace) {
  client_with_inputs("fail");
  const auto found = files("dumps/failure-1", "-failed.json");
  ASSERT_EQ(found.size(), 1u);
  const Outcome outcome = tool({"run", found[0], "--backend", "reference"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("index_select"), HasSubstr("at fail.spl:12: "), HasSubstr("9")));
}

TEST_F(DumpTool, TheFirstNaNIsFound) {
  client_with_inputs("nan");
  const Outcome outcome = tool({"nan", dump(), "--backend", "reference"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("%3: f64[2,2] = log(%2)  # \"entropy\" at nan.spl:7\n"
                                           "  1 NaN among 4 elements, the first at [1,0]\n"),
                                 ContainsRegex("%2: f64.2,2. +-1.5 +8.5 +3.25 +0 +0\n"),
                                 Not(HasSubstr("= add("))));
  const Outcome fine = tool({"nan", dump(), "--backend", "reference", "--random"});
  EXPECT_EQ(fine.code, 0) << fine.out;
  EXPECT_THAT(fine.out, HasSubstr("no node made a NaN"));
}

TEST_F(DumpTool, WhatComesInAsNaNOrIsMeantIsNotTheCulprit) {
  write(folder() / "mask.txt",
        "%0: f32[2] = full(fill_value=<-inf>)\n"
        "%1: f32[2] = input\n"
        "%2: f32[2] = add(%0, %1)\n"
        "%3: f32[2] = exp(%2)\n"
        "%4: f32[2] = mul_scalar(%3, other=<1e30>)\n"
        "%5: f32[2] = add_scalar(%4, other=<1>)\n"
        "%6: f32[2] = exp(%1)\n"
        "%7: f32[2] = log(%3)\n"
        "return %5, %6, %7\n");
  const Outcome outcome = tool({"nan", "mask.txt", "--backend", "reference"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("%7: f32[2] = log(%3)\n  2 infinities among 2 elements"));
}

TEST_F(DumpTool, DifferencesAreTold) {
  client("shapes");
  const auto found = files("dumps", ".json");
  ASSERT_EQ(found.size(), 2u);
  const Outcome outcome = tool({"diff", found[0], found[1]});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("A is " + found[0]), HasSubstr("f64[2,3]"), HasSubstr("f64[2,2]")));
  EXPECT_EQ(tool({"diff", found[0], found[0]}).code, 0);
}

TEST_F(DumpTool, StatisticsCountWorkAndMemory) {
  write(folder() / "it.txt",
        "%0: f32[100,50] = input\n"
        "%1: f32[50,20] = input\n"
        "%2: f32[100,20] = matmul(%0, %1)\n"
        "%3: f32[20,100] = transpose(%2, dim0=0, dim1=1)\n"
        "%4: f32[20,100] = relu(%3)\n"
        "%5: f32[20,100] = exp(%4)\n"
        "%6: f32[] = sum(%5)\n"
        "return %6\n");
  const Outcome outcome = tool({"stats", "it.txt"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("2 inputs, 23.4 KiB; 0 scalars\n"),
                    HasSubstr("5 nodes, 23.4 KiB of results; 1 node is a view and no work\n"),
                    HasSubstr("1 root, 4 B\n"),
                    // Two results live at a time: product and relu, then relu and exp.
                    HasSubstr("peak memory 39.1 KiB: the inputs and 15.6 KiB of results, at\n"),
                    ContainsRegex("matmul +1 +31.2 KiB +200.00 k\n"),
                    ContainsRegex("relu +1 +15.6 KiB +2.00 k\n"), ContainsRegex("all +5 "),
                    HasSubstr("1 fused group of 3 nodes\n"), HasSubstr("%4 relu, %5 exp, %6 sum\n"),
                    HasSubstr("1 matmul")));
}

TEST_F(DumpTool, APageIsWritten) {
  client("work");
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--time", "--backend", "reference"}, {"--no-graphviz"}}) {
    std::vector<std::string> arguments = {dump(), "--html", "page.html"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = tool(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::string page = Scratch::read(folder() / "page.html");
    EXPECT_THAT(page, AllOf(HasSubstr("<html"), HasSubstr("index_select")));
    EXPECT_EQ(page.find("\"times_ns\"") != page.npos, !more.empty() && more[0] == "--time");
    if (!more.empty() && more[0] == "--no-graphviz") {
      EXPECT_THAT(page, Not(HasSubstr("\"positions\"")));
    }
  }
}

TEST_F(DumpTool, MistakesAreNamedWithARemedy) {
  struct Case {
    std::vector<std::string> arguments;
    std::string told;
  };
  write(folder() / "bad.txt", "%0: f32[2] = input\n%1: f32[2] = negg(%0)\nreturn %1\n");
  write(folder() / "gpu.txt",
        "%0: f32[2] @cuda:0 = input\n%1: f32[2] @cuda:0 = neg(%0)\n"
        "return %1\n");
  write(folder() / "slice.txt",
        "%0: f32[4] = input\n"
        "%1: f32[2] = slice(%0, dim=0, start=<900>, end=<902>, step=1)\n"
        "return %1\n");
  write(folder() / "big.txt",
        "%0: f32[2000000000000] = input\n"
        "%1: f32[2000000000000] = neg(%0)\nreturn %1\n");
  write(folder() / "strides.txt",
        "%0: f32[2,2] = input(strides=[-1,7])\n"
        "%1: f32[2,2] = neg(%0)\nreturn %1\n");
  const Case cases[] = {
      {{}, "which dump? --help"},
      {{"absent.json"}, "absent.json: cannot be opened: No such file"},
      {{"dumps"}, "dumps: cannot be read: Is a directory"},
      {{"bad.txt"},
       "bad.txt: line 2, column 14: expected 'input' or the name of an op, found "
       "'negg(%0)'; RT_TORCH_DUMP=FOLDER"},
      {{"run", "gpu.txt", "--backend", "reference"}, "--cpu runs it on the CPU"},
      {{"run", "slice.txt"}, "slice.txt: step 0, %1 = slice: "},
      {{"stats", "slice.txt"}, "slice.txt: step 0, %1 = slice: "},
      {{"run", "big.txt"}, "big.txt: step 0, %1 = neg: "},
      {{"run", "strides.txt"}, "input %0 has a negative stride"},
      {{"run", "bad.txt", "--backend", "cuda"}, "--backend"},
      {{"frobnicate"}, "frobnicate: cannot be opened"},
  };
  make("dumps");
  for (const Case& one : cases) {
    const Outcome outcome = tool(one.arguments);
    EXPECT_EQ(outcome.code, 2) << one.told << ": " << outcome.out;
    EXPECT_THAT(outcome.err + outcome.out, HasSubstr(one.told));
  }
  EXPECT_EQ(tool({"run", "gpu.txt", "--backend", "reference", "--cpu"}).code, 0);
  EXPECT_THAT(tool({"--help"}).out, HasSubstr("Examples:"));
  EXPECT_THAT(tool({"nan", "--help"}).out, HasSubstr("Example:"));
}

TEST_F(DumpTool, WithoutLibtorchWhatNeedsItSaysSo) {
  client("work");
  const Outcome outcome = run(RT_TEST_TOOL, {"check", dump()}, {{"RT_TORCH_LIBTORCH", "/nowhere"}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("the libtorch backend is not available: "));
}

TEST_F(DumpTool, LibtorchPrintsTorchScript) {
  client("work");
  EXPECT_THAT(tool({dump(), "--format", "torchscript"}).out, HasSubstr("aten::softmax"));
  const Outcome outcome = tool({dump(), "--format", "module", "--out", "it.pt"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(Scratch::read(folder() / "it.pt"), StartsWith("PK"));
}

TEST_F(DumpTool, LibtorchAgreesWithTheReferenceBackend) {
  for (const char* what : {"work", "nan", "shapes"}) client_with_inputs(what);
  for (const std::string& name : files("dumps", ".json")) {
    const Outcome outcome = tool({"check", name});
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
    EXPECT_THAT(outcome.out, ContainsRegex("[0-9] nodes agree\n"));
  }
}

TEST_F(DumpTool, LibtorchThatDiffersIsToldInUnitsInTheLastPlace) {
  client_with_inputs("work");
  const Outcome outcome = tool({"check", dump(), "--rtol", "0", "--atol", "0"});
  EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
  EXPECT_THAT(
      outcome.out,
      AllOf(HasSubstr("the first node that differs"), HasSubstr("at work.spl:"),
            ContainsRegex("libtorch has [0-9.e-]+, reference [0-9.e-]+, [0-9]+ ULP apart")));
}

}  // namespace
}  // namespace rt_test
