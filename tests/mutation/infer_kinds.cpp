// infer_kinds.cpp -- mutations of shape and type rules: they change rt::infer's answer for the row.
#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "graph/error.h"
#include "tests/mutation/mutation.h"

namespace rt_test {
namespace {

using rt::Args;
using rt::DType;
using rt::Kind;
using rt::OpInfo;
using rt::Shape;
using rt::TensorType;

// ---- Calls that a row's rules accept.

/// The rules' answer to `call`; none if they refuse it.
std::optional<Args> answer_to(const AskedCall& call) {
  Args args = call.args;
  try {
    real_infer(args, call.types());
  } catch (const rt::Error&) {
    return std::nullopt;
  }
  return args;
}

/// Calls `body` with `call` after `change` of each operand alone, and of all.
template <class Change, class Body>
void with_changed_types(const AskedCall& call, const Change& change, const Body& body) {
  AskedCall all = call;
  for (size_t i = 0; i < call.types().size(); ++i) {
    AskedCall one = call;
    change(one, i);
    body(one);
    change(all, i);
  }
  body(all);
}

/// Operands at the edge of the accepted ones.
enum class Edge : int64_t { Empty, ZeroDims, Absent };

bool has_operand(const AskedCall& call, Edge edge) {
  return std::ranges::any_of(call.types(), [&](const TensorType& type) {
    if (edge == Edge::Absent || type.none) return edge == Edge::Absent && type.none;
    return edge == Edge::Empty ? rt::numel(type.sizes) == 0 : type.sizes.empty();
  });
}

/// True if the rules would also accept some case's call after `change` has given it such an
/// operand.
template <class Change>
bool would_take(const Seen& seen, Edge edge, const Change& change) {
  bool taken = false;
  for (const AskedCall& call : seen.calls)
    with_changed_types(call, change, [&](const AskedCall& other) {
      taken = taken || (has_operand(other, edge) && answer_to(other));
    });
  return taken;
}

void make_zero_dims(AskedCall& call, size_t operand) { call.set_sizes(operand, {}); }

template <bool kFirst>
void make_empty(AskedCall& call, size_t operand) {
  Shape sizes(call.types()[operand].sizes);
  if (!sizes.empty()) sizes[kFirst ? 0 : sizes.size() - 1] = 0;
  call.set_sizes(operand, sizes);
}

/// Dtypes of tensors that a client can create from data.
constexpr DType kCreatable[] = {DType::F32, DType::F64, DType::I32, DType::I64};

bool has(const OpInfo& row, Kind kind) {
  return std::ranges::any_of(row.params, [&](const rt::Param& p) { return p.kind == kind; });
}

// ---- Attributes.

/// A parameter's attributes.
struct Place {
  Kind kind;
  uint32_t id;  ///< among those of its sort, see Args
};

/// Scalars, integers and lists have indices of their own; 0: the kind has no attributes.
int sort_of(Kind kind) {
  if (kind == Kind::Float || kind == Kind::Index) return 1;
  if (kind == Kind::Int || kind == Kind::Flag) return 2;
  return kind == Kind::IntList ? 3 : 0;
}

Place place_of(const OpInfo& row, size_t param) {
  Place place{row.params[param].kind, 0};
  for (size_t i = 0; i < param; ++i)
    if (sort_of(row.params[i].kind) == sort_of(place.kind)) ++place.id;
  return place;
}

/// Drops a list's first item; its length precedes the list.
void without_first(const OpInfo& row, Args& args, uint32_t list) {
  const rt::MutableAttributes attributes{row, {args.attributes.data(), args.attributes.size()}};
  int64_t* first = attributes.list(list).data();
  --first[-1];
  args.attributes.erase(static_cast<uint32_t>(first - args.attributes.data()));
}

/// Copies of the call with the attribute at `place` changed in several ways.
std::vector<Args> changed_words(const OpInfo& row, const Args& asked, Place place) {
  std::vector<Args> changed;
  const auto with = [&](const auto& change) {
    Args& args = changed.emplace_back(asked);
    change(rt::MutableAttributes{row, {args.attributes.data(), args.attributes.size()}});
  };
  const auto at = place.id;
  switch (place.kind) {
    case Kind::Float:
      with([&](const auto& attr) {
        const auto value = std::bit_cast<double>(attr.scalar(at));
        if (std::isfinite(value))
          attr.scalar(at) = std::bit_cast<int64_t>(value == 0 ? 1e-3 : value * 1.001);
      });
      break;
    case Kind::Index:
      with([&](const auto& attr) { attr.scalar(at) ^= 1; });
      with([&](const auto& attr) { attr.scalar(at) += attr.scalar(at) > 0 ? -1 : 1; });
      break;
    case Kind::Int:
      with([&](const auto& attr) { attr.integer(at) += 1; });
      with([&](const auto& attr) { attr.integer(at) -= 1; });
      break;
    case Kind::Flag: with([&](const auto& attr) { attr.integer(at) ^= 1; }); break;
    default:
      if (rt::AttributesView{row, asked.attributes}.list(at).empty()) break;
      with([&](const auto& attr) { std::swap(attr.list(at).front(), attr.list(at).back()); });
      with([&](const auto& attr) { attr.list(at).front() += 1; });
      with([&](const auto& attr) { attr.list(at).back() -= 1; });
      without_first(row, changed.emplace_back(asked), at);
  }
  return changed;
}

/// A client cannot see which attributes made an empty result.
bool differ_visibly(const Args& a, const Args& b) {
  if (a.shape != b.shape || a.dtype != b.dtype) return true;
  return a.attributes != b.attributes && rt::numel(a.shape) > 0;
}

/// The answer to the call with another attribute at `place`; none if the operands determine it.
std::optional<Args> answer_with_other_word(const OpInfo& row, const AskedCall& asked,
                                           const Args& answer, Place place) {
  for (const Args& args : changed_words(row, asked.args, place))
    if (auto other = answer_to(AskedCall(args, asked.types()));
        other && differ_visibly(*other, answer))
      return other;
  return std::nullopt;
}

void make_larger(AskedCall& call, size_t operand) {
  Shape sizes(call.types()[operand].sizes);
  for (int64_t& size : sizes) size *= 2;
  call.set_sizes(operand, sizes);
}

/// True if clients can choose the attribute at `place`: the rules would accept another one in some
/// case's call, or in one with larger operands.
bool can_choose(const OpInfo& row, const Seen& seen, Place place) {
  bool can = false;
  const auto look = [&](const AskedCall& call) {
    const auto answer = can ? std::nullopt : answer_to(call);
    if (answer) can = answer_with_other_word(row, call, *answer, place).has_value();
  };
  for (const AskedCall& call : seen.calls) {
    look(call);
    with_changed_types(call, make_larger, look);
  }
  return can;
}

// ---- The kinds.

void attr(const Mutation& mutation, const AskedCall& asked, Args& answer) {
  const Place place = place_of(mutation.row, static_cast<size_t>(mutation.variant.id));
  if (const auto other = answer_with_other_word(mutation.row, asked, answer, place))
    answer = *other;
}

/// Rows may have scalars that only related rows use.
bool heeded(const Mutation& mutation, StepRun& step) {
  const Place place = place_of(mutation.row, static_cast<size_t>(mutation.variant.id));
  return step.run_heeds_scalar(place.id);
}

enum SizesVariant : int64_t { kLast, kOrder };

void sizes(const Mutation& mutation, const AskedCall&, Args& answer) {
  Shape& shape = answer.shape;
  if (mutation.variant.id == kLast) {
    // Fewer elements are noticed more often: extra elements of some results are never read.
    if (shape.empty()) shape.push_back(1);
    else shape.back() += shape.back() > 0 ? -1 : 1;
    return;
  }
  for (uint32_t i = 0; i + 1 < shape.size(); ++i)
    if (shape[i] != shape[i + 1]) return std::swap(shape[i], shape[i + 1]);
}

void dtype(const Mutation& mutation, const AskedCall&, Args& answer) {
  if (static_cast<int64_t>(answer.dtype) != mutation.variant.id) return;
  switch (answer.dtype) {
    case DType::F32: answer.dtype = DType::F64; break;
    case DType::I32: answer.dtype = DType::I64; break;
    case DType::I64: answer.dtype = DType::I32; break;
    default: answer.dtype = DType::F32; break;
  }
}

void refuse(const Mutation& mutation, const AskedCall& asked, Args&) {
  if (has_operand(asked, static_cast<Edge>(mutation.variant.id))) rt::fail("refused by a mutation");
}

// ---- Variants of each row.

std::vector<Variant> numbers_of(const OpInfo& row, const Seen&) {
  std::vector<Variant> variants;
  for (size_t i = 0; i < row.params.size(); ++i)
    if (row.params[i].kind == Kind::Float)
      variants.push_back({std::string(row.params[i].name), static_cast<int64_t>(i), false});
  return variants;
}

std::vector<Variant> attributes_of(const OpInfo& row, const Seen& seen) {
  std::vector<Variant> variants;
  for (size_t i = 0; i < row.params.size(); ++i)
    if (row.params[i].kind != Kind::Float && sort_of(row.params[i].kind) != 0)
      variants.push_back({std::string(row.params[i].name), static_cast<int64_t>(i),
                          can_choose(row, seen, place_of(row, i))});
  return variants;
}

// A client sees no sizes of a number, and its dtype only by rounding.
std::vector<Variant> sizes_of(const OpInfo& row, const Seen&) {
  if (row.result == Kind::Float) return {};
  return {{"last", kLast}, {"order", kOrder, false}};
}

std::vector<Variant> dtypes_of(const OpInfo& row, const Seen& seen) {
  std::vector<Variant> variants;
  for (const DType dtype : result_dtypes(row, seen))
    if (row.result != Kind::Float || rt::is_float(dtype))
      variants.push_back({std::string(name(dtype)), static_cast<int64_t>(dtype)});
  return variants;
}

std::vector<Variant> refusals_of(const OpInfo& row, const Seen& seen) {
  std::vector<Variant> variants;
  if (!takes_tensors(row)) return variants;
  const auto add = [&](const char* name, Edge edge, bool certain) {
    variants.push_back({name, static_cast<int64_t>(edge), certain && given_by_clients(row)});
  };
  add("empty", Edge::Empty,
      would_take(seen, Edge::Empty, make_empty<true>) ||
          would_take(seen, Edge::Empty, make_empty<false>));
  add("0-d", Edge::ZeroDims, would_take(seen, Edge::ZeroDims, make_zero_dims));
  if (has(row, Kind::OptTensor)) add("absent", Edge::Absent, true);
  return variants;
}

constexpr MutationKind kKinds[] = {
    {.name = "number", .variants = numbers_of, .infer = attr, .step = heeded},
    {.name = "word", .variants = attributes_of, .infer = attr},
    {.name = "sizes", .variants = sizes_of, .infer = sizes},
    {.name = "dtype", .variants = dtypes_of, .infer = dtype},
    {.name = "refuse", .variants = refusals_of, .infer = refuse},
};

}  // namespace

std::span<const MutationKind> infer_kinds() { return kKinds; }

bool given_by_clients(const OpInfo& row) { return !row.internal; }

bool takes_tensors(const OpInfo& row) { return row.tensors > 0 || row.variadic; }

std::set<DType> result_dtypes(const OpInfo& row, const Seen& seen) {
  std::set<DType> dtypes;
  const auto note = [&](const AskedCall& call) {
    if (const auto answer = answer_to(call)) dtypes.insert(answer->dtype);
  };
  for (const AskedCall& call : seen.calls) {
    note(call);
    if (has(row, Kind::DType) || !given_by_clients(row)) continue;
    for (const DType dtype : kCreatable)
      with_changed_types(
          call, [&](AskedCall& other, size_t i) { other.set_dtype(i, dtype); }, note);
  }
  return dtypes;
}

}  // namespace rt_test
