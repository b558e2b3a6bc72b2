// abi_gen.cpp -- prints what the tables generate: --c and --spl headers, --simple externs, --json,
// --md.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "graph/error.h"
#include "graph/ops/op.h"

namespace {

using rt::Kind;
using rt::Param;

struct KindText {
  std::string_view name, c_result, c_params, spl_result, spl_params, simple;
};
constexpr KindText kKinds[] = {
#define RT_KIND(kind, c_result, c_params, spl_result, spl_params, simple, ...) \
  {#kind, c_result, c_params, spl_result, spl_params, simple},
#include "graph/ops/kinds.def"
};
const KindText& text(Kind kind) { return kKinds[static_cast<size_t>(kind)]; }

/// One exported function; `op` is null when it records none.
struct Symbol {
  std::string_view flavors;  ///< of the libraries that have it: "c", "spl" or "c,spl"
  std::string_view name, group;
  Kind result;
  std::vector<Param> params;
  std::string_view doc;
  const rt::OpInfo* op;
  bool checked = false;  ///< a last parameter, double* out, takes the op's number
};

constexpr std::string_view kBoth = "c,spl";

std::vector<Symbol> op_rows() {
  std::vector<Symbol> rows;
  std::string_view group;
#define RT_GROUP(name) group = name;
#define RT_OP(Id, symbol, result, params, doc, ...) \
  rows.push_back({kBoth,                            \
                  #symbol,                          \
                  group,                            \
                  Kind::result,                     \
                  {RT_END(RT_PARAM_A params)},      \
                  doc,                              \
                  &rt::info(rt::Op::Id)});
#define RT_INTERNAL(...)
#include "graph/ops/ops.def"
  return rows;
}
std::vector<Symbol> alias_rows() {
  std::vector<Symbol> rows;
  std::string_view group;
#define RT_GROUP(name) group = name;
#define RT_ALIAS(symbol, Id, result, params, doc, ...) \
  rows.push_back({kBoth,                               \
                  #symbol,                             \
                  group,                               \
                  Kind::result,                        \
                  {RT_END(RT_PARAM_A params)},         \
                  doc,                                 \
                  &rt::info(rt::Op::Id)});
#define RT_CHECKED(symbol, Id, doc)           \
  rows.push_back({kBoth,                      \
                  #symbol,                    \
                  group,                      \
                  Kind::Status,               \
                  {{Kind::Tensor, "handle"}}, \
                  doc,                        \
                  &rt::info(rt::Op::Id),      \
                  true});
#include "frontend_abi/aliases.def"
  return rows;
}
std::vector<Symbol> call_rows() {
  std::vector<Symbol> rows;
  std::string_view group;
#define RT_GROUP(name) group = name;
#define RT_ROW(flavors, symbol, result, params, doc) \
  rows.push_back(                                    \
      {flavors, #symbol, group, Kind::result, {RT_END(RT_PARAM_A params)}, doc, nullptr});
#define RT_CALL(...) RT_ROW(kBoth, __VA_ARGS__)
#define RT_CALL_C(...) RT_ROW("c", __VA_ARGS__)
#define RT_CALL_SPL(...) RT_ROW("spl", __VA_ARGS__)
#define RT_CALL_PURE(symbol, result, value, doc) RT_ROW(kBoth, symbol, result, , doc)
#include "frontend_abi/calls.def"
  return rows;
}
std::vector<Symbol> all_rows() {
  std::vector<Symbol> rows = op_rows();
  for (const auto& more : {alias_rows(), call_rows()})
    rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

bool is_list(Kind kind) { return text(kind).simple.starts_with('['); }

std::string named(std::string_view pattern, std::string_view name) {
  std::string out(pattern);
  for (size_t at; (at = out.find('$')) != std::string::npos;) out.replace(at, 1, name);
  return out;
}
void append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}
void print(const std::string& line) { std::puts(line.c_str()); }

/// One library and its header: how lists and texts cross in it.
struct Flavor {
  std::string_view name;
  const char *library, *header, *guard;
  std::string_view KindText::*result, KindText::*params;
  bool rooms;         ///< a list result takes two more parameters
  const char* types;  ///< what the header declares beside the calls
  std::string_view text_note, text_bits_note, list_note, handles_note;
};
const Flavor kC{
    "c",
    "librt_torch.so",
    "rt_torch.h",
    "RT_TORCH_H",
    &KindText::c_result,
    &KindText::c_params,
    true,
    "",
    "Valid until this thread's next call that returns text; \"\" on error.",
    "Returns a const char*, valid until this thread's next call that returns text; one to \"\" on "
    "error.",
    "Returns how many there are and writes at most capacity of them; -1 on error.",
    "Returns how many there are and writes at most capacity new handles, to be freed; the others "
    "are not made. -1 on error."};
const Flavor kSpl{
    "spl",
    "libspl_torch.so",
    "spl_torch.h",
    "SPL_TORCH_H",
    &KindText::spl_result,
    &KindText::spl_params,
    false,
    R"(
/* Values and lists of the Simple runtime; define RT_TORCH_NO_SPL_TYPES where its own header has
 * them. What is passed in stays the caller's; lists and texts that come back are the caller's too:
 * they are made by the host's spl_array_new_i64, spl_array_push_i64, spl_array_push and
 * spl_str_new where it exports these, else of malloc. An element read as a number may be SPL_INT,
 * SPL_FLOAT or SPL_BOOL. NULL stands for an empty list. */
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
    "A copy that the caller owns; \"\" on error.",
    "Returns a char* to a copy that the caller owns; one to \"\" on error.",
    "Returns a list that the caller owns; an empty one on error.",
    "Returns a list that the caller owns, of new handles, to be freed; an empty one on error."};

std::vector<Symbol> rows_of(const Flavor& flavor) {
  std::vector<Symbol> rows = all_rows();
  std::erase_if(
      rows, [&](const Symbol& row) { return row.flavors != kBoth && row.flavors != flavor.name; });
  return rows;
}

std::string params_of(const Symbol& row, const Flavor& flavor) {
  std::string params;
  for (const Param& param : row.params)
    append(params, named(text(param.kind).*flavor.params, param.name));
  if (is_list(row.result) && flavor.rooms)
    append(params, row.result == Kind::FloatList ? "double* out, int64_t capacity"
                                                 : "int64_t* out, int64_t capacity");
  if (row.checked) append(params, "double* out");
  return params;
}

/// What a caller must know about a result beyond its meaning.
std::string_view result_note(Kind kind, const Flavor& flavor) {
  switch (kind) {
    case Kind::Tensor:
    case Kind::Handle: return "Returns a new handle, to be freed; 0 on error.";
    case Kind::TensorList: return flavor.handles_note;
    case Kind::IntList:
    case Kind::FloatList: return flavor.list_note;
    case Kind::Text: return flavor.text_note;
    case Kind::TextBits: return flavor.text_bits_note;
    case Kind::Float: return "NaN on error.";
    case Kind::Bits: return "Returns the bits of a double; those of a NaN on error.";
    case Kind::Status: return "-1 on error.";
    case Kind::Count:
    case Kind::Code: return "-1 on error.";
    case Kind::Idle: return "1 on error.";
    case Kind::Void: return "";
    default: return "0 on error.";
  }
}

/// Words set in lines of at most `width`, each opened with `indent` but the first.
std::string wrapped(const std::string& attributes, size_t first, const char* indent, size_t width) {
  std::string out;
  size_t column = first;
  for (size_t at = 0; at < attributes.size();) {
    const size_t end = std::min(attributes.find(' ', at), attributes.size());
    if (column + 1 + (end - at) > width) {
      out += "\n";
      out += indent;
      column = std::strlen(indent);
    } else if (!out.empty()) {
      out += " ";
      ++column;
    }
    out.append(attributes, at, end - at);
    column += end - at;
    at = end + 1;
  }
  return out;
}

/// The library's version, whole and in parts that the preprocessor can compare.
void print_version() {
  std::printf("#define RT_TORCH_VERSION \"%s\"\n", RT_TORCH_VERSION);
  const char* number = RT_TORCH_VERSION;
  for (const char* part : {"MAJOR", "MINOR", "PATCH"}) {
    char* end = nullptr;
    std::printf("#define RT_TORCH_VERSION_%s %ld\n", part, std::strtol(number, &end, 10));
    number = end + (*end != 0);
  }
}

void print_header(const Flavor& flavor) {
  constexpr const char* kOpening =
      "/* %s -- the C ABI of %s. Generated by abi_gen from the tables; do not edit.\n"
      " * Handles are positive; 0 says that a call failed and rt_torch_last_error why. A call "
      "that\n"
      " * records an op forces nothing. No call throws, exits, or prints unasked. */\n"
      "#ifndef %s\n#define %s\n#include <stdint.h>\n\n"
      "#define RT_TORCH_ABI_VERSION 1\n";
  std::printf(kOpening, flavor.header, flavor.library, flavor.guard, flavor.guard);
  print_version();
  std::printf("\n#ifdef __cplusplus\nextern \"C\" {\n#endif%s\n", flavor.types);
  for (const Symbol& row : rows_of(flavor)) {
    std::string doc(row.doc);
    if (const auto note = result_note(row.result, flavor); !note.empty()) (doc += ' ') += note;
    const std::string params = params_of(row, flavor);
    const std::string head =
        std::string(text(row.result).*flavor.result) + " " + std::string(row.name) + "(";
    print("\n/** " + wrapped(doc + " */", 4, " *  ", 100));
    print(head + wrapped((params.empty() ? "void" : params) + ");", head.size(), "    ", 100));
  }
  print("\n#ifdef __cplusplus\n}\n#endif\n#endif");
}

void print_simple() {
  print("# rt_torch.spl -- the calls as Simple externs. Generated by abi_gen; do not edit.");
  for (const Symbol& row : rows_of(kSpl)) {
    std::string params;
    for (const Param& param : row.params)
      append(params, std::string(param.name) + ": " + std::string(text(param.kind).simple));
    if (row.checked) append(params, "out: i64");
    const std::string_view result = text(row.result).simple;
    print("extern fn " + std::string(row.name) + "(" + params + ")" +
          (result.empty() ? "" : " -> " + std::string(result)));
  }
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void print_json() {
  std::string out = "{\"symbols\": [";
  const char* separator = "\n";
  for (const Symbol& row : all_rows()) {
    std::string params;
    for (const Param& param : row.params)
      append(params, "{\"kind\": " + quoted(text(param.kind).name) +
                         ", \"name\": " + quoted(param.name) + "}");
    if (row.checked) append(params, "{\"kind\": \"DoubleOut\", \"name\": \"out\"}");
    out += separator;
    out += " {\"symbol\": " + quoted(row.name) + ", \"flavors\": " + quoted(row.flavors) +
           ", \"group\": " + quoted(row.group) + ", \"returns\": " + quoted(text(row.result).name) +
           ", \"params\": [" + params + "],\n  \"doc\": " + quoted(row.doc) +
           (row.op ? ", \"op\": " + quoted(row.op->name) : "") + "}";
    separator = ",\n";
  }
  print(out + "\n]}");
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

void print_table(const std::vector<Symbol>& rows, bool with_op) {
  print(with_op ? "| call | records | what it gives | reads |\n|---|---|---|---|"
                : "| call | what it does |\n|---|---|");
  for (const Symbol& row : rows) {
    const Flavor& flavor = row.flavors == kSpl.name ? kSpl : kC;
    std::string line = rt::join("| `", text(row.result).*flavor.result, " ", row.name, "(",
                                params_of(row, flavor), ")` | ");
    if (with_op) line += rt::join("`", row.op->name, "` | ");
    line += cell(row.doc);
    if (with_op) line += row.result == Kind::Tensor ? " | |" : " | yes |";
    else line += " |";
    print(line);
  }
}

void print_md() {
  print(
      "# Calls of the ABI\n\nGenerated by abi_gen from the tables; do not edit. A call that "
      "records returns a handle at once;\none that reads runs what is pending and returns a "
      "number. Calls are spelled as in the C flavor, those of the Simple flavor alone as there.\n\n"
      "## Ops\n");
  print_table(op_rows(), true);
  print("\n## Other names, and creation\n");
  print_table(alias_rows(), true);
  print("\n## Calls that record no op\n");
  print_table(call_rows(), false);
  print(
      "\n## Every op of a graph\n\nAs dumps write them, with the ATen operator each stands for.\n");
  print("| op | parameters | ATen | meaning |\n|---|---|---|---|");
  for (const rt::OpInfo& op : rt::all_ops()) {
    std::string params;
    for (const Param& param : op.params)
      append(params, std::string(text(param.kind).name) + " " + std::string(param.name));
    print("| `" + std::string(op.name) + "` | " + params + " | `" + std::string(op.rules.aten) +
          "` | " + cell(op.doc) + " |");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "--c") print_header(kC);
  else if (what == "--spl") print_header(kSpl);
  else if (what == "--simple") print_simple();
  else if (what == "--json") print_json();
  else if (what == "--md") print_md();
  else {
    std::fputs("usage: abi_gen --c | --spl | --simple | --json | --md\n", stderr);
    return 2;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
