// workloads.h -- workloads without gradients, for both sides. Api is Abi or Aten.
#pragma once
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "bench/rt_bench/random.h"
#include "bench/rt_bench/side.h"

namespace rt_bench {

template <class Api>
std::vector<float> values_of(const typename Api::Tensor& x) {
  std::vector<float> values(static_cast<size_t>(Api::numel(x)));
  Api::read(x, values);
  return values;
}

/// Base of workloads without state: each step ends with the tensor that `Work::result` computes.
template <class Api, class Work>
struct Stateless {
  static constexpr bool kGradients = false;
  void step() {
    const typename Api::Tensor result = self().result();
    Api::finish();
  }
  std::vector<float> state() { return values_of<Api>(self().result()); }

 private:
  Work& self() { return static_cast<Work&>(*this); }
};

/// Operands of chains. Values stay between 0 and 1 at any length.
template <class Api>
class Operands {
 public:
  using Tensor = typename Api::Tensor;
  explicit Operands(const Sizes& sizes) {
    Random random;
    start = Api::from(random.uniform(sizes, 0, 1), sizes);
    scale_ = Api::from(random.uniform(sizes, 0.1F, 0.9F), sizes);
    shift_ = Api::from(random.uniform(sizes, -0.1F, 0.1F), sizes);
  }
  Tensor cheap(int64_t i, const Tensor& x) const {
    switch (i % 4) {
      case 0: return Api::mul(x, scale_);
      case 1: return Api::add(x, shift_);
      case 2: return Api::relu(x);
      default: return Api::add_scalar(x, 0.01);
    }
  }
  /// One op in ten is exp, one tanh.
  Tensor costly(int64_t i, const Tensor& x) const {
    switch (i % 10) {
      case 4: return Api::tanh(x);
      case 8: return Api::exp(x);
      case 9: return Api::add_scalar(x, -1);
      default: return cheap(i, x);
    }
  }

  Tensor start;

 private:
  Tensor scale_, shift_;
};

enum class Ask { Nothing, OneSizeEveryTenOps, AllSizesEveryOp };

template <class Api>
class Chain : public Stateless<Api, Chain<Api>> {
 public:
  using Tensor = typename Api::Tensor;
  Chain(int64_t ops, const Sizes& sizes, Ask ask = Ask::Nothing)
      : operands_(sizes), ops_(ops), ask_(ask) {}
  Tensor result() {
    Tensor x = operands_.cheap(0, operands_.start);
    ask(1, x);
    for (int64_t i = 1; i < ops_; ++i) {
      x = operands_.cheap(i, x);
      ask(i + 1, x);
    }
    return x;
  }

 private:
  void ask(int64_t done, const Tensor& x) {
    if (ask_ == Ask::Nothing) return;
    if (ask_ == Ask::OneSizeEveryTenOps) {
      if (done % 10 == 0) asked_ += Api::size(x, 0);
      return;
    }
    const int64_t dims = Api::dims(x);
    for (int64_t dim = 0; dim < dims; ++dim) asked_ += Api::size(x, dim);
  }
  Operands<Api> operands_;
  int64_t ops_;
  Ask ask_;
  int64_t asked_ = 0;
};

/// Ends with a read of a sum.
template <class Api>
class CostlyChainSum {
 public:
  static constexpr bool kGradients = false;
  CostlyChainSum(int64_t ops, const Sizes& sizes) : operands_(sizes), ops_(ops) {}
  void step() {
    typename Api::Tensor x = operands_.costly(0, operands_.start);
    for (int64_t i = 1; i < ops_; ++i) x = operands_.costly(i, x);
    sum_ = Api::sum(x);
  }
  std::vector<float> state() { return {static_cast<float>(sum_)}; }

