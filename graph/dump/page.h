// page.h -- the files of graph/dump/page/, embedded by the build (cmake/embed.cmake).
#pragma once
#include <span>
#include <string_view>

namespace rt::page {

struct File {
  std::string_view name, text;
};

std::span<const File> files();

}  // namespace rt::page
