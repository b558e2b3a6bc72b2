// generate.cpp -- draws a row, operands that may fit it, and attributes by their kind. Inference
// decides if that is a valid call.
#include "tests/fuzz/generate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "graph/error.h"
#include "tests/fuzz/spelling.h"
#include "tests/fuzz/suitable.h"

namespace rt::fuzz {
namespace {

using Verb = Instruction::Verb;

constexpr int64_t kMaxElements = 4096, kMaxOfBig = 1 << 17;
constexpr uint32_t kMaxDims = 5;
constexpr int kAttempts = 60;
constexpr double kMayBeRefused = 0.2;  // of the calls, in programs that have refused ones

class Generator {
 public:
  Generator(uint64_t seed, Level level) : level_(level), dice_(seed) { program_.seed = seed; }

  Program run() {
    const int64_t wanted = choose_habits();
    while (calls_ < wanted) {
      const double what = dice_.unit();
      if (live_.empty() || what < 0.08) commit(fresh(random_dtype(), random_sizes()));
      else if (static_cast<int64_t>(live_.size()) > most_live_ && what < 0.9) release();
      else if (what < 0.12) release();
      else if (what < 0.12 + looks_) look(Verb::Read);
      else if (what < 0.12 + 2 * looks_) look(Verb::Shape);
      else if (what < 0.13 + 2 * looks_) program_.list.push_back({});
      else if (draw_row(dice_.pick(dice_.chance(0.6) ? favourites_ : rows()))) ++calls_;
    }
    return std::move(program_);
  }

 private:
  using Fact = Outline::Fact;

  /// Draws the program's habits: sizes, live values, reads, favourite rows. Returns its length.
  int64_t choose_habits() {
    constexpr double kLooks[] = {0, 0.005, 0.03};
    most_live_ = dice_.between(3, 40);
    looks_ = dice_.pick(kLooks);
    refusals_ = dice_.chance(0.5);
    favourites_ = rows();
    if (dice_.chance(0.5)) {
      favourites_.clear();
      for (int64_t i = dice_.between(2, 8); i > 0; --i) favourites_.push_back(dice_.pick(rows()));
    }
    if ((big_ = dice_.chance(0.02))) return dice_.between(5, 20);
    return dice_.between(5, dice_.chance(0.6) ? 40 : dice_.chance(0.75) ? 120 : 300);
  }

  // ---- Instructions that are no calls.

  void commit(const Instruction& made) {
    outline_.add(made);
    live_.push_back(made.id);
    program_.list.push_back(made);
  }
  void release() {
    const auto at = live_.begin() + dice_.below(static_cast<int64_t>(live_.size()));
    program_.list.push_back({.verb = Verb::Free, .operands = {*at}});
    live_.erase(at);
  }
  void look(Verb verb) { program_.list.push_back({.verb = verb, .operands = {existing()}}); }

  // ---- Data.

  DType random_dtype() {
    const double what = dice_.unit();
    if (level_ == Level::Batch && what < 0.06) return DType::Bool;
    return what < 0.6    ? DType::F32
           : what < 0.75 ? DType::F64
           : what < 0.85 ? DType::I32
                         : DType::I64;
  }
  int64_t random_size() {
    const double what = dice_.unit();
    return what < 0.03 ? 0 : what < 0.15 ? 1 : dice_.between(2, 5);
  }
  Shape random_sizes() {
    if (big_ && dice_.chance(0.3)) return {dice_.between(200, 300), 129};
    if (dice_.chance(0.03)) return {40, 33};
    if (dice_.chance(0.02)) return {dice_.between(100, 1000)};
    const double what = dice_.unit();
    const int rank = what < 0.07 ? 0 : what < 0.3 ? 1 : what < 0.72 ? 2 : what < 0.93 ? 3 : 4;
    Shape sizes;
    for (int i = 0; i < rank; ++i) sizes.push_back(random_size());
    return sizes;
  }
  /// Random elements: integers below a positive `bound`, floats in [0, 1] with `unit`.
  Instruction fresh(DType dtype, Shape sizes, int64_t bound = 0, bool unit = false) {
    Instruction made{.verb = Verb::Data, .id = next_++};
    Literal& literal = made.literal;
    literal.dtype = dtype;
    literal.sizes = sizes;
    const bool odd = !unit && dice_.chance(0.04), huge = bound == 0 && dice_.chance(0.03);
    for (int64_t i = numel(sizes); i > 0; --i) {
      if (is_float(dtype)) literal.reals.push_back(random_real(dtype, odd, unit));
      else if (dtype == DType::Bool) literal.integers.push_back(dice_.below(2));
      else if (bound > 0) literal.integers.push_back(dice_.below(bound));
      else if (!huge) literal.integers.push_back(dice_.between(-4, 9));
      else if (dtype == DType::I32) literal.integers.push_back(static_cast<int32_t>(dice_.bits()));
      else literal.integers.push_back(static_cast<int64_t>(dice_.bits()));
    }
    return made;
  }
  double random_real(DType dtype, bool odd, bool unit) {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    constexpr double kOdd[] = {
        kInf, -kInf, std::numeric_limits<double>::quiet_NaN(), 0, -0.0, 1, -1, 100, 1e-30, 3e10};
    const double value = odd && dice_.chance(0.3) ? dice_.pick(kOdd)
                         : unit                   ? dice_.unit()
                                                  : dice_.unit() * 4 - 2;
    return dtype == DType::F32 ? static_cast<float>(value) : value;
  }

