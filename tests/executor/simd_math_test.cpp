// simd_math_test.cpp -- vector functions against the C library's in a wider type, for every
// instruction set of this processor.
#include "elementwise/simd.h"

#define HWY_TARGET_INCLUDE "tests/executor/simd_math_test.cpp"
#include <hwy/foreach_target.h>

#include "elementwise/simd_angles-inl.h"

// A row per function: the vector function, the long double one, and the greatest error in units in
// the last place of f32 and of f64.
#define RT_FUNCTIONS(X)          \
  X(exp, std::exp, 1, 1.5)       \
  X(log, std::log, 1, 1)         \
  X(log1p, std::log1p, 1.5, 1.5) \
  X(tanh, std::tanh, 2.5, 2.5)   \
  X(sigmoid, sigmoid, 2.5, 2.5)  \
  X(erf, std::erf, 1.5, 1.5)     \
  X(sin, std::sin, 2, 2.5)       \
  X(cos, std::cos, 2, 2.5)       \
  X(tan, std::tan, 3.5, 4)       \
  X(asin, std::asin, 2.5, 2.5)   \
  X(acos, std::acos, 1.5, 1.5)   \
  X(atan, std::atan, 2.5, 2.5)   \
  X(sqrt, std::sqrt, 0.5, 0.5)

HWY_BEFORE_NAMESPACE();
namespace rt::cpu::HWY_NAMESPACE {
namespace {

template <class T, class Function>
HWY_INLINE void over_all(const Function& function, const T* in, T* out, size_t count) {
  const hn::ScalableTag<T> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) store(function(load(d, in + i)), out + i);
}

#define RT_OF(name, ...)                 \
  struct Of_##name {                     \
    template <class V>                   \
    HWY_INLINE V operator()(V x) const { \
      return name(x);                    \
    }                                    \
  };
RT_FUNCTIONS(RT_OF)

/// Applies the named function to `count` numbers, which fill whole vectors.
template <class T>
void compute(std::string_view name, const T* in, T* out, size_t count) {
#define RT_CASE(function, ...) \
  if (name == #function) return over_all(Of_##function(), in, out, count);
  RT_FUNCTIONS(RT_CASE)
}
void compute_floats(std::string_view name, const float* in, float* out, size_t count) {
  compute(name, in, out, count);
}
void compute_doubles(std::string_view name, const double* in, double* out, size_t count) {
  compute(name, in, out, count);
}

template <class T>
void over_pairs(const T* y, const T* x, T* out, size_t count) {
  const hn::ScalableTag<T> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d))
    store(atan2(load(d, y + i), load(d, x + i)), out + i);
}
void angles_of_floats(const float* y, const float* x, float* out, size_t count) {
  over_pairs(y, x, out, count);
}
void angles_of_doubles(const double* y, const double* x, double* out, size_t count) {
  over_pairs(y, x, out, count);
}

void gelus(const float* in, float* out, size_t count) {
  const hn::ScalableTag<float> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) store(gelu(load(d, in + i)), out + i);
}

void gelu_slopes(const float* in, float* out, size_t count) {
  const hn::ScalableTag<float> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) store(gelu_slope(load(d, in + i)), out + i);
}

void powers(float exponent, const float* in, float* out, size_t count) {
  const hn::ScalableTag<float> d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) store(power(load(d, in + i), exponent), out + i);
}

}  // namespace
}  // namespace rt::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "tests/executor/simd_rig.h"

