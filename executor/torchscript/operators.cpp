// operators.cpp -- registers our operators with their schemas.
#include "executor/torchscript/operators.h"

#include <torch/library.h>

#include "executor/torchscript/random.h"

namespace rt::torchscript {
namespace {

template <class Function>
void define(const std::string& schema, Function function) {
  // Another copy of this plugin in the process may have defined the operator.
  const std::string name = schema.substr(0, schema.find('('));
  if (c10::Dispatcher::singleton().findSchema({name, ""})) return;
  static auto* const library =
      new torch::Library(torch::Library::FRAGMENT, "rt_torch", std::nullopt, __FILE__, __LINE__);
  library->def(schema.c_str(),
               torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, function));
}

}  // namespace

void register_operators() {
  const std::string factory =
      "(int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, "
      "bool? pin_memory=None) -> Tensor";
  define("rt_torch::generators() -> int", TORCH_FN(Generators::own));
  define("rt_torch::rand" + factory, TORCH_FN(rand));
  define("rt_torch::randn" + factory, TORCH_FN(randn));
  define("rt_torch::dropout(Tensor input, float p, bool train) -> Tensor", TORCH_FN(dropout));
  define("rt_torch::dropout_mask(Tensor input, float p, bool train) -> Tensor",
         TORCH_FN(dropout_mask));
  define("rt_torch::det_backward(Tensor grad_output, Tensor self) -> Tensor",
         TORCH_FN(det_backward));
  define("rt_torch::eig_backward(Tensor grad_output, Tensor self) -> Tensor",
         TORCH_FN(eig_backward));
  define(
      "rt_torch::embedding_backward(Tensor grad_output, Tensor indices, int num_weights, "
      "int padding_idx, bool scale_grad_by_freq) -> Tensor",
      TORCH_FN(embedding_backward));
  define("rt_torch::check_range(Tensor(a) self, float low, float high, float ignored) -> Tensor(a)",
         TORCH_FN(check_range));
}

}  // namespace rt::torchscript
