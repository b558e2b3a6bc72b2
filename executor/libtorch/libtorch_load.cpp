// libtorch_load.cpp -- finding libtorch and our plugin for it, and opening both.
#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "executor/libtorch/libtorch.h"
#include "graph/environment.h"
#include "graph/error.h"

namespace rt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPluginName = "librt_torch_torchscript.so";
constexpr const char* kLibtorchName = "libtorch_cpu.so";
/// What the plugin of this build was compiled against; empty in a build without one.
constexpr std::string_view kVersion = RT_LIBTORCH_VERSION;

/// The folder of the library, or of the program, that holds this function. Taken when that is
/// loaded, while a relative path still leads there.
const fs::path& own_folder = *[] {
  Dl_info info{};
  void* found = nullptr;
  std::error_code ignored;
  if (!dladdr1(reinterpret_cast<void*>(&load_libtorch), &info, &found, RTLD_DL_LINKMAP))
    return new fs::path;
  // A program has no name there, and what it was called by need not lead to it.
  const std::string_view name = static_cast<const link_map*>(found)->l_name;
  return new fs::path(fs::canonical(name.empty() ? "/proc/self/exe" : name, ignored).parent_path());
}();

/// A path that cannot even be looked at is not there: the variables may hold anything.
bool there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

/// Beside our library; for a program that holds the library itself, in the folder of libraries
/// beside its bin, of a build or of an installation. A lib beside any other folder is not ours.
fs::path find_plugin() {
  if (own_folder.empty()) return {};
  if (const fs::path file = own_folder / kPluginName; there(file)) return file;
  if (own_folder.filename() != "bin") return {};
  for (const char* folder : {"lib", RT_LIBDIR})
    if (const fs::path file = own_folder.parent_path() / folder / kPluginName; there(file))
      return file;
  return {};
}

/// The loader maps what the headers promise and is killed where the file ends before that.
void check_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  ElfW(Ehdr) header{};
  if (!in.read(reinterpret_cast<char*>(&header), sizeof header)) return;  // the loader will tell
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
  std::vector<ElfW(Phdr)> segments(header.e_phnum);
  in.seekg(static_cast<std::streamoff>(header.e_phoff));
  in.read(reinterpret_cast<char*>(segments.data()),
          static_cast<std::streamsize>(segments.size() * sizeof(ElfW(Phdr))));
  in.seekg(0, std::ios::end);
  for (const auto& segment : segments)
    if (!in || segment.p_offset + segment.p_filesz > static_cast<uint64_t>(in.tellg()))
      fail(file.string(), " is cut short; install it anew");
}

/// nullptr, with `error` said, when it does not load.
void* try_library(const fs::path& file, std::string& error) {
  check_whole(file);
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) error = dlerror();
  return library;
}

/// The path of a libtorch that is in the process already.
std::string loaded_libtorch() {
  std::string found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* to) {
        if (!std::string_view(info->dlpi_name).ends_with(kLibtorchName)) return 0;
        *static_cast<std::string*>(to) = info->dlpi_name;
        return 1;
      },
      &found);
  return found;
}

std::string text_of(const fs::path& file) {
  constexpr std::streamsize kMost = 64 << 10;
  std::string text(kMost, '\0');
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return "";
  std::ifstream in(file, std::ios::binary);
  in.read(text.data(), kMost);
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

/// The digits and points behind the word, or nothing.
std::string number_behind(std::string_view text, std::string_view attr) {
  const size_t at = text.find(attr);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + attr.size());
  return std::string(text.substr(0, text.find_first_not_of("0123456789.")));
}

/// "2.11.0", or "an unknown version", of a libtorch that is not loaded: as the headers, or Python's
/// version file, tell it that lie beside the folder of the library. None of its code runs for that.
std::string version_beside(const fs::path& libtorch) {
  std::error_code ignored;
  const fs::path folder = fs::canonical(libtorch, ignored).parent_path().parent_path();
  for (const char* header :
       {"include/torch/headeronly/version.h", "include/torch/csrc/api/include/torch/version.h",
        "include/torch/version.h"}) {
    const std::string text = text_of(folder / header);
    const std::string major = number_behind(text, "#define TORCH_VERSION_MAJOR "),
                      minor = number_behind(text, "#define TORCH_VERSION_MINOR "),
                      patch = number_behind(text, "#define TORCH_VERSION_PATCH ");
    if (!major.empty() && !minor.empty()) return join(major, '.', minor, '.', patch);
  }
  std::string version = number_behind(text_of(folder / "version.py"), "__version__ = '");
  if (version.empty()) version = number_behind(text_of(folder / "build-version"), "");
  return version.empty() ? "an unknown version" : version;
}

