// plan.cpp -- makes plans: matches the parameters of rows to aten's schemas by name.
#include "executor/torchscript/plan.h"

#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <memory>
#include <span>

#include "executor/torchscript/buffer.h"
#include "executor/torchscript/operators.h"
#include "graph/error.h"

namespace rt::torchscript {
namespace {

using From = ArgumentSource::From;

bool is_integer_list(const c10::Type& type) {
  const auto* list = type.castRaw<c10::ListType>();
  return list && (list->getElementType()->kind() == c10::TypeKind::IntType ||
                  list->getElementType()->kind() == c10::TypeKind::SymIntType);
}

/// The source for an argument of this type from a parameter of kind Int.
From integer_source(const c10::Type& type) {
  if (const auto* optional = type.castRaw<c10::OptionalType>())
    return is_integer_list(*optional->getElementType()) ? From::OneInteger : From::OptInteger;
  return is_integer_list(type) ? From::OneInteger : From::Integer;
}

ArgumentSource source_of(Kind kind, uint32_t at, const c10::Type& type) {
  switch (kind) {
    case Kind::Tensor:
    case Kind::OptTensor: return {.from = From::Operand, .at = at};
    case Kind::TensorList: return {.from = From::Operands};
    case Kind::Float:
    case Kind::Index:
      return {.from = type.kind() == c10::TypeKind::TensorType ? From::ScalarTensor : From::Scalar,
              .at = at,
              .floating = kind == Kind::Float};
    case Kind::Int: return {.from = integer_source(type), .at = at};
    case Kind::Flag: return {.from = From::Flag, .at = at};
    case Kind::IntList: return {.from = From::Integers, .at = at};
    case Kind::Sizes: return {.from = From::Sizes};
    case Kind::DType: return {.from = From::DType};
    case Kind::Device: return {.from = From::Device};
    default: fail("a parameter of a row has a kind that only calls have");
  }
}

/// The row's parameter with the argument's name as its source; none where the row has no such
/// parameter.
std::optional<ArgumentSource> parameter_source(const OpInfo& row, const c10::Argument& argument) {
  uint32_t tensor = 0, scalar = 0, integer = 0, list = 0;
  for (const Param& param : row.params) {
    uint32_t* counter = nullptr;
    switch (param.kind) {
      case Kind::Tensor:
      case Kind::OptTensor: counter = &tensor; break;
      case Kind::Float:
      case Kind::Index: counter = &scalar; break;
      case Kind::Int:
      case Kind::Flag: counter = &integer; break;
      case Kind::IntList: counter = &list; break;
      default: break;
    }
    const uint32_t at = counter ? (*counter)++ : 0;
    if (param.name == argument.name()) return source_of(param.kind, at, *argument.type());
  }
  return std::nullopt;
}

/// A constant of a row in the argument's type. For a list it is both height and width.
c10::IValue constant_of(const Extra& extra, const c10::Type& type) {
  if (const auto* optional = type.castRaw<c10::OptionalType>())
    return constant_of(extra, *optional->getElementType());
  const auto integer = static_cast<int64_t>(extra.value);
  if (is_integer_list(type)) return c10::List<int64_t>({integer, integer});
  switch (type.kind()) {
    case c10::TypeKind::BoolType: return extra.value != 0;
    case c10::TypeKind::FloatType: return extra.value;
    case c10::TypeKind::StringType: return std::string(extra.text);
    default: return integer;
  }
}

/// True for a list of flags, which selects the results that the operator computes.
bool is_mask(const c10::Type& type) {
  const auto* list = type.castRaw<c10::ListType>();
  return list && list->getElementType()->kind() == c10::TypeKind::BoolType;
}
c10::IValue mask_of(const OpInfo& row, const c10::FunctionSchema& schema) {
  c10::List<bool> mask;
  for (size_t i = 0; i < schema.returns().size(); ++i) mask.push_back(i == row.rules.result);
  return mask;
}

ArgumentSource source_for(const OpInfo& row, const c10::FunctionSchema& schema,
                          const c10::Argument& argument) {
  if (auto source = parameter_source(row, argument)) return *source;
  for (const Extra& extra : row.rules.extra)
    if (extra.name == argument.name()) return {.constant = constant_of(extra, *argument.type())};
  if (is_mask(*argument.type())) return {.constant = mask_of(row, schema)};
  if (argument.default_value()) return {.constant = *argument.default_value()};
  if (argument.type()->kind() == c10::TypeKind::OptionalType) return {};
  if (argument.real_type()->kind() == c10::TypeKind::ScalarTypeType) return {.from = From::DType};
  fail("its argument ", argument.name(), " is no parameter of ", row.name, " and has no default");
}

Plan make_plan(const OpInfo& row) {
  Plan plan;
  plan.row = &row;
  try {
    const std::string own = join("rt_torch::", row.name);
    const bool has_own = c10::Dispatcher::singleton().findSchema({own, ""}).has_value();
    plan.name = has_own ? own : std::string(row.rules.aten);
    plan.aten = c10::Dispatcher::singleton().findSchema(operator_name(plan.name));
    if (!plan.aten) fail("this libtorch does not have it");
    for (const c10::Argument& argument : plan.schema().arguments())
      plan.sources.push_back(source_for(row, plan.schema(), argument));
    for (const Param& param : row.params)
      if (!plan.schema().argumentIndexWithName(std::string(param.name)))
        fail("it has no argument ", param.name);
    if (row.rules.result >= plan.schema().returns().size())
      fail("it has no result ", static_cast<int>(row.rules.result));
    plan.has_out = has_out(plan.schema());
    if (!row.rules.then.empty()) {
      plan.then = c10::Dispatcher::singleton().findSchema(operator_name(row.rules.then));
      if (!plan.then) fail("this libtorch does not have ", row.rules.then);
    }
  } catch (const std::exception& error) {
    plan.problem = join(row.rules.aten, ": ", error.what());
  }
  return plan;
}

}  // namespace

bool has_out(const c10::FunctionSchema& schema) {
  if (schema.returns().size() != 1) return false;
  const auto& wanted = schema.arguments();
  const auto takes = [&](const std::vector<c10::Argument>& arguments) {
    return arguments.size() == wanted.size() + 1 &&
           arguments.back().type()->kind() == c10::TypeKind::TensorType &&
           std::ranges::equal(wanted, std::span(arguments).first(wanted.size()),
                              [](const auto& a, const auto& b) { return *a.type() == *b.type(); });
  };
  bool found = false;
  const auto symbol = c10::Symbol::fromQualString(schema.name());
  for (const auto& overload : torch::jit::getAllOperatorsFor(symbol)) {
    const c10::FunctionSchema& other = overload->schema();
    if (!takes(other.arguments())) continue;
    // A graph distinguishes overloads by the types of their arguments: max(self, other) would be
    // taken for max(self) with a tensor for the result.
    if (!other.arguments().back().is_out()) return false;
    const auto handle = c10::Dispatcher::singleton().findSchema(other.operator_name());
    found = handle && handle->hasKernelForDispatchKey(c10::DispatchKey::CPU);
  }
  return found;
}

c10::OperatorName operator_name(std::string_view aten) {
  const size_t dot = aten.find('.');
  if (dot == std::string_view::npos) return {std::string(aten), ""};
  return {std::string(aten.substr(0, dot)), std::string(aten.substr(dot + 1))};
}

c10::IValue attribute(const ArgumentSource& source, const AttributesView& attributes, DType dtype,
                      Device device, Sizes sizes) {
  const auto list = [](Sizes of) {
    return c10::IValue(c10::List<int64_t>({of.data(), of.size()}));
  };
  switch (source.from) {
    case From::Constant: return source.constant;
    case From::Integer: return attributes.integer(source.at);
    case From::OptInteger: {
      const int64_t integer = attributes.integer(source.at);
      return integer < 0 ? c10::IValue() : c10::IValue(integer);
    }
    case From::OneInteger: return list({&attributes.integer(source.at), 1});
    case From::Flag: return attributes.integer(source.at) != 0;
    case From::Integers: return list(attributes.list(source.at));
    case From::Sizes: return list(sizes);
    case From::DType: return static_cast<int64_t>(scalar_type(dtype));
    case From::Device: return device_of(device);
    default: fail("an operand or a scalar is no attribute");
  }
}

const Plan& plan_of(Op op) {
  static const std::vector<Plan>& plans = *[] {
    register_operators();
    auto made = std::make_unique<std::vector<Plan>>();
    for (const OpInfo& row : all_ops()) made->push_back(make_plan(row));
    return made.release();
  }();
  return plans[static_cast<size_t>(op)];
}

}  // namespace rt::torchscript