 private:
  Operands<Api> operands_;
  int64_t ops_;
  double sum_ = 0;
};

/// Every op has a new scalar in every step.
template <class Api>
class ChangingScalars : public Stateless<Api, ChangingScalars<Api>> {
 public:
  ChangingScalars(int64_t ops, const Sizes& sizes) : operands_(sizes), ops_(ops) {}
  typename Api::Tensor result() {
    const double part = 1 / static_cast<double>(++steps_);
    typename Api::Tensor x = Api::mul_scalar(operands_.start, 1 - part);
    for (int64_t i = 1; i < ops_; ++i)
      x = i % 2 == 0 ? Api::mul_scalar(x, 1 - part) : Api::add_scalar(x, part);
    return x;
  }

 private:
  Operands<Api> operands_;
  int64_t ops_;
  int64_t steps_ = 0;
};

/// Cycles through 20,000 shapes, more than the cache holds, so that each batch is new.
template <class Api>
class ChangingShapes : public Stateless<Api, ChangingShapes<Api>> {
 public:
  explicit ChangingShapes(int64_t ops) : ops_(ops) {}
  typename Api::Tensor result() {
    std::array<int64_t, 4> sizes;
    int64_t number = steps_++;
    for (int64_t& size : sizes) {
      size = 2 + number % 12;
      number /= 12;
    }
    const typename Api::Tensor start = Api::full(sizes, 0.5);
    typename Api::Tensor x = Api::mul_scalar(start, 0.5);
    for (int64_t i = 1; i < ops_; ++i)
      x = i % 2 == 0 ? Api::mul_scalar(x, 0.5) : Api::add(x, start);
    return x;
  }

 private:
  int64_t ops_;
  int64_t steps_ = 0;
};

/// One add, and a read of its result.
template <class Api>
class OneOp {
 public:
  static constexpr bool kGradients = false;
  explicit OneOp(const Sizes& sizes)
      : operands_(sizes), values_(static_cast<size_t>(count_of(sizes))) {}
  void step() { Api::read(operands_.cheap(1, operands_.start), values_); }
  std::vector<float> state() { return values_; }

 private:
  Operands<Api> operands_;
  std::vector<float> values_;
};

template <class Api>
class Matmuls : public Stateless<Api, Matmuls<Api>> {
 public:
  Matmuls(int64_t count, int64_t side) : count_(count) {
    Random random;
    const Sizes sizes = {side, side};
    start_ = Api::from(random.normal(sizes), sizes);
    factor_ = Api::from(random.normal(sizes, 1 / std::sqrt(static_cast<double>(side))), sizes);
  }
  typename Api::Tensor result() {
    typename Api::Tensor x = Api::matmul(start_, factor_);
    for (int64_t i = 1; i < count_; ++i) x = Api::matmul(x, factor_);
    return x;
  }

 private:
  int64_t count_;
  typename Api::Tensor start_, factor_;
};

/// Attention of several heads. Query, key and value are f32[batch,length,width].
template <class Api>
class Heads {
 public:
  using Tensor = typename Api::Tensor;
  /// `causal`: no position sees a later one.
  Heads(int64_t batch, int64_t length, int64_t width, int64_t heads, bool causal)
      : split_{batch, length, heads, width / heads},
        joined_{batch, length, width},
        scale_(1 / std::sqrt(static_cast<double>(width / heads))) {
    if (!causal) return;
    std::vector<float> mask(static_cast<size_t>(length * length), 0);
    for (int64_t from = 0; from < length; ++from)
      for (int64_t to = from + 1; to < length; ++to)
        mask[static_cast<size_t>(from * length + to)] = -1e9F;
    mask_.push_back(Api::from(mask, {length, length}));
  }
  Tensor apply(const Tensor& query, const Tensor& key, const Tensor& value) const {
    Tensor scores = Api::matmul(split(query), Api::transpose(split(key), 2, 3));
    scores = Api::mul_scalar(scores, scale_);
    if (!mask_.empty()) scores = Api::add(scores, mask_[0]);
    const Tensor mixed = Api::matmul(Api::softmax(scores, 3), split(value));
    return Api::reshape(Api::permute(mixed, kTurned), joined_);
  }

