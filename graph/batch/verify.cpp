// verify.cpp -- the rules of a well-formed batch, one after the other.
#include "graph/batch/verify.h"

#include <algorithm>
#include <bit>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt {
namespace {

constexpr size_t kMaxRank = 64;

/// One pass over the values, with the steps alongside.
class Verifier {
 public:
  Verifier(const Batch& batch, bool canonical, bool inside = false)
      : batch_(batch), canonical_(canonical), inside_(inside) {}

  void run() {
    if (batch_.values.size() >= kNone.id) fail("the batch has too many values");
    scalars();
    for (value_ = 0; value_ < batch_.values.size(); ++value_) {
      item();
      if (batch_.is_input(value_)) continue;
      // Every value that is no input is the result of one step, in the order of the steps.
      if (step_ == batch_.steps.size()) fail("%", value_, " is neither an input nor computed");
      if (batch_.steps[step_].result != value_)
        fail("step ", step_, " computes %", batch_.steps[step_].result, "; the next value is %",
             value_);
      step(batch_.steps[step_]);
      ++step_;
    }
    // Each group is computed by one step.
    if (groups_ != batch_.groups.size())
      fail(batch_.groups.size(), " groups exist, and steps compute ", groups_);
    if (step_ != batch_.steps.size()) fail("step ", step_, " computes no value of the batch");
    // The arrays end where the last value and the last step do.
    full("dims", dims_, batch_.dims.size());
    full("operands", operands_, batch_.operands.size());
    full("attributes", attributes_, batch_.attributes.size());
    roots();
    if (canonical_) ends();
  }

 private:
  template <class... Parts>
  [[noreturn]] void bad_step(const Parts&... parts) const {
    const Batch::Step& step = batch_.steps[step_];
    fail("step ", step_, ", %", step.result, " = ", info(step.op).name, ": ", parts...);
  }

  static void full(std::string_view array, size_t used, size_t size) {
    if (used != size) fail(array, " has ", size, " elements and the batch uses ", used);
  }

  void scalars() const {
    // Free scalars come before constants.
    if (batch_.free_scalars > batch_.scalars.size())
      fail(batch_.free_scalars, " scalars are free and there are ", batch_.scalars.size());
    // In canonical form there are no constants.
    if (canonical_ && batch_.free_scalars != batch_.scalars.size())
      fail("a canonical batch has no constants; scalar ", batch_.free_scalars, " is one");
  }

  void item() {
    const Batch::Item& item = batch_.values[value_];
    // Dtype, device, rank and flags are known ones.
    if (static_cast<int>(item.dtype) >= kDTypes)
      fail("%", value_, " has the unknown dtype ", static_cast<int>(item.dtype));
    if (item.device < -1)
      fail("%", value_, " has the unknown device ", static_cast<int>(item.device));
    if (item.rank > kMaxRank)
      fail("%", value_, " has ", static_cast<int>(item.rank), " dimensions; at most ", kMaxRank);
    if (item.flags & ~(Batch::kInput | Batch::kStrided))
      fail("%", value_, " has an unknown flag: ", static_cast<int>(item.flags));
    // Only inputs have strides of their own.
    const bool strided = item.flags & Batch::kStrided;
    if (strided && !batch_.is_input(value_)) fail("%", value_, " is computed and has strides");
    // Sizes and strides lie one value after the other, without gaps.
    if (item.dims != dims_)
      fail("the sizes of %", value_, " start at ", item.dims, " of dims, not at ", dims_);
    dims_ += size_t{item.rank} * (strided ? 2 : 1);
    if (dims_ > batch_.dims.size()) fail("the sizes of %", value_, " end after those of the batch");
    // Sizes are not negative, and the bytes of a value can be counted.
    int64_t bytes = 0;
    const auto count = checked_numel(batch_.sizes(value_));
    if (!count || __builtin_mul_overflow(*count, item_size(item.dtype), &bytes))
      fail("%", value_, " has impossible sizes: ", to_string(item.dtype, batch_.sizes(value_)));
    // Only inputs that are not contiguous have strides.
    if (strided && is_contiguous(batch_.sizes(value_), batch_.strides(value_)))
      fail("%", value_, " is contiguous; its strides must be left out");
  }

  void step(const Batch::Step& step) {
    // The op is a row of the table, or stands for a group of them.
    if (step.op > Op::Fused)
      fail("step ", step_, " has the unknown op ", static_cast<int>(step.op));
    const OpInfo& row = info(step.op);
    operands(step, row);
    attributes(step, row);
    if (step.op == Op::Fused) return group(step);
    // A row has one result.
    if (step.results != 1) bad_step("it has ", step.results, " results");
    result(step, row);
  }

