// policy.h -- the policy that decides which calls submit pending work.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace rt {

/// The calls that submit. Observe: shape queries, frees and data reads. Data: data reads only.
/// Eager: every call that records.
enum class Policy : uint8_t { Observe, Data, Eager };

constexpr std::string_view name(Policy policy) {
  switch (policy) {
    case Policy::Observe: return "observe";
    case Policy::Data: return "data";
    case Policy::Eager: return "eager";
  }
  return "";
}
constexpr std::optional<Policy> parse_policy(std::string_view text) {
  for (Policy policy : {Policy::Observe, Policy::Data, Policy::Eager})
    if (name(policy) == text) return policy;
  return std::nullopt;
}

}  // namespace rt
