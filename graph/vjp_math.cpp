// vjp_math.cpp -- gradients of arithmetic, activations, reductions and losses.
#include "graph/vjp.h"

namespace rt::vjp {

Expr same(const Vjp& of, uint32_t) { return of.grad(); }
Expr sub(const Vjp& of, uint32_t operand) { return operand == 0 ? of.grad() : -of.grad(); }
Expr mul(const Vjp& of, uint32_t operand) { return of.grad() * of.operand(1 - operand); }

Expr relu(const Vjp& of, uint32_t) {
  return of.grad().apply(Op::ThresholdBackward, of.result(), {of.build.constant(0)});
}

Expr sum(const Vjp& of, uint32_t) { return of.grad().expand(of.types[0].sizes); }

}  // namespace rt::vjp