  void group(const Batch::Step& step) {
    // Canonical batches and groups hold no groups; the steps take them in their order.
    if (canonical_ || inside_) bad_step("there are no groups here");
    const AttributesView attributes = batch_.attributes_of(step);
    if (attributes.integer(0) != static_cast<int64_t>(groups_) || groups_ >= batch_.groups.size())
      bad_step("its group is ", attributes.integer(0), " of ", batch_.groups.size(), ", not ",
               groups_);
    const Batch& group = batch_.groups[groups_++];
    try {
      Verifier(group, false, true).run();
    } catch (const Error& error) {
      bad_step("its group cannot run as one step: ", error.text());
    }
    // The group's inputs are the operands.
    uint32_t operand = 0;
    for (uint32_t value = 0; value < group.values.size(); ++value) {
      if (!group.is_input(value)) continue;
      if (group.values[value].flags & Batch::kStrided)
        bad_step("its group's %", value, " has strides");
      if (operand < types_.size()) same(types_[operand], group.type(value), "operand ", operand);
      ++operand;
    }
    if (operand != types_.size())
      bad_step("it has ", types_.size(), " operands and its group ", operand, " inputs");
    // Its free scalars are those that the attributes list.
    const std::span<const int64_t> scalars = attributes.list(0);
    if (scalars.size() != group.free_scalars)
      bad_step("it names ", scalars.size(), " scalars and its group takes ", group.free_scalars);
    for (const int64_t scalar : scalars)
      if (scalar < 0 || scalar >= static_cast<int64_t>(batch_.scalars.size()))
        bad_step("there is no scalar ", scalar);
    // Its roots are the results.
    if (step.results != group.roots.size() || step.results == 0)
      bad_step("it has ", step.results, " results and its group ", group.roots.size(), " roots");
    for (uint32_t i = 0; i < step.results; ++i) {
      if (i > 0) {
        ++value_;
        if (value_ >= batch_.values.size() || batch_.is_input(value_))
          bad_step("its result ", i, " is not there");
        item();
      }
      same(batch_.type(value_), group.type(group.roots[i]), "result ", i);
    }
    next_input_ = value_ + 1;
  }

  void same(const TensorType& of_step, const TensorType& of_group, std::string_view what,
            uint32_t number) const {
    if (of_step.none || of_step.dtype != of_group.dtype || !(of_step.device == of_group.device) ||
        !std::ranges::equal(of_step.sizes, of_group.sizes))
      bad_step(what, number, " is ", to_string(of_step.dtype, of_step.sizes), " and in its group ",
               to_string(of_group.dtype, of_group.sizes));
  }

  void operands(const Batch::Step& step, const OpInfo& row) {
    // Operands lie one step after the other, without gaps.
    if (step.operands != operands_)
      bad_step("its operands start at ", step.operands, ", not at ", operands_);
    operands_ += step.operand_count;
    if (operands_ > batch_.operands.size()) bad_step("its operands end after those of the batch");
    // There are as many operands as the row has tensors; a list has at least one.
    if (row.variadic ? step.operand_count <= row.tensors : step.operand_count != row.tensors)
      bad_step("it has ", step.operand_count, " operands and takes ", static_cast<int>(row.tensors),
               row.variadic ? " and a list of at least one" : "");
    types_.clear();
    uint32_t param = 0;
    for (uint32_t operand : batch_.operands_of(step)) {
      while (param < row.params.size() && row.params[param].kind != Kind::Tensor &&
             row.params[param].kind != Kind::OptTensor &&
             row.params[param].kind != Kind::TensorList)
        ++param;
      const Param& of = row.params[param];
      if (of.kind != Kind::TensorList) ++param;
      // Only an optional tensor may be absent.
      if (operand == kNone.id && of.kind != Kind::OptTensor)
        bad_step(of.name, " is absent and is not optional");
      // A value comes before its uses.
      if (operand != kNone.id && operand >= step.result)
        bad_step(of.name, " is %", operand, ", which comes later");
      types_.push_back(batch_.type(operand));
      if (canonical_ && operand != kNone.id && batch_.is_input(operand)) first_use(operand);
    }
    // In canonical form an input stands right before the first step that uses it.
    if (canonical_ && next_input_ != step.result)
      bad_step("%", next_input_, " stands before it and is not used by it");
    next_input_ = step.result + 1;
  }