/// The same of one that is loaded; it has the function since 2.9.
std::string version_of(void* libtorch, const fs::path& file) {
  const auto version = reinterpret_cast<uint64_t (*)()>(dlsym(libtorch, "aoti_torch_abi_version"));
  if (!version) return version_beside(file);
  const uint64_t packed = version();  // a byte each for major, minor and patch, from the top
  return join(packed >> 56, '.', packed >> 48 & 0xff, '.', packed >> 40 & 0xff);
}

/// Major and minor are what the C++ interface depends on.
std::string_view release(std::string_view version) {
  return version.substr(0, version.find('.', version.find('.') + 1));
}

void check_version(const std::string& version, std::string_view path) {
  if (release(version) == release(kVersion)) return;
  fail("the libtorch at ", path, " is ", version, ", this library was built for ", kVersion,
       "; use that version");
}

/// Opens the libtorch of a folder that has lib/libtorch_cpu.so, or has the file itself.
bool open_in(const fs::path& folder) {
  for (const fs::path& file : {folder / "lib" / kLibtorchName, folder / kLibtorchName}) {
    if (!there(file)) continue;
    check_whole(file);
    check_version(version_beside(file), file.string());
    std::string error;
    if (!try_library(fs::absolute(file), error)) fail("libtorch does not load: ", error);
    return true;
  }
  return false;
}

bool open_named(const char* variable) {
  const char* const folder = environment_path(variable);
  return folder && open_in(folder);
}

/// Brings the libtorch into the process that the plugin is to find there: one that is loaded
/// already, the one of `folder`, one that LIBTORCH names, or else that of the plugin's own run
/// path.
void open_libtorch(const std::string& folder) {
  if (const std::string path = loaded_libtorch(); !path.empty()) {
    void* const libtorch = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD | RTLD_LOCAL);
    if (!libtorch) fail("the libtorch at ", path, " is loaded already and cannot be opened");
    return check_version(version_of(libtorch, path), path + ", loaded already by this process,");
  }
  if (!folder.empty()) {
    if (!open_in(folder))
      fail("RT_TORCH_LIBTORCH is ", folder, ", which has no lib/", kLibtorchName);
    return;
  }
  open_named("LIBTORCH");
}

/// Where the plugin's run path leads nowhere, TORCH_HOME may: PyTorch's cache of downloads, in
/// which a libtorch lies where somebody put it there.
void* open_plugin_library(const fs::path& file) {
  std::string error;
  const auto lacks_libtorch = [&] {
    return error.starts_with("libtorch") || error.starts_with("libc10");
  };
  void* plugin = try_library(file, error);
  if (!plugin && lacks_libtorch() && open_named("TORCH_HOME")) plugin = try_library(file, error);
  if (plugin) return plugin;
  fail("the libtorch backend does not load: ", error,
       lacks_libtorch() ? join("; RT_TORCH_LIBTORCH names the folder of one, version ", kVersion)
                        : "");
}

plugin::Entry open_plugin(const std::string& folder) {
  const fs::path file = find_plugin();
  if (file.empty())
    fail("there is no ", kPluginName, " beside this library, in ", own_folder.string(),
         "; build it with libtorch or install it there");
  if (kVersion.empty())
    fail(file.string(), " belongs to another build of this library; install both from one build");
  open_libtorch(folder);
  void* const plugin = open_plugin_library(file);
  const auto entry = reinterpret_cast<plugin::Entry>(dlsym(plugin, plugin::kEntry));
  if (!entry) fail(file.string(), " has no function ", plugin::kEntry);
  return entry;
}

}  // namespace

plugin::Entry load_libtorch(const std::string& folder) {
  static plugin::Entry entry = nullptr;
  if (!entry) entry = open_plugin(folder);
  return entry;
}

}  // namespace rt