  // ---- Operands. Data for a call waits in `made_` until inference accepts the call.

  /// A live value, preferably a new one.
  uint32_t existing() {
    const auto count = static_cast<int64_t>(live_.size());
    const int64_t back = dice_.chance(0.4) ? std::min<int64_t>(count, 6) : count;
    return live_[static_cast<size_t>(count - 1 - dice_.below(back))];
  }
  uint32_t make(DType dtype, const Shape& sizes, int64_t bound = 0, bool unit = false) {
    made_.push_back(fresh(dtype, sizes, bound, unit));
    outline_.add(made_.back());
    return made_.back().id;
  }
  const Fact& fact_of(uint32_t id) const { return *outline_.find(id); }
  uint32_t first_operand(const OpInfo& row) {
    // Rows that can fail need values that are rare among results: probabilities, class indices.
    const bool picky = row.can_fail() && dice_.chance(0.6);
    if (!picky && !live_.empty() && dice_.chance(0.8)) return existing();
    const DType dtype = picky && dice_.chance(0.8) ? DType::F32 : random_dtype();
    return make(dtype, random_sizes(), 0, picky);
  }
  /// Sizes that a row may accept beside an operand of `sizes`.
  Shape related_sizes(const Shape& sizes) {
    Shape result = sizes;
    if (sizes.empty()) return dice_.chance(0.5) ? result : random_sizes();
    const auto any = static_cast<uint32_t>(dice_.below(sizes.size()));
    switch (dice_.below(9)) {
      case 0: result.erase(any); return result;
      case 1: return {sizes.back()};
      case 2: return {sizes.back(), random_size()};
      case 3: return {random_size(), sizes.back()};
      case 4: result[any] = 1; return result;
      case 5: result[any] = random_size(); return result;
      case 6: return {random_size()};
      case 7:
        if (sizes.size() > 1) result.erase(1);
        return result;
      default: return result;
    }
  }
  uint32_t further_operand(const OpInfo& row, uint32_t first) {
    const double what = dice_.unit();
    if (what < 0.05) return first;
    if (what < 0.4 && !live_.empty() && !row.can_fail()) return existing();
    const Fact& near = fact_of(first);
    const Shape& sizes = near.layout.sizes;
    if (row.can_fail() && dice_.chance(0.6)) {
      // An index, mostly within the bounds of any dimension.
      int64_t bound = sizes.empty() ? 1 : sizes[static_cast<uint32_t>(dice_.below(sizes.size()))];
      if (dice_.chance(0.9))
        for (const int64_t size : sizes) bound = std::min(bound, std::max<int64_t>(size, 1));
      const DType dtype = dice_.chance(0.8) ? DType::I64 : DType::I32;
      return make(dtype, related_sizes(sizes), std::max<int64_t>(bound, 1));
    }
    const DType dtype = dice_.chance(0.8) ? near.dtype : random_dtype();
    return make(dtype, related_sizes(sizes), 0, row.can_fail());
  }
  std::vector<uint32_t> draw_operands(const OpInfo& row) {
    const size_t count = row.variadic ? static_cast<size_t>(dice_.between(1, 4)) : row.tensors;
    std::vector<uint32_t> operands(count, kAbsent);
    if (count == 0) return operands;
    const auto anchor = static_cast<size_t>(dice_.below(static_cast<int64_t>(count)));
    operands[anchor] = first_operand(row);
    for (size_t i = 0; i < count; ++i) {
      if (i == anchor) continue;
      const bool optional = !row.variadic && kind_of_tensor(row, i) == Kind::OptTensor;
      if (optional && dice_.chance(0.4)) continue;
      const bool like_anchor = row.variadic && dice_.chance(0.7);
      const Fact& near = fact_of(operands[anchor]);
      operands[i] = like_anchor ? make(near.dtype, near.layout.sizes)
                                : further_operand(row, operands[anchor]);
    }
    if (!row.variadic && kind_of_tensor(row, anchor) == Kind::OptTensor && dice_.chance(0.4))
      operands[anchor] = kAbsent;
    return operands;
  }
  /// Operands of the sizes in `suitable`, of one dtype unless it says otherwise. Live values are
  /// used if they fit.
  std::vector<uint32_t> suitable_operands(const OpInfo& row, const Suitable& suitable,
                                          uint32_t first) {
    const std::vector<Shape>& sizes = suitable.sizes;
    const DType dtype = first != kAbsent    ? fact_of(first).dtype
                        : dice_.chance(0.9) ? (dice_.chance(0.7) ? DType::F32 : DType::F64)
                                            : random_dtype();
    std::vector<uint32_t> operands;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const auto fits = [&](uint32_t id) {
        return id != kAbsent && fact_of(id).dtype == dtype && fact_of(id).layout.sizes == sizes[i];
      };
      const uint32_t there = i == 0 || live_.empty() ? first : existing();
      if (kind_of_tensor(row, i) == Kind::OptTensor && dice_.chance(0.4))
        operands.push_back(kAbsent);
      else if (const auto numbers = suitable.numbers.find(i); numbers != suitable.numbers.end())
        operands.push_back(make(numbers->second.dtype, sizes[i], numbers->second.bound));
      else operands.push_back(fits(there) ? there : make(dtype, sizes[i]));
    }
    return operands;
  }
  static Kind kind_of_tensor(const OpInfo& row, size_t number) {
    for (const Param& param : row.params)
      if ((param.kind == Kind::Tensor || param.kind == Kind::OptTensor) && number-- == 0)
        return param.kind;
    return Kind::Tensor;
  }

