// schedule.h -- learning rates over the steps of a training.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rt {

/// How learning rates change from step to step, as in torch.optim.lr_scheduler. After its end a
/// schedule stays at its last rate. With a warm-up the rate first rises in equal parts,
/// r / n, 2 r / n and so on up to the rate r, and then the schedule begins.
class Schedule {
 public:
  enum class Kind : uint8_t { Constant, Step, Exponential, Cosine, Linear, OneCycle };

  Kind kind = Kind::Constant;
  int64_t steps = 1;   ///< Step: between two drops; Cosine, Linear, OneCycle: of the whole schedule
  int64_t warmup = 0;  ///< steps before the schedule begins; not OneCycle
  double gamma = 1;    ///< Step, Exponential: the factor of a drop
  double least = 0;    ///< Cosine: the last rate
  double first_factor = 1, last_factor = 1;  ///< Linear: of the group's rate
  double most = 0;                           ///< OneCycle: the highest rate, of all groups
  double rising = 0;                         ///< OneCycle: the part of the steps before it
  double first_divisor = 1;                  ///< OneCycle: most / the first rate
  double last_divisor = 1;                   ///< OneCycle: the first rate / the last

  void check() const;  ///< throws Error for a number out of range
  bool changes_rates() const { return kind != Kind::Constant; }
  /// One more group, whose rate before the schedule is `rate`.
  void begin(double rate) { base_.push_back(rate); }
  double rate(size_t group) const;  ///< at the current step, of a group that has begun
  void advance() { ++at_; }

 private:
  double after_warmup(double base, double at) const;
  int64_t at_ = 0;  ///< steps that were taken
  std::vector<double> base_;
};

}  // namespace rt
