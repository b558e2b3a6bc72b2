// creation.cpp -- tensors like others, random tensors of several distributions, and beginnings of
// parameters.
#include <cmath>
#include <numbers>

#include "frontend_abi/calls.h"
#include "frontend_abi/compose.h"

namespace rt::call {

using namespace compose;

namespace {

/// Random numbers of these sizes: Op::Rand or Op::Randn.
Expr drawn(Builder& build, Op op, Sizes sizes, DType dtype, Device device) {
  Args args;
  args.op = op;
  args.shape.assign(sizes);
  args.dtype = dtype;
  args.device = device;
  return {build, build.append(args)};
}
Expr drawn_like(Expr x, Op op) {
  return drawn(x.build(), op, x.sizes(), x.type().dtype, x.type().device);
}

/// A new tensor of the default device.
template <class Body>
int64_t made(CallContext& context, const Body& body) {
  const Device device = context.engine.backends.default_device();
  return one(context, {},
             [&](Builder& build, std::span<const Value>) { return body(build, device); });
}

void need_sizes(Sizes dims) {
  for (const int64_t size : dims)
    if (size < 0) fail("dims is ", to_string(dims), "; no size may be negative");
}

/// Features that one output has, and outputs that one feature has: those of torch.nn.init.
struct Fan {
  double in, out;
};
Fan fan_of(Sizes dims) {
  need_sizes(dims);
  if (dims.size() < 2)
    fail("dims is ", to_string(dims), "; a weight has at least 2 dimensions, [out,in,...]");
  const auto field = static_cast<double>(numel(dims.subspan(2)));
  return {static_cast<double>(dims[1]) * field, static_cast<double>(dims[0]) * field};
}

/// f32 numbers between -bound and bound, or of the normal distribution with deviation `spread`.
Expr uniform(Builder& build, Sizes dims, Device device, double low, double high) {
  return drawn(build, Op::Rand, dims, DType::F32, device) * (high - low) + low;
}
Expr normal(Builder& build, Sizes dims, Device device, double mean, double spread) {
  return drawn(build, Op::Randn, dims, DType::F32, device) * spread + mean;
}

/// The gain of a nonlinearity, as torch.nn.init.calculate_gain has it.
double gain_of(std::string_view nonlinearity, double a) {
  if (nonlinearity == "relu") return std::numbers::sqrt2;
  if (nonlinearity == "leaky_relu") return std::sqrt(2 / (1 + a * a));
  if (nonlinearity == "tanh") return 5.0 / 3;
  if (nonlinearity == "selu") return 0.75;
  if (nonlinearity == "linear" || nonlinearity == "sigmoid") return 1;
  fail("nonlinearity is ", nonlinearity,
       "; it must be linear, sigmoid, tanh, relu, leaky_relu or selu");
}

double kaiming_spread(Sizes dims, double a, std::string_view mode, std::string_view nonlinearity) {
  const Fan fan = fan_of(dims);
  if (mode != "fan_in" && mode != "fan_out")
    fail("mode is ", mode, "; it must be fan_in or fan_out");
  const double features = mode == "fan_in" ? fan.in : fan.out;
  return gain_of(nonlinearity, a) / std::sqrt(std::max(features, 1.0));
}
double xavier_spread(Sizes dims, double gain) {
  const Fan fan = fan_of(dims);
  return gain * std::sqrt(2 / std::max(fan.in + fan.out, 1.0));
}

}  // namespace

// ---- Like others.

int64_t rt_torch_torchtensor_full_like(CallContext& context, int64_t self, double fill_value) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    return x.filled(fill_value, x.sizes());
  });
}
int64_t rt_torch_torchtensor_zeros_like(CallContext& context, int64_t self) {
  return rt_torch_torchtensor_full_like(context, self, 0);
}
int64_t rt_torch_torchtensor_ones_like(CallContext& context, int64_t self) {
  return rt_torch_torchtensor_full_like(context, self, 1);
}
int64_t rt_torch_torchtensor_rand_like(CallContext& context, int64_t self) {
  return of_tensors(context, {{self}}, [](Builder& build, std::span<const Value> in) {
    return drawn_like({build, in[0]}, Op::Rand);
  });
}
int64_t rt_torch_torchtensor_randn_like(CallContext& context, int64_t self) {
  return of_tensors(context, {{self}}, [](Builder& build, std::span<const Value> in) {
    return drawn_like({build, in[0]}, Op::Randn);
  });
}

// ---- Distributions.

int64_t rt_torch_tensor_randint(CallContext& context, int64_t low, int64_t high, Sizes dims) {
  need_sizes(dims);
  if (low >= high) fail("low is ", low, " and high ", high, "; low must be less");
  constexpr int64_t kMost = int64_t{1} << 53;  // numbers that a double tells apart
  if (low < -kMost || high > kMost)
    fail("low is ", low, " and high ", high, "; they must be from ", -kMost, " to ", kMost);
  return made(context, [&](Builder& build, Device device) {
    const Expr part = drawn(build, Op::Rand, dims, DType::F64, device);
    const Expr up = (part * static_cast<double>(high - low)).apply(Op::Floor);
    return (up + static_cast<double>(low)).cast(DType::I64);
  });
}

