// lower.cpp -- turns steps into nodes by the plans of their rows, and graphs into text and modules.
#include "executor/torchscript/lower.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <bit>
#include <clocale>
#include <locale>
#include <map>
#include <mutex>
#include <sstream>
#include <unordered_map>

#include "executor/torchscript/buffer.h"
#include "executor/torchscript/fused.h"
#include "executor/torchscript/kernel.h"
#include "graph/batch/kernel_choice.h"
#include "graph/error.h"

namespace rt::torchscript {
namespace {

namespace jit = torch::jit;
using From = ArgumentSource::From;

/// For every value the index of its last user plus one; UINT32_MAX for roots.
std::vector<uint32_t> ends_of_use(const Batch& batch) {
  std::vector<uint32_t> ends(batch.values.size(), 0);
  for (uint32_t step = 0; step < batch.steps.size(); ++step)
    for (uint32_t operand : batch.operands_of(batch.steps[step]))
      if (operand != kNone.id) ends[operand] = step + 1;
  for (uint32_t root : batch.roots) ends[root] = UINT32_MAX;
  return ends;
}

/// The largest planned result in bytes. For a larger one the time of an allocation does not matter.
constexpr int64_t kMaxPlanned = 64 << 10;

/// True where the result of the op never shares memory with its operands.
bool makes_its_own(Op op) { return op == Op::Fused || info(op).has(kFresh); }

class Lowering {
 public:
  Lowering(const Batch& batch, Purpose purpose, Optimizations use, MemoryCount* memory)
      : batch_(batch),
        purpose_(purpose),
        use_(use),
        memory_count_(memory),
        values_(batch.values.size()) {
    part_.graph = std::make_shared<jit::Graph>();
  }

  Part run(uint32_t begin, uint32_t end) {
    std::vector<bool> known(batch_.values.size());
    for (uint32_t step = begin; step < end; ++step) {
      for (uint32_t operand : batch_.operands_of(batch_.steps[step])) {
        if (operand == kNone.id || known[operand]) continue;
        add_input(operand);
        known[operand] = true;
      }
      for (uint32_t i = 0; i < batch_.steps[step].results; ++i)
        known[batch_.steps[step].result + i] = true;
    }
    const std::vector<uint32_t> ends = ends_of_use(batch_);
    if (use_.reuse && purpose_ == Purpose::Running) find_planned(begin, end, ends);
    for (uint32_t step = begin; step < end; ++step) {
      if (batch_.steps[step].op == Op::Fused) add_group(batch_.steps[step]);
      else if (is_kernel(batch_.steps[step])) add_kernel(batch_.steps[step]);
      else add_node(batch_.steps[step]);
      for (uint32_t operand : batch_.operands_of(batch_.steps[step]))
        if (operand != kNone.id && ends[operand] == step + 1) give_back(operand);
    }
    for (uint32_t step = begin; step < end; ++step) {
      for (uint32_t i = 0; i < batch_.steps[step].results; ++i) {
        const uint32_t result = batch_.steps[step].result + i;
        if (ends[result] <= end) continue;
        part_.graph->registerOutput(values_[result]);
        part_.results.push_back(result);
      }
    }
#ifndef NDEBUG
    part_.graph->lint();
#endif
    return std::move(part_);
  }

 private:
  void add_input(uint32_t value) {
    values_[value] = part_.graph->addInput(join("x", part_.inputs.size()));
    part_.inputs.push_back(value);
  }

  jit::Value* constant(const c10::IValue& value) {
    // Defaults are few and occur in every node, so that each gets one constant.
    if (value.isNone()) return once(none_, value);
    if (value.isBool()) return once(flags_[value.toBool()], value);
    if (value.isInt()) return once(integers_[value.toInt()], value);
    if (value.isIntList()) return once(lists_[value.toIntVector()], value);
    return jit::insertConstant(*part_.graph, value);
  }
  jit::Value* once(jit::Value*& constant, const c10::IValue& value) {
    if (!constant) constant = jit::insertConstant(*part_.graph, value);
    return constant;
  }

  jit::Value* scalar(uint32_t index, const ArgumentSource& source, DType result) {
    Part::Further input{index, source.floating ? Part::Input::Number : Part::Input::Integer,
                        result};
    if (source.from == From::ScalarTensor && purpose_ == Purpose::Running)
      input.form = Part::Input::NumberTensor;
    part_.further.push_back(input);
    jit::Value* value = part_.graph->addInput(join("s", part_.further.size() - 1));
    if (input.form == Part::Input::Number) value->setType(c10::FloatType::get());
    if (input.form == Part::Input::Integer) value->setType(c10::IntType::get());
    return value;
  }