  // ---- Attributes.

  double random_float() {
    constexpr double kFloats[] = {0, 0, 0, 1, 1, 1, -1, 2, 3, 0.5, -0.5, -2, 4, 0.01};
    constexpr double kOdd[] = {1e30, -1e30, std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};
    if (dice_.chance(0.01)) return dice_.pick(kOdd);
    return dice_.chance(0.5) ? dice_.pick(kFloats) : dice_.unit() * 6 - 3;
  }
  int64_t random_index(bool creates) {
    constexpr int64_t kOdd[] = {1000, -1000, INT64_MIN, INT64_MAX};
    if (!dice_.chance(0.05)) return dice_.between(-5, 7);
    // Lengths of ranges that end near the limits of int64_t overflow in libtorch.
    return kOdd[dice_.below(creates ? 2 : 4)];
  }
  int64_t random_int(int64_t rank) {
    return dice_.chance(0.75) ? dice_.between(-std::max<int64_t>(rank, 1), rank)
                              : dice_.between(-2, 6);
  }
  void put_list(Args& args, int64_t rank) {
    std::vector<int64_t> list;
    for (int64_t i = 0; i < rank; ++i)
      list.insert(list.begin() + dice_.below(i + 1), dice_.chance(0.1) ? i - rank : i);
    if (!list.empty() && dice_.chance(0.05)) list.pop_back();
    args.attributes.push_back(static_cast<int64_t>(list.size()));
    for (const int64_t item : list) args.attributes.push_back(item);
  }
  /// Sizes for as many elements; one of them may be -1.
  Shape resized(const Shape& from) {
    int64_t rest = numel(from);
    Shape sizes;
    if (rest == 0) return dice_.chance(0.5) ? from : Shape{0, random_size()};
    for (int64_t divisor = 2; rest > 1 && sizes.size() < kMaxDims - 1; ++divisor) {
      if (divisor * divisor > rest) divisor = rest;
      for (; rest % divisor == 0 && sizes.size() < kMaxDims - 1; rest /= divisor) {
        if (!sizes.empty() && dice_.chance(0.4)) sizes.back() *= divisor;
        else sizes.insert(static_cast<uint32_t>(dice_.below(sizes.size() + 1)), divisor);
      }
    }
    if (rest > 1) sizes.push_back(rest);
    if (dice_.chance(0.2)) sizes.insert(static_cast<uint32_t>(dice_.below(sizes.size() + 1)), 1);
    if (!sizes.empty() && dice_.chance(0.3))
      sizes[static_cast<uint32_t>(dice_.below(sizes.size()))] = -1;
    return sizes;
  }
  Args draw_words(const OpInfo& row, const std::vector<uint32_t>& operands,
                  const Suitable& suitable) {
    Args args;
    args.op = row.op;
    const bool alone = operands.empty() || operands[0] == kAbsent;
    const Shape self = alone ? Shape() : fact_of(operands[0]).layout.sizes;
    const int64_t rank = self.size();
    for (const Param& param : row.params) {
      if (param.kind == Kind::Float) {
        // Some functions create tensors of a constant, 0 or 1.
        const bool constant = operands.empty() && dice_.chance(0.5);
        // A norm of a small order raises rounding errors to a large power.
        constexpr double kOrders[] = {0, 0.5, 1, 2, 3};
        const double value = constant ? static_cast<double>(dice_.below(2))
                             : param.name == "p" || param.name == "ord" ? dice_.pick(kOrders)
                                                                        : random_float();
        args.attributes.push_back(std::bit_cast<int64_t>(value));
      }
      if (param.kind == Kind::Index && suitable.indices.empty())
        args.attributes.push_back(random_index(operands.empty()));
      if (param.kind == Kind::Sizes)
        args.shape = suitable.shape                ? *suitable.shape
                     : alone || dice_.chance(0.05) ? random_sizes()
                                                   : resized(self);
      if (param.kind == Kind::DType) args.dtype = random_dtype();
    }
    for (const int64_t index : suitable.indices) args.attributes.push_back(index);
    for (const int64_t integer : suitable.integers) args.attributes.push_back(integer);
    for (const Param& param : row.params) {
      if (!suitable.integers.empty()) break;
      if (param.kind == Kind::Int) args.attributes.push_back(random_int(rank));
      if (param.kind == Kind::Flag) args.attributes.push_back(dice_.below(2));
    }
    for (const std::vector<int64_t>& list : suitable.lists) {
      args.attributes.push_back(static_cast<int64_t>(list.size()));
      for (const int64_t item : list) args.attributes.push_back(item);
    }
    for (const Param& param : row.params)
      if (param.kind == Kind::IntList && suitable.lists.empty()) put_list(args, rank);
    return args;
  }

