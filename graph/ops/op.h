// op.h -- the op table as C++: one enumerator and one OpInfo per row of ops.def.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "graph/ops/each.h"
#include "graph/types.h"

namespace rt {

/// Kinds of argument and result, see kinds.def.
enum class Kind : uint8_t {
#define RT_KIND(kind, ...) kind,
#include "graph/ops/kinds.def"
};

/// One enumerator per row of ops.def, exported or internal; and Fused, which fuse() makes of
/// several steps and which is never recorded.
enum class Op : uint16_t {
#define RT_OP(Id, ...) Id,
#define RT_INTERNAL(Id, ...) Id,
#include "graph/ops/ops.def"
  Fused,  ///< computes a group of the batch, see Batch::groups
};

/// A value by its id: a slot of the Graph, or an index in a batch. kNone: no tensor.
struct Value {
  uint32_t id = 0;
  bool operator==(const Value&) const = default;
};
inline constexpr Value kNone{0xffffffffu};

/// The arguments of one op.
/// `attributes` has first the scalars (kinds Float and Index) and then the integers (Int, Flag),
/// one element each; then the lists (IntList), each as its length and its elements. All are in the
/// order of the row's parameters. On the tape a scalar is its bits; in a batch it is the index of a
/// scalar of that batch.
/// `shape`, `dtype` and `device` carry the parameters of kinds Sizes, DType and Device. They become
/// the result's type and are stored nowhere else.
struct Args {
  Op op{};
  Small<Value, 6> operands;
  Small<int64_t, 10> attributes;
  Shape shape;
  DType dtype = DType::F32;
  Device device;
};

/// dtype, device and sizes of a value, wherever it is kept.
struct TensorType {
  DType dtype = DType::F32;
  Device device;
  bool none = false;  ///< stands for an optional tensor that was not given
  Sizes sizes;
};

/// The attributes of an Args, a node or a step, by the row's parameters; see Args.
struct OpInfo;
template <class Attribute>
struct AttributesOf {
  const OpInfo& row;
  std::span<Attribute> attributes;
  Attribute& scalar(uint32_t i) const { return attributes[i]; }
  Attribute& integer(uint32_t i) const;
  std::span<Attribute> list(uint32_t i) const;
};
using AttributesView = AttributesOf<const int64_t>;
using MutableAttributes = AttributesOf<int64_t>;

/// The input and output of a shape or type rule. Rules normalise attributes in place (a dim becomes
/// non-negative, slice bounds are clamped), so that equal calls make equal nodes.
struct Inference {
  const OpInfo& row;
  std::span<const TensorType> operands;
  Small<int64_t, 10>& attributes;
  Shape& shape;    ///< in: of a Sizes parameter; out: the result's sizes
  DType& dtype;    ///< in: of a DType parameter; out: the result's
  Device& device;  ///< in: of a Device parameter; out: the result's

