// libtorch_load.cpp -- finds libtorch and the plugin for it, and opens both.
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
/// The libtorch version of this build's plugin; empty in a build without a plugin.
constexpr std::string_view kVersion = RT_LIBTORCH_VERSION;

/// The folder of the library or program that contains this function. Found when that is loaded,
/// because a relative path is invalid after a change of the working directory.
const fs::path& own_folder = *[] {
  Dl_info info{};
  void* found = nullptr;
  std::error_code ignored;
  if (!dladdr1(reinterpret_cast<void*>(&load_libtorch), &info, &found, RTLD_DL_LINKMAP))
    return new fs::path;
  // The link map has no name for a program, and argv[0] need not lead to its file.
  const std::string_view name = static_cast<const link_map*>(found)->l_name;
  return new fs::path(fs::canonical(name.empty() ? "/proc/self/exe" : name, ignored).parent_path());
}();

/// False also on errors, because the variables may hold anything.
bool there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

/// Finds the plugin beside our library. For a program that contains the library it may also lie in
/// the library folder beside the program's folder, if that is called bin, as in a build or an
/// installation.
fs::path find_plugin() {
  if (own_folder.empty()) return {};
  if (const fs::path file = own_folder / kPluginName; there(file)) return file;
  if (own_folder.filename() != "bin") return {};
  for (const char* folder : {"lib", RT_LIBDIR})
    if (const fs::path file = own_folder.parent_path() / folder / kPluginName; there(file))
      return file;
  return {};
}

/// Throws where the file is shorter than its headers say. The loader would map the missing part,
/// and the process would be killed when it touches that.
void check_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  ElfW(Ehdr) header{};
  if (!in.read(reinterpret_cast<char*>(&header), sizeof header)) return;  // dlopen() reports it
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

/// Opens a library. Returns null and describes the reason in `error` where it does not load.
void* try_library(const fs::path& file, std::string& error) {
  check_whole(file);
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) error = dlerror();
  return library;
}

/// The path of a libtorch that the process has already loaded; "": none.
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
  constexpr std::streamsize kMaxBytes = 64 << 10;
  std::string text(kMaxBytes, '\0');
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return "";
  std::ifstream in(file, std::ios::binary);
  in.read(text.data(), kMaxBytes);
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

/// The digits and points that follow `key` in the text, or "".
std::string number_behind(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + key.size());
  return std::string(text.substr(0, text.find_first_not_of("0123456789.")));
}

/// "2.11.0", or "an unknown version", for a libtorch that is not loaded. Read from the headers,
/// version.py or build-version beside the library's folder, because code of a wrong version must
/// not run.
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

/// The version of a loaded libtorch. Its function exists since 2.9.
std::string version_of(void* libtorch, const fs::path& file) {
  const auto version = reinterpret_cast<uint64_t (*)()>(dlsym(libtorch, "aoti_torch_abi_version"));
  if (!version) return version_beside(file);
  const uint64_t packed = version();  // a byte each for major, minor and patch, from the top
  return join(packed >> 56, '.', packed >> 48 & 0xff, '.', packed >> 40 & 0xff);
}

/// Major and minor version, on which libtorch's C++ interface depends.
std::string_view release(std::string_view version) {
  return version.substr(0, version.find('.', version.find('.') + 1));
}

void check_version(const std::string& version, std::string_view path) {
  if (release(version) == release(kVersion)) return;
  fail("the libtorch at ", path, " is ", version, ", this library was built for ", kVersion,
       "; use that version");
}

/// Opens lib/libtorch_cpu.so or libtorch_cpu.so in a folder. False where the folder has neither.
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

/// Loads the libtorch for the plugin: one that is loaded already, else the one in `folder`, else
/// the one in LIBTORCH. Without these the plugin's run path decides.
void open_libtorch(const std::string& folder) {
  if (const std::string path = loaded_libtorch(); !path.empty()) {
    void* const libtorch = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD | RTLD_LOCAL);
    if (!libtorch)
      fail("the libtorch at ", path, ", loaded already by this process, cannot be opened: ",
           static_cast<const char*>(dlerror()));
    return check_version(version_of(libtorch, path), path + ", loaded already by this process,");
  }
  if (!folder.empty()) {
    if (!open_in(folder))
      fail("RT_TORCH_LIBTORCH is ", folder, ", which has no lib/", kLibtorchName,
           "; name the folder of a libtorch, version ", kVersion);
    return;
  }
  open_named("LIBTORCH");
}

/// Opens the plugin. Where its run path has no libtorch, tries TORCH_HOME. That is PyTorch's folder
/// for downloads, which has a libtorch only if the user put one there.
void* open_plugin_library(const fs::path& file) {
  std::string error;
  const auto lacks_libtorch = [&] {
    return error.starts_with("libtorch") || error.starts_with("libc10");
  };
  void* plugin = try_library(file, error);
  if (!plugin && lacks_libtorch() && open_named("TORCH_HOME")) plugin = try_library(file, error);
  if (plugin) return plugin;
  fail("the libtorch backend does not load: ", error,
       lacks_libtorch()
           ? join("; set RT_TORCH_LIBTORCH to the folder of a libtorch, version ", kVersion)
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
  if (!entry)
    fail(file.string(), " has no function ", plugin::kEntry, "; install the plugin of this build");
  return entry;
}

}  // namespace

plugin::Entry load_libtorch(const std::string& folder) {
  static plugin::Entry entry = nullptr;
  if (!entry) entry = open_plugin(folder);
  return entry;
}

}  // namespace rt
