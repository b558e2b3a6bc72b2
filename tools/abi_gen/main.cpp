// main.cpp -- abi_gen prints what the tables generate: --c and --spl headers, --simple externs,
// --json, --md.
#include <cstdio>
#include <exception>
#include <string_view>

#include "tools/abi_gen/guide.h"

int main(int argc, char** argv) try {
  using namespace rt::abi_gen;
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "--c") print_header(kC);
  else if (what == "--spl") print_header(kSpl);
  else if (what == "--simple") print_simple();
  else if (what == "--json") print_json();
  else if (what == "--md") print_markdown();
  else {
    std::fputs("usage: abi_gen --c | --spl | --simple | --json | --md\n", stderr);
    return 2;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "abi_gen: %s\n", error.what());
  return 1;
}