 private:
  static inline const Sizes kTurned = {0, 2, 1, 3};
  Tensor split(const Tensor& x) const { return Api::permute(Api::reshape(x, split_), kTurned); }
  Sizes split_, joined_;
  double scale_;
  std::vector<Tensor> mask_;
};

template <class Api>
class CausalAttention : public Stateless<Api, CausalAttention<Api>> {
 public:
  using Tensor = typename Api::Tensor;
  CausalAttention(int64_t batch, int64_t length, int64_t width, int64_t heads)
      : heads_(batch, length, width, heads, true) {
    Random random;
    const Sizes sizes = {batch, length, width};
    for (Tensor* one : {&query_, &key_, &value_}) *one = Api::from(random.normal(sizes), sizes);
  }
  Tensor result() { return heads_.apply(query_, key_, value_); }

 private:
  Heads<Api> heads_;
  Tensor query_, key_, value_;
};

/// One-head attention with input and output projections, residual and normalisation.
template <class Api>
class Attention : public Stateless<Api, Attention<Api>> {
 public:
  using Tensor = typename Api::Tensor;
  Attention(int64_t batch, int64_t length, int64_t width)
      : width_{width}, scale_(1 / std::sqrt(static_cast<double>(width))) {
    Random random;
    const Sizes input = {batch, length, width}, square = {width, width};
    input_ = Api::from(random.normal(input), input);
    for (Projection* one : {&query_, &key_, &value_, &out_})
      *one = {Api::from(random.normal(square, scale_), square),
              Api::from(random.normal(width_, 0.1), width_)};
    norm_ = {Api::from(random.uniform(width_, 0.5F, 1.5F), width_),
             Api::from(random.normal(width_, 0.1), width_)};
  }
  Tensor result() {
    const Tensor query = query_.apply(input_), key = key_.apply(input_),
                 value = value_.apply(input_);
    const Tensor turned = Api::transpose(key, -2, -1);
    const Tensor scores = Api::mul_scalar(Api::matmul(query, turned), scale_);
    const Tensor mixed = Api::matmul(Api::softmax(scores, -1), value);
    const Tensor sum = Api::add(input_, out_.apply(mixed));
    return Api::layer_norm(sum, width_, norm_.weight, norm_.bias);
  }

 private:
  struct Projection {
    Tensor weight, bias;
    Tensor apply(const Tensor& x) const { return Api::linear(x, weight, bias); }
  };
  Sizes width_;
  double scale_;
  Tensor input_;
  Projection query_, key_, value_, out_, norm_;
};

/// Compares the submission of a batch with a loop of libtorch's calls: a batch's cost.
template <class Api>
class BatchCost {
 public:
  static constexpr bool kGradients = false;
  BatchCost(int64_t nodes, bool repeats)
      : ones_(std::vector<float>(256, 1)), nodes_(nodes), repeats_(repeats) {}
  void step(Stopwatch& watch) {
    const Sizes sizes = {16, 16};
    const typename Api::Tensor y = Api::from(ones_, sizes);
    typename Api::Tensor x = Api::from(ones_, sizes);
    Api::wait();
    // The positions of one sub and one mul make a new batch.
    const int64_t number = repeats_ ? nodes_ / 2 : steps_++;
    const int64_t sub = number % nodes_, mul = number / nodes_ % nodes_;
    if constexpr (!Api::kRecords) watch.start();
    for (int64_t i = 0; i < nodes_; ++i)
      x = i == sub ? Api::sub(x, y) : i == mul ? Api::mul(x, y) : Api::add(x, y);
    if constexpr (Api::kRecords) watch.start();
    Api::wait();
    watch.stop();
    values_ = values_of<Api>(x);
  }
  std::vector<float> state() { return values_; }

 private:
  std::vector<float> ones_, values_;
  int64_t nodes_;
  bool repeats_;
  int64_t steps_ = 0;
};

}  // namespace rt_bench
