// vjp_nn.cpp -- gradients of layers.
#include "graph/vjp.h"

namespace rt::vjp {

Expr linear(const Vjp& of, uint32_t operand) {
  switch (operand) {
    case 0: return rt::matmul(of.grad(), of.other());
    case 1: return rt::matmul(transposed(of.grad()), of.self());
    default: return of.grad();
  }
}

}  // namespace rt::vjp
