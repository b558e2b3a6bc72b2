// flavors.cpp -- spells a call in C as each of the two libraries has it.
#include "tools/abi_gen/flavors.h"

#include "graph/error.h"
#include "tools/abi_gen/texts.h"

namespace rt::abi_gen {

const Flavor kC{
    "c",
    "librt_torch.so",
    "rt_torch.h",
    "RT_TORCH_H",
    &KindText::c_result,
    &KindText::c_params,
    true,
    "",
    R"(
A text ends with a byte of 0. A list is a pointer and a length; the pointer may be NULL when the
length is 0.
- Texts and lists that are passed in are read before the call returns, and stay the caller's.
- A text that a call returns is the library's. It is valid until this thread's next call that
returns a text.
- A list that a call returns is written to out, at most capacity elements. The call returns how many
there are.)",
    "a text, valid until this thread's next call that returns a text",
    "the length of the list, of which at most capacity elements are written to out",
    "the number of tensors; new handles to at most capacity of them are written to out, to be "
    "freed, and the others are not made"};

const Flavor kSpl{"spl",
                  "libspl_torch.so",
                  "spl_torch.h",
                  "SPL_TORCH_H",
                  &KindText::spl_result,
                  &KindText::spl_params,
                  false,
                  R"(

/* Values and lists of the Simple runtime; define RT_TORCH_NO_SPL_TYPES where its own header has
 * them. */
#ifndef RT_TORCH_NO_SPL_TYPES
struct SplDict;
struct SplArray;
typedef enum { SPL_NIL, SPL_BOOL, SPL_INT, SPL_FLOAT, SPL_STRING, SPL_ARRAY, SPL_DICT } SplTag;
typedef struct SplValue {
  SplTag tag;
  __extension__ union {
    int64_t as_bool;
    int64_t as_int;
    double as_float;
    char* as_str;
    struct SplArray* as_array;
    struct SplDict* as_dict;
  };
} SplValue;
typedef struct SplArray {
  SplValue* items;
  int64_t len;
  int64_t cap;
} SplArray;
#endif)",
                  R"(
A text ends with a byte of 0. Lists are those of the Simple runtime. NULL is an empty list. An
element that is read as a number may be SPL_INT, SPL_FLOAT or SPL_BOOL.
- Texts and lists that are passed in are read before the call returns, and stay the caller's.
- Texts and lists that a call returns are the caller's. They are made by the host's
spl_array_new_i64, spl_array_push_i64, spl_array_push and spl_str_new where it exports these, else
by malloc.)",
                  "a copy of the text that the caller owns",
                  "a list that the caller owns",
                  "a list that the caller owns, of new handles, to be freed"};

std::vector<Symbol> symbols_of(const Flavor& flavor) {
  std::vector<Symbol> rows = all_symbols();
  std::erase_if(
      rows, [&](const Symbol& row) { return row.flavors != kBoth && row.flavors != flavor.name; });
  return rows;
}

std::string declared(const Param& param, const Flavor& flavor) {
  std::string out;
  for (const char c : text(param.kind).*flavor.params)
    if (c == '$') out += param.name;
    else out += c;
  return out;
}

std::string output_params(const Symbol& symbol, const Flavor& flavor) {
  if (symbol.checked) return "double* out";
  if (!is_list(symbol.result) || !flavor.outputs) return "";
  return join(symbol.result == Kind::FloatList ? "double" : "int64_t", "* out, int64_t capacity");
}

std::string signature(const Symbol& symbol, const Flavor& flavor) {
  std::string params;
  const auto add = [&](std::string_view param) {
    if (!param.empty()) params += join(params.empty() ? "" : ", ", param);
  };
  for (const Param& param : symbol.params) add(declared(param, flavor));
  add(output_params(symbol, flavor));
  return join(text(symbol.result).*flavor.result, " ", symbol.name, "(",
              params.empty() ? "void" : params, ")");
}

std::string returned(const Symbol& symbol, const Flavor& flavor) {
  const auto what = [&]() -> std::string_view {
    switch (symbol.result) {
      case Kind::Tensor:
      case Kind::Handle: return "a new handle, to be freed";
      case Kind::TensorList: return flavor.handles_result;
      case Kind::IntList:
      case Kind::FloatList: return flavor.list_result;
      case Kind::Text: return flavor.text_result;
      case Kind::Bits: return "the bits of the number as a double";
      case Kind::Status: return "0";
      case Kind::Flag:
      case Kind::Idle: return "1 or 0";
      default: return "the number";
    }
  };
  if (symbol.result == Kind::Void) return "";
  if (!symbol.always.empty()) return std::string(symbol.always);
  std::string all = symbol.result == Kind::TextBits ? join(flavor.text_result, ", as a pointer")
                                                    : std::string(what());
  const bool own_list = is_list(symbol.result) && !flavor.outputs;
  all += join("; ", own_list ? "an empty one" : failure_text(text(symbol.result)), " on error");
  if (const std::string tensor = result_text(symbol); !tensor.empty()) all += join(". ", tensor);
  return all;
}

}  // namespace rt::abi_gen
