// engine_test.cpp -- the engine's backend, version, counters, dumps, memory and seed.
#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/abi/rig.h"

namespace rt_test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Engine = AbiTest;

/// Reads a file and deletes it.
std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  std::remove(path.c_str());
  return text;
}

std::string dump(const char* format) {
  const std::string path = testing::TempDir() + "rt_torch_dump." + format;
  EXPECT_EQ(rt_torch_graph_dump(path.c_str(), format), 1) << last_error();
  return content(path);
}

TEST_F(Engine, TellsBackendAndVersion) {
  EXPECT_EQ(rt_torch_available(), 1);
  const char* wanted = std::getenv("RT_TORCH_BACKEND");
  const std::string backend = wanted ? wanted : "reference";
  EXPECT_EQ(rt_torch_backend(), backend);
  EXPECT_THAT(rt_torch_version(), StartsWith(backend == "libtorch" ? "2." : "reference 0."));
  EXPECT_EQ(rt_torch_cuda_available(), rt_torch_cuda_device_count() > 0);
  if (backend == "libtorch") return;
  EXPECT_EQ(rt_torch_cuda_device_count(), 0);
}

TEST_F(Engine, TheBackendIsChosenBeforeTheFirstTensor) {
  Tensor a = full({2}, 1);
  EXPECT_EQ(rt_torch_set_backend("reference"), 0);
  EXPECT_THAT(last_error(), HasSubstr("tensors exist"));
  EXPECT_EQ(rt_torch_set_backend("tpu"), 0);
  EXPECT_THAT(last_error(), HasSubstr("auto, libtorch or reference"));
}

TEST_F(Engine, TheBackendCanBeChangedWhenNoTensorIsLeft) {
  const std::string before = rt_torch_backend();
  for (const char* name : {"reference", before.c_str()}) {
    EXPECT_EQ(rt_torch_set_backend(name), 1) << last_error();
    EXPECT_STREQ(rt_torch_backend(), name);
    Tensor a = full({2}, 1.5), b = rt_torch_torchtensor_mul(a, a);
    EXPECT_EQ(values(b), (std::vector<float>{2.25, 2.25}));
  }
}

TEST_F(Engine, DumpsTorchscriptWhereThereIsLibtorch) {
  Tensor a = full({2, 3}, 1), b = rt_torch_torchtensor_mul_scalar(a, 0.5);
  EXPECT_EQ(rt_torch_graph_dump("unwritten.json", "torchscript"), 0);
  EXPECT_THAT(last_error(), HasSubstr(".txt"));
  const std::string text = testing::TempDir() + "graph.txt",
                    module = testing::TempDir() + "graph.pt";
  if (rt_torch_backend() != std::string("libtorch")) {
    EXPECT_EQ(rt_torch_graph_dump(text.c_str(), "torchscript"), 0);
    EXPECT_THAT(last_error(), HasSubstr("libtorch"));
  } else {
    EXPECT_EQ(rt_torch_graph_dump(text.c_str(), "torchscript"), 1) << last_error();
    EXPECT_THAT(content(text), HasSubstr("aten::mul(%"));
    EXPECT_EQ(rt_torch_graph_dump(module.c_str(), "torchscript"), 1) << last_error();
    EXPECT_THAT(content(module), StartsWith("PK")) << "modules are zip archives";
  }
  EXPECT_EQ(stat("batches"), 0) << "looking forces nothing";
  rt_torch_flush();
}

TEST_F(Engine, DumpsThePendingGraphInEachFormat) {
  Tensor a = full({2, 3}, 1), b = rt_torch_torchtensor_softmax(a, 1);
  const std::string text = dump("text");
  EXPECT_EQ(text, rt_torch_graph_text());
  EXPECT_THAT(text, HasSubstr("%1: f32[2,3] = softmax(%0, dim=1)"));
  EXPECT_EQ(nlohmann::json::parse(dump("json"))["steps"].size(), 2u);
  EXPECT_THAT(dump("dot"), StartsWith("digraph"));
  EXPECT_THAT(dump("html"), AllOf(StartsWith("<!doctype html>"), HasSubstr("\"op\": \"softmax\"")));
  EXPECT_EQ(rt_torch_graph_dump("unwritten", "svg"), 0);
  EXPECT_THAT(last_error(), AllOf(HasSubstr("\"svg\""), HasSubstr("text, json, dot, html")));
  EXPECT_EQ(rt_torch_graph_dump("/no/such/folder/x", "text"), 0);
  EXPECT_THAT(last_error(), HasSubstr("/no/such/folder/x"));
  EXPECT_EQ(stat("batches"), 0) << "looking forces nothing";
  rt_torch_flush();
}

TEST_F(Engine, CountsInOneJsonObject) {
  Tensor a = full({2}, 1);
  rt_torch_flush();
  const auto all = nlohmann::json::parse(rt_torch_stats_json());
  EXPECT_EQ(all["nodes"], 1);
  for (const auto& [name, value] : all.items()) EXPECT_GE(stat(name.c_str()), 0) << name;
  rt_torch_stats_reset();
  EXPECT_EQ(stat("nodes"), 0);
  EXPECT_EQ(stat("live_handles"), 1) << "a level, not a count";
  EXPECT_GE(stat("live_bytes"), 8);
}

TEST_F(Engine, ASeedRepeatsTheNumbers) {
  const int64_t size = 20;
  const auto draw = [&] {
    rt_torch_manual_seed(42);
    Tensor a = rt_torch_tensor_randn(&size, 1);
    return values(a);
  };
  EXPECT_EQ(draw(), draw());
}

TEST_F(Engine, MemoryIsGivenBackWithTheHandle) {
  const int64_t before = stat("live_bytes");
  {
    Tensor a = full({256, 256}, 1);
    rt_torch_flush();
    EXPECT_GE(stat("live_bytes") - before, 256 * 256 * 4);
  }
  EXPECT_EQ(stat("live_bytes"), before);
}

TEST_F(Engine, MovingToADeviceThatIsNotThere) {
  Tensor a = full({2}, 1);
  EXPECT_EQ(rt_torch_torchtensor_cuda(a, 0), 0);
  EXPECT_THAT(last_error(), HasSubstr("cuda:0"));
  EXPECT_EQ(rt_torch_torchtensor_cuda(a, -1), 0);
  Tensor b = rt_torch_torchtensor_cpu(a);
  EXPECT_GT(b, 0);
  EXPECT_EQ(rt_torch_torchtensor_device(b), -1);
  rt_torch_flush();
}

}  // namespace
}  // namespace rt_test
