// spelling.cpp -- the tables of exported functions as data, and programs written as C.
#include "tests/fuzz/spelling.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "graph/error.h"

namespace rt::fuzz {
namespace {

/// Splits arguments such as "handle, list(d0, d1), 0.0" at the commas outside parentheses.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  int depth = 0;
  for (size_t at = 0; at <= text.size(); ++at) {
    const bool end = at == text.size();
    if (!end && text[at] == '(') ++depth;
    if (!end && text[at] == ')') --depth;
    if (!end && (text[at] != ',' || depth > 0)) continue;
    while (start < at && text[start] == ' ') ++start;
    parts.push_back(text.substr(start, at - start));
    start = at + 1;
  }
  return parts;
}

/// Splits the arguments of "function(arguments)"; false if the text does not call `function`.
bool is_call(std::string_view text, std::string_view function,
             std::vector<std::string_view>& arguments) {
  if (!text.starts_with(function) || text.size() <= function.size() ||
      text[function.size()] != '(' || text.back() != ')')
    return false;
  text.remove_prefix(function.size() + 1);
  text.remove_suffix(1);
  arguments = split(text);
  return true;
}

/// batch_norm normalises by given statistics or by the batch's own, which are two ops. In training
/// it also updates the given ones, which is no op: the function with scalars as bits covers that.
void add_batch_norms(std::vector<Spelling>& all) {
  const std::vector<Param> kTensors = {
      RT_EACH(RT_PARAM, (Tensor, input)(OptTensor, running_mean)(OptTensor, running_var)(
                            OptTensor, weight)(OptTensor, bias))};
  for (const bool bits : {false, true}) {
    const std::string_view symbol = bits ? "rt_torch_nn_batch_norm_bits" : "rt_torch_nn_batch_norm";
    const Kind kind = bits ? Kind::Bits : Kind::Float;
    std::vector<Param> params = kTensors;
    for (const Param& param :
         {Param{Kind::Int, "training"}, Param{kind, "momentum"}, Param{kind, "eps"}})
      params.push_back(param);
    const auto add = [&](Op op, bool training, bool updates) {
      Spelling& spelling = all.emplace_back(Spelling{symbol, op, Kind::Tensor, params, {}});
      for (const Param& param : info(op).params) spelling.arguments.push_back(param.name);
      if (training) spelling.fixed = "training";
      spelling.updates = updates;
    };
    add(Op::BatchNorm, bits, bits);
    add(Op::BatchNormOfBatch, true, false);
  }
}

std::vector<Spelling> read_tables() {
  std::vector<Spelling> all;
  for (const OpInfo& row : all_ops()) {
    if (row.internal) continue;
    Spelling& spelling = all.emplace_back(
        Spelling{row.symbol, row.op, row.result, {row.params.begin(), row.params.end()}, {}});
    for (const Param& param : row.params) spelling.arguments.push_back(param.name);
  }
#define RT_ALIAS(symbol, op, result, params, doc, ...) \
  all.push_back({#symbol, Op::op, Kind::result, {RT_EACH(RT_PARAM, params)}, split(#__VA_ARGS__)});
#include "frontend_abi/aliases.def"
  add_batch_norms(all);
  return all;
}

/// Binds a function's parameters by matching a call with the function's expressions.
class Speller {
 public:
  Speller(const Spelling& spelling, const Instruction& call)
      : spelling_(spelling),
        call_(call),
        row_(info(call.args.op)),
        words_{row_, call.args.attributes} {
    for (const Param& param : spelling.params) {
      const bool tensor = param.kind == Kind::OptTensor;
      bound_.push_back({tensor                      ? Sort::Value
                        : param.kind == Kind::Float ? Sort::Real
                                                    : Sort::Integer,
                        tensor                     ? int64_t{kAbsent}
                        : param.kind == Kind::Bits ? std::bit_cast<int64_t>(0.25)
                                                   : param.name == spelling.fixed,
                        0,
                        {}});
    }
  }

  bool match() {
    for (size_t i = 0; i < row_.params.size(); ++i)
      if (!match(row_.params[i].kind, spelling_.arguments[i])) return false;
    return true;
  }
  std::vector<Argument> arguments() const {
    using Sort = Argument::Sort;
    std::vector<Argument> out;
    for (size_t i = 0; i < bound_.size(); ++i) {
      out.push_back(bound_[i]);
      const Kind kind = spelling_.params[i].kind;
      if (kind == Kind::Sizes || kind == Kind::IntList || kind == Kind::TensorList)
        out.push_back({Sort::Integer, static_cast<int64_t>(bound_[i].list.size()), 0, {}});
    }
    return out;
  }

 private:
  using Sort = Argument::Sort;

  bool bind(std::string_view name, Argument argument) {
    for (size_t i = 0; i < bound_.size(); ++i) {
      if (spelling_.params[i].name != name) continue;
      if (spelling_.params[i].kind == Kind::Bits)
        argument = {Sort::Integer, std::bit_cast<int64_t>(argument.real), 0, {}};
      bound_[i] = std::move(argument);
      return true;
    }
    return false;
  }
  bool bind(std::string_view name, int64_t number) {
    return bind(name, {Sort::Integer, number, 0, {}});
  }
  /// Binds a list to one parameter, or each item to a parameter.
  bool bind_list(std::string_view text, std::vector<int64_t> list, Sort sort, Sort one) {
    std::vector<std::string_view> names;
    if (is_call(text, "list", names)) {
      bool fits = names.size() == list.size();
      for (size_t i = 0; fits && i < names.size(); ++i)
        fits = bind(names[i], {one, list[i], 0, {}});
      return fits;
    }
    if (is_call(text, "sizes_at", names)) {
      const auto count = static_cast<int64_t>(list.size());
      return bind(names[1], {sort, 0, 0, std::move(list)}) && bind(names[2], count);
    }
    return bind(text, {sort, 0, 0, std::move(list)});
  }
  bool match_real(std::string_view text, double value) {
    double constant = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), constant);
    if (parsed.ec == std::errc()) return constant == value;
    return bind(text, {Sort::Real, 0, value, {}});
  }
  bool match_dtype(std::string_view text) {
    const auto code = static_cast<int64_t>(call_.args.dtype);
    std::vector<std::string_view> names;
    if (is_call(text, "loader_dtype", names)) return code < 4 && bind(names[0], code);
    constexpr std::string_view kNames[] = {"DType::F32",  "DType::F64", "DType::I32", "DType::I64",
                                           "DType::Bool", "DType::F16", "DType::BF16"};
    return text == kNames[code];
  }
  bool match_device(std::string_view text) {  // programs stay on the CPU
    std::vector<std::string_view> names;
    if (is_call(text, "loader_device", names)) return bind(names[0], 0);
    if (is_call(text, "any_device", names)) return bind(names[0], -1);
    return text == "default_device()" || text == "the_cpu()";
  }
  bool match(Kind kind, std::string_view text) {
    const auto vector = [](Sizes list) { return std::vector<int64_t>(list.begin(), list.end()); };
    switch (kind) {
      case Kind::Tensor:
      case Kind::OptTensor: return bind(text, {Sort::Value, call_.operands[tensor_++], 0, {}});
      case Kind::TensorList:
        return bind_list(text, {call_.operands.begin(), call_.operands.end()}, Sort::Values,
                         Sort::Value);
      case Kind::Float: return match_real(text, std::bit_cast<double>(words_.scalar(scalar_++)));
      case Kind::Index: return bind(text, words_.scalar(scalar_++));
      case Kind::Flag:
        if (text.ends_with(" != 0")) text.remove_suffix(5);
        [[fallthrough]];
      case Kind::Int: return bind(text, words_.integer(integer_++));
      case Kind::IntList:
        return bind_list(text, vector(words_.list(list_++)), Sort::List, Sort::Integer);
      case Kind::Sizes: return bind_list(text, vector(call_.args.shape), Sort::List, Sort::Integer);
      case Kind::DType: return match_dtype(text);
      case Kind::Device: return match_device(text);
      default: return false;
    }
  }

  const Spelling& spelling_;
  const Instruction& call_;
  const OpInfo& row_;
  AttributesView words_;
  std::vector<Argument> bound_;
  uint32_t tensor_ = 0, scalar_ = 0, integer_ = 0, list_ = 0;
};

std::string value_name(int64_t id) { return id == kAbsent ? "0" : join("v", id); }

std::string c_real(double value) {
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value > 0 ? "INFINITY" : "-INFINITY";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0";
  return to_string(value);
}
std::string c_integer(int64_t value) {
  if (value == INT64_MIN) return "INT64_MIN";
  return value > INT32_MAX || value < INT32_MIN ? join("INT64_C(", value, ")") : join(value);
}

template <class List, class Write>
std::string c_list(std::string_view type, const List& list, const Write& write) {
  constexpr size_t kShown = 512;
  if (std::empty(list)) return "NULL";
  std::string text = join("(const ", type, "[]){");
  for (size_t i = 0; i < std::min(list.size(), kShown); ++i)
    text += join(i > 0 ? ", " : "", write(list[i]));
  return text + (list.size() > kShown ? ", /* and so on: run the seed */}" : "}");
}
std::string c_integers(Sizes list) { return c_list("int64_t", list, c_integer); }

std::string c_argument(const Argument& argument) {
  switch (argument.sort) {
    case Argument::Sort::Integer: return c_integer(argument.integer);
    case Argument::Sort::Real: return c_real(argument.real);
    case Argument::Sort::List: return c_integers(argument.list);
    case Argument::Sort::Values: return c_list("int64_t", argument.list, value_name);
    case Argument::Sort::Value: return value_name(argument.integer);
  }
  return "";
}

std::string c_data(const Literal& literal) {
  const std::string sizes = join(c_integers(literal.sizes), ", ", literal.sizes.size());
  if (literal.dtype == DType::I64)
    return join("rt_torch_tensor_from_i64_data(", c_integers(literal.integers), ", ",
                literal.integers.size(), ", ", sizes, ")");
  const bool real = is_float(literal.dtype);
  const std::string data = real ? c_list("double", literal.reals, c_real)
                                : c_list("double", literal.integers, c_integer);
  const auto code = static_cast<int>(literal.dtype);
  const auto note = code < 4 ? "" : join(" /* ", name(literal.dtype), " has no such call */");
  return join("rt_torch_tensor(", data, ", ", numel(literal.sizes), ", ", sizes, ", ", code, ", 0)",
              note);
}

/// A call without an exported function, for readers.
std::string unexported(const Instruction& call) {
  std::string text = join("/* ", info(call.args.op).name, "(");
  for (const uint32_t operand : call.operands) text += join(value_name(operand), ", ");
  return text + join("words=", to_string(call.args.attributes),
                     ", type=", to_string(call.args.dtype, call.args.shape),
                     "), not exported */ 0");
}

std::string c_call(const Instruction& call) {
  std::string_view symbol = call.symbol;
  if (symbol.empty()) {
    for (const Spelling* spelling : spellings_of(call))
      if (symbol.empty() ||
          (spelling->gives_handle() && !find_spelling(symbol, call.args.op)->gives_handle()))
        symbol = spelling->symbol;
  }
  if (symbol.empty()) return join("int64_t v", call.id, " = ", unexported(call));
  const Spelling& spelling = *find_spelling(symbol, call.args.op);
  std::string text =
      join(spelling.result == Kind::Float ? "double v" : "int64_t v", call.id, " = ", symbol, "(");
  const std::vector<Argument> arguments = spell(spelling, call).value_or(std::vector<Argument>());
  for (const Argument& argument : arguments)
    text += join(text.back() == '(' ? "" : ", ", c_argument(argument));
  return text + ")";
}

}  // namespace

