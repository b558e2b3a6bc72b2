// files_test.cpp -- saving and loading through the ABI, on the chosen backend.
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/abi/rig.h"
#include "tests/support/source_dir.h"

namespace rt_test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kData = source_dir() + "/tests/files/data/";

class Files : public AbiTest {
 protected:
  void SetUp() override {
    AbiTest::SetUp();
    std::string name = (fs::temp_directory_path() / "rt_abi_files_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    fs::remove_all(folder_);
    AbiTest::TearDown();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string take_error() {
    std::string text = last_error();
    rt_torch_clear_error();
    return text;
  }

 private:
  fs::path folder_;
};

std::vector<int64_t> shape(int64_t handle) {
  std::vector<int64_t> sizes(static_cast<size_t>(rt_torch_torchtensor_ndim(handle)));
  rt_torch_torchtensor_shape(handle, sizes.data(), static_cast<int64_t>(sizes.size()));
  return sizes;
}

// ---- One tensor.

TEST_F(Files, EveryDTypeComesBack) {
  int64_t dtype = 0;
  for (const char* name :
       {"f32.pt", "f64.pt", "i32.pt", "i64.pt", "bool.pt", "f16.pt", "bf16.pt"}) {
    const Tensor saved = rt_torch_tensor_load((kData + name).c_str());
    rt_torch_tensor_save(saved, path("a.pt").c_str());
    const Tensor loaded = rt_torch_tensor_load(path("a.pt").c_str());
    ASSERT_GT(loaded, 0) << last_error();
    EXPECT_EQ(rt_torch_torchtensor_dtype(saved), dtype);
    EXPECT_EQ(rt_torch_torchtensor_dtype(loaded), dtype++);
    EXPECT_THAT(shape(loaded), ElementsAre(2, 3));
    EXPECT_EQ(values(loaded), values(saved));
  }
  EXPECT_EQ(last_error(), "");
}

TEST_F(Files, SavingReadsWhatIsPending) {
  const Tensor ones = full({2, 2}, 1), sum = rt_torch_torchtensor_add(ones, ones);
  EXPECT_EQ(stat("batches"), 0);
  rt_torch_tensor_save(sum, path("a.pt").c_str());
  EXPECT_EQ(stat("forced_by_read"), 1);
  const Tensor loaded = rt_torch_tensor_load(path("a.pt").c_str());
  EXPECT_THAT(values(loaded), ElementsAre(2, 2, 2, 2));
}

TEST_F(Files, ViewsAreSavedInTheirOwnOrder) {
  const Tensor numbers = from_i64({1, 2, 3, 4, 5, 6});
  const int64_t sizes[] = {2, 3};
  const Tensor matrix = rt_torch_torchtensor_reshape(numbers, sizes, 2);
  const Tensor turned = rt_torch_torchtensor_t(matrix);
  const Tensor part = rt_torch_torchtensor_slice(turned, 0, 1, 3, 1);
  rt_torch_tensor_save(part, path("a.pt").c_str());
  const Tensor loaded = rt_torch_tensor_load(path("a.pt").c_str());
  EXPECT_THAT(shape(loaded), ElementsAre(2, 2));
  EXPECT_THAT(values(loaded), ElementsAre(2, 5, 3, 6));
}

TEST_F(Files, WhatPyTorchSavedCanBeComputedWith) {
  for (const char* name : {"strided.pt", "cpp_strided.pt"}) {
    const Tensor loaded = rt_torch_tensor_load((kData + name).c_str());
    ASSERT_GT(loaded, 0) << last_error();
    EXPECT_THAT(shape(loaded), ElementsAre(3, 2));
    const Tensor doubled = rt_torch_torchtensor_mul_scalar(loaded, 2);
    EXPECT_THAT(values(doubled), ElementsAre(-2, 4, 0, 6, 2, 8));
  }
  const Tensor offset = rt_torch_tensor_load((kData + "offset.pt").c_str());
  EXPECT_THAT(values(offset), ElementsAre(4, 6, 8));
  const Tensor expanded = rt_torch_tensor_load((kData + "expanded.pt").c_str());
  const Tensor negative = rt_torch_torchtensor_neg(expanded);
  EXPECT_THAT(values(negative), ElementsAre(-1, -1, -1, -2, -2, -2));
  const Tensor empty = rt_torch_tensor_load((kData + "empty.pt").c_str());
  EXPECT_THAT(shape(empty), ElementsAre(0, 3));
}

TEST_F(Files, ASaveThatFailsSaysWhyAndWhere) {
  const Tensor ones = full({2}, 1);
  rt_torch_tensor_save(ones, path("no/folder/a.pt").c_str());
  EXPECT_THAT(take_error(), AllOf(StartsWith("rt_torch_tensor_save(handle=#"),
                                  HasSubstr(path("no/folder/a.pt") + ": "), HasSubstr("No such")));
  rt_torch_tensor_save(0, path("a.pt").c_str());
  EXPECT_THAT(take_error(), HasSubstr("handle is 0"));
  rt_torch_tensor_save(ones, nullptr);
  EXPECT_THAT(take_error(), HasSubstr("path is NULL"));
  EXPECT_FALSE(fs::exists(path("a.pt")));
}

TEST_F(Files, ALoadThatFailsSaysWhyAndWhere) {
  EXPECT_EQ(rt_torch_tensor_load((kData + "dict.pt").c_str()), 0);
  EXPECT_THAT(take_error(), AllOf(StartsWith("rt_torch_tensor_load(path="),
                                  HasSubstr(kData + "dict.pt: "), HasSubstr("a dict of 2")));
}

// ---- safetensors.

class Safetensors : public Files {
 protected:
  void SetUp() override {
    Files::SetUp();
    file_ = rt_torch_safetensors_open((kData + "all.safetensors").c_str());
    ASSERT_GT(file_, 0) << last_error();
  }
  void TearDown() override {
    if (file_ > 0) rt_torch_safetensors_close(file_);
    Files::TearDown();
  }
  int64_t file_ = 0;
};

TEST_F(Safetensors, TensorsAreCountedAndListed) {
  EXPECT_EQ(rt_torch_safetensors_num_tensors(file_), 16);
  const std::string names = rt_torch_safetensors_list_names(file_);
  EXPECT_EQ(std::count(names.begin(), names.end(), '\n'), 15);
  EXPECT_THAT("\n" + names + "\n", AllOf(HasSubstr("\nf32\n"), HasSubstr("\ngröße\n")));
}

TEST_F(Safetensors, TensorsOfEveryDType) {
  const std::pair<const char*, int64_t> wanted[] = {
      {"f32", 0}, {"f64", 1}, {"i32", 2},  {"i64", 3}, {"f16", 0}, {"bf16", 0},
      {"i8", 2},  {"i16", 2}, {"bool", 4}, {"u8", 2},  {"u16", 2}, {"u32", 3}};
  for (const auto& [name, dtype] : wanted) {
    SCOPED_TRACE(name);
    const Tensor tensor = rt_torch_safetensors_get_tensor(file_, name);
    ASSERT_GT(tensor, 0) << last_error();
    EXPECT_EQ(rt_torch_torchtensor_dtype(tensor), dtype);
    EXPECT_THAT(shape(tensor), ElementsAre(2, 3));
    const std::vector<float> got = values(tensor);
    if (dtype == 4) EXPECT_THAT(got, ElementsAre(1, 0, 1, 1, 1, 1));
    else if (name[0] == 'u') EXPECT_THAT(got, ElementsAre(1, 0, 1, 2, 3, 4));
    else EXPECT_THAT(got, ElementsAre(-1, 0, 1, 2, 3, 4));
  }
}

TEST_F(Safetensors, TensorsOutliveTheFile) {
  const Tensor tensor = rt_torch_safetensors_get_tensor(file_, "f32");
  const Tensor doubled = rt_torch_torchtensor_add(tensor, tensor);
  rt_torch_safetensors_close(file_);
  EXPECT_THAT(values(doubled), ElementsAre(-2, 0, 2, 4, 6, 8));
  EXPECT_EQ(rt_torch_safetensors_num_tensors(file_), 0);
  EXPECT_THAT(take_error(), HasSubstr("freed before"));
  rt_torch_safetensors_close(std::exchange(file_, 0));
  EXPECT_THAT(take_error(), HasSubstr("freed before"));
}

TEST_F(Safetensors, HandlesAreCountedAndOfTheirOwnKind) {
  const int64_t before = rt_torch_live_handles();
  const int64_t again = rt_torch_safetensors_open((kData + "none.safetensors").c_str());
  EXPECT_EQ(rt_torch_live_handles(), before + 1);
  EXPECT_EQ(rt_torch_safetensors_num_tensors(again), 0);
  EXPECT_STREQ(rt_torch_safetensors_list_names(again), "");
  EXPECT_EQ(take_error(), "");
  rt_torch_torchtensor_free(again);
  EXPECT_THAT(take_error(), HasSubstr("is a file, not a tensor"));
  rt_torch_safetensors_close(again);
  EXPECT_EQ(rt_torch_live_handles(), before);
  const Tensor tensor = full({1}, 1);
  rt_torch_safetensors_close(tensor);
  EXPECT_THAT(take_error(), HasSubstr("is a tensor, not a file"));
  EXPECT_THAT(values(tensor), ElementsAre(1));
}

TEST_F(Safetensors, WhatIsNotThere) {
  EXPECT_EQ(rt_torch_safetensors_get_tensor(file_, "f33"), 0);
  EXPECT_THAT(take_error(), AllOf(StartsWith("rt_torch_safetensors_get_tensor(handle=#"),
                                  HasSubstr("all.safetensors: "), HasSubstr("\"f33\"")));
  EXPECT_EQ(rt_torch_safetensors_get_tensor(file_, "f8"), 0);
  EXPECT_THAT(take_error(), AllOf(HasSubstr("all.safetensors: "), HasSubstr("F8_E4M3")));
  EXPECT_EQ(rt_torch_safetensors_open((kData + "f32.pt").c_str()), 0);
  EXPECT_THAT(take_error(),
              AllOf(StartsWith("rt_torch_safetensors_open(path="), HasSubstr("f32.pt: ")));
}

TEST_F(Safetensors, AFileThatShrinksIsAnError) {
  fs::copy_file(kData + "all.safetensors", path("a"));
  const int64_t shrinking = rt_torch_safetensors_open(path("a").c_str());
  fs::resize_file(path("a"), 100);
  EXPECT_EQ(rt_torch_safetensors_get_tensor(shrinking, "f32"), 0);
  EXPECT_THAT(take_error(), AllOf(HasSubstr(path("a") + ": "), HasSubstr("has changed")));
  rt_torch_safetensors_close(shrinking);
}

// ---- Forms that pass texts as integers, called as a loader calls them.

int64_t bits(const std::string& text) { return reinterpret_cast<int64_t>(text.c_str()); }

TEST_F(Safetensors, TextsAsIntegers) {
  const std::string file = kData + "all.safetensors", name = "f32", saved = path("a.pt");
  const int64_t opened = rt_torch_safetensors_open_dyn(bits(file));
  ASSERT_GT(opened, 0) << last_error();
  EXPECT_EQ(rt_torch_safetensors_num_tensors_dyn(opened), 16);
  EXPECT_STREQ(reinterpret_cast<const char*>(rt_torch_safetensors_list_names_dyn(opened)),
               std::string(rt_torch_safetensors_list_names(file_)).c_str());
  const Tensor tensor = rt_torch_safetensors_get_tensor_dyn(opened, bits(name));
  rt_torch_tensor_save_dyn(tensor, bits(saved));
  const Tensor loaded = rt_torch_tensor_load_dyn(bits(saved));
  EXPECT_EQ(values(loaded), values(tensor));
  rt_torch_safetensors_close_dyn(opened);
  EXPECT_EQ(last_error(), "");
}

TEST_F(Safetensors, TextsAsIntegersThatAreNone) {
  EXPECT_EQ(rt_torch_tensor_load_dyn(0), 0);
  EXPECT_THAT(take_error(), AllOf(StartsWith("rt_torch_tensor_load_dyn(path_ptr=NULL)"),
                                  HasSubstr("path_ptr is NULL")));
  EXPECT_EQ(rt_torch_safetensors_get_tensor_dyn(file_, 0), 0);
  EXPECT_THAT(take_error(), HasSubstr("name_ptr is NULL"));
  const auto none = reinterpret_cast<const char*>(rt_torch_safetensors_list_names_dyn(0));
  EXPECT_STREQ(none, "");
  EXPECT_THAT(take_error(), StartsWith("rt_torch_safetensors_list_names_dyn("));
}

}  // namespace
}  // namespace rt_test
