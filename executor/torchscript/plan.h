// plan.h -- plans, which turn a row of the op table into a call of its aten operator.
#pragma once
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include "graph/ops/op.h"

namespace rt::torchscript {

/// The source of an argument of the aten operator.
struct ArgumentSource {
  enum class From : uint8_t {
    Constant,  ///< a default of the schema, or an extra constant of the row
    Operand,
    Operands,      ///< all of them, as a list
    ScalarTensor,  ///< a scalar as a 0-d tensor, which costs a third of a Scalar on the CPU
    Scalar,
    Integer,
    OptInteger,  ///< None when negative, because the dims of a row are normalised
    OneInteger,  ///< an integer as a list of one
    Flag,
    Integers,
    Sizes,
    DType,  ///< the result's
    Device,
  };
  From from = From::Constant;
  uint32_t at = 0;         ///< index of the row's operand, scalar, integer or list
  bool floating = true;    ///< for a scalar: its kind is Float, not Index
  c10::IValue constant{};  ///< for From::Constant
};

/// The operator of a row, and a source for each of its arguments, in order.
struct Plan {
  const OpInfo* row = nullptr;
  std::string name;  ///< of the operator: the row's .aten, or ours that replaces it
  std::optional<c10::OperatorHandle> aten;
  std::optional<c10::OperatorHandle> then;  ///< takes the result, see Rules
  bool has_out = false;                     ///< see has_out()
  std::vector<ArgumentSource> sources;
  std::string problem;  ///< why this libtorch cannot run the row; empty when it can

  const c10::FunctionSchema& schema() const { return aten->schema(); }
};

/// The plan of a row. The first call makes all plans.
const Plan& plan_of(Op op);

/// The value of an argument that is neither operand nor scalar, for a call with these attributes
/// and this result.
c10::IValue attribute(const ArgumentSource& source, const AttributesView& attributes, DType dtype,
                      Device device, Sizes sizes);

/// True where the operator has an overload with one more argument, the tensor for its result, and
/// that has a CPU kernel. Without a kernel of its own it would compute elsewhere and copy.
bool has_out(const c10::FunctionSchema& schema);

/// "aten::add.Tensor" as name and overload.
c10::OperatorName operator_name(std::string_view aten);

}  // namespace rt::torchscript
