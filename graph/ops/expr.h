// expr.h -- arithmetic over a builder, so that rules read as formulas.
#pragma once
#include "graph/ops/builder.h"

namespace rt {

/// A value and the builder that appends ops of it; or empty.
class Expr {
 public:
  Expr() = default;
  Expr(Builder& build, Value value) : build_(&build), value_(value) {}

  Value value() const { return value_; }
  Builder& build() const { return *build_; }
  TensorType type() const { return build_->type(value_); }
  Shape sizes() const { return Shape(type().sizes); }
  int64_t rank() const { return static_cast<int64_t>(type().sizes.size()); }
  explicit operator bool() const { return value_ != kNone; }

  /// Appends `op` with this as its first operand. Scalars in `attributes` come
  /// from Builder::constant.
  Expr apply(Op op, std::initializer_list<int64_t> attributes = {}) const;
  Expr apply(Op op, Expr second, std::initializer_list<int64_t> attributes = {}) const;
  Expr apply(Op op, Expr second, Expr third, std::initializer_list<int64_t> attributes = {}) const;
  /// Appends `op` of this alone, for rows whose attributes end with one list.
  Expr apply(Op op, std::initializer_list<int64_t> attributes, Sizes list) const;

  Expr cast(DType dtype) const { return {*build_, build_->cast(value_, dtype)}; }
  Expr reshape(Sizes sizes) const;  ///< itself when it has these sizes
  Expr expand(Sizes sizes) const;   ///< itself when it has these sizes
  Expr sum(Sizes dims, bool keepdim) const;
  Expr permute(Sizes dims) const;
  Expr filled(double value, Sizes sizes) const;  ///< a tensor of its dtype and device
  Expr pow(double exponent) const;

 private:
  Builder* build_ = nullptr;
  Value value_ = kNone;
};

Expr operator-(Expr a);
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator+(Expr a, double b);
Expr operator*(Expr a, double b);
Expr operator/(Expr a, double b);
Expr operator-(double a, Expr b);
Expr matmul(Expr a, Expr b);
Expr transposed(Expr a);  ///< its last two dimensions exchanged

}  // namespace rt
