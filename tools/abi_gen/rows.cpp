// rows.cpp -- reads the tables.
#include "tools/abi_gen/rows.h"

#include <algorithm>
#include <charconv>

#include "graph/error.h"

namespace rt::abi_gen {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// The parts of a list between commas that stand in no parentheses.
std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t start = 0;
  for (size_t at = 0; at <= list.size(); ++at) {
    if (at < list.size() && list[at] == '(') ++depth;
    if (at < list.size() && list[at] == ')') --depth;
    if (at < list.size() && (list[at] != ',' || depth > 0)) continue;
    if (const auto part = trimmed(list.substr(start, at - start)); !part.empty())
      parts.push_back(part);
    start = at + 1;
  }
  return parts;
}

bool is_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

/// Notes what an expression of the tables gives to the parameter `name`.
void bind(Symbol& symbol, std::string_view name, std::string_view expression) {
  const auto find = [&](std::string_view param) {
    const auto found = std::ranges::find(symbol.params, param, &Param::name);
    if (found == symbol.params.end())
      fail(symbol.name, ": abi_gen does not understand ", expression);
    return found->name;
  };
  const auto use = [&](std::string_view param, int element = -1, std::string_view as = "") {
    symbol.uses.push_back({find(param), std::string(name), element, std::string(as)});
  };
  const auto constant = [&](const std::string& json) {
    symbol.constants.push_back({std::string(name), json});
  };
  constexpr std::string_view kDType = "DType::", kTruth = " != 0";
  const size_t open = expression.find('(');
  if (open == std::string_view::npos) {
    if (is_number(expression)) return constant(to_string(std::stod(std::string(expression))));
    if (expression.ends_with(kTruth))
      return use(expression.substr(0, expression.size() - kTruth.size()));
    if (!expression.starts_with(kDType)) return use(expression);
    std::string dtype(expression.substr(kDType.size()));
    std::ranges::transform(dtype, dtype.begin(), [](char c) { return c < 'a' ? c | 0x20 : c; });
    return constant(join("\"", long_name(dtype), "\""));
  }
  const std::string_view function = expression.substr(0, open);
  const auto arguments = split(expression.substr(open + 1, expression.size() - open - 2));
  if (function == "list") {
    for (size_t i = 0; i < arguments.size(); ++i) use(arguments[i], static_cast<int>(i));
  } else if (function == "sizes_at") {  // a name for messages, a pointer and a length
    use(arguments[1], -1, "elements");
    use(arguments[2], -1, "length");
  } else if (function == "default_device") {
    constant("\"default\"");
  } else if (function == "the_cpu") {
    constant("\"cpu\"");
  } else if (function == "any_device" || function == "cuda_device" || function == "loader_device" ||
             function == "loader_dtype") {
    use(arguments[0], -1, function);
  } else {
    fail(symbol.name, ": abi_gen does not understand ", expression);
  }
}

/// The rest of a row that records `op`, whose parameters the expressions give.
void bind_op(Symbol& symbol, const OpInfo& op, const std::vector<std::string_view>& expressions) {
  symbol.op = &op;
  symbol.overloads = {std::string(op.rules.aten)};
  if (symbol.result != Kind::Tensor) symbol.forces = Forces::Reads;
  if (expressions.size() != op.params.size())
    fail(symbol.name, " gives ", expressions.size(), " arguments and ", op.name, " takes ",
         op.params.size());
  for (size_t i = 0; i < expressions.size(); ++i) bind(symbol, op.params[i].name, expressions[i]);
  for (const Extra& extra : op.rules.extra)
    if (!extra.name.empty())
      symbol.constants.push_back({std::string(extra.name), to_string(extra.value)});
}

/// The rest of a row whose body records what `aten` says; see calls.def.
void bind_aten(Symbol& symbol, std::string_view aten) {
  const size_t open = aten.find('(');
  std::string_view names = aten.substr(0, open);
  for (size_t bar = 0; bar != std::string_view::npos;) {
    bar = names.find('|');
    symbol.overloads.emplace_back(names.substr(0, bar));
    names.remove_prefix(std::min(names.size(), bar + 1));
  }
  for (const std::string_view part : split(aten.substr(open + 1, aten.size() - open - 2))) {
    const size_t sign = part.find('=');
    bind(symbol, part.substr(0, sign),
         sign == std::string_view::npos ? part : part.substr(sign + 1));
  }
}

