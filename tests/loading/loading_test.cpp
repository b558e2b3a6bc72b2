// loading_test.cpp -- folders in which the library must work, and folders in which it must refuse.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/loading/stage.h"

namespace rt_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string open(const fs::path& library) { return "open=" + library.string(); }

class Loading : public Stage {
 protected:
  /// Expects that a required libtorch backend is refused with one sentence about `reason`, and that
  /// auto uses another and reports the reason only with RT_TORCH_DEBUG.
  void expect_refused(const std::vector<std::string>& steps, const std::string& reason,
                      Environment environment = {}) const {
    SCOPED_TRACE(reason);
    environment["RT_TORCH_BACKEND"] = "libtorch";
    const Outcome ordered = host(steps, environment);
    EXPECT_EQ(ordered.code, 0);
    EXPECT_THAT(ordered.out, AllOf(HasSubstr("refused: "), HasSubstr(reason)));
    EXPECT_THAT(ordered.out, HasSubstr("the libtorch backend is not available: "));
    EXPECT_EQ(std::count(ordered.out.begin(), ordered.out.end(), '\n'), 1) << ordered.out;
    EXPECT_EQ(ordered.err, "");
    environment["RT_TORCH_BACKEND"] = "auto";
    expect_quiet(host(steps, environment), "reference\n");
    environment["RT_TORCH_DEBUG"] = "1";
    EXPECT_THAT(host(steps, environment).err,
                AllOf(HasSubstr("rt_torch: using the reference backend: "), HasSubstr(reason)));
  }

  void expect_deep(const std::string& backend) const {
    expect_quiet(
        host({open(RT_TEST_LIBRARY), "deep", "deep"}, {{"RT_TORCH_BACKEND", backend},
                                                       {"RT_TORCH_POLICY", "data"},
                                                       {"RT_TORCH_COMPILE_AFTER", "0"},
                                                       {"RT_TORCH_MAX_PENDING_NODES", "200000"}}),
        "batches: 1\nbatches: 2\n");
  }

  /// Installs a plugin that must not be loaded: it would leave a mark.
  void lay_trap(const std::string& where, const char* name = kPlugin) const {
    fs::copy_file(RT_TEST_MARKER_LIBRARY, make(where) / name);
  }
  Environment marking(const std::string& backend) const {
    return {{"RT_TORCH_BACKEND", backend}, {"RT_TEST_MARKER", mark().string()}};
  }
  fs::path mark() const { return folder() / "mark"; }
};

TEST_F(Loading, WithoutAPlugin) {
  const fs::path library = bare_library("a");
  expect_refused({open(library), "use"},
                 "there is no librt_torch_torchscript.so beside this "
                 "library, in " +
                     (folder() / "a").string());
}

TEST_F(Loading, APluginOfAnotherBuild) {
  expect_refused({open(library("a", RT_TEST_FAKE_PLUGIN)), "use"},
                 "belongs to another build of this library; install both from one build");
}

TEST_F(Loading, OnReferenceAsTheInterpreterDoes) {
  expect_quiet(host({open(RT_TEST_LIBRARY), "use", "close", open(RT_TEST_LIBRARY), "use"},
                    {{"RT_TORCH_BACKEND", "reference"}}),
               "reference\nreference\n");
  expect_quiet(host({open(RT_TEST_LIBRARY), "outlive", open(RT_TEST_LIBRARY), "use"},
                    {{"RT_TORCH_BACKEND", "reference"}}),
               "reference\n");
}

