// nn.cpp -- layers that change tensors in place.
#include "frontend_abi/calls.h"
#include "graph/error.h"
#include "graph/ops/decompositions.h"
#include "graph/tape/symbols.h"

namespace rt::call {
namespace {

/// The arguments of a batch_norm.
struct BatchNorm {
  std::string_view symbol;  ///< of the call or of its alias, as the client called it
  int64_t input, running_mean, running_var, weight, bias;
  double momentum, eps;

  Call call(Op op) const {
    Call call;
    call.symbol = symbol;
    call.args.op = op;
    call.handles = {input, weight, bias};
    if (op == Op::BatchNorm) {
      call.handles.push_back(running_mean);
      call.handles.push_back(running_var);
    }
    call.args.attributes.push_back(std::bit_cast<int64_t>(eps));
    return call;
  }
};

/// Throws where a gradient would flow to a running statistic: PyTorch has none for it either.
void check_statistic(CallContext& context, const char* name, int64_t handle) {
  if (context.thread.no_grad == 0 && context.engine.autograd.requires_grad(context, handle))
    fail(name, " is #", handle,
         ", which takes part in gradients, and batch_norm computes none for it; pass "
         "the result of rt_torch_autograd_detach");
}

int64_t batch_norm(CallContext& context, const BatchNorm& norm, bool training) {
  if ((norm.running_mean == 0) != (norm.running_var == 0))
    fail("running_mean and running_var must both be given or both be 0");
  const bool running = norm.running_mean != 0;
  if (running) {
    check_statistic(context, "running_mean", norm.running_mean);
    check_statistic(context, "running_var", norm.running_var);
  }
  // As in PyTorch, an empty input changes no statistics.
  if (numel(context.engine.recorder.type(context, norm.input).sizes) == 0) training = false;
  Call call = norm.call(training ? Op::BatchNormOfBatch : Op::BatchNorm);
  if (!training || !running) return context.engine.recorder.record(context, call);
  InPlaceUpdate update{norm.call(Op::BatchNorm),
                       {norm.running_mean, norm.running_var},
                       [&norm](Builder& build, const Args& args) -> Small<Value, 4> {
                         const auto now =
                             decompositions::running_statistics(build, args, norm.momentum);
                         return {now.mean, now.variance};
                       }};
  return context.engine.recorder.record_updating(context, call, update);
}

}  // namespace

int64_t rt_torch_nn_batch_norm(CallContext& context, int64_t input, int64_t running_mean,
                               int64_t running_var, int64_t weight, int64_t bias, bool training,
                               double momentum, double eps) {
  return batch_norm(context,
                    {symbol_text(context.thread.tape.call), input, running_mean, running_var,
                     weight, bias, momentum, eps},
                    training);
}

}  // namespace rt::call
