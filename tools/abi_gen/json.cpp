// json.cpp -- prints rt_torch.json; frontend_abi/rt_torch.schema.json says what its fields mean.
#include <cstdio>

#include "graph/error.h"
#include "tools/abi_gen/guide.h"
#include "tools/abi_gen/texts.h"

namespace rt::abi_gen {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// An object or a list in the making.
class Json {
 public:
  Json(char open, char close, std::string_view separator = ", ")
      : text_(1, open), close_(close), separator_(separator) {}
  void add(const std::string& value) {
    if (text_.size() > 1) text_ += separator_;
    text_ += value;
  }
  void add(std::string_view key, const std::string& json) { add(join(quoted(key), ": ", json)); }
  std::string whole() const { return text_ + close_; }

 private:
  std::string text_;
  char close_;
  std::string_view separator_;
};

std::string param_json(const Symbol& symbol, const Param& param) {
  Json json('{', '}');
  json.add("kind", quoted(text(param.kind).name));
  json.add("name", quoted(param.name));
  if (const Use* use = symbol.overloads.empty() ? nullptr : symbol.use(param.name)) {
    json.add("aten", quoted(use->name));
    if (use->element >= 0) json.add("element", std::to_string(use->element));
    if (!use->as.empty()) json.add("as", quoted(use->as));
  }
  json.add("doc", quoted(param_text(symbol, param)));
  return json.whole();
}

std::string aten_json(const Symbol& symbol) {
  Json json('{', '}');
  if (symbol.overloads.size() == 1) {
    json.add("overload", quoted(symbol.overloads[0]));
  } else {
    Json all('[', ']');
    for (const std::string& overload : symbol.overloads) all.add(quoted(overload));
    json.add("overloads", all.whole());
    json.add("chosen_by", quoted("op"));
  }
  if (!symbol.constants.empty()) {
    Json constants('{', '}');
    for (const Constant& constant : symbol.constants) constants.add(constant.name, constant.json);
    json.add("constants", constants.whole());
  }
  if (symbol.op && symbol.op->rules.result != 0)
    json.add("result", std::to_string(symbol.op->rules.result));
  if (symbol.op && !symbol.op->rules.then.empty()) json.add("then", quoted(symbol.op->rules.then));
  return json.whole();
}

std::string symbol_json(const Symbol& symbol) {
  Json params('[', ']', ",\n   ");
  for (const Param& param : symbol.params) params.add(param_json(symbol, param));
  if (symbol.checked)
    params.add(R"({"kind": "DoubleOut", "name": "out", "doc": "where the number goes"})");
  Json json('{', '}', ",\n  ");
  json.add(join("\"symbol\": ", quoted(symbol.name), ", \"flavors\": ", quoted(symbol.flavors),
                ", \"group\": ", quoted(symbol.group), ", \"section\": ", quoted(symbol.section)));
  json.add(join("\"returns\": ", quoted(text(symbol.result).name),
                ", \"forces\": ", quoted(name(symbol.forces))));
  json.add("params", params.whole());
  json.add("doc", quoted(symbol.doc));
  if (symbol.op) json.add("op", quoted(symbol.op->name));
  if (!symbol.overloads.empty()) json.add("aten", aten_json(symbol));
  if (symbol.original.name != symbol.name) json.add("alias_of", quoted(symbol.original.name));
  return json.whole();
}

}  // namespace

void print_json() {
  Json kinds('{', '}', ",\n  "), types('{', '}'), headings('[', ']', ",\n  "),
      symbols('[', ']', ",\n ");
  for (const KindText& kind : all_kinds()) {
    Json json('{', '}');
    json.add("c_result", quoted(kind.c_result));
    json.add("c_params", quoted(kind.c_params));
    json.add("spl_result", quoted(kind.spl_result));
    json.add("spl_params", quoted(kind.spl_params));
    json.add("simple", quoted(kind.simple));
    json.add("failure", quoted(failure_text(kind)));
    kinds.add(kind.name, json.whole());
  }
  int code = 0;
  for (const DTypeText& dtype : dtypes()) types.add(dtype.name, std::to_string(code++));
  for (const Section& section : sections())
    headings.add(join("{\"section\": ", quoted(section.name),
                      ", \"heading\": ", quoted(section.heading), "}"));
  for (const Symbol& symbol : all_symbols()) symbols.add(symbol_json(symbol));
  Json all('{', '}', ",\n");
  all.add("version", quoted(RT_TORCH_VERSION));
  all.add("abi_version", std::to_string(kAbiVersion));
  all.add("dtypes", types.whole());
  all.add("kinds", kinds.whole());
  all.add("sections", headings.whole());
  all.add("symbols", symbols.whole());
  std::puts(all.whole().c_str());
}

}  // namespace rt::abi_gen