  const TensorType& operand(uint32_t i) const { return operands[i]; }
  MutableAttributes attr() const { return {row, {attributes.data(), attributes.size()}}; }
};
using ShapeRule = void (*)(Inference&);
using TypeRule = void (*)(Inference&);

class Builder;
using DecomposeRule = Value (*)(Builder&, const Args&);

class Expr;
struct Vjp;
/// The gradient of operand `operand`, from that of the result; see vjp.h.
using VjpRule = Expr (*)(const Vjp&, uint32_t operand);

/// The values that a gradient needs beside the result's gradient: a sum of these.
enum Saved : uint8_t {
  kNothing = 0,
  kSelf = 1,
  kOther = 2,
  kThird = 4,
  kFourth = 8,
  kFifth = 16,
  kResult = 128
};

/// Computes the layout of a view row's result over `source`, from its sizes in `shape` and its
/// normalised attributes. False when strides cannot express it and a copy is needed.
using ViewRule = bool (*)(const AttributesView& attributes, Sizes shape, const Layout& source,
                          Layout& result);

enum class Effect : uint8_t {
  None,
  Random,   ///< draws numbers: always runs, in record order, never merged
  Ordered,  ///< must keep its position for another reason
};

/// Facts of a family of rows.
enum KernelFact : int {
  kFresh = 1,       ///< the result never shares memory with an operand
  kOverwrites = 2,  ///< the aten operator does nothing with the result's memory but write it
  kMoves = 4,       ///< elements are moved and never rounded
  kIndexed = 8,     ///< an operand holds indices: the row needs a .range
};

/// The families of reference kernels (fallback_cpu/); every row names one or has a decomposition.
enum class Kernel : uint8_t {
  None,
#define RT_KERNEL(Id, ...) Id,
#include "graph/ops/kernels.def"
};

/// Elements of an operand that a backend must not meet: they have to lie in [low, high] or equal
/// `ignored`.
struct AllowedRange {
  uint32_t operand = 0;
  double low = 0, high = 0;
  double ignored = std::numeric_limits<double>::quiet_NaN();  ///< NaN: none is ignored
};
using AllowedRanges = Small<AllowedRange, 2>;
/// The ranges of a call, from its attributes and its operands' types.
using RangeRule = AllowedRanges (*)(const AttributesView& attributes,
                                    std::span<const TensorType> operands);

/// When the result of a call is its first operand itself, as PyTorch gives the tensor back.
enum class Identity : uint8_t {
  Never,
  EqualDType,
  EqualDevice,
  OneDimension,
  RowMajor,
  DropsNothing,  ///< not training, or p is 0, or there are no elements
};

/// A constant for an argument of the aten operator that no parameter of the row has the name of.
struct Extra {
  std::string_view name;
  double value = 0;
  std::string_view text = {};  ///< the constant of an argument that takes a text
};

struct Param {
  Kind kind;
  std::string_view name;
};

/// The rules of a row; one left out has its default.
struct Rules {
  /// Operator and overload that the row lowers to; arguments are matched by name. "rt_torch::..."
  /// is one of our own, see executor/torchscript/operators.h.
  std::string_view aten;
  bool promote = false;       ///< aten wants the operands in the result's dtype
  ShapeRule shape = nullptr;  ///< required
  TypeRule type = nullptr;    ///< required
  VjpRule vjp = nullptr;      ///< the gradients of the operands
  /// By operand, the values that its gradient needs. An int, so that the table may write sums.
  int saves[5] = {};
  /// Recorded instead of the row where its gradient is wanted.
  DecomposeRule graded = nullptr;
  Kernel kernel = Kernel::None;       ///< this or
  DecomposeRule decompose = nullptr;  ///< this is required
  ViewRule view = nullptr;            ///< the result is a view where strides allow
  Effect effect = Effect::None;
  RangeRule range = nullptr;  ///< it fails where elements of operands are out of range
  bool fails = false;         ///< it can fail for what operands hold, within ranges as well
  Identity identity = Identity::Never;
  bool takes_halves = false;     ///< the kernel takes 16-bit floats, for which others take f32
  bool ambiguous = false;        ///< several results are right, as signs of singular vectors
  std::string_view family = {};  ///< in the explorer; required of a row without a kernel
  Extra extra[3] = {};           ///< constants for the aten operator's other arguments
  uint8_t result = 0;            ///< index of the aten operator's result that the row stands for
  std::string_view then = {};    ///< aten operator of one tensor that the result goes through
};

struct OpInfo {
  Op op;
  std::string_view name;    ///< in dumps: "add_scalar"
  std::string_view symbol;  ///< the exported function, or the name for internal rows
  Kind result;
  bool internal;
  std::span<const Param> params;
  std::string_view doc;
  Rules rules;
  uint8_t tensors, scalars, integers, lists;  ///< numbers of parameters by sort
  bool variadic;                              ///< takes a TensorList
  bool placed;                                ///< its last parameter is the device
  /// Where all operands have one floating point type, the result has it, whatever
  /// the attributes are.
  bool keeps_type;
  /// keeps_type; a call on such operands is recorded as it is: no view, no identity, no effect, no
  /// operand that may be absent, and a vjp.
  bool plain;
  int facts;                ///< KernelFacts that hold for it
  std::string_view family;  ///< in the explorer
  constexpr bool can_fail() const { return rules.fails || rules.range; }
  constexpr bool has(KernelFact fact) const { return (facts & fact) != 0; }
};

/// The table, one entry per enumerator.
extern const OpInfo kOps[];
inline const OpInfo& info(Op op) { return kOps[static_cast<size_t>(op)]; }
std::span<const OpInfo> all_ops();             ///< the rows of the table, without Op::Fused
const OpInfo* find_op(std::string_view name);  ///< by its name in dumps; nullptr when there is none

/// Infers the result of args.op from its operands' types: fills in args.shape, dtype and device and
/// normalises the attributes. Throws Error (cause and remedy) when PyTorch would refuse the call.
void infer(Args& args, std::span<const TensorType> operands);

template <class Attribute>
Attribute& AttributesOf<Attribute>::integer(uint32_t i) const {
  return attributes[row.scalars + i];
}
template <class Attribute>
std::span<Attribute> AttributesOf<Attribute>::list(uint32_t i) const {
  size_t at = size_t{row.scalars} + row.integers;
  for (; i > 0; --i) at += 1 + static_cast<size_t>(attributes[at]);
  return attributes.subspan(at + 1, static_cast<size_t>(attributes[at]));
}

/// For RT_EACH: the parameters of a call, as elements of an initializer list.
#define RT_PARAM(kind, name) rt::Param{rt::Kind::kind, #name},

}  // namespace rt
