// fake_plugin.cpp -- imitates a plugin of another build, which checks the build and refuses.
#include <string_view>

#include "executor/plugin/plugin.h"

__attribute__((visibility("default"))) rt::plugin::PluginBackend* rt_torch_open_torchscript(
    const rt::plugin::Host* host, rt::plugin::Text error) {
  constexpr std::string_view kWords =
      "the plugin belongs to another build of this library; install both from one build";
  if (host->build != std::string_view("another build"))
    error.append(error.to, kWords.data(), kWords.size());
  return nullptr;
}
