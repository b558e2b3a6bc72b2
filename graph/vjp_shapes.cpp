// vjp_shapes.cpp -- gradients of products, views, picking and joining, and linear algebra.
#include "graph/vjp.h"

namespace rt::vjp {

Expr matmul(const Vjp& of, uint32_t operand) {
  return operand == 0 ? rt::matmul(of.grad(), transposed(of.other()))
                      : rt::matmul(transposed(of.self()), of.grad());
}

}  // namespace rt::vjp