  // ---- Calls.

  static const std::vector<const OpInfo*>& rows() {
    static const std::vector<const OpInfo*> all = [] {
      std::vector<const OpInfo*> list;
      for (const OpInfo& row : all_ops()) list.push_back(&row);
      return list;
    }();
    return all;
  }
  bool draw_row(const OpInfo* row) {
    const bool may_be_refused = level_ == Level::Abi && refusals_ && dice_.chance(kMayBeRefused);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      made_.clear();
      const uint32_t first = live_.empty() || dice_.chance(0.5) ? kAbsent : existing();
      std::optional<Suitable> suitable;
      if (dice_.chance(0.7) || needs_suitable(row->op))
        suitable =
            draw_suitable(*row, first == kAbsent ? Shape() : fact_of(first).layout.sizes, dice_);
      Instruction call{
          .verb = Verb::Call,
          .operands = suitable ? suitable_operands(*row, *suitable, first) : draw_operands(*row)};
      call.args = draw_words(*row, call.operands, suitable.value_or(Suitable()));
      const Spelling* spelling = nullptr;
      if (level_ == Level::Abi && !(spelling = draw_spelling(call))) continue;
      if (spelling) call.symbol = spelling->symbol;
      if (take(call, !spelling || spelling->gives_handle(), may_be_refused)) return true;
    }
    return false;
  }
  const Spelling* draw_spelling(const Instruction& call) {
    const std::vector<const Spelling*> all = spellings_of(call);
    if (all.empty()) return nullptr;
    const Spelling* chosen = dice_.pick(all);
    // A number ends its chain of values, because it cannot be an operand. Most calls should not.
    for (int i = 0; i < 4 && !chosen->gives_handle(); ++i) chosen = dice_.pick(all);
    return chosen->gives_handle() || dice_.chance(0.3) ? chosen : nullptr;
  }
  bool take(Instruction& call, bool gives_handle, bool may_be_refused) {
    bool refused = false;
    try {
      Args args = call.args;
      const Fact result = outline_.infer(args, call.operands);
      if (result.layout.sizes.size() > kMaxDims ||
          numel(result.layout.sizes) > (big_ ? kMaxOfBig : kMaxElements))
        return false;
    } catch (const Error&) {
      if (!may_be_refused) return false;
      refused = true;
    }
    for (const Instruction& made : made_)
      if (std::ranges::find(call.operands, made.id) != call.operands.end()) commit(made);
    call.id = next_++;
    if (!refused && gives_handle) return commit(call), true;
    program_.list.push_back(std::move(call));
    return true;
  }

  Level level_;
  Dice dice_;
  Program program_;
  Outline outline_;
  std::vector<uint32_t> live_;
  std::vector<Instruction> made_;
  uint32_t next_ = 1;
  int64_t calls_ = 0;
  // Habits of this program.
  std::vector<const OpInfo*> favourites_;
  int64_t most_live_ = 0;
  double looks_ = 0;
  bool refusals_ = false, big_ = false;
};

}  // namespace

Program generate(uint64_t seed, Level level) { return Generator(seed, level).run(); }

}  // namespace rt::fuzz