TEST_F(Loading, WithRaisedRightsNothingIsReadOrWrittenThatTheUserNames) {
  const fs::path program = folder() / "raised";
  fs::copy_file(RT_TEST_HOST, program);
  constexpr gid_t kGroup = 12345;
  if (geteuid() != 0 || chown(program.c_str(), 0, kGroup) != 0 ||
      chmod(program.c_str(), 02755) != 0)
    GTEST_SKIP() << "only root makes programs that run as another group";
  write(folder() / "dl.config.sdn", "device: cuda\n");
  const Environment environment = {{"RT_TORCH_BACKEND", "reference"},
                                   {"RT_TORCH_DEBUG", "1"},
                                   {"RT_TORCH_LIBTORCH", "/nowhere"},
                                   {"RT_TORCH_DUMP", "dumps"},
                                   {"RT_TORCH_TRACE", "trace.json"}};
  const Outcome outcome = run(program.string(), {open(RT_TEST_LIBRARY), "use"}, environment);
  EXPECT_EQ(outcome.out, "reference\n");
  for (const char* name : {"RT_TORCH_LIBTORCH is ignored", "RT_TORCH_DUMP is ignored",
                           "RT_TORCH_TRACE is ignored", "dl.config.sdn is not read"})
    EXPECT_THAT(outcome.err, HasSubstr(name));
  EXPECT_FALSE(fs::exists(folder() / "dumps"));
  EXPECT_FALSE(fs::exists(folder() / "trace.json"));
  // Without privileges the same program reads these variables.
  fs::copy_file(RT_TEST_HOST, folder() / "usual");
  run((folder() / "usual").string(), {open(RT_TEST_LIBRARY), "use"}, environment);
  EXPECT_TRUE(fs::exists(folder() / "dumps"));
  EXPECT_TRUE(fs::exists(folder() / "trace.json"));
}

TEST_F(Loading, OnReferenceNothingElseIsMapped) {
  expect_quiet(host({open(RT_TEST_LIBRARY), "use", "maps=libtorch_cpu.so",
                     "maps=librt_torch_torchscript.so"},
                    {{"RT_TORCH_BACKEND", "reference"}}),
               "reference\nlibtorch_cpu.so: 0\nlibrt_torch_torchscript.so: 0\n");
}

TEST_F(Loading, TwoCopiesOnReference) {
  expect_quiet(host({open(bare_library("a")), open(bare_library("b")), "take-turns"},
                    {{"RT_TORCH_BACKEND", "reference"}}),
               "reference\nreference\n");
}

TEST_F(Loading, NeverAPluginOfTheWorkingDirectory) {
  lay_trap(".");
  lay_trap("elsewhere");
  const fs::path library = bare_library("a/lib");
  const std::string away = "chdir=" + (folder() / "elsewhere").string();
  const std::vector<std::vector<std::string>> ways = {{open(library), "use"},
                                                      {"open=./a/lib/librt_torch.so", "use"},
                                                      {"open=a/lib/librt_torch.so", away, "use"},
                                                      {away, open(library), "use"}};
  for (const auto& way : ways)
    expect_refused(way, "there is no " + std::string(kPlugin),
                   {{"RT_TEST_MARKER", mark().string()}});
  EXPECT_FALSE(fs::exists(mark()));
}

TEST_F(Loading, ALinkedLibraryLooksBesideTheFileItself) {
  const fs::path library = bare_library("real");
  lay_trap("links");
  fs::create_symlink(library, folder() / "links" / "librt_torch.so");
  expect_refused({open(folder() / "links" / "librt_torch.so"), "use"},
                 "in " + (folder() / "real").string(), {{"RT_TEST_MARKER", mark().string()}});
  EXPECT_FALSE(fs::exists(mark()));
}

TEST_F(Loading, ADeepChainOnASmallStack) { expect_deep("reference"); }

#ifdef RT_TEST_LIBTORCH
std::string preload(const fs::path& library) { return "preload=" + library.string(); }

const fs::path kLibtorch = fs::path(RT_TEST_LIBTORCH) / "lib" / "libtorch_cpu.so";

