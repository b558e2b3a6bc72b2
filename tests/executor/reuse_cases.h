// reuse_cases.h -- batches in which results may take the memory of dead values, and batches in
// which they must not.
#pragma once
#include "tests/executor/reference_rig.h"

namespace rt::test {

struct ReuseCase {
  const char* name;
  bool takes;  ///< the group's result takes the product's memory
  std::vector<Value> (*build)(Rig& rig, Value x, Value product);
};

inline Value doubled_and_cut(Rig& rig, Value x) {
  return rig.step(Op::Relu, {rig.step(Op::MulScalar, {x}, {2.0})});
}

/// In each case only the batch holds the product, which is large enough to be reused.
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

/// `over` results take the memory of two inputs if only the program holds these.
struct OverInputsCase {
  const char* name;
  int over;
  std::vector<Value> (*build)(Rig& rig, Value x, Value y);
};

inline constexpr OverInputsCase kOverInputsCases[] = {
    {"a step", 1,
     [](Rig& rig, Value x, Value y) -> std::vector<Value> {
       return {rig.step(Op::AddScaled, {x, y}, {-0.5})};
     }},
    {"several results", 2,
     [](Rig& rig, Value x, Value y) -> std::vector<Value> {
       const Value mean = rig.step(Op::Lerp, {x, y}, {0.25});
       return {mean, rig.step(Op::Sub, {y, rig.step(Op::Exp, {mean})})};
     }},
    {"more results than inputs", 2,
     [](Rig& rig, Value x, Value y) -> std::vector<Value> {
       const Value sum = rig.step(Op::Add, {x, y});
       return {sum, rig.step(Op::Exp, {sum}), rig.step(Op::Neg, {sum})};
     }},
    {"an input twice", 1,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       return {rig.step(Op::Mul, {x, x})};
     }},
    {"read before it", 1,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       return {rig.step(Op::Matmul, {x, x}), doubled_and_cut(rig, x)};
     }},
    {"what can fail stands behind it", 1,
     [](Rig& rig, Value x, Value y) -> std::vector<Value> {
       const Value cut = doubled_and_cut(rig, x);
       return {cut, rig.step(Op::Matmul, {y, y})};
     }},
    {"what can fail reads it later", 1,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       const Value cut = doubled_and_cut(rig, x);
       return {cut, rig.step(Op::Matmul, {x, x})};
     }},
    {"what can fail reads its result", 0,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       const Value cut = doubled_and_cut(rig, x);
       return {cut, rig.step(Op::Matmul, {cut, cut})};
     }},
    {"a view of its result", 0,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       return {rig.step(Op::T, {doubled_and_cut(rig, x)})};
     }},
    {"a view of the input", 0,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       return {rig.step(Op::T, {x}), doubled_and_cut(rig, x)};
     }},
    {"reads a view of the input as well", 0,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       return {rig.step(Op::Sub, {rig.step(Op::Exp, {x}), rig.step(Op::T, {x})})};
     }},
    {"a sum of its result", 1,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       const Value cut = doubled_and_cut(rig, x);
       return {cut, rig.step(Op::Sum, {cut})};
     }},
    {"a sum of the input", 1,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       return {doubled_and_cut(rig, x), rig.step(Op::Sum, {x})};
     }},
    {"of another dtype", 0,
     [](Rig& rig, Value x, Value) -> std::vector<Value> {
       return {rig.step(Op::Cast, {x}, {}, {}, DType::F64)};
     }},
};

/// Compares a program over inputs that only it holds with one over inputs that others hold.
inline void expect_over_inputs(std::unique_ptr<Backend> (*make)(MemoryCount&, Optimizations)) {
  std::vector<float> numbers(300 * 300);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::cos(static_cast<float>(i)) / 8;
  for (const OverInputsCase& each : kOverInputsCases) {
    for (const bool reuse : {true, false}) {
      SCOPED_TRACE(each.name);
      MemoryCount memory;
      Rig rig(make(memory, {.reuse = reuse}));
      const Value x = rig.input({300, 300}, numbers), y = rig.input({300, 300}, numbers);
      for (const Value root : each.build(rig, x, y)) rig.batch.roots.push_back(root.id);
      std::sort(rig.batch.roots.begin(), rig.batch.roots.end());
      const auto wanted = rig.run_program();
      const auto own = rig.copied_inputs();
      const auto got = rig.run_program(own);
      int over = 0;
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_TRUE(rig.bytes(*got[i]) == rig.bytes(*wanted[i])) << i;
        for (const BufferRef& input : own) over += got[i].get() == input.get();
        for (const BufferRef& input : rig.inputs) EXPECT_NE(wanted[i].get(), input.get());
      }
      EXPECT_EQ(over, reuse ? each.over : 0);
      for (size_t i = 0; i < own.size() && over == 0; ++i)
        EXPECT_TRUE(rig.bytes(*own[i]) == rig.bytes(*rig.inputs[i])) << i;
      for (const BufferRef& input : rig.inputs)
        EXPECT_TRUE(rig.bytes(*input) == rig.bytes(*rig.inputs[0]));
    }
  }
}

/// Builds a case of 300 x 300 elements, so that the last tile of a row is incomplete.
inline std::vector<Value> build(const ReuseCase& reuse, Rig& rig) {
  std::vector<float> numbers(300 * 300);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<float>(i)) / 8;
  const Value x = rig.input({300, 300}, numbers);
  std::vector<Value> roots = reuse.build(rig, x, rig.step(Op::Matmul, {x, x}));
  for (const Value root : roots) rig.batch.roots.push_back(root.id);
  std::sort(rig.batch.roots.begin(), rig.batch.roots.end());
  return roots;
}

}  // namespace rt::test