  void first_use(uint32_t operand) {
    // In canonical form the ids of inputs are in the order of first use.
    if (operand > next_input_)
      bad_step("%", operand, " is used for the first time before %", next_input_);
    if (operand == next_input_) ++next_input_;
  }

  void attributes(const Batch::Step& step, const OpInfo& row) {
    // Attributes lie one step after the other, without gaps.
    if (step.attributes != attributes_)
      bad_step("its attributes start at ", step.attributes, ", not at ", attributes_);
    attributes_ += step.attribute_count;
    if (attributes_ > batch_.attributes.size())
      bad_step("its attributes end after those of the batch");
    // The attributes are the row's scalars, integers and lists, and no more.
    const std::span<const int64_t> all = batch_.attributes_of(step).attributes;
    size_t at = size_t{row.scalars} + row.integers;
    if (all.size() < at) bad_step("it has ", all.size(), " attributes and needs ", at);
    for (int list = 0; list < row.lists; ++list) {
      if (at >= all.size()) bad_step("list ", list, " is not there");
      if (all[at] < 0 || static_cast<uint64_t>(all[at]) > all.size() - at - 1)
        bad_step("list ", list, " has length ", all[at], " and there are ", all.size() - at - 1,
                 " attributes");
      at += 1 + static_cast<size_t>(all[at]);
    }
    if (at != all.size()) bad_step("it has ", all.size(), " attributes and needs ", at);
    // The attribute of a scalar is its index.
    for (size_t i = 0; i < row.scalars; ++i) {
      if (all[i] < 0 || static_cast<uint64_t>(all[i]) >= batch_.scalars.size())
        bad_step("there is no scalar ", all[i]);
      // In canonical form each position has its own scalar, in step order.
      if (canonical_ && all[i] != next_scalar_)
        bad_step("scalar ", all[i], " stands where ", next_scalar_, " belongs");
      ++next_scalar_;
    }
    // A flag is 0 or 1.
    size_t integer = row.scalars;
    for (const Param& param : row.params) {
      if (param.kind != Kind::Int && param.kind != Kind::Flag) continue;
      if (param.kind == Kind::Flag && (all[integer] & ~int64_t{1}))
        bad_step(param.name, " is ", all[integer], ", not 0 or 1");
      ++integer;
    }
  }

  void result(const Batch::Step& step, const OpInfo& row) {
    const std::span<const int64_t> all = batch_.attributes_of(step).attributes;
    const TensorType type = batch_.type(step.result);
    // Inference gets scalars of its own, because those of the batch are of one run only.
    Small<int64_t, 10> attributes(all);
    size_t scalar = 0;
    for (const Param& param : row.params) {
      if (param.kind == Kind::Float) attributes[scalar++] = std::bit_cast<int64_t>(1.0);
      if (param.kind == Kind::Index) attributes[scalar++] = 1;
    }
    if (row.rules.shape == shape::slice_backward) place_slice(attributes);
    Shape shape(type.sizes);
    DType dtype = type.dtype;
    Device device = type.device;
    Inference call{row, types_, attributes, shape, dtype, device};
    try {
      row.rules.shape(call);
      row.rules.type(call);
    } catch (const Error& error) {
      bad_step(error.text());  // The row accepts its operands.
    }
    // Dims and lists are as inference leaves them: in range and not negative.
    if (!std::ranges::equal(all.subspan(row.scalars), std::span(attributes).subspan(row.scalars)))
      bad_step("its attributes are not normalised");
    // The result's type is what inference says.
    if (dtype != type.dtype || !fits(row, attributes, shape, type.sizes))
      bad_step("its type is ", to_string(type.dtype, type.sizes), " and inference gives ",
               to_string(dtype, shape));
    devices(row, type);
  }

  /// Scalars for which a slice has as many elements as its gradient.
  void place_slice(Small<int64_t, 10>& attributes) const {
    const int64_t dim = attributes[2], step = attributes[3];
    const Sizes grad = types_[0].sizes;
    const int64_t count = dim >= 0 && dim < std::ssize(grad) ? grad[static_cast<size_t>(dim)] : 0;
    attributes[0] = 0;
    const auto reach = static_cast<uint64_t>(count - 1) * static_cast<uint64_t>(step);
    attributes[1] = count == 0 ? 0 : static_cast<int64_t>(reach + 1);
  }