std::vector<std::string_view> names_of(const OpInfo& op) {
  std::vector<std::string_view> names;
  for (const Param& param : op.params) names.push_back(param.name);
  return names;
}

void add_op_rows(std::vector<Symbol>& rows) {
  std::string_view group;
  const auto add = [&](std::string_view name, Kind result, std::vector<Param> params,
                       std::string_view doc, const OpInfo& op) {
    Symbol& row = rows.emplace_back(
        Symbol{kBoth, name, group, group, result, std::move(params), std::string(doc)});
    bind_op(row, op, names_of(op));
  };
#define RT_GROUP(name) group = name;
#define RT_OP(Id, symbol, result, params, doc, ...) \
  add(#symbol, Kind::result, {RT_EACH(RT_PARAM, params)}, doc, info(Op::Id));
#define RT_INTERNAL(...)
#include "graph/ops/ops.def"
}

void add_alias_rows(std::vector<Symbol>& rows) {
  std::string_view group;
  const auto add = [&](std::string_view name, const OpInfo& op, Kind result,
                       std::vector<Param> params, std::string_view doc,
                       std::string_view expressions) -> Symbol& {
    Symbol& row = rows.emplace_back(
        Symbol{kBoth, name, group, group, result, std::move(params), std::string(doc)});
    bind_op(row, op, split(expressions));
    return row;
  };
#define RT_GROUP(name) group = name;
#define RT_ALIAS(symbol, Id, result, params, doc, ...) \
  add(#symbol, info(Op::Id), Kind::result, {RT_EACH(RT_PARAM, params)}, doc, #__VA_ARGS__);
#define RT_CHECKED(symbol, Id, doc)                                                             \
  add(#symbol, info(Op::Id), Kind::Status, {{Kind::Tensor, "handle"}}, doc, "handle").checked = \
      true;
#include "frontend_abi/aliases.def"
}

void add_call_rows(std::vector<Symbol>& rows) {
  std::string_view group, section;
  const auto add = [&](std::string_view flavors, std::string_view name, Kind result,
                       std::vector<Param> params, Forces forces, std::string_view doc) -> Symbol& {
    Symbol& row = rows.emplace_back(
        Symbol{flavors, name, group, section, result, std::move(params), std::string(doc)});
    row.forces = forces;
    return row;
  };
  const auto add_alias = [&](std::string_view name, std::string_view of, Kind result,
                             std::vector<Param> params) {
    const Symbol target = *std::ranges::find(rows, of, &Symbol::name);
    Symbol& row = add(kBoth, name, result, std::move(params), target.forces, join("As ", of, "."));
    row.original = {of, target.section, {}};
    for (const Param& param : target.params) row.original.params.push_back(param.name);
    row.overloads = target.overloads;
    row.constants = target.constants;
    for (size_t i = 0; i < row.params.size(); ++i)
      if (const Use* use = target.use(target.params[i].name))
        row.uses.push_back({row.params[i].name, use->name, use->element, use->as});
  };
#define RT_GROUP(name) group = section = name;
#define RT_SECTION(name) section = name;
#define RT_ROW(flavors, symbol, result, params, forces, doc) \
  add(flavors, #symbol, Kind::result, {RT_EACH(RT_PARAM, params)}, Forces::forces, doc)
#define RT_CALL(...) RT_ROW(kBoth, __VA_ARGS__);
#define RT_CALL_C(...) RT_ROW("c", __VA_ARGS__);
#define RT_CALL_SPL(...) RT_ROW("spl", __VA_ARGS__);
#define RT_CALL_PURE(symbol, result, value, doc) \
  RT_ROW(kBoth, symbol, result, , Nothing, doc).always = #value;
#define RT_CALL_ATEN(symbol, result, params, forces, doc, aten) \
  bind_aten(RT_ROW(kBoth, symbol, result, params, forces, doc), aten);
#define RT_CALL_ALIAS(symbol, call, result, params) \
  add_alias(#symbol, #call, Kind::result, {RT_EACH(RT_PARAM, params)});
#include "frontend_abi/calls.def"
}

}  // namespace

std::string_view name(Forces forces) {
  constexpr std::string_view kNames[] = {"nothing", "asks", "frees", "submits", "waits", "reads"};
  return kNames[static_cast<size_t>(forces)];
}

std::string long_name(std::string_view dtype) {
  if (dtype == "bf16") return "bfloat16";
  if (dtype.starts_with('f')) return join("float", dtype.substr(1));
  if (dtype.starts_with('i')) return join("int", dtype.substr(1));
  return std::string(dtype);
}

std::vector<KindText> all_kinds() {
  return {
#define RT_KIND(kind, c_result, c_params, spl_result, spl_params, simple, ...) \
  {#kind, c_result, c_params, spl_result, spl_params, simple, #__VA_ARGS__},
#include "graph/ops/kinds.def"
  };
}
const KindText& text(Kind kind) {
  static const std::vector<KindText> all = all_kinds();
  return all[static_cast<size_t>(kind)];
}

const Use* Symbol::use(std::string_view param) const {
  const auto found = std::ranges::find(uses, param, &Use::param);
  return found == uses.end() ? nullptr : &*found;
}

std::vector<Symbol> all_symbols() {
  std::vector<Symbol> rows;
  add_op_rows(rows);
  add_alias_rows(rows);
  add_call_rows(rows);
  for (Symbol& row : rows)
    if (row.original.name.empty()) row.original = {row.name, row.section, {}};
  std::vector<Symbol> sorted;
  for (const Section& section : sections())
    std::ranges::copy_if(rows, std::back_inserter(sorted),
                         [&](const Symbol& row) { return row.section == section.name; });
  if (sorted.size() != rows.size()) fail("a row is in a section that has no heading");
  return sorted;
}

const Section& section_of(const Symbol& symbol) {
  return *std::ranges::find(sections(), symbol.section, &Section::name);
}

const std::vector<Section>& sections() {
  static const std::vector<Section> all = {
      {"errors", "Errors", ""},
      {"lifetime", "Lifetime of handles", ""},
      {"info", "The library", ""},
      {"create", "Creating tensors",
       "New tensors are on the default device: the CPU, unless the environment variable "
       "RT_TORCH_DEVICE names another. \"Also as (d0, d1, d2, d3, ndim)\": these five integers may "
       "be "
       "passed in place of dims; the first ndim are the sizes."},
      {"create-int", "Creating int64 tensors", "These are on the default device, too."},
      {"read", "Reading tensors, and asking about them", ""},
      {"arithmetic", "Ops: arithmetic", ""},
      {"comparison", "Ops: comparing and choosing",
       "Comparisons give bool tensors, which rt_torch_torchtensor_where, masked_fill and the "
       "logical calls take."},
      {"trigonometry", "Ops: trigonometry", "Angles are in radians."},
      {"activation", "Ops: activations", ""},
      {"linalg", "Ops: linear algebra", ""},
      {"reduction", "Ops: reductions",
       "Calls that return a number read data; those whose names end in _tensor only record."},
      {"loss", "Ops: losses",
       "Means over the batch. Calls that return a number read data; those whose names end in "
       "_tensor "
       "only record."},
      {"tensor-loss", "Ops: losses and reductions, kept as tensors",
       "They are 0-d tensors, of which nothing is read. rt_torch_autograd_backward takes them."},
      {"checked", "Ops: reductions that return a status",
       "They tell an error from a result that is NaN."},
      {"shape", "Ops: shape", ""},
      {"index", "Ops: picking and joining", ""},
      {"dtype", "Ops: conversion", ""},
      {"nn", "Ops: neural networks", ""},
      {"autograd", "Gradients", ""},
      {"optimizer", "Optimizers", ""},
      {"file", "Files", ""},
      {"device", "Copies, devices and their memory", ""},
      {"stream", "Streams",
       "A device runs its work in the order in which it was recorded, so each of its streams "
       "stands "
       "for all of that work."},
      {"engine", "The engine: batches, policy, backend", ""},
      {"diagnostics", "Diagnostics: counters, dumps, labels", ""},
      {"loader", "Calls with pointers, dtype and device",
       "The only calls that create a tensor of any dtype on any device. Their device codes count "
       "from 0, the CPU."},
      {"core", "Other names: rt_torch_tensor_", ""},
      {"later-client", "Other names: newer clients", ""},
      {"all-i64", "Other names: int64_t alone",
       "For loaders that call everything through one signature. A double is passed as its bits, a "
       "text as a pointer in an integer, a list as its elements."},
  };
  return all;
}

}  // namespace rt::abi_gen