  jit::Value* append(std::string_view aten, at::ArrayRef<jit::Value*> inputs, size_t results = 1,
                     size_t result = 0) {
    const auto symbol = c10::Symbol::fromQualString(operator_name(aten).name);
    if (results > 1) {
      // Rows for different results of one operator share its node, as max_pool2d and its indices.
      // Operators with several results draw no random numbers.
      for (jit::Node* node : several_)
        if (node->kind() == symbol && node->inputs() == inputs) return node->output(result);
    }
    jit::Node* node = part_.graph->appendNode(part_.graph->create(symbol, inputs, results));
    if (results > 1) several_.push_back(node);
    return node->output(result);
  }

  jit::Value* contiguous(jit::Value* value) {
    return append("aten::contiguous", {value, constant(0)});
  }

  /// The operand, converted to the result's dtype where the row asks for that, and with a check of
  /// its range where the row needs one on CUDA.
  jit::Value* operand(const Batch::Step& step, uint32_t at) {
    const uint32_t id = batch_.operands_of(step)[at];
    if (id == kNone.id) return constant({});
    const OpInfo& row = info(step.op);
    jit::Value* value = values_[id];
    // Op::AsStrided counts elements in row-major order, aten::as_strided those in memory.
    if (row.op == Op::AsStrided && purpose_ == Purpose::Running && has_strides(id))
      value = contiguous(value);
    if (row.op == Op::DropoutMask && purpose_ == Purpose::Reading)
      value = append("aten::ones_like",
                     {value, constant({}), constant({}), constant({}), constant({}), constant({})});
    const DType wanted = batch_.values[step.result].dtype;
    if (row.rules.promote && batch_.values[id].dtype != wanted)
      value = append("aten::to.dtype", {value, constant(static_cast<int64_t>(scalar_type(wanted))),
                                        constant(false), constant(false), constant({})});
    for (const AllowedRange& check : checks_)
      if (check.operand == at)
        value = append("rt_torch::check_range",
                       {value, constant(check.low), constant(check.high), constant(check.ignored)});
    return value;
  }

  /// True where the value may have another order than row-major.
  bool has_strides(uint32_t value) const {
    if (batch_.is_input(value)) return batch_.values[value].flags & Batch::kStrided;
    return info(batch_.producer(value).op).rules.view != nullptr;
  }

  /// True where the operator may leave its result in another order than inference says. It must be
  /// made contiguous, as in a step by itself, because views of the result and the rounding of later
  /// steps depend on the order.
  bool leaves_strides(const Batch::Step& step) const {
    const Rules& rules = info(step.op).rules;
    if (rules.view || purpose_ != Purpose::Running) return false;
    if (rules.kernel == Kernel::Linalg) return true;  // LAPACK's matrices are column-major
    if (product_of(step)) return false;
    if (rules.kernel == Kernel::Matmul && batch_.sizes(step.result).size() > 2) return true;
    for (const uint32_t operand : batch_.operands_of(step))  // elementwise operators keep strides
      if (operand != kNone.id && has_strides(operand)) return true;
    return false;
  }

  jit::Value* argument(const Batch::Step& step, const ArgumentSource& source) {
    const AttributesView attributes = batch_.attributes_of(step);
    const Batch::Item& item = batch_.values[step.result];
    switch (source.from) {
      case From::Constant: return constant(source.constant);
      case From::Operand: return operand(step, source.at);
      case From::Operands: {
        std::vector<jit::Value*> list;
        for (uint32_t at = 0; at < step.operand_count; ++at) list.push_back(operand(step, at));
        return part_.graph->appendNode(part_.graph->createList(c10::TensorType::get(), list))
            ->output();
      }
      case From::ScalarTensor:
      case From::Scalar:
        return scalar(static_cast<uint32_t>(attributes.scalar(source.at)), source, item.dtype);
      default:
        return constant(attribute(source, attributes, item.dtype, Device{item.device},
                                  batch_.sizes(step.result)));
    }
  }

  /// The operator that aten::matmul calls for operands of these dimensions.
  struct Product {
    const char* aten;
    bool has_out;
  };
  const Product* product_of(const Batch::Step& step) const {
    if (step.op != Op::Matmul || purpose_ != Purpose::Running) return nullptr;
    const auto product = [](const char* aten) {
      return Product{aten,
                     has_out(c10::Dispatcher::singleton().findSchemaOrThrow(aten, "").schema())};
    };
    static const Product matrices = product("aten::mm"), stacks = product("aten::bmm");
    const Sizes a = batch_.sizes(batch_.operands_of(step)[0]);
    const Sizes b = batch_.sizes(batch_.operands_of(step)[1]);
    if (a.size() == 2 && b.size() == 2) return &matrices;
    return a.size() == 3 && b.size() == 3 && a[0] == b[0] ? &stacks : nullptr;
  }

