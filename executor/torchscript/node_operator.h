// node_operator.h -- operators of ours that are nodes of a graph and have state.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

namespace rt::torchscript {

/// The state of one node, which refers to it by its address: it must outlive all code that is
/// compiled from the graph. The functions are virtual, because the first copy of the plugin in the
/// process registers the operators, but each copy must run its own code.
class NodeOperator {
 public:
  NodeOperator() = default;
  NodeOperator(const NodeOperator&) = delete;
  NodeOperator& operator=(const NodeOperator&) = delete;
  virtual ~NodeOperator() = default;

  /// Appends the node, which computes `results` values of `inputs`.
  torch::jit::Node* append_to(torch::jit::Graph& graph, at::ArrayRef<torch::jit::Value*> inputs,
                              size_t results) const;
  /// Pops the operands off the stack and pushes the results.
  virtual void run(torch::jit::Stack& stack) const = 0;
  virtual size_t bytes() const = 0;

 private:
  virtual const char* name() const = 0;  ///< of the operator: one of those in node_operator.cpp
};

/// In its scope the operators that this thread runs read these scalars. Does not own them.
class BoundScalars {
 public:
  explicit BoundScalars(const int64_t* scalars);
  ~BoundScalars();
  BoundScalars(const BoundScalars&) = delete;
  BoundScalars& operator=(const BoundScalars&) = delete;
  static const int64_t* now();  ///< by index in the batch
};

}  // namespace rt::torchscript
