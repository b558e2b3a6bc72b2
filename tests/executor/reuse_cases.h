// reuse_cases.h -- batches in which results could take the memory of values that nobody needs any
// more, or must not.
#pragma once
#include "tests/executor/reference_rig.h"

namespace rt::test {

struct ReuseCase {
  const char* name;
  bool takes;  ///< whether the group's result takes the product's memory
  std::vector<Value> (*build)(Rig& rig, Value x, Value product);
};

inline Value doubled_and_cut(Rig& rig, Value x) {
  return rig.step(Op::Relu, {rig.step(Op::MulScalar, {x}, {2.0})});
}

/// Each with a product that only the batch holds, big enough to be worth it.
inline constexpr ReuseCase kReuseCases[] = {
    {"dies in the group", true,
     [](Rig& rig, Value, Value product) -> std::vector<Value> {
       return {doubled_and_cut(rig, product)};
     }},
    {"read at the group's end as well", true,
     [](Rig& rig, Value x, Value product) -> std::vector<Value> {
       return {rig.step(Op::Sub, {rig.step(Op::Exp, {rig.step(Op::Mul, {product, x})}), product})};
     }},
    {"one of several results", true,
     [](Rig& rig, Value x, Value product) -> std::vector<Value> {
       const Value sum = rig.step(Op::Add, {product, x});
       return {sum, rig.step(Op::Mul, {rig.step(Op::Neg, {sum}), product})};
     }},
    {"beside a row for all", true,
     [](Rig& rig, Value, Value product) -> std::vector<Value> {
       const Value row = rig.input({300}, std::vector<float>(300, 0.25F));
       return {rig.step(Op::Relu, {rig.step(Op::Add, {product, row})})};
     }},
    {"is a root itself", false,
     [](Rig& rig, Value, Value product) -> std::vector<Value> {
       return {product, doubled_and_cut(rig, product)};
     }},
    {"needed later", false,
     [](Rig& rig, Value, Value product) -> std::vector<Value> {
       const Value cut = doubled_and_cut(rig, product);
       return {rig.step(Op::Matmul, {cut, product})};
     }},
    {"seen by a view", false,
     [](Rig& rig, Value, Value product) -> std::vector<Value> {
       const Value turned = rig.step(Op::T, {product});
       return {doubled_and_cut(rig, product), rig.step(Op::Matmul, {turned, turned})};
     }},
    {"folded itself", false,
     [](Rig& rig, Value, Value product) -> std::vector<Value> {
       return {doubled_and_cut(rig, product), rig.step(Op::Sum, {product})};
     }},
    {"of another dtype", false,
     [](Rig& rig, Value, Value product) -> std::vector<Value> {
       const Value wide = rig.step(Op::Cast, {product}, {}, {}, DType::F64);
       return {rig.step(Op::Exp, {wide})};
     }},
    {"an input", false,
     [](Rig& rig, Value x, Value) -> std::vector<Value> { return {doubled_and_cut(rig, x)}; }},
};

/// 300 x 300, for which the last tile of a row is no whole one.
inline std::vector<Value> build(const ReuseCase& reuse, Rig& rig) {
  std::vector<float> numbers(300 * 300);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<float>(i)) / 8;
  const Value x = rig.input({300, 300}, numbers);
  std::vector<Value> roots = reuse.build(rig, x, rig.step(Op::Matmul, {x, x}));
  for (const Value root : roots) rig.batch.roots.push_back(root.number);
  std::sort(rig.batch.roots.begin(), rig.batch.roots.end());
  return roots;
}

}  // namespace rt::test