  /// Marks the results that may lie in planned memory: small ones that do not leave the part, and
  /// with whose memory no other value can share.
  void find_planned(uint32_t begin, uint32_t end, const std::vector<uint32_t>& ends) {
    plannable_.resize(batch_.values.size());
    for (uint32_t step = begin; step < end; ++step) {
      const Batch::Step& at = batch_.steps[step];
      if (at.op == Op::Fused || !info(at.op).has(kOverwrites) || is_kernel(at)) continue;
      const Batch::Item& item = batch_.values[at.result];
      plannable_[at.result] = ends[at.result] <= end && item.device < 0 && !leaves_strides(at) &&
                              info(at.op).rules.then.empty() &&
                              numel(batch_.sizes(at.result)) * item_size(item.dtype) <= kMaxPlanned;
    }
    for (uint32_t step = begin; step < end; ++step)
      if (!makes_its_own(batch_.steps[step].op))
        for (const uint32_t operand : batch_.operands_of(batch_.steps[step]))
          if (operand != kNone.id) plannable_[operand] = false;
  }

  /// Planned memory of the value's type that no live value uses.
  jit::Value* planned(uint32_t value) {
    const at::ScalarType type = scalar_type(batch_.values[value].dtype);
    const Sizes sizes = batch_.sizes(value);
    for (Memory& memory : memory_) {
      const Part::Planned& is = part_.planned[memory.id];
      if (memory.value != kNone.id || is.type != type ||
          !std::ranges::equal(Sizes(is.sizes), sizes))
        continue;
      memory.value = value;
      return memory.input;
    }
    const auto index = static_cast<uint32_t>(part_.planned.size());
    part_.planned.push_back({type, Shape(sizes)});
    part_.further.push_back({index, Part::Input::Memory, {}});
    memory_.push_back({index, value, part_.graph->addInput(join("m", index))});
    return memory_.back().input;
  }
  void give_back(uint32_t value) {
    for (Memory& memory : memory_)
      if (memory.value == value) memory.value = kNone.id;
  }

  bool is_kernel(const Batch::Step& step) const {
    return purpose_ == Purpose::Running && memory_count_ && use_.fuse &&
           prefers_kernel(batch_, step);
  }

  void add_operator(const Batch::Step& step, std::unique_ptr<NodeOperator> made) {
    std::vector<jit::Value*> inputs;
    for (const uint32_t operand : batch_.operands_of(step))
      inputs.push_back(operand == kNone.id ? constant({}) : values_[operand]);
    jit::Node* node = made->append_to(*part_.graph, inputs, step.results);
    part_.operators.push_back(std::move(made));
    for (uint32_t i = 0; i < step.results; ++i) values_[step.result + i] = node->outputs()[i];
  }
  void add_group(const Batch::Step& step) {
    add_operator(step, std::make_unique<FusedOperator>(batch_, step, use_.reuse));
  }
  void add_kernel(const Batch::Step& step) {
    add_operator(step, std::make_unique<KernelOperator>(*memory_count_, batch_, step));
  }

  void add_node(const Batch::Step& step) {
    const Plan& plan = plan_of(step.op);
    if (!plan.problem.empty()) fail(plan.problem);
    checks_ = {};
    if (batch_.values[step.result].device >= 0) {
      Small<TensorType, 6> types;
      for (uint32_t operand : batch_.operands_of(step)) types.push_back(batch_.type(operand));
      if (const RangeRule range = plan.row->rules.range)
        checks_ = range(batch_.attributes_of(step), types);
    }
    std::vector<jit::Value*> inputs;
    for (const ArgumentSource& source : plan.sources) inputs.push_back(argument(step, source));
    const Rules& rules = plan.row->rules;
    std::string_view aten = purpose_ == Purpose::Running ? plan.name : rules.aten;
    bool has_out = plan.has_out;
    if (const Product* product = product_of(step)) {
      aten = product->aten;
      has_out = product->has_out;
    }
    if (has_out && !plannable_.empty() && plannable_[step.result])
      inputs.push_back(planned(step.result));
    jit::Value* result = append(aten, inputs, plan.schema().returns().size(), rules.result);
    if (!rules.then.empty()) result = append(rules.then, {result});
    values_[step.result] = leaves_strides(step) ? contiguous(result) : result;
  }

