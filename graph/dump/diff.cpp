// diff.cpp -- aligns two batches step by step and describes their differences.
#include "graph/dump/diff.h"

#include <algorithm>
#include <unordered_map>

#include "graph/error.h"
#include "graph/ops/attributes.h"

namespace rt {
namespace {

constexpr uint32_t kAlone = 0xffffffffu;

/// The fewest edits between two batches are searched up to so many. With more, everything between
/// their common ends counts as rewritten.
constexpr int64_t kMaxEdits = 1000;

uint64_t mix(uint64_t hash, uint64_t attr) {
  hash = (hash ^ attr) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

/// A hash of op and attributes, without scalars and sizes, so that steps over
/// other sizes still align.
uint64_t signature(const Batch& batch, const Batch::Step& step) {
  const AttributesView view = batch.attributes_of(step);
  uint64_t hash = static_cast<uint64_t>(step.op) + 1;
  for (int64_t attr : view.attributes.subspan(view.row.scalars))
    hash = mix(hash, static_cast<uint64_t>(attr));
  return hash;
}

std::vector<uint64_t> signatures(const Batch& batch) {
  std::vector<uint64_t> all;
  for (const Batch::Step& step : batch.steps) all.push_back(signature(batch, step));
  return all;
}

bool same_type(const Batch& a, uint32_t in_a, const Batch& b, uint32_t in_b) {
  if (in_a == kNone.id || in_b == kNone.id) return in_a == in_b;
  const Batch::Item &x = a.values[in_a], &y = b.values[in_b];
  return x.dtype == y.dtype && x.device == y.device && x.flags == y.flags &&
         std::ranges::equal(a.sizes(in_a), b.sizes(in_b)) &&
         (!(x.flags & Batch::kStrided) || std::ranges::equal(a.strides(in_a), b.strides(in_b)));
}

/// The longest common subsequence of two lists, as pairs of positions; empty where they are more
/// than kMaxEdits edits apart. Walks the edit graph by its diagonals, one more edit each time.
class CommonRun {
 public:
  using Pairs = std::vector<std::pair<uint32_t, uint32_t>>;

  CommonRun(std::span<const uint64_t> x, std::span<const uint64_t> y)
      : x_(x), y_(y), n_(std::ssize(x)), m_(std::ssize(y)) {}

  Pairs run() {
    for (int64_t edits = 0; edits <= std::min(n_ + m_, kMaxEdits); ++edits) {
      std::vector<int64_t> row(static_cast<size_t>(2 * edits + 1), kUnreached);
      for (int64_t diagonal = -edits; diagonal <= edits; diagonal += 2) {
        const int64_t begin = edits == 0 ? 0 : entry(edits, diagonal);
        if (begin == kUnreached) continue;
        int64_t at = begin;
        while (at < n_ && at - diagonal < m_ && x_[index(at)] == y_[index(at - diagonal)]) ++at;
        row[index(diagonal + edits)] = at;
        if (at == n_ && at - diagonal == m_) {
          rows_.push_back(std::move(row));
          return walk_back(edits);
        }
      }
      rows_.push_back(std::move(row));
    }
    return {};
  }

 private:
  static constexpr int64_t kUnreached = -1;
  static size_t index(int64_t at) { return static_cast<size_t>(at); }

  int64_t reached(int64_t edits, int64_t diagonal) const {
    if (diagonal < -edits || diagonal > edits) return kUnreached;
    return rows_[index(edits)][index(diagonal + edits)];
  }
  /// The position in x at which a diagonal is entered with the last of `edits` edits.
  int64_t entry(int64_t edits, int64_t diagonal) const {
    const int64_t left = reached(edits - 1, diagonal - 1), above = reached(edits - 1, diagonal + 1);
    const int64_t by_skip_x = left == kUnreached || left == n_ ? kUnreached : left + 1;
    const int64_t by_skip_y =
        above == kUnreached || above - (diagonal + 1) == m_ ? kUnreached : above;
    return std::max(by_skip_x, by_skip_y);
  }
  Pairs walk_back(int64_t edits) const {
    Pairs pairs;
    int64_t diagonal = n_ - m_;
    for (int64_t at = n_;; --edits) {
      const int64_t begin = edits == 0 ? 0 : entry(edits, diagonal);
      for (; at > begin; --at)
        pairs.emplace_back(static_cast<uint32_t>(at - 1), static_cast<uint32_t>(at - 1 - diagonal));
      if (edits == 0) break;
      const bool skipped_x = reached(edits - 1, diagonal - 1) + 1 == begin &&
                             reached(edits - 1, diagonal - 1) != kUnreached;
      diagonal += skipped_x ? -1 : 1;
      at = skipped_x ? begin - 1 : begin;
    }
    std::ranges::reverse(pairs);
    return pairs;
  }

  std::span<const uint64_t> x_, y_;
  int64_t n_, m_;
  std::vector<std::vector<int64_t>> rows_;  ///< by edits: the end in x of each diagonal
};

/// Pairs the steps of A with steps of B.
class Alignment {
 public:
  std::vector<uint32_t> partner;  ///< by step of A: its step of B, or kAlone; increasing

  Alignment(const Batch& a, const Batch& b) : partner(a.steps.size(), kAlone), a_(a), b_(b) {
    const std::vector<uint64_t> x = signatures(a), y = signatures(b);
    const size_t shorter = std::min(x.size(), y.size());
    size_t front = 0, back = 0;
    while (front < shorter && x[front] == y[front]) ++front;
    while (back < shorter - front && x[x.size() - 1 - back] == y[y.size() - 1 - back]) ++back;
    for (size_t i = 0; i < front; ++i) pair(i, i);
    const auto middle = [&](const std::vector<uint64_t>& all) {
      return std::span(all).subspan(front, all.size() - front - back);
    };
    size_t from_a = front, from_b = front;
    const auto close_gap = [&](size_t to_a, size_t to_b) {
      gap(from_a, to_a, from_b, to_b);
      from_a = to_a + 1, from_b = to_b + 1;
    };
    for (const auto& [i, j] : CommonRun(middle(x), middle(y)).run()) {
      close_gap(front + i, front + j);
      pair(front + i, front + j);
    }
    close_gap(x.size() - back, y.size() - back);
    for (size_t i = back; i > 0; --i) pair(x.size() - i, y.size() - i);
  }

 private:
  void pair(size_t i, size_t j) { partner[i] = static_cast<uint32_t>(j); }

  /// Pairs the steps between two pairs: first those of one op, then the rest where it has equally
  /// many steps on both sides.
  void gap(size_t from_a, size_t to_a, size_t from_b, size_t to_b) {
    size_t next = from_b;
    const auto rest = [&](size_t i_end, size_t j_end) {
      if (i_end - from_a == j_end - from_b)
        for (size_t i = from_a; i < i_end; ++i) pair(i, from_b + i - from_a);
      from_a = i_end + 1, from_b = next = j_end + 1;
    };
    for (size_t i = from_a; i < to_a; ++i) {
      size_t j = next;
      while (j < to_b && b_.steps[j].op != a_.steps[i].op) ++j;
      if (j == to_b) continue;
      rest(i, j);
      pair(i, j);
    }
    rest(to_a, to_b);
  }

  const Batch &a_, &b_;
};

std::string counted(size_t count, std::string_view what) {
  return join(count, " ", what, count == 1 ? "" : "s");
}

std::string attribute_text(const Batch& batch, const Param& param,
                           std::span<const int64_t> attributes) {
  std::string text;
  if (!is_scalar(param.kind)) put_attribute(text, param.kind, attributes);
  else if (attributes[0] < batch.free_scalars) text = "a scalar that is set at every run";
  else put_scalar(text, param.kind, batch.scalars[static_cast<size_t>(attributes[0])]);
  return text;
}

class Comparison {
 public:
  Comparison(const Batch& a, const Batch& b, const DumpNotes* a_notes, const DumpNotes* b_notes,
             size_t most)
      : a_(a), b_(b), a_notes_(a_notes), b_notes_(b_notes), most_(most) {
    to_b_.assign(a.values.size(), kAlone);
    taken_.assign(b.values.size(), false);
    root_a_ = roots(a), root_b_ = roots(b);
  }

  std::string run() {
    if (same_work(a_, b_)) return "The same work: " + counts(a_) + ". One program serves both.\n";
    const Alignment alignment(a_, b_);
    for (size_t i = 0; i < a_.steps.size(); ++i)
      if (alignment.partner[i] != kAlone)
        map(a_.steps[i].result, b_.steps[alignment.partner[i]].result);
    size_t j = 0;
    for (size_t i = 0; i < a_.steps.size();) {
      size_t alone = i;
      while (alone < a_.steps.size() && alignment.partner[alone] == kAlone) ++alone;
      const size_t paired = alone < a_.steps.size() ? alignment.partner[alone] : b_.steps.size();
      lonely(a_, a_notes_, "A", "B", i, alone);
      lonely(b_, b_notes_, "B", "A", j, paired);
      i = alone, j = paired;
      if (i < a_.steps.size()) compare(i++, j++);
    }
    lonely(b_, b_notes_, "B", "A", j, b_.steps.size());
    if (found_ == 0)
      difference("the same steps, in another order of their inputs, scalars or roots", {});
    return summary() + std::move(told_);
  }

 private:
  static std::vector<bool> roots(const Batch& batch) {
    std::vector<bool> is_root(batch.values.size());
    for (uint32_t root : batch.roots) is_root[root] = true;
    return is_root;
  }
  static std::string counts(const Batch& batch) {
    return join(counted(batch.values.size() - batch.steps.size(), "input"), ", ",
                counted(batch.steps.size(), "step"), ", ", counted(batch.roots.size(), "root"));
  }

  std::string summary() const {
    std::string text = join("A has ", counts(a_), "; B has ", counts(b_), ".\n");
    text += join(counted(same_, "step"), same_ == 1 ? " is" : " are", " the same");
    if (follow_ > 0) text += join(", ", follow_, " differ only in types that follow from the rest");
    text += join("; ", counted(found_, "difference"),
                 found_ > most_ ? join(", of which the first ", most_) : "", ":\n");
    return text;
  }

  void map(uint32_t in_a, uint32_t in_b) {
    to_b_[in_a] = in_b;
    taken_[in_b] = true;
  }

  /// Adds a difference: a sentence, and the lines that show it.
  void difference(const std::string& what, const std::vector<std::string>& lines) {
    if (++found_ > most_) return;
    told_ += join(found_, ". ", what, "\n");
    for (const std::string& line : lines) told_ += "   " + line + '\n';
  }

  /// Adds a run of steps that only one of the two has.
  void lonely(const Batch& batch, const DumpNotes* notes, std::string_view name,
              std::string_view other, size_t begin, size_t end) {
    if (begin == end) return;
    constexpr size_t kShown = 5;
    difference(join("only ", name, " has ", counted(end - begin, "step"), ", which ", other,
                    " lacks at this place"),
               {});
    if (found_ > most_) return;
    for (size_t i = begin; i < std::min(end, begin + kShown); ++i)
      told_ += join("   ", name, "  ", step_text(batch, i, notes), '\n');
    if (end - begin > kShown) told_ += join("   and ", end - begin - kShown, " more\n");
  }

  /// The attributes that differ, as in "dim=1 in A, dim=0 in B"; "" where none does.
  std::string attributes(const Batch::Step& x, const Batch::Step& y) const {
    std::vector<std::string> in_b;
    each_attribute(info(y.op), b_.attributes_of(y),
                   [&](const Param& param, std::span<const int64_t> attributes) {
                     in_b.push_back(attribute_text(b_, param, attributes));
                   });
    std::string text;
    size_t at = 0;
    each_attribute(info(x.op), a_.attributes_of(x),
                   [&](const Param& param, std::span<const int64_t> attributes) {
                     const std::string in_a = attribute_text(a_, param, attributes),
                                       &other = in_b[at++];
                     if (in_a == other) return;
                     text += join(text.empty() ? "" : "; ", param.name, "=", in_a, " in A, ",
                                  param.name, "=", other, " in B");
                   });
    return text;
  }

  std::string value_words(const Batch& batch, uint32_t value) const {
    if (value == kNone.id) return "none";
    return join("%", value, batch.is_input(value) ? ", an input," : "");
  }

  /// The differences of an input that both steps read for the first time.
  std::string input_words(uint32_t in_a, uint32_t in_b) const {
    const Batch::Item &x = a_.values[in_a], &y = b_.values[in_b];
    std::string text;
    const auto add = [&](std::string_view what, const std::string& of_a, const std::string& of_b) {
      if (of_a != of_b)
        text += join(text.empty() ? "" : "; ", what, " ", of_a, " in A, ", of_b, " in B");
    };
    const auto layout = [](const Batch& batch, uint32_t value) {
      if (!(batch.values[value].flags & Batch::kStrided)) return std::string("contiguous");
      return to_string(batch.strides(value));
    };
    add("dtype", std::string(name(x.dtype)), std::string(name(y.dtype)));
    add("sizes", to_string(a_.sizes(in_a)), to_string(b_.sizes(in_b)));
    add("device", name(Device{x.device}), name(Device{y.device}));
    add("strides", layout(a_, in_a), layout(b_, in_b));
    return join("input %", in_a, in_a == in_b ? "" : join(" of A, %", in_b, " of B"), ": ", text);
  }

  void compare(size_t i, size_t j) {
    const Batch::Step &x = a_.steps[i], &y = b_.steps[j];
    const auto xs = a_.operands_of(x), ys = b_.operands_of(y);
    bool same_operands = xs.size() == ys.size();
    std::string operands;
    for (size_t k = 0; k < std::min(xs.size(), ys.size()); ++k) {
      same_operands &= same_type(a_, xs[k], b_, ys[k]);
      if (xs[k] == kNone.id && ys[k] == kNone.id) continue;
      if (new_input(xs[k], ys[k])) continue;
      if (xs[k] == kNone.id || ys[k] == kNone.id || to_b_[xs[k]] != ys[k])
        operands += join("; operand ", k + 1, " is ", value_words(a_, xs[k]), " in A and ",
                         value_words(b_, ys[k]), " in B");
    }
    std::string what;
    if (x.op != y.op) what = join("; ", info(x.op).name, " in A, ", info(y.op).name, " in B");
    else if (const std::string differing = attributes(x, y); !differing.empty())
      what = "; " + differing;
    if (xs.size() != ys.size())
      what += join("; ", counted(xs.size(), "operand"), " in A, ", ys.size(), " in B");
    what += operands;
    const bool same_result = same_type(a_, x.result, b_, y.result);
    if (what.empty() && same_operands && !same_result) what = "; the result is of another type";
    const bool same_root = root_a_[x.result] == root_b_[y.result];
    if (!what.empty()) difference(join(where(i, j), what.substr(1)), lines(i, j));
    if (!same_root)
      difference(join(where(i, j), root_a_[x.result] ? " only A" : " only B",
                      " returns the result: there something still holds it"),
                 lines(i, j));
    if (!what.empty() || !same_root) return;
    ++(same_result && same_operands ? same_ : follow_);
  }

  /// True where both operands are inputs that have no partner yet. They are partners from then on.
  bool new_input(uint32_t in_a, uint32_t in_b) {
    if (in_a == kNone.id || in_b == kNone.id) return false;
    if (!a_.is_input(in_a) || !b_.is_input(in_b) || to_b_[in_a] != kAlone || taken_[in_b])
      return false;
    map(in_a, in_b);
    if (!same_type(a_, in_a, b_, in_b))
      difference(input_words(in_a, in_b),
                 {"A  " + input_text(a_, in_a), "B  " + input_text(b_, in_b)});
    return true;
  }

  static std::string where(size_t i, size_t j) {
    return join("step ", i + 1, i == j ? "" : join(" of A, ", j + 1, " of B"), ":");
  }
  std::vector<std::string> lines(size_t i, size_t j) const {
    return {"A  " + step_text(a_, i, a_notes_), "B  " + step_text(b_, j, b_notes_)};
  }

  const Batch &a_, &b_;
  const DumpNotes *a_notes_, *b_notes_;
  const size_t most_;
  std::vector<uint32_t> to_b_;  ///< by value of A: its value of B, or kAlone
  std::vector<bool> taken_;     ///< by value of B: a value of A is its partner
  std::vector<bool> root_a_, root_b_;
  size_t found_ = 0, same_ = 0, follow_ = 0;
  std::string told_;
};

}  // namespace

std::string explain_difference(const Batch& a, const Batch& b, const DumpNotes* a_notes,
                               const DumpNotes* b_notes, size_t most) {
  return Comparison(a, b, a_notes, b_notes, most).run();
}

size_t likeness(const Batch& a, const Batch& b) {
  std::unordered_map<uint64_t, int64_t> counts;
  const auto typed = [](const Batch& batch, const Batch::Step& step) {
    uint64_t hash =
        mix(signature(batch, step), static_cast<uint64_t>(batch.values[step.result].dtype));
    for (int64_t size : batch.sizes(step.result)) hash = mix(hash, static_cast<uint64_t>(size));
    return hash;
  };
  for (const Batch::Step& step : a.steps) {
    ++counts[signature(a, step)];
    ++counts[typed(a, step)];
  }
  size_t alike = 0;
  for (const Batch::Step& step : b.steps) {
    alike += counts[signature(b, step)]-- > 0;
    alike += counts[typed(b, step)]-- > 0;
  }
  return alike;
}

}  // namespace rt