const std::vector<Spelling>& spellings() {
  static const std::vector<Spelling> all = read_tables();
  return all;
}

const Spelling* find_spelling(std::string_view symbol, Op op) {
  for (const Spelling& spelling : spellings())
    if (spelling.symbol == symbol && spelling.op == op) return &spelling;
  return nullptr;
}

std::optional<std::vector<Argument>> spell(const Spelling& spelling, const Instruction& call) {
  if (spelling.op != call.args.op) return std::nullopt;
  Speller speller(spelling, call);
  if (!speller.match()) return std::nullopt;
  return speller.arguments();
}

std::vector<const Spelling*> spellings_of(const Instruction& call) {
  std::vector<const Spelling*> found;
  for (const Spelling& spelling : spellings())
    if (spell(spelling, call)) found.push_back(&spelling);
  return found;
}

std::string to_c(const Program& program) {
  using Verb = Instruction::Verb;
  std::string text;
  for (const Instruction& one : program.list) {
    const std::string value = one.operands.empty() ? "" : value_name(one.operands[0]);
    switch (one.verb) {
      case Verb::Data: text += join("int64_t v", one.id, " = ", c_data(one.literal), ";\n"); break;
      case Verb::Call: text += join(c_call(one), ";\n"); break;
      case Verb::Free: text += join("rt_torch_torchtensor_free(", value, ");\n"); break;
      case Verb::Read:
        text += join("rt_torch_copy_data(", value, ", (double[65536]){0}, 65536, 1);\n");
        break;
      case Verb::Shape: text += join("rt_torch_torchtensor_numel(", value, ");\n"); break;
      case Verb::Flush: text += "rt_torch_flush();\n"; break;
    }
  }
  return text;
}

}  // namespace rt::fuzz
