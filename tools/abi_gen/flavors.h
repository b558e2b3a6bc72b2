// flavors.h -- the two libraries and their headers: how lists and texts cross in each.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tools/abi_gen/rows.h"

namespace rt::abi_gen {

struct Flavor {
  std::string_view name;
  const char *library, *header, *guard;
  std::string_view KindText::*result, KindText::*params;
  bool outputs;                      ///< a list result takes two more parameters
  const char* types;                 ///< declarations of the header beside the calls
  std::string_view texts_and_lists;  ///< a paragraph of the header's comment
  std::string_view text_result, list_result, handles_result;
};
extern const Flavor kC, kSpl;

std::vector<Symbol> symbols_of(const Flavor& flavor);

/// "const int64_t* dims, int64_t dims_len".
std::string declared(const Param& param, const Flavor& flavor);
/// The parameters that a list result adds; "" for other results.
std::string output_params(const Symbol& symbol, const Flavor& flavor);
/// "int64_t name(int64_t self)".
std::string signature(const Symbol& symbol, const Flavor& flavor);
/// Describes the result of a call, on success and on error.
std::string returned(const Symbol& symbol, const Flavor& flavor);

}  // namespace rt::abi_gen
