// minimise.cpp -- delta debugging of programs.
#include "tests/fuzz/minimise.h"
#include "fallback_cpu/reference.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/fuzz/spelling.h"

namespace rt::fuzz {
namespace {

using Verb = Instruction::Verb;
using List = std::vector<Instruction>;

bool makes_value(const Instruction& one) {
  return one.verb == Verb::Data || one.verb == Verb::Call;
}

/// The list without instructions whose operands it does not make.
List closed(const List& list) {
  List out;
  std::set<uint32_t> made;
  for (const Instruction& one : list) {
    const bool whole = std::ranges::all_of(
        one.operands, [&](uint32_t id) { return id == kAbsent || made.contains(id); });
    if (!whole) continue;
    if (makes_value(one)) made.insert(one.id);
    out.push_back(one);
  }
  return out;
}

class Minimiser {
 public:
  Minimiser(const Program& program, const Failure& failure, const Judgement& judge, int tries)
      : program_(program), failure_(failure), judge_(judge), tries_(tries) {}

  Program run() {
    size_t before = 0;
    do {
      before = program_.list.size();
      cut_tail();
      take_out();
      put_in_data();
      take_out();
    } while (program_.list.size() < before && tries_ > 0);
    shrink();
    simplify();
    return std::move(program_);
  }

 private:
  /// Keeps the list if it fails in the same way.
  bool keep(List list) {
    if (tries_-- <= 0) return false;
    Program candidate{program_.seed, closed(list)};
    const std::optional<Failure> failure = judge_(candidate);
    if (!failure || !(*failure == failure_)) return false;
    program_ = std::move(candidate);
    return true;
  }
  /// Drops the tail, which most failures do not need.
  void cut_tail() {
    size_t failing = program_.list.size(), passing = 0;
    while (failing - passing > 1 && tries_ > 0) {
      const size_t middle = (failing + passing) / 2;
      const auto begin = program_.list.begin();
      if (keep({begin, begin + static_cast<ptrdiff_t>(middle)})) failing = program_.list.size();
      else passing = middle;
      if (failing <= passing) break;
    }
  }
  void take_out() {
    for (size_t chunk = program_.list.size() / 2; chunk > 0; chunk /= 2) {
      for (size_t end = program_.list.size(); end > 0;) {
        const size_t start = end > chunk ? end - chunk : 0;
        List list = program_.list;
        list.erase(list.begin() + static_cast<ptrdiff_t>(start),
                   list.begin() + static_cast<ptrdiff_t>(std::min(end, list.size())));
        keep(std::move(list));
        end = std::min(start, program_.list.size());
      }
    }
  }
  /// Replaces calls by data that the reference backend computed, later ones first, so that the
  /// calls before them become unused.
  void put_in_data() {
    MemoryCount memory;
    const auto backend = make_reference_backend(memory, 1);
    const Form form = to_batch(program_, false);
    const std::vector<BufferRef> values = run_steps(*backend, form, program_.seed);
    for (size_t i = program_.list.size(); i-- > 0;) {
      if (i >= program_.list.size() || program_.list[i].verb != Verb::Call) continue;
      const auto number = form.numbers.find(program_.list[i].id);
      if (number == form.numbers.end() || !values[number->second]) continue;
      List list = program_.list;
      list[i] = {.verb = Verb::Data, .id = list[i].id};
      list[i].literal = read(*backend, *values[number->second]);
      keep(std::move(list));
    }
  }
  /// Reduces each size of data.
  void shrink() {
    std::set<int64_t, std::greater<>> sizes;
    for (const Instruction& one : program_.list)
      sizes.insert(one.literal.sizes.begin(), one.literal.sizes.end());
    for (const int64_t size : sizes)
      for (const int64_t smaller : {int64_t{1}, int64_t{2}, size / 8, size / 2}) {
        if (smaller < 1 || smaller >= size) continue;
        List list = program_.list;
        for (Instruction& one : list)
          if (one.verb == Verb::Data) crop(one.literal, size, smaller);
        if (keep(std::move(list))) break;
      }
  }
  /// Keeps the first `to` entries of every dimension of size `from`.
  static void crop(Literal& literal, int64_t from, int64_t to) {
    Literal out{literal.dtype, literal.sizes, {}, {}};
    for (int64_t& size : out.sizes) size = size == from ? to : size;
    for (int64_t i = 0, count = numel(literal.sizes); i < count; ++i) {
      bool inside = true;
      int64_t rest = i;
      for (uint32_t d = literal.sizes.size(); d-- > 0; rest /= literal.sizes[d])
        inside &= rest % literal.sizes[d] < out.sizes[d];
      if (!inside) continue;
      if (is_float(literal.dtype)) out.reals.push_back(literal.reals[static_cast<size_t>(i)]);
      else out.integers.push_back(literal.integers[static_cast<size_t>(i)]);
    }
    literal = std::move(out);
  }
  /// Makes data easy to read: ones, or numbers of few digits.
  void simplify() {
    constexpr double kGrains[] = {1, 0x1p-3, 0x1p-7};
    for (size_t i = 0; i < program_.list.size(); ++i) {
      if (program_.list[i].verb != Verb::Data) continue;
      List ones = program_.list;
      std::ranges::fill(ones[i].literal.reals, 1);
      std::ranges::fill(ones[i].literal.integers, 0);
      if (keep(std::move(ones))) continue;
      for (const double grain : kGrains) {
        List coarse = program_.list;
        for (double& value : coarse[i].literal.reals) value = std::round(value / grain) * grain;
        if (keep(std::move(coarse))) break;
      }
    }
  }

  Program program_;
  const Failure& failure_;
  const Judgement& judge_;
  int tries_;
};

}  // namespace

Program minimise(const Program& program, const Failure& failure, const Judgement& judge,
                 int tries) {
  return Minimiser(program, failure, judge, tries).run();
}

std::string report(const Program& program, const Failure& failure, const Judgement& judge) {
  const Program small = minimise(program, failure, judge);
  const std::optional<Failure> same = judge(small);
  const Failure& shown = same ? *same : failure;
  return join("FUZZ_SEED=", program.seed, " fails: ", shown.kind, shown.row.empty() ? "" : " of ",
              shown.row, ": ", shown.detail, "\n", small.list.size(), " instructions left of ",
              program.list.size(), ":\n", to_c(small));
}

}  // namespace rt::fuzz
