// result.cpp -- verdicts on results.
#include "bench/rt_bench/result.h"

#include <algorithm>

namespace rt_bench {

const char* id(Way way) {
  switch (way) {
    case Way::Lazy: return "lazy";
    case Way::Eager: return "eager";
    case Way::Libtorch: break;
  }
  return "libtorch";
}

const char* title(Way way) {
  switch (way) {
    case Way::Lazy: return "lazily";
    case Way::Eager: return "policy eager";
    case Way::Libtorch: break;
  }
  return "libtorch";
}

const WayResult* Result::find(Way way) const {
  const auto found = std::ranges::find(ways, way, &WayResult::way);
  return found == ways.end() ? nullptr : &*found;
}

bool Result::met() const {
  return info.batch_cost ? above_us.low <= bar : lazy().times_fast.high >= bar;
}

bool Result::is_wide() const {
  const Estimate& ratio = lazy().times_fast;
  return ratio.high - ratio.low > 0.1 * ratio.median;
}

bool Result::is_disturbed() const { return other_load > 0.25; }

bool Result::agrees() const {
  return std::ranges::all_of(ways,
                             [&](const WayResult& way) { return way.apart <= info.tolerance; });
}

std::string Result::verdict() const {
  if (bar == 0) return "";
  return std::string(met() ? "met" : "missed") + (is_noisy() ? "?" : "");
}

}  // namespace rt_bench
