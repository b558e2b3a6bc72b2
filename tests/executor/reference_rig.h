// reference_rig.h -- builds small batches for tests of backends, and runs them step by step and
// compiled.
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "elementwise/dtypes.h"
#include "fallback_cpu/reference.h"
#include "graph/batch/backend.h"
#include "graph/dump/dump.h"

namespace rt::test {

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

/// The bits of a scalar or integer attribute.
struct Word {
  int64_t bits;
  Word(int value) : bits(value) {}
  Word(int64_t value) : bits(value) {}
  Word(double value) : bits(std::bit_cast<int64_t>(value)) {}
};

/// A backend, a batch under construction, and the buffers of its inputs.
class Rig {
 public:
  explicit Rig(int threads = 1) : backend(make_reference_backend(memory, threads)) {}
  /// Takes a backend whose MemoryCount is the caller's.
  explicit Rig(std::unique_ptr<Backend> other) : backend(std::move(other)) {}

  template <class T>
  BufferRef buffer(Sizes sizes, const std::vector<T>& values) {
    EXPECT_EQ(numel(sizes), static_cast<int64_t>(values.size()));
    BufferRef result = backend->allocate(cpu::kDTypeOf<T>, sizes, {});
    T* out = reinterpret_cast<T*>(result->data());
    for (const T value : values) *out++ = value;
    return result;
  }
  Value input(BufferRef buffer) {
    const bool strided = !buffer->contiguous();
    const uint32_t number = batch.add_input(buffer->dtype(), {}, buffer->sizes(),
                                            strided ? buffer->strides() : Sizes{});
    inputs.push_back(std::move(buffer));
    return {number};
  }
  template <class T = float>
  Value input(Shape sizes, const std::vector<T>& values) {
    return input(buffer<T>(sizes, values));
  }
  /// An input of this layout over the values.
  template <class T = float>
  Value strided(const std::vector<T>& values, Layout layout) {
    const int64_t count[] = {static_cast<int64_t>(values.size())};
    const BufferRef all = buffer<T>(count, values);
    return input(BufferRef(new Buffer(all->storage(), all->dtype(), std::move(layout))));
  }
  /// Appends a step and infers its type. `shape` and `dtype` are its Sizes and DType arguments.
  Value step(Op op, std::initializer_list<Value> operands,
             std::initializer_list<Word> attributes = {}, Shape shape = {},
             DType dtype = DType::F32) {
    Args args;
    args.op = op;
    for (const Word& attr : attributes) args.attributes.push_back(attr.bits);
    args.shape = shape;
    args.dtype = dtype;
    return step(args, operands);
  }
  Value step(Args& args, std::initializer_list<Value> operands) {
    args.operands = operands;
    std::vector<TensorType> types;
    std::vector<uint32_t> numbers;
    for (const Value operand : operands) {
      types.push_back(batch.type(operand.id));
      numbers.push_back(operand.id);
    }
    infer(args, types);
    for (uint32_t i = 0; i < info(args.op).scalars; ++i) {
      batch.scalars.push_back(args.attributes[i]);
      args.attributes[i] = static_cast<int64_t>(batch.free_scalars++);
    }
    return {batch.add_step(args.op, numbers, args.attributes, args.dtype, {}, args.shape)};
  }

  /// Runs step by step, and returns all values.
  std::vector<BufferRef> run_steps() {
    verify_dumps(batch);
    std::vector<BufferRef> values(batch.values.size());
    for (uint32_t i = 0, next = 0; i < batch.values.size(); ++i)
      if (batch.is_input(i)) values[i] = inputs[next++];
    Frame frame{values, batch.scalars};
    for (uint32_t i = 0; i < batch.steps.size(); ++i) backend->run_step(batch, i, frame);
    return values;
  }
  /// Compiles and runs the batch, and returns the roots. The rig keeps its inputs.
  std::vector<BufferRef> run_program() { return run_program(std::vector(inputs)); }
  /// Compiles and runs the batch over inputs to which the caller may keep no reference.
  std::vector<BufferRef> run_program(std::span<const BufferRef> given) {
    verify_dumps(batch);
    std::vector<BufferRef> roots(batch.roots.size());
    backend->compile(batch)->run(given, batch.scalars, roots);
    return roots;
  }
  /// Copies that only the caller holds; strided inputs are not copied.
  std::vector<BufferRef> copied_inputs() {
    std::vector<BufferRef> copies;
    for (const BufferRef& input : inputs)
      copies.push_back(input->contiguous()
                           ? backend->from_host(bytes(*input).data(), input->dtype(),
                                                input->sizes(), input->device())
                           : input);
    return copies;
  }
  std::vector<char> bytes(const Buffer& buffer) {
    std::vector<char> out(static_cast<size_t>(buffer.numel() * item_size(buffer.dtype())));
    backend->to_host(buffer, buffer.dtype(), out.data());
    return out;
  }
  /// Runs step by step and compiled, expects equal bits, and returns the value.
  BufferRef run(Value root) {
    batch.roots = {root.id};
    const auto state = backend->random_state();
    const BufferRef stepped = run_steps()[root.id];
    backend->restore(*state);
    const BufferRef compiled = run_program()[0];
    EXPECT_EQ(bytes(*stepped), bytes(*compiled));
    EXPECT_EQ(to_string(stepped->dtype(), stepped->sizes()),
              to_string(batch.type(root.id).dtype, batch.sizes(root.id)));
    EXPECT_EQ(to_string(compiled->dtype(), compiled->sizes()),
              to_string(stepped->dtype(), stepped->sizes()));
    return stepped;
  }
  template <class T>
  std::vector<T> values(const Buffer& buffer) {
    EXPECT_EQ(buffer.dtype(), cpu::kDTypeOf<T>);
    const auto memory = std::make_unique<T[]>(static_cast<size_t>(buffer.numel()));
    backend->to_host(buffer, buffer.dtype(), memory.get());
    return std::vector<T>(memory.get(), memory.get() + buffer.numel());
  }
  /// Runs for `root` and compares all its elements. The tolerance is relative; 0: equal values.
  template <class T>
  void expect(Value root, Shape sizes, const std::vector<T>& wanted, double tolerance = 0) {
    const BufferRef result = run(root);
    EXPECT_EQ(to_string(result->sizes()), to_string(sizes));
    const std::vector<T> got = values<T>(*result);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) {
      const auto a = static_cast<double>(got[i]), b = static_cast<double>(wanted[i]);
      const bool same = got[i] == wanted[i] || (std::isnan(a) && std::isnan(b)) ||
                        std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b));
      EXPECT_TRUE(same) << "element " << i << " is " << a << ", wanted " << b;
    }
  }
  /// Runs step by step, which must fail at step `at` for this cause, and compiled, which must fail.
  void expect_failure(Value root, uint32_t at, const std::string& cause) {
    batch.roots = {root.id};
    try {
      run_steps();
      ADD_FAILURE() << "nothing failed";
    } catch (const StepError& error) {
      EXPECT_EQ(error.step(), at);
      EXPECT_EQ(error.text(), cause);
    }
    EXPECT_THROW(run_program(), Error);
  }

  MemoryCount memory;
  std::unique_ptr<Backend> backend;
  Batch batch;
  std::vector<BufferRef> inputs;
};

}  // namespace rt::test