class LoadingLibtorch : public Loading {
 protected:
  fs::path whole_library(const std::string& where) const { return library(where, RT_TEST_PLUGIN); }
  /// A folder with `file` as its lib/libtorch_cpu.so and a header that has the version.
  fs::path libtorch(const std::string& where, const fs::path& file, const std::string& version,
                    const std::string& header = "headeronly/version.h") const {
    fs::copy_file(file, make(where + "/lib") / "libtorch_cpu.so");
    const fs::path path = folder() / where / "include/torch" / header;
    fs::create_directories(path.parent_path());
    const size_t first = version.find('.'), second = version.find('.', first + 1);
    write(path, "#pragma once\n#define TORCH_VERSION_MAJOR " + version.substr(0, first) +
                    "\n#define TORCH_VERSION_MINOR " +
                    version.substr(first + 1, second - first - 1) +
                    "\n#define TORCH_VERSION_PATCH " + version.substr(second + 1) + "\n");
    return folder() / where;
  }
  fs::path libtorch(const std::string& where, const fs::path& file) const {
    return libtorch(where, file, RT_TEST_LIBTORCH_VERSION);
  }
  static Environment at(const fs::path& folder) { return {{"RT_TORCH_LIBTORCH", folder.string()}}; }
};

TEST_F(LoadingLibtorch, ADamagedPlugin) {
  const fs::path library = whole_library("a"), plugin = library.parent_path() / kPlugin;
  const std::vector<std::string> steps = {open(library), "use"};
  for (const uintmax_t size : {fs::file_size(plugin) / 2, uintmax_t{5000}, uintmax_t{100}}) {
    fs::resize_file(plugin, size);
    expect_refused(steps, plugin.string() + " is cut short; install it anew");
  }
  for (const std::string& text : {std::string("\177ELF"), std::string(), std::string(5000, 'x')}) {
    write(plugin, text);
    expect_refused(steps, "the libtorch backend does not load: " + plugin.string());
  }
  fs::remove(plugin);
  fs::create_directory(plugin);
  expect_refused(steps, "the libtorch backend does not load: " + plugin.string());
}

TEST_F(LoadingLibtorch, APluginBuiltForAnotherBuild) {
  expect_refused(
      {open(library("a", RT_TEST_OTHER_PLUGIN)), "use"},
      "the plugin belongs to another build of this library; install both from one build");
}

TEST_F(LoadingLibtorch, APluginWithoutItsFunction) {
  expect_refused({open(library("a", RT_TEST_MARKER_LIBRARY)), "use"},
                 "has no function rt_torch_open_torchscript");
}

TEST_F(LoadingLibtorch, AFolderWithoutLibtorch) {
  const std::vector<std::string> steps = {open(whole_library("a")), "use"};
  const fs::path ring = folder() / "ring";
  fs::create_symlink(ring, ring);
  for (const fs::path& wrong :
       {make("empty"), folder() / "not/there", ring, folder() / std::string(300, 'x')})
    expect_refused(steps,
                   "RT_TORCH_LIBTORCH is " + wrong.string() +
                       ", which has no "
                       "lib/libtorch_cpu.so",
                   at(wrong));
}

TEST_F(LoadingLibtorch, ADamagedLibtorch) {
  const std::vector<std::string> steps = {open(whole_library("a")), "use"};
  write(folder() / "text", std::string(5000, 'x'));
  const fs::path text = libtorch("b", folder() / "text");
  expect_refused(steps, "libtorch does not load: " + text.string(), at(text));
  const fs::path cut = libtorch("c", RT_TEST_FAKE_LIBTORCH), file = cut / "lib/libtorch_cpu.so";
  fs::resize_file(file, fs::file_size(file) / 2);
  expect_refused(steps, file.string() + " is cut short; install it anew", at(cut));
}

