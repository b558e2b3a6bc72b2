// guide.h -- what holds for all calls, said once for the headers and OPS.md.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tools/abi_gen/flavors.h"

namespace rt::abi_gen {

constexpr int kAbiVersion = 1;  ///< RT_TORCH_ABI_VERSION

struct Paragraph {
  std::string_view title, text;  ///< of the text, lines that begin with "- " begin items of a list
};
std::vector<Paragraph> guide(const Flavor& flavor);

/// "float32", 4 and so on, for each dtype in the order of its code.
struct DTypeText {
  std::string name;      ///< "float32"
  std::string constant;  ///< "RT_TORCH_F32"
  int64_t bytes;
};
std::vector<DTypeText> dtypes();

/// Text in lines of at most `width`, the first of which begins at column `first`, the others with
/// `indent`.
std::string wrapped(std::string_view text, size_t first, std::string_view indent, size_t width);

/// A paragraph and its items, each behind `margin`.
std::string with_items(std::string_view title, std::string_view text, std::string_view margin,
                       size_t width);

// One document each, to standard output.
void print_header(const Flavor& flavor);
void print_simple();
void print_json();
void print_markdown();

}  // namespace rt::abi_gen
