// plan.h -- how a row of the op table becomes a call of its aten operator.
#pragma once
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include "graph/ops/op.h"

namespace rt::torchscript {

/// Where an argument of the aten operator comes from.
struct ArgumentSource {
  enum class From : uint8_t {
    Constant,  ///< a default of the schema, or what the row says beyond its parameters
    Operand,
    Operands,      ///< all of them, as a list
    ScalarTensor,  ///< a scalar as a 0-d tensor, which costs a third of a Scalar on the CPU
    Scalar,
    Integer,
    OptInteger,  ///< none when negative: the dims of a row are normalised
    OneInteger,  ///< as a list of one
    Flag,
    Integers,
    Sizes,
    DType,  ///< the result's
    Device,
  };
  From from = From::Constant;
  uint32_t at = 0;         ///< which operand, scalar, integer or list of the row
  bool floating = true;    ///< of a scalar: its kind is Float, not Index
  c10::IValue constant{};  ///< of a constant
};

/// One row, ready to be called: its operator and a source for every argument, in their order.
struct Plan {
  const OpInfo* row = nullptr;
  std::string name;  ///< of the operator: the row's .aten, or our own in its place
  std::optional<c10::OperatorHandle> aten;
  std::optional<c10::OperatorHandle> then;  ///< what the result goes through, see Rules
  bool has_out =
      false;  ///< it has an overload that writes its result to memory given behind the rest
  std::vector<ArgumentSource> sources;
  std::string problem;  ///< why this libtorch cannot run the row; empty when it can

  const c10::FunctionSchema& schema() const { return aten->schema(); }
};

/// Made for all rows at the first call.
const Plan& plan_of(Op op);

/// The value of an argument that is neither operand nor scalar, for a call with these words and
/// this result.
c10::IValue attribute(const ArgumentSource& source, const AttributesView& attributes, DType dtype,
                      Device device, Sizes sizes);

/// Whether an operator that takes these arguments has an overload with one more, the tensor for its
/// result, and a kernel for that on the CPU: else it would copy there what it computes elsewhere.
bool has_out(const c10::FunctionSchema& schema);

/// "aten::add.Tensor" as name and overload.
c10::OperatorName operator_name(std::string_view aten);

}  // namespace rt::torchscript
