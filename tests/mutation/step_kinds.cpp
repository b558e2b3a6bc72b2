// step_kinds.cpp -- mutations of kernels: they change the result of the row's steps.
#include <cmath>
#include <cstring>
#include <limits>

#include "graph/error.h"
#include "tests/mutation/mutation.h"

namespace rt_test {
namespace {

using rt::DType;
using rt::OpInfo;

constexpr int64_t kLong = 16;  // kernels may treat further elements differently

template <class T>
bool nudge(T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return false;
    value = value == 0 ? T(1e-3) : value * T(1.001);
  } else if constexpr (std::is_same_v<T, bool>) {
    value = !value;
  } else {
    value ^= 1;  // adds or subtracts one without overflow
  }
  return true;
}

template <class T>
bool nan_to_zero(T& value) {
  if (!std::isnan(value)) return false;
  value = 0;
  return true;
}

template <class T>
bool turn_infinity(T& value) {
  if (!std::isinf(value)) return false;
  value = -value;
  return true;
}

/// Changes the last element that `change` accepts.
template <class T, class Change>
bool change_last_of(std::vector<char>& bytes, int64_t most, const Change& change) {
  for (size_t at = bytes.size(); at >= sizeof(T) && most > 0; at -= sizeof(T), --most) {
    T value;
    std::memcpy(&value, bytes.data() + at - sizeof(T), sizeof(T));
    if (!change(value)) continue;
    std::memcpy(bytes.data() + at - sizeof(T), &value, sizeof(T));
    return true;
  }
  return false;
}

bool nudge_last(StepRun& step) {
  std::vector<char> bytes = step.bytes();
  const auto last = [&]<class T>(T) {
    return change_last_of<T>(bytes, 1, [](T& value) { return nudge(value); });
  };
  bool changed = false;
  switch (step.dtype()) {
    case DType::F32: changed = last(float{}); break;
    case DType::F64: changed = last(double{}); break;
    case DType::I32: changed = last(int32_t{}); break;
    case DType::I64: changed = last(int64_t{}); break;
    case DType::Bool: changed = last(bool{}); break;
    case DType::F16:
    case DType::BF16:
      changed = change_last_of<uint16_t>(bytes, 1, [](uint16_t& value) {
        constexpr uint16_t kOne = 0x3c00, kMiddle = 0x40;  // a bit of both mantissas
        value = value == 0 ? kOne : value ^ kMiddle;
        return true;
      });
      break;
  }
  if (changed) step.replace(bytes);
  return changed;
}

template <class OfFloat, class OfDouble>
bool change_special(StepRun& step, const OfFloat& of_float, const OfDouble& of_double) {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  step.run();
  std::vector<char> bytes = step.bytes();
  bool changed = false;
  if (step.dtype() == DType::F32) changed = change_last_of<float>(bytes, kAll, of_float);
  if (step.dtype() == DType::F64) changed = change_last_of<double>(bytes, kAll, of_double);
  if (changed) step.replace(bytes);
  return changed;
}

// ---- The kinds.

bool element(const Mutation& mutation, StepRun& step) {
  step.run();
  return static_cast<int64_t>(step.dtype()) == mutation.variant.id && nudge_last(step);
}

bool strided(const Mutation&, StepRun& step) {
  bool dense = true;
  for (const uint32_t operand : step.operands()) dense &= step.value(operand)->contiguous();
  step.run();
  return !dense && nudge_last(step);
}

bool long_run(const Mutation&, StepRun& step) {
  step.run();
  const std::vector<char> bytes = step.bytes();
  bool is_long = static_cast<int64_t>(bytes.size()) > kLong * rt::item_size(step.dtype());
  for (const uint32_t operand : step.operands()) is_long |= step.value(operand)->numel() > kLong;
  return is_long && nudge_last(step);
}

/// True where clients could not tell the results apart: the zeros' signs do not count.
bool same_numbers(DType dtype, const std::vector<char>& a, const std::vector<char>& b) {
  const auto equal = [&]<class T>(T) {
    const auto numbers = [](const std::vector<char>& bytes) {
      std::vector<T> list(bytes.size() / sizeof(T));
      std::memcpy(list.data(), bytes.data(), list.size() * sizeof(T));
      return list;
    };
    const auto alike = [](T x, T y) { return x == y || (std::isnan(x) && std::isnan(y)); };
    return std::ranges::equal(numbers(a), numbers(b), alike);
  };
  if (dtype == DType::F32) return equal(float{});
  return dtype == DType::F64 ? equal(double{}) : a == b;
}

/// Exchanges two operands of one type; false if that does not change the result.
bool operands(const Mutation&, StepRun& step) {
  step.run();
  const std::vector<char> right = step.bytes();
  for (size_t i = 0; i < step.operands().size(); ++i)
    for (size_t k = i + 1; k < step.operands().size(); ++k) {
      rt::BufferRef &a = step.value(step.operands()[i]), &b = step.value(step.operands()[k]);
      if (step.operands()[i] == step.operands()[k] || a->dtype() != b->dtype() ||
          !std::ranges::equal(a->sizes(), b->sizes()))
        continue;
      std::swap(a, b);
      try {
        step.run();
      } catch (const rt::Error&) {
        step.replace(right);
      }
      std::swap(a, b);
      if (!same_numbers(step.dtype(), step.bytes(), right)) return true;
    }
  return false;
}

bool not_a_number(const Mutation&, StepRun& step) {
  return change_special(step, nan_to_zero<float>, nan_to_zero<double>);
}

bool infinity(const Mutation&, StepRun& step) {
  return change_special(step, turn_infinity<float>, turn_infinity<double>);
}

bool failure(const Mutation&, StepRun& step) {
  try {
    step.run();
    return false;
  } catch (const rt::Error&) {
    step.fill_with_zeros();
    return true;
  }
}

// ---- Variants of each row.

std::vector<Variant> by_dtype(const OpInfo& row, const Seen& seen) {
  std::vector<Variant> variants;
  for (const DType dtype : result_dtypes(row, seen))
    variants.push_back({std::string(name(dtype)), static_cast<int64_t>(dtype)});
  return variants;
}

std::vector<Variant> where_tensors_go_in(const OpInfo& row, const Seen&) {
  if (!takes_tensors(row)) return {};
  return {{.name = {}, .certain = given_by_clients(row)}};
}

std::vector<Variant> everywhere(const OpInfo&, const Seen&) { return {{}}; }

std::vector<Variant> where_it_shows(const OpInfo&, const Seen&) {
  return {{.name = {}, .certain = false}};
}

/// A gradient's row gets only operands for which its forward row did not fail.
std::vector<Variant> where_it_can_fail(const OpInfo& row, const Seen&) {
  if (!row.can_fail()) return {};
  return {{.name = {}, .certain = given_by_clients(row)}};
}

constexpr MutationKind kKinds[] = {
    {.name = "element", .variants = by_dtype, .step = element},
    {.name = "strided", .variants = where_tensors_go_in, .step = strided},
    {.name = "long", .variants = everywhere, .step = long_run},
    {.name = "operands", .variants = where_it_shows, .step = operands},
    {.name = "nan", .variants = where_it_shows, .step = not_a_number},
    {.name = "infinity", .variants = where_it_shows, .step = infinity},
    {.name = "failure", .variants = where_it_can_fail, .step = failure},
};

}  // namespace

std::span<const MutationKind> step_kinds() { return kKinds; }

}  // namespace rt_test