TEST_F(LoadingLibtorch, AnotherVersion) {
  const std::vector<std::string> steps = {open(whole_library("a")), "use"};
  const fs::path other = libtorch("other", RT_TEST_FAKE_LIBTORCH, "1.2.3") / "lib/libtorch_cpu.so";
  fs::copy_file(RT_TEST_SILENT_LIBTORCH, make("silent/lib") / "libtorch_cpu.so");
  const fs::path silent = folder() / "silent/lib/libtorch_cpu.so";
  const std::string built = ", this library was built for " RT_TEST_LIBTORCH_VERSION;
  for (const auto& [file, version] :
       {std::pair(other, " is 1.2.3"), std::pair(silent, " is an unknown version")}) {
    expect_refused(steps, "the libtorch at " + file.string() + version + built,
                   at(file.parent_path().parent_path()));
    std::vector<std::string> loaded = steps;
    loaded.insert(loaded.begin(), preload(file));
    expect_refused(loaded, "the libtorch at " + file.string() +
                               ", loaded already by this process," + version + built);
  }
}

/// The version must be known before any of its code runs.
TEST_F(LoadingLibtorch, AnotherVersionIsNotOpened) {
  const std::vector<std::string> steps = {open(whole_library("a")), "use"};
  int number = 0;
  for (const char* header :
       {"headeronly/version.h", "csrc/api/include/torch/version.h", "version.h"}) {
    const std::string where = "other" + std::to_string(++number);
    const fs::path other = libtorch(where, RT_TEST_MARKER_LIBRARY, "2.3.1", header);
    for (const char* variable : {"RT_TORCH_LIBTORCH", "LIBTORCH"})
      expect_refused(steps, " is 2.3.1, this library was built for " RT_TEST_LIBTORCH_VERSION,
                     {{variable, other.string()}, {"RT_TEST_MARKER", mark().string()}});
    EXPECT_FALSE(fs::exists(mark()));
  }
  fs::copy_file(RT_TEST_MARKER_LIBRARY, make("python/lib") / "libtorch_cpu.so");
  write(folder() / "python/version.py", "__version__ = '2.4.0+cpu'\ndebug = False\n");
  Environment named = at(folder() / "python");
  named["RT_TEST_MARKER"] = mark().string();
  expect_refused(steps, " is 2.4.0, this library was built for ", named);
  EXPECT_FALSE(fs::exists(mark()));
}

/// TORCH_HOME is PyTorch's cache, so that it must not replace the plugin's own libtorch.
TEST_F(LoadingLibtorch, TorchHomeComesLast) {
  const fs::path library = whole_library("a"), home = libtorch("home", RT_TEST_MARKER_LIBRARY);
  Environment environment = marking("libtorch");
  environment["TORCH_HOME"] = home.string();
  expect_quiet(host({open(library), "use"}, environment), "libtorch\n");
  EXPECT_FALSE(fs::exists(mark()));
}

/// A lib folder beside one that is not named bin belongs to other software.
TEST_F(LoadingLibtorch, APluginInALibBesideIsNotOurs) {
  const fs::path library = bare_library("project/native");
  lay_trap("project/lib");
  expect_refused({open(library), "use"}, "there is no librt_torch_torchscript.so beside this ",
                 {{"RT_TEST_MARKER", mark().string()}});
  EXPECT_FALSE(fs::exists(mark()));
}

TEST_F(LoadingLibtorch, WhateverOtherVariablesSay) {
  const std::vector<std::string> steps = {open(whole_library("a")), "use", "maps=libtorch_cpu.so"};
  for (const auto& [variable, value] : {std::pair("LIBTORCH", std::string(RT_TEST_LIBTORCH)),
                                        std::pair("LIBTORCH", std::string("/no/such/folder")),
                                        std::pair("LIBTORCH", std::string(300, 'x')),
                                        std::pair("TORCH_HOME", make("cache").string())})
    expect_quiet(host(steps, {{"RT_TORCH_BACKEND", "libtorch"}, {variable, value}}),
                 "libtorch\nlibtorch_cpu.so: 1\n");
}

