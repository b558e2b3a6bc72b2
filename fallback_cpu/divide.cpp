// divide.cpp -- quotients, remainders and powers of two tensors, one element at a time.
#include <cmath>
#include <limits>

#include "elementwise/dtypes.h"
#include "elementwise/fused.h"
#include "fallback_cpu/kernels.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

/// An operand as the loop reads it: every element in the result's order, or one for all.
struct Side {
  BufferRef buffer;
  int64_t step = 1;
};

Side side(const KernelCall& call, uint32_t i) {
  const BufferRef& operand = call.operand(i);
  if (operand->numel() == 1) return {call.contiguous(call.converted(operand)), 0};
  if (std::ranges::equal(operand->sizes(), call.sizes))
    return {call.contiguous(call.converted(operand))};
  Strides strides;
  strides.resize(static_cast<uint32_t>(call.sizes.size()));
  broadcast_strides(operand->sizes(), operand->strides(), call.sizes, strides.data());
  BufferRef expanded = call.result();
  copy_elements(expanded->data(), call.dtype, expanded->strides(),
                {operand->data(), operand->dtype(), strides}, call.sizes, call.machine.team);
  return {expanded};
}

struct Remainder {  ///< with the sign of the divisor, as Python's %
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == -1) return 0;  // where a is the smallest integer, a % b traps
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    } else {
      const T rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
  }
};

struct Fmod {  ///< with the sign of the dividend
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) return b == -1 ? 0 : static_cast<T>(a % b);
    else return std::fmod(a, b);
  }
};

struct FloorDivide {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == -1) return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
      const T quotient = a / b;
      return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    } else {
      if (b == 0) return a / b;
      // From the exact remainder, as Python does, so that it agrees with it: a quotient that is
      // rounded first may round up to the next whole number.
      const T rest = std::fmod(a, b);
      T quotient = (a - rest) / b;
      if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
      if (quotient == 0) return std::copysign(T{0}, a / b);
      const T whole = std::floor(quotient);
      return quotient - whole > T{0.5} ? whole + 1 : whole;
    }
  }
};

struct Power {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      using Bits = std::make_unsigned_t<T>;
      if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
      Bits result = 1;
      for (Bits square = static_cast<Bits>(a), rest = static_cast<Bits>(b); rest != 0; rest >>= 1) {
        if (rest & 1) result *= square;
        square *= square;
      }
      return static_cast<T>(result);
    } else {
      return std::pow(a, b);
    }
  }
};

template <class Function, class T>
void run(const KernelCall& call, const Side& a, const Side& b, T* out) {
  const T* const left = reinterpret_cast<const T*>(a.buffer->data());
  const T* const right = reinterpret_cast<const T*>(b.buffer->data());
  constexpr int64_t kCost = 16;  // of an element, in those of a copy
  for_ranges(numel(call.sizes), kCost, call.machine.team, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      out[i] = Function::apply(left[i * a.step], right[i * b.step]);
  });
}

void check_divisors(const KernelCall& call, const Side& b) {
  if (numel(call.sizes) == 0) return;
  visit_number(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    if constexpr (std::is_integral_v<T>) {
      const T* const values = reinterpret_cast<const T*>(b.buffer->data());
      for (int64_t i = 0, n = b.buffer->numel(); i < n; ++i)
        if (values[i] == 0)
          fail(call.row.params[1].name,
               " holds 0, and an integer cannot be divided by 0; convert with to_float32, or "
               "replace the zeros with rt_torch_torchtensor_where");
    }
  });
}

}  // namespace

BufferRef divide(const KernelCall& call) {
  const Side a = side(call, 0), b = side(call, 1);
  if (call.row.op != Op::PowTensor) check_divisors(call, b);
  BufferRef result = call.result();
  visit_number(call.row.name, call.dtype, [&]<class T>(Type<T>) {
    T* const out = reinterpret_cast<T*>(result->data());
    switch (call.row.op) {
      case Op::Remainder: return run<Remainder>(call, a, b, out);
      case Op::Fmod: return run<Fmod>(call, a, b, out);
      case Op::FloorDivide: return run<FloorDivide>(call, a, b, out);
      default: return run<Power>(call, a, b, out);
    }
  });
  return result;
}

}  // namespace rt::cpu
