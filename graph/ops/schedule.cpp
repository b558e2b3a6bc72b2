// schedule.cpp -- the formulas of torch/optim/lr_scheduler.py, each for any step at once.
#include "graph/ops/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graph/error.h"
#include "graph/ops/optimizer_rules.h"

namespace rt {
namespace {

/// From `first` to `last` along half a cosine, at the part `way` of it.
double along_cosine(double first, double last, double way) {
  return last + (first - last) * (1 + std::cos(std::numbers::pi * way)) / 2;
}

}  // namespace

void Schedule::check() const {
  if (steps < 1) fail("the number of steps is ", steps, "; it must be at least 1");
  if (warmup < 0) fail("warmup_steps is ", warmup, "; it must be at least 0");
  check_range("gamma", gamma, gamma >= 0, "at least 0");
  check_range("eta_min", least, least >= 0, "at least 0");
  check_range("start_factor", first_factor, first_factor >= 0, "at least 0");
  check_range("end_factor", last_factor, last_factor >= 0, "at least 0");
  check_range("max_lr", most, most >= 0, "at least 0");
  check_range("pct_start", rising, rising >= 0 && rising <= 1, "from 0 to 1");
  check_range("div_factor", first_divisor, first_divisor > 0, "above 0");
  check_range("final_div_factor", last_divisor, last_divisor > 0, "above 0");
}

double Schedule::rate(size_t group) const {
  const double base = base_[group];
  if (at_ < warmup) return base * static_cast<double>(at_ + 1) / static_cast<double>(warmup);
  return after_warmup(base, static_cast<double>(at_ - warmup));
}

double Schedule::after_warmup(double base, double at) const {
  const auto length = static_cast<double>(steps);
  switch (kind) {
    case Kind::Constant: return base;
    case Kind::Step: return base * std::pow(gamma, std::floor(at / length));
    case Kind::Exponential: return base * std::pow(gamma, at);
    case Kind::Cosine: return along_cosine(base, least, std::min(at / length, 1.0));
    case Kind::Linear:
      return base * (first_factor + (last_factor - first_factor) * std::min(at / length, 1.0));
    case Kind::OneCycle: {
      const double first = most / first_divisor, top = rising * length - 1;
      if (at < top) return along_cosine(first, most, at / top);
      const double rest = length - 1 - top;
      return along_cosine(most, first / last_divisor,
                          rest > 0 ? std::min((at - top) / rest, 1.0) : 1);
    }
  }
  return base;
}

}  // namespace rt
