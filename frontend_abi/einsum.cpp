// einsum.cpp -- Einstein's summation, as products of matrices.
#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "frontend_abi/calls.h"
#include "frontend_abi/compose.h"
#include "graph/error.h"
#include "graph/ops/formulas.h"
#include "graph/printable.h"

namespace rt::call {
namespace {

using namespace compose;

/// Labels of dimensions: letters, and negative numbers for the dimensions of an ellipsis, of which
/// -1 is the last.
using Labels = std::vector<int>;

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  bool has_output = false;
};

[[noreturn]] void refuse(std::string_view equation, const std::string& cause) {
  fail("the equation \"", printable(equation), "\" ", cause);
}

Equation parsed(std::string_view text) {
  std::string equation;
  for (const char c : text)
    if (c != ' ') equation += c;
  Equation result;
  const size_t arrow = equation.find("->");
  result.has_output = arrow != std::string::npos;
  if (result.has_output) result.output = equation.substr(arrow + 2);
  std::string left = equation.substr(0, arrow);
  for (size_t comma = 0; (comma = left.find(',')) != std::string::npos;
       left = left.substr(comma + 1))
    result.inputs.push_back(left.substr(0, comma));
  result.inputs.push_back(left);
  return result;
}

/// The labels of a term. `rank` is that of its tensor, or -1 with `dims` dimensions for its
/// ellipsis.
Labels labels_of(std::string_view equation, const std::string& term, int64_t rank, int64_t dims) {
  const auto letters = std::ranges::count_if(
      term, [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; });
  const size_t dots = term.find("...");
  const bool has_dots = dots != std::string::npos;
  if (letters + (has_dots ? 3 : 0) != std::ssize(term))
    refuse(equation, join("has a term \"", printable(term),
                          "\"; a term has letters and at most one ellipsis of three dots"));
  const int64_t more = !has_dots ? 0 : rank < 0 ? dims : rank - letters;
  if (rank >= 0 && (more < 0 || letters + more != rank))
    refuse(equation, join("has a term \"", term, "\" for a tensor of ", rank,
                          " dimensions; there must be a letter for each, or an ellipsis"));
  Labels labels;
  for (size_t at = 0; at < term.size(); ++at) {
    if (term[at] != '.') {
      labels.push_back(term[at]);
      continue;
    }
    for (int64_t i = more; i > 0; --i) labels.push_back(static_cast<int>(-i));
    at += 2;
  }
  return labels;
}

/// A tensor and the labels of its dimensions.
struct Term {
  Expr value;
  Labels labels;
  int64_t size(int label) const {
    const auto at = std::ranges::find(labels, label);
    return at == labels.end() ? 1 : value.sizes()[static_cast<uint32_t>(at - labels.begin())];
  }
  bool has(int label) const { return std::ranges::find(labels, label) != labels.end(); }
};

/// Replaces dimensions with one label by their diagonal.
Term without_repeats(std::string_view equation, Term term) {
  for (size_t i = 0; i < term.labels.size(); ++i)
    for (size_t j = term.labels.size(); j-- > i + 1;) {
      if (term.labels[j] != term.labels[i]) continue;
      // Both to the end, where the diagonal is every (n + 1)-th element.
      const int64_t rank = term.value.rank();
      const int64_t n = term.value.sizes()[static_cast<uint32_t>(i)];
      if (n != term.value.sizes()[static_cast<uint32_t>(j)])
        refuse(equation, "repeats a letter within a term for dimensions of different sizes");
      Shape dims;
      for (int64_t d = 0; d < rank; ++d)
        if (d != static_cast<int64_t>(i) && d != static_cast<int64_t>(j)) dims.push_back(d);
      dims.push_back(static_cast<int64_t>(i));
      dims.push_back(static_cast<int64_t>(j));
      const Expr moved = term.value.permute(dims);
      Shape flat = moved.sizes();
      flat.erase(flat.size() - 1);
      flat[flat.size() - 1] = n * n;
      term.value = slice(moved.reshape(flat), rank - 2, 0, n * n, n + 1);
      const int label = term.labels[i];
      std::erase(term.labels, label);
      term.labels.push_back(label);
      return without_repeats(equation, term);
    }
  return term;
}

/// `term` with its dimensions in the order of `labels`, of size 1 where it lacks one.
Expr arranged(const Term& term, const Labels& labels) {
  Shape dims, sizes;
  for (const int label : labels) {
    const auto at = std::ranges::find(term.labels, label);
    if (at != term.labels.end()) dims.push_back(at - term.labels.begin());
    sizes.push_back(term.size(label));
  }
  return term.value.permute(dims).reshape(sizes);
}

Term summed(Term term, const Labels& kept) {
  Shape dims;
  Labels left;
  for (size_t i = 0; i < term.labels.size(); ++i) {
    if (std::ranges::find(kept, term.labels[i]) == kept.end())
      dims.push_back(static_cast<int64_t>(i));
    else left.push_back(term.labels[i]);
  }
  return {term.value.sum(dims, false), left};
}

/// The product of two terms, summed over the labels that are not in `kept`.
Term product(Term a, Term b, const Labels& kept) {
  const auto keeps = [&](int label) { return std::ranges::find(kept, label) != kept.end(); };
  // A letter that one term alone has, and the result does not, is summed first.
  const auto needed = [&](const Term& of, const Term& other) {
    Labels labels;
    for (const int label : of.labels)
      if (keeps(label) || (other.has(label) && other.size(label) == of.size(label)))
        labels.push_back(label);
    return labels;
  };
  const Labels needed_a = needed(a, b), needed_b = needed(b, a);
  a = summed(a, needed_a);
  b = summed(b, needed_b);
  Labels batch, rows, columns, depth;
  for (const int label : a.labels)
    (!b.has(label) ? rows : keeps(label) ? batch : depth).push_back(label);
  for (const int label : b.labels)
    if (!a.has(label)) columns.push_back(label);
  const auto sizes_of = [&](const Labels& labels) {
    Shape sizes;
    for (const int label : labels) sizes.push_back(std::max(a.size(label), b.size(label)));
    return sizes;
  };
  const auto together = [](Labels first, const Labels& second, const Labels& third) {
    first.insert(first.end(), second.begin(), second.end());
    first.insert(first.end(), third.begin(), third.end());
    return first;
  };
  Shape left, right, result;
  const auto expanded = [&](const Term& term, const Labels& labels) {
    Shape sizes;
    for (const int label : labels)
      sizes.push_back(
          a.size(label) == 0 || b.size(label) == 0 ? 0 : std::max(a.size(label), b.size(label)));
    return arranged(term, labels).expand(sizes);
  };
  const int64_t depth_size = numel(sizes_of(depth)), row_size = numel(sizes_of(rows)),
                column_size = numel(sizes_of(columns));
  left = sizes_of(batch);
  right = sizes_of(batch);
  result = sizes_of(batch);
  left.push_back(row_size);
  left.push_back(depth_size);
  right.push_back(depth_size);
  right.push_back(column_size);
  result.append(sizes_of(rows));
  result.append(sizes_of(columns));
  const Expr matrix = matmul(expanded(a, together(batch, rows, depth)).reshape(left),
                             expanded(b, together(batch, depth, columns)).reshape(right));
  return {matrix.reshape(result), together(batch, rows, columns)};
}

/// The output's labels where the equation does not say them: those of the ellipses, and the
/// letters that occur once, by alphabet.
Labels implied(const std::vector<Term>& terms, int64_t dims) {
  std::map<int, int> counts;
  for (const Term& term : terms)
    for (const int label : term.labels) ++counts[label];
  Labels labels;
  for (int64_t i = dims; i > 0; --i) labels.push_back(static_cast<int>(-i));
  for (const auto& [label, count] : counts)
    if (label > 0 && count == 1) labels.push_back(label);
  return labels;
}

void check_sizes(std::string_view equation, const std::vector<Term>& terms) {
  std::map<int, int64_t> sizes;
  for (const Term& term : terms)
    for (size_t i = 0; i < term.labels.size(); ++i) {
      const int64_t size = term.value.sizes()[static_cast<uint32_t>(i)];
      int64_t& known = sizes.try_emplace(term.labels[i], size).first->second;
      if (known == 1) known = size;
      else if (size != 1 && size != known)
        refuse(equation, join("gives one label to dimensions of sizes ", known, " and ", size,
                              "; they must be equal, or one of them 1"));
    }
}

Expr einsum(std::string_view text, const std::vector<Expr>& operands) {
  const Equation equation = parsed(text);
  if (equation.inputs.size() != operands.size())
    refuse(text, join("has ", equation.inputs.size(), " terms and there are ", operands.size(),
                      " tensors; there must be a term for each"));
  std::vector<Term> terms;
  int64_t dims = 0;
  for (size_t i = 0; i < operands.size(); ++i) {
    const DType dtype = operands[i].type().dtype;
    if (dtype == DType::Bool || dtype != operands[0].type().dtype)
      fail("operands have dtypes ", name(operands[0].type().dtype), " and ", name(dtype),
           "; they must be of one dtype other than bool; convert one of them first");
    terms.push_back({operands[i], labels_of(text, equation.inputs[i], operands[i].rank(), 0)});
    const Labels& labels = terms.back().labels;
    dims = std::max<int64_t>(dims, std::ranges::count_if(labels, [](int l) { return l < 0; }));
  }
  Labels implied_before = implied(terms, dims);
  for (Term& term : terms) term = without_repeats(text, term);
  check_sizes(text, terms);
  const Labels output =
      equation.has_output ? labels_of(text, equation.output, -1, dims) : implied_before;
  for (size_t i = 0; i < output.size(); ++i) {
    const bool known = std::ranges::any_of(terms, [&](const Term& t) { return t.has(output[i]); });
    if (!known || std::ranges::count(output, output[i]) > 1)
      refuse(text, "has an output that names a letter twice, or one that no term has");
  }
  Term all = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    Labels kept = output;
    for (size_t later = i + 1; later < terms.size(); ++later)
      kept.insert(kept.end(), terms[later].labels.begin(), terms[later].labels.end());
    all = product(all, terms[i], kept);
  }
  return arranged(summed(all, output), output);
}

}  // namespace

int64_t rt_torch_torchtensor_einsum(CallContext& context, std::string_view equation,
                                    std::span<const int64_t> tensors) {
  if (tensors.empty()) fail("the list of tensors is empty; give at least one");
  for (size_t i = 0; i < tensors.size(); ++i) need_tensors(context, tensors, {i});
  return one(context, tensors, [&](Builder& build, std::span<const Value> operands) {
    std::vector<Expr> all;
    for (const Value value : operands) all.emplace_back(build, value);
    return einsum(equation, all);
  });
}

}  // namespace rt::call