namespace rt::cpu {
namespace {

#define RT_VARIANTS(function)                                                                      \
  constexpr decltype(&HWY_STATIC_DISPATCH(function)) function##_table[] = RT_SIMD_TABLE(function); \
  template <class... Arguments>                                                                    \
  void function(Arguments... arguments) {                                                          \
    simd_choice(function##_table)(arguments...);                                                   \
  }
RT_VARIANTS(compute_floats)
RT_VARIANTS(compute_doubles)
RT_VARIANTS(angles_of_floats)
RT_VARIANTS(angles_of_doubles)
RT_VARIANTS(gelus)
RT_VARIANTS(gelu_slopes)
RT_VARIANTS(powers)

template <class T>
T sigmoid(T x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

/// The error in units in the last place of T; infinity if only one of the two is a NaN.
template <class T>
double error_of(T got, long double exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(got) || std::isnan(rounded))
    return std::isnan(got) == std::isnan(rounded) ? 0 : INFINITY;
  if (got == rounded) return std::signbit(got) == std::signbit(rounded) ? 0 : INFINITY;
  const T size = std::min(std::max(std::abs(rounded), std::numeric_limits<T>::min()),
                          std::numeric_limits<T>::max());
  const int exponent = std::ilogb(size) - std::numeric_limits<T>::digits + 1;
  const long double limit = std::numeric_limits<T>::max();
  const long double wanted = std::clamp(exact, -limit, limit);
  const long double had = std::clamp(static_cast<long double>(got), -limit, limit);
  return static_cast<double>(std::scalbn(std::abs(had - wanted), -exponent));
}

template <class T>
struct Worst {
  double error = 0;
  T at{}, got{};
  void see(T x, T value, long double exact) {
    const double found = error_of(value, exact);
    if (!(found > error)) return;
    error = found;
    at = x;
    got = value;
  }
};

/// Every 1009th float, and the neighbours of numbers at which functions change their formula.
std::vector<float> floats() {
  std::vector<float> numbers;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 1009)
    numbers.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (const float number : {0.f, 1.f, .5f, 87.f, 89.f, 104.f, 103.9f, 88.7228f, 9.1f, 8e5f, 4.f,
                             .41421357f, 2.4142137f, INFINITY, 1e-38f, 1e-45f, 0.70710677f})
    for (const float sign : {1.f, -1.f})
      for (const float to : {-INFINITY, INFINITY})
        numbers.insert(numbers.end(), {sign * number, std::nextafter(sign * number, to)});
  numbers.push_back(NAN);
  while (numbers.size() % 64) numbers.push_back(1);
  return numbers;
}

/// Doubles of all exponents, and more in the ranges where functions change their formula.
std::vector<double> doubles() {
  std::vector<double> numbers;
  std::mt19937_64 draw(7);
  for (int i = 0; i < 200000; ++i) numbers.push_back(std::bit_cast<double>(draw()));
  for (const double range : {1e-3, 1., 2., 7., 30., 750., 1e4, 1e6, 1e9})
    for (int i = 0; i < 40000; ++i)
      numbers.push_back(range * (static_cast<double>(draw() >> 11) * 0x1p-52 - 1));
  for (int i = -100000; i < 100000; ++i) numbers.push_back(i * (M_PI / 2));
  for (const double number :
       {0., 1., .5, 708., 710., 709.7827, 745.2, 746., 19.1, 6., 8e5, HUGE_VAL, 2e-308, 5e-324})
    for (const double sign : {1., -1.}) numbers.push_back(sign * number);
  numbers.push_back(NAN);
  while (numbers.size() % 64) numbers.push_back(1);
  return numbers;
}

/// The named function in a wide type.
template <class Wide>
Wide exactly(std::string_view name, Wide x) {
#define RT_EXACT(function, of, ...) \
  if (name == #function) return of(x);
  RT_FUNCTIONS(RT_EXACT)
  return NAN;
}

struct Bound {
  std::string_view name;
  double floats, doubles;
  friend void PrintTo(const Bound& bound, std::ostream* out) { *out << bound.name; }
};
constexpr Bound kBounds[] = {
#define RT_BOUND(name, exact, floats, doubles) {#name, floats, doubles},
    RT_FUNCTIONS(RT_BOUND)};

class SimdFunction : public testing::TestWithParam<Bound> {};

TEST_P(SimdFunction, OfFloatsStaysWithinItsBound) {
  const std::vector<float> in = floats();
  std::vector<double> exact;
  for (const float x : in) exact.push_back(exactly<double>(GetParam().name, x));
  std::vector<float> out(in.size());
  for_targets([&] {
    compute_floats(GetParam().name, in.data(), out.data(), in.size());
    Worst<float> worst;
    for (size_t i = 0; i < in.size(); ++i) worst.see(in[i], out[i], exact[i]);
    EXPECT_LE(worst.error, GetParam().floats) << worst.got << " at " << worst.at;
    RecordProperty(std::string(simd_target().name), std::to_string(worst.error));
  });
}

TEST_P(SimdFunction, OfDoublesStaysWithinItsBound) {
  const std::vector<double> in = doubles();
  std::vector<long double> exact;
  for (const double x : in) exact.push_back(exactly<long double>(GetParam().name, x));
  std::vector<double> out(in.size());
  for_targets([&] {
    compute_doubles(GetParam().name, in.data(), out.data(), in.size());
    Worst<double> worst;
    for (size_t i = 0; i < in.size(); ++i) worst.see(in[i], out[i], exact[i]);
    EXPECT_LE(worst.error, GetParam().doubles) << worst.got << " at " << worst.at;
    RecordProperty(std::string(simd_target().name), std::to_string(worst.error));
  });
}

INSTANTIATE_TEST_SUITE_P(All, SimdFunction, testing::ValuesIn(kBounds),
                         [](const auto& test) { return std::string(test.param.name); });

/// All pairs of special numbers, and random ones.
template <class T>
void fill_pairs(std::vector<T>& y, std::vector<T>& x) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> remarkable = {0,
                                     1,
                                     T(0.5),
                                     Limits::infinity(),
                                     Limits::max(),
                                     Limits::min(),
                                     Limits::denorm_min(),
                                     Limits::quiet_NaN(),
                                     3};
  for (const T a : remarkable)
    for (const T b : remarkable)
      for (const T sign : {1, -1})
        for (const T other : {1, -1}) {
          y.push_back(sign * a);
          x.push_back(other * b);
        }
  std::mt19937_64 draw(11);
  const auto number = [&] {
    const double part = static_cast<double>(draw() >> 11) * 0x1p-52 - 1;
    return static_cast<T>(std::scalbn(part, static_cast<int>(draw() % 41) - 20));
  };
  while (y.size() < 500000 || y.size() % 64) {
    y.push_back(number());
    x.push_back(number());
  }
}

TEST(SimdAtan2, StaysWithinThreeUnits) {
  std::vector<float> y, x;
  fill_pairs(y, x);
  std::vector<double> wide_y, wide_x;
  fill_pairs(wide_y, wide_x);
  for_targets([&] {
    std::vector<float> out(y.size());
    angles_of_floats(y.data(), x.data(), out.data(), y.size());
    Worst<float> worst;
    for (size_t i = 0; i < y.size(); ++i)
      worst.see(y[i] / x[i], out[i], std::atan2(double{y[i]}, double{x[i]}));
    EXPECT_LE(worst.error, 3) << worst.got << " at " << worst.at;
    std::vector<double> wide_out(wide_y.size());
    angles_of_doubles(wide_y.data(), wide_x.data(), wide_out.data(), wide_y.size());
    Worst<double> wide_worst;
    for (size_t i = 0; i < wide_y.size(); ++i)
      wide_worst.see(
          wide_y[i] / wide_x[i], wide_out[i],
          std::atan2(static_cast<long double>(wide_y[i]), static_cast<long double>(wide_x[i])));
    EXPECT_LE(wide_worst.error, 3) << wide_worst.got << " at " << wide_worst.at;
  });
}

// For x < 0 the result is x times a small tail, whose error is relative to 1.
TEST(SimdGelu, OfFloatsIsCloserThanItsFormula) {
  std::vector<float> in;
  for (const float x : floats())
    if (std::isfinite(x)) in.push_back(x);
  while (in.size() % 64) in.push_back(-1);
  std::vector<float> out(in.size());
  for_targets([&] {
    gelus(in.data(), out.data(), in.size());
    Worst<float> worst;
    double furthest = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      const double x = in[i], exact = x * std::erfc(-x * std::sqrt(0.5)) / 2;
      if (x > 0) worst.see(in[i], out[i], exact);
      else if (x < -1e-30) furthest = std::max(furthest, std::abs((out[i] - exact) / x));
      EXPECT_EQ(std::signbit(out[i]), std::signbit(x)) << x;
    }
    EXPECT_LE(worst.error, 3) << worst.got << " at " << worst.at;
    EXPECT_LE(furthest, 0x1p-23);
  });
}

// The slope crosses 0 near -0.75, so that the error there is that of its summands.
TEST(SimdGeluSlope, OfFloatsIsRoundedAboutAsItsSummandsAre) {
  std::vector<float> in;
  for (int i = -200000; i <= 200000; ++i) in.push_back(static_cast<float>(i) * 1e-4f);
  for (const float x : {0.f, -0.f, 1e-30f, -1e-30f, 30.f, -30.f, 1e4f, -1e4f}) in.push_back(x);
  while (in.size() % 64) in.push_back(-1);
  std::vector<float> out(in.size());
  for_targets([&] {
    gelu_slopes(in.data(), out.data(), in.size());
    double furthest = 0, at = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      const double x = in[i];
      const double exact =
          std::erfc(-x * std::sqrt(0.5)) / 2 + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
      const double error = std::abs(out[i] - exact);
      if (error > furthest) {
        furthest = error;
        at = x;
      }
    }
    EXPECT_LE(furthest, 0x1.8p-23) << "at " << at;
  });
}

TEST(SimdPower, OfFloatsIsRoundedFromDouble) {
  std::vector<float> in;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 20011)
    in.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (const float special : {0.f, -0.f, 1.f, -1.f, INFINITY, -INFINITY, NAN, 1e-45f})
    in.push_back(special);
  while (in.size() % 64) in.push_back(1);
  std::vector<float> out(in.size());
  for (const float exponent : {1.7f, -1.7f, 0.3333333f, 4.f, 5.f, -3.f, -4.f, 1e-3f, 100.f, 7.25f,
                               INFINITY, -INFINITY, NAN})
    for_targets([&] {
      powers(exponent, in.data(), out.data(), in.size());
      Worst<float> worst;
      for (size_t i = 0; i < in.size(); ++i)
        worst.see(in[i], out[i], std::pow(double{in[i]}, double{exponent}));
      EXPECT_LE(worst.error, 1) << worst.got << " at " << worst.at << " to the " << exponent;
    });
}

}  // namespace
}  // namespace rt::cpu
#endif