TEST_F(LoadingLibtorch, ByAllWaysToNameIt) {
  const std::vector<std::string> steps = {open(whole_library("a")), "use", "maps=libtorch_cpu.so"};
  fs::create_directory_symlink(RT_TEST_LIBTORCH, folder() / "link");
  for (const fs::path& way :
       {fs::path(RT_TEST_LIBTORCH), kLibtorch.parent_path(), folder() / "link", fs::path("link")})
    expect_quiet(host(steps, {{"RT_TORCH_BACKEND", "libtorch"}, {"RT_TORCH_LIBTORCH", way}}),
                 "libtorch\nlibtorch_cpu.so: 1\n");
}

TEST_F(LoadingLibtorch, TheOneThatIsThereAlready) {
  const fs::path library = whole_library("a");
  fs::create_directory_symlink(RT_TEST_LIBTORCH, folder() / "link");
  for (const fs::path& there : {kLibtorch, folder() / "link/lib/libtorch_cpu.so"})
    expect_quiet(host({preload(there), open(library), "use", "maps=libtorch_cpu.so"},
                      {{"RT_TORCH_BACKEND", "libtorch"}}),
                 "libtorch\nlibtorch_cpu.so: 1\n");
}

TEST_F(LoadingLibtorch, AsTheInterpreterDoes) {
  const fs::path library = whole_library("a");
  expect_quiet(host({open(library), "use", "close", open(library), "use", "maps=libtorch_cpu.so"},
                    {{"RT_TORCH_BACKEND", "libtorch"}}),
               "libtorch\nlibtorch\nlibtorch_cpu.so: 1\n");
  expect_quiet(
      host({open(library), "outlive", open(library), "use"}, {{"RT_TORCH_BACKEND", "libtorch"}}),
      "libtorch\n");
}

TEST_F(LoadingLibtorch, TwoCopies) {
  expect_quiet(host({open(whole_library("a")), open(whole_library("b")), "take-turns",
                     "maps=libtorch_cpu.so", "maps=librt_torch_torchscript.so"},
                    {{"RT_TORCH_BACKEND", "libtorch"}}),
               "libtorch\nlibtorch\nlibtorch_cpu.so: 1\nlibrt_torch_torchscript.so: 2\n");
}

TEST_F(LoadingLibtorch, ADeepChainOnASmallStack) { expect_deep("libtorch"); }

TEST_F(LoadingLibtorch, NeverAPluginOfTheWorkingDirectory) {
  whole_library("a/lib");
  lay_trap(".");
  lay_trap("elsewhere");
  const std::string away = "chdir=" + (folder() / "elsewhere").string();
  const std::string near = "chdir=" + (folder() / "a").string();
  const std::vector<std::vector<std::string>> ways = {
      {"open=./a/lib/librt_torch.so", "use"},
      {"open=a/lib/librt_torch.so", away, "use"},
      {near, "open=lib/librt_torch.so", away, "use"},
      {away, open(folder() / "a/lib/librt_torch.so"), "use"}};
  for (const auto& way : ways) expect_quiet(host(way, marking("libtorch")), "libtorch\n");
  EXPECT_FALSE(fs::exists(mark()));
}

/// The libtorch of the plugin's run path may have been removed.
TEST_F(LoadingLibtorch, TheLibtorchOfTheBuildIsGone) {
  const fs::path library = whole_library("a"), plugin = library.parent_path() / kPlugin;
  std::string bytes = read(plugin);
  const size_t path = bytes.find(kLibtorch.parent_path().string());
  ASSERT_NE(path, std::string::npos);
  const std::string gone("/no/such/folder", 16);  // includes the terminating zero
  write(plugin, bytes.replace(path, gone.size(), gone));
  lay_trap(".", "libtorch_cpu.so");
  expect_refused({open(library), "use"},
                 "libtorch_cpu.so: cannot open shared object file: No such file or directory",
                 {{"RT_TEST_MARKER", mark().string()}});
  EXPECT_FALSE(fs::exists(mark()));
  Environment named = marking("libtorch");
  named["RT_TORCH_LIBTORCH"] = RT_TEST_LIBTORCH;
  expect_quiet(host({open(library), "use"}, named), "libtorch\n");
}
#endif

}  // namespace
}  // namespace rt_test