  /// True where the sizes are the inferred ones or, where they depend on scalars, can be.
  bool fits(const OpInfo& row, const Small<int64_t, 10>& attributes, Shape& shape,
            Sizes sizes) const {
    if (row.rules.shape == shape::arange || row.rules.shape == shape::arange_int)
      return sizes.size() == 1;
    if (row.rules.shape == shape::slice) {
      const auto dim = static_cast<uint32_t>(attributes[row.scalars]);
      if (sizes.size() != shape.size() || sizes[dim] > types_[0].sizes[dim]) return false;
      shape[dim] = sizes[dim];
    }
    return std::ranges::equal(shape, sizes);
  }

  void devices(const OpInfo& row, const TensorType& type) const {
    if (row.params.back().kind == Kind::Device) return;
    // Operands and result are on one device; 0-d tensors of the CPU go along with any.
    Device device;
    for (const TensorType& operand : types_)
      if (!operand.none && operand.device.is_cuda()) device = operand.device;
    if (!(type.device == device))
      bad_step("it is on ", name(type.device), " and its operands on ", name(device));
    for (const TensorType& operand : types_)
      if (!operand.none && !(operand.device == device) &&
          (operand.device.is_cuda() || !operand.sizes.empty()))
        bad_step("operands are on ", name(operand.device), " and on ", name(device));
  }

  void roots() const {
    for (size_t i = 0; i < batch_.roots.size(); ++i) {
      const uint32_t root = batch_.roots[i];
      // Roots are values of the batch.
      if (root >= batch_.values.size()) fail("root %", root, " does not exist");
      // An input is no root, because its holder has it already.
      if (batch_.is_input(root)) fail("root %", root, " is an input");
      // In canonical form roots are in step order, each once.
      if (canonical_ && i > 0 && batch_.roots[i - 1] >= root)
        fail("root %", root, " comes after %", batch_.roots[i - 1], "; roots ascend");
    }
  }

  void ends() const {
    // In canonical form every input and every scalar is used.
    if (next_input_ != batch_.values.size()) fail("input %", next_input_, " is not used");
    if (static_cast<size_t>(next_scalar_) != batch_.scalars.size())
      fail("scalar ", next_scalar_, " is not used");
  }

  const Batch& batch_;
  const bool canonical_;
  const bool inside_;  ///< the batch is a group
  size_t groups_ = 0;  ///< seen so far
  uint32_t value_ = 0, step_ = 0;
  size_t dims_ = 0, operands_ = 0, attributes_ = 0;  ///< used elements of the arrays
  uint32_t next_input_ = 0;                          ///< id that the next new input must have
  int64_t next_scalar_ = 0;
  std::vector<TensorType> types_;  ///< of the step's operands
};

}  // namespace

void verify(const Batch& batch, bool canonical) { Verifier(batch, canonical).run(); }

void verify_scalars(const Batch& batch) {
  std::vector<TensorType> types;
  for (size_t i = 0; i < batch.steps.size(); ++i) {
    const Batch::Step& step = batch.steps[i];
    const OpInfo& row = info(step.op);
    const TensorType type = batch.type(step.result);
    types.clear();
    Args args;
    args.op = step.op;
    for (const uint32_t operand : batch.operands_of(step)) {
      args.operands.push_back({operand});
      types.push_back(batch.type(operand));
    }
    args.attributes.assign(batch.attributes_of(step).attributes);
    for (uint32_t attr = 0; attr < row.scalars; ++attr)
      args.attributes[attr] = batch.scalars[static_cast<size_t>(args.attributes[attr])];
    args.shape.assign(type.sizes);
    args.dtype = type.dtype;
    args.device = type.device;
    const Small<int64_t, 10> given = args.attributes;
    bool fits = true;
    std::string cause = "its scalars give another result";
    try {
      infer(args, types);
      fits = std::ranges::equal(args.shape, type.sizes);
      // Inference clamps a slice's bounds, which must be in range. Other scalars
      // may have any value.
      uint32_t scalar = 0;
      for (const Param& param : row.params)
        if (param.kind == Kind::Index || param.kind == Kind::Float) {
          fits = fits && (param.kind == Kind::Float || given[scalar] == args.attributes[scalar]);
          ++scalar;
        }
    } catch (const Error& error) {
      fits = false;
      cause = error.text();
    }
    if (!fits) fail("step ", i, ", %", step.result, " = ", row.name, ": ", cause);
  }
}

}  // namespace rt