int64_t rt_torch_tensor_uniform(CallContext& context, Sizes dims, double low, double high) {
  need_sizes(dims);
  if (!(low <= high))
    fail("low is ", to_string(low), " and high ", to_string(high), "; low must not be more");
  return made(context, [&](Builder& build, Device device) {
    return uniform(build, dims, device, low, high);
  });
}

int64_t rt_torch_tensor_normal(CallContext& context, double mean, double std, Sizes dims) {
  need_sizes(dims);
  if (!(std >= 0)) fail("std is ", to_string(std), "; it must be at least 0");
  return made(context, [&](Builder& build, Device device) {
    return normal(build, dims, device, mean, std);
  });
}

int64_t rt_torch_torchtensor_bernoulli(CallContext& context, int64_t self) {
  return of_tensors(context, {{self}}, [](Builder& build, std::span<const Value> in) {
    const Expr p{build, in[0]};
    if (!is_float(p.type().dtype))
      fail("self is ", name(p.type().dtype), "; it must hold probabilities, which are floats");
    return drawn_like(p, Op::Rand).apply(Op::Lt, p).cast(p.type().dtype);
  });
}

int64_t rt_torch_tensor_randperm(CallContext& context, int64_t n) {
  if (n < 0) fail("n is ", n, "; it must not be negative");
  return made(context, [&](Builder& build, Device device) {
    const int64_t sizes[] = {n};
    return drawn(build, Op::Rand, sizes, DType::F64, device).apply(Op::Argsort, {0, 0});
  });
}

int64_t rt_torch_torchtensor_multinomial(CallContext& context, int64_t self, int64_t num_samples,
                                         bool replacement) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr weights{build, in[0]};
    const Shape sizes = weights.sizes();
    if (!is_float(weights.type().dtype) || sizes.empty() || sizes.size() > 2)
      fail("self is ", to_string(weights.type().dtype, sizes),
           "; it must be a float tensor [C] or [N,C] of weights");
    const int64_t classes = sizes.back();
    if (num_samples < 1 || classes < 1 || (!replacement && num_samples > classes))
      fail("num_samples is ", num_samples, "; of ", classes, " classes it must be from 1 to ",
           replacement ? "any number" : join(classes));
    const Expr w = weights.cast(DType::F64);
    if (!replacement) {
      // The first of exponential clocks that run as fast as their weights.
      const Expr u = drawn(build, Op::Rand, sizes, DType::F64, weights.type().device);
      const Expr clock = -(1 - u).apply(Op::Log) / w;
      return clock.apply(Op::TopkIndices, {num_samples, w.rank() - 1, 0, 1});
    }
    const Expr sums = w.apply(Op::Cumsum, {w.rank() - 1});
    const Expr whole = slice(sums, w.rank() - 1, classes - 1, classes);
    Shape drawn_sizes = sizes;
    drawn_sizes.back() = num_samples;
    const Expr at = drawn(build, Op::Rand, drawn_sizes, DType::F64, weights.type().device) * whole;
    // The class whose part of the sums `at` falls into: as many sums as it has passed.
    const Expr passed = with_dim(sums, w.rank() - 1).apply(Op::Le, with_dim(at, w.rank()));
    return passed.apply(Op::SumDim, {w.rank(), 0});
  });
}

// ---- Parameters, as torch.nn.init.

int64_t rt_torch_init_xavier_uniform(CallContext& context, Sizes dims, double gain) {
  const double bound = std::numbers::sqrt3 * xavier_spread(dims, gain);
  return made(context, [&](Builder& build, Device device) {
    return uniform(build, dims, device, -bound, bound);
  });
}
int64_t rt_torch_init_xavier_normal(CallContext& context, Sizes dims, double gain) {
  const double spread = xavier_spread(dims, gain);
  return made(context, [&](Builder& build, Device device) {
    return normal(build, dims, device, 0, spread);
  });
}
int64_t rt_torch_init_kaiming_uniform(CallContext& context, Sizes dims, double a,
                                      std::string_view mode, std::string_view nonlinearity) {
  const double bound = std::numbers::sqrt3 * kaiming_spread(dims, a, mode, nonlinearity);
  return made(context, [&](Builder& build, Device device) {
    return uniform(build, dims, device, -bound, bound);
  });
}
int64_t rt_torch_init_kaiming_normal(CallContext& context, Sizes dims, double a,
                                     std::string_view mode, std::string_view nonlinearity) {
  const double spread = kaiming_spread(dims, a, mode, nonlinearity);
  return made(context, [&](Builder& build, Device device) {
    return normal(build, dims, device, 0, spread);
  });
}

}  // namespace rt::call
