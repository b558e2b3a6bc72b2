// node_operator.cpp -- registers our operators with state, and makes their nodes.
#include "executor/torchscript/node_operator.h"

#include <torch/csrc/jit/runtime/operator.h>

namespace rt::torchscript {
namespace {

namespace jit = torch::jit;

thread_local const int64_t* bound = nullptr;

c10::Symbol attribute() { return c10::Symbol::attr("operator"); }

/// Registers the operators with libtorch.
bool register_all() {
  for (const char* const name : {"rt_torch::fused", "rt_torch::kernel"}) {
    const auto symbol = c10::Symbol::fromQualString(name);
    if (!jit::getAllOperatorsFor(symbol).empty()) continue;  // another copy of this plugin did
    jit::registerOperator(jit::Operator(
        symbol,
        [](const jit::Node* node) -> jit::Operation {
          const auto* state = reinterpret_cast<const NodeOperator*>(node->i(attribute()));
          return [state](jit::Stack& stack) { state->run(stack); };
        },
        c10::AliasAnalysisKind::PURE_FUNCTION));
  }
  return true;
}

}  // namespace

jit::Node* NodeOperator::append_to(jit::Graph& graph, at::ArrayRef<jit::Value*> inputs,
                                   size_t results) const {
  [[maybe_unused]] static const bool registered = register_all();
  jit::Node* made = graph.create(c10::Symbol::fromQualString(name()), inputs, results);
  made->i_(attribute(), reinterpret_cast<int64_t>(this));
  return graph.appendNode(made);
}

BoundScalars::BoundScalars(const int64_t* scalars) { bound = scalars; }
BoundScalars::~BoundScalars() { bound = nullptr; }
const int64_t* BoundScalars::now() { return bound; }

}  // namespace rt::torchscript