  /// Planned memory, and the live value that lies there, or kNone.id.
  struct Memory {
    uint32_t id, value;  ///< `id`: index in Part::planned
    jit::Value* input;
  };

  const Batch& batch_;
  Purpose purpose_;
  Optimizations use_;
  MemoryCount* const memory_count_;  ///< of the kernels' results; null: none runs
  Part part_;
  std::vector<Memory> memory_;
  std::vector<bool> plannable_;  ///< by value; empty where nothing is planned
  std::vector<jit::Value*> values_;
  AllowedRanges checks_;
  jit::Value* none_ = nullptr;
  jit::Value* flags_[2] = {};
  std::unordered_map<int64_t, jit::Value*> integers_;
  std::map<std::vector<int64_t>, jit::Value*> lists_;
  std::vector<jit::Node*> several_;  ///< nodes of several results
};

Part lower_for_people(const Batch& batch) {
  return lower(batch, 0, static_cast<uint32_t>(batch.steps.size()), Purpose::Reading);
}

c10::IValue recorded(const Batch& batch, const Part::Further& scalar) {
  const int64_t bits = batch.scalars[scalar.id];
  if (scalar.form == Part::Input::Integer) return bits;
  return std::bit_cast<double>(bits);
}

/// The schema of forward(self, tensors..., scalars = recorded...).
c10::FunctionSchema schema_of(const Batch& batch, const Part& part, const jit::Graph& graph) {
  std::vector<c10::Argument> arguments;
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const jit::Value* input = graph.inputs()[i];
    std::optional<c10::IValue> value;
    if (const size_t tensors = 1 + part.inputs.size(); i >= tensors)
      value = recorded(batch, part.further[i - tensors]);
    arguments.emplace_back(input->debugNameBase(), input->type(), std::nullopt, std::move(value));
  }
  return {"forward", "", std::move(arguments), {c10::Argument("", graph.outputs()[0]->type())}};
}

/// In its scope new streams write numbers in the classic locale. libtorch makes streams with the
/// global C++ locale, so that another one must be replaced meanwhile, for all threads.
class ClassicNumbers {
 public:
  ClassicNumbers() : lock_(mutex()) {
    if (host_ == std::locale::classic()) return;
    // A locale without a name, so that the C functions keep theirs.
    std::locale::global(std::locale(std::locale::classic(), new std::numpunct<char>));
  }
  ClassicNumbers(const ClassicNumbers&) = delete;
  ClassicNumbers& operator=(const ClassicNumbers&) = delete;
  ~ClassicNumbers() {
    if (host_ == std::locale::classic()) return;
    const std::string of_c = std::setlocale(LC_ALL, nullptr);
    std::locale::global(host_);  // also sets the C functions' locale if host_ has a name
    std::setlocale(LC_ALL, of_c.c_str());
  }

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }
  const std::lock_guard<std::mutex> lock_;
  const std::locale host_;
};

}  // namespace

Part lower(const Batch& batch, uint32_t begin, uint32_t end, Purpose purpose, Optimizations use,
           MemoryCount* memory) {
  return Lowering(batch, purpose, use, memory).run(begin, end);
}

std::string ir_text(const Batch& batch) {
  const ClassicNumbers classic;
  return lower_for_people(batch).graph->toString(false);
}

std::string module_archive(const Batch& batch) {
  const Part part = lower_for_people(batch);
  jit::Graph& graph = *part.graph;
  // The outputs are in the order of the steps, as the roots are.
  if (graph.outputs().size() > 1) {
    jit::Node* tuple = graph.appendNode(graph.createTuple(graph.outputs()));
    while (!graph.outputs().empty()) graph.eraseOutput(graph.outputs().size() - 1);
    graph.registerOutput(tuple->output());
  }
  jit::Module module("__torch__.rt_torch.Batch");
  graph.insertInput(0, "self")->setType(module._ivalue()->type());
  const auto unit = module._ivalue()->compilation_unit();
  jit::Function* forward =
      unit->create_function(c10::QualifiedName(*module.type()->name(), "forward"), part.graph);
  forward->setSchema(schema_of(batch, part, graph));
  module.type()->addMethod(forward);
  const ClassicNumbers classic;
  std::stringstream archive;
  module.save(archive);
  std::string bytes = archive.str();
  try {
    jit::load(archive);
  } catch (const std::exception& error) {
    fail("libtorch does not load the module that it made of this batch: ", error.what());
  }
  return bytes;
}

}  // namespace rt::torchscript
