// op.cpp -- the op table. A row that lacks a rule, or names an unknown one, does not compile.
#include "graph/ops/op.h"

#include <array>
#include <string>
#include <unordered_map>

#include "graph/ops/rules.h"

namespace rt {
namespace {

/// "AddScalar" as "add_scalar".
template <size_t N>
struct SnakeCase {
  std::array<char, 2 * N> text{};
  size_t size = 0;
  consteval explicit SnakeCase(const char (&id)[N]) {
    for (size_t i = 0; i + 1 < N; ++i) {
      const bool upper = id[i] >= 'A' && id[i] <= 'Z';
      if (upper && i > 0) text[size++] = '_';
      text[size++] = upper ? static_cast<char>(id[i] - 'A' + 'a') : id[i];
    }
  }
  constexpr std::string_view view() const { return {text.data(), size}; }
};

namespace names {
#define RT_OP(Id, ...) constexpr SnakeCase Id{#Id};
#define RT_INTERNAL(Id, ...) constexpr SnakeCase Id{#Id};
#include "graph/ops/ops.def"
}  // namespace names

namespace params {
#define RT_OP(Id, symbol, result, params, ...) \
  constexpr auto Id = std::to_array<Param>({RT_EACH(RT_PARAM, params)});
#define RT_INTERNAL(Id, params, ...) \
  constexpr auto Id = std::to_array<Param>({RT_EACH(RT_PARAM, params)});
#include "graph/ops/ops.def"
constexpr auto Fused = std::to_array<Param>(
    {{Kind::TensorList, "tensors"}, {Kind::Int, "group"}, {Kind::IntList, "scalars"}});
}  // namespace params

constexpr uint8_t count(std::span<const Param> params, auto... kinds) {
  uint8_t found = 0;
  for (const Param& param : params) found += ((param.kind == kinds) || ...);
  return found;
}

constexpr bool is_one_of(auto rule, auto... rules) { return ((rule == rules) || ...); }

struct KernelInfo {
  std::string_view family;
  int facts;
};
constexpr KernelInfo kKernels[] = {
    {"elementwise", 0},
#define RT_KERNEL(Id, function, family, facts) {family, facts},
#include "graph/ops/kernels.def"
};

/// A row that may give its operand back shares memory with it.
constexpr int facts_of(const Rules& rules) {
  int facts = kKernels[static_cast<size_t>(rules.kernel)].facts;
  if (rules.identity != Identity::Never) facts &= ~kFresh;
  return facts;
}

constexpr bool keeps_type(const Rules& rules, std::span<const Param> params) {
  return params.back().kind != Kind::Device &&
         is_one_of(rules.shape, shape::same, shape::broadcast, shape::equal) &&
         is_one_of(rules.type, type::keep, type::numeric, type::floating, type::to_float,
                   type::numeric_to_float, type::promote, type::promote_numeric,
                   type::promote_to_number, type::promote_floating, type::promote_float,
                   type::equal, type::equal_stored, type::equal_floating);
}

constexpr OpInfo row(Op op, std::string_view name, std::string_view symbol, Kind result,
                     bool internal, std::span<const Param> params, std::string_view doc,
                     Rules rules) {
  return {.op = op,
          .name = name,
          .symbol = symbol,
          .result = result,
          .internal = internal,
          .params = params,
          .doc = doc,
          .rules = rules,
          .tensors = count(params, Kind::Tensor, Kind::OptTensor),
          .scalars = count(params, Kind::Float, Kind::Index),
          .integers = count(params, Kind::Int, Kind::Flag),
          .lists = count(params, Kind::IntList),
          .variadic = count(params, Kind::TensorList) > 0,
          .placed = params.back().kind == Kind::Device,
          .keeps_type = keeps_type(rules, params),
          .plain = keeps_type(rules, params) && rules.vjp && !rules.view &&
                   rules.identity == Identity::Never && rules.effect == Effect::None &&
                   count(params, Kind::OptTensor, Kind::TensorList) == 0,
          .facts = facts_of(rules),
          .family = rules.family.empty() ? kKernels[static_cast<size_t>(rules.kernel)].family
                                         : rules.family};
}

}  // namespace

constexpr OpInfo kOps[] = {
#define RT_OP(Id, symbol, result, params_, doc, ...) \
  row(Op::Id, names::Id.view(), #symbol, Kind::result, false, params::Id, doc, Rules{__VA_ARGS__}),
#define RT_INTERNAL(Id, params_, doc, ...)                                             \
  row(Op::Id, names::Id.view(), names::Id.view(), Kind::Tensor, true, params::Id, doc, \
      Rules{__VA_ARGS__}),
#include "graph/ops/ops.def"
    row(Op::Fused, "fused", "fused", Kind::Tensor, true, params::Fused,
        "What a group of the batch computes; the ids of its scalars.",
        Rules{.aten = "", .family = "elementwise"}),
};
constexpr std::span<const OpInfo> kRows(kOps, std::size(kOps) - 1);

namespace {

consteval bool every_op(auto holds) {
  for (const OpInfo& op : kRows)
    if (!holds(op)) return false;
  return true;
}
static_assert(every_op([](const OpInfo& op) { return op.rules.shape && op.rules.type; }),
              "ops.def: a row lacks its .shape or .type rule");
static_assert(every_op([](const OpInfo& op) {
                return (op.rules.kernel != Kernel::None) != (op.rules.decompose != nullptr);
              }),
              "ops.def: a row needs a .kernel or a .decompose, not both");
static_assert(every_op([](const OpInfo& op) {
                return (op.rules.kernel == Kernel::View) == (op.rules.view != nullptr);
              }),
              "ops.def: .kernel = Kernel::View goes with a .view rule");
static_assert(every_op([](const OpInfo& op) {
                return op.rules.kernel != Kernel::None || !op.rules.family.empty();
              }),
              "ops.def: a row with a .decompose needs a .family");
static_assert(every_op([](const OpInfo& op) {
                return !op.has(kIndexed) || op.rules.range != nullptr;
              }),
              "ops.def: a row of a family that takes indices needs a .range");
static_assert(every_op([](const OpInfo& op) {
                return op.rules.kernel != Kernel::Linalg || op.rules.fails || !op.rules.ambiguous;
              }),
              "ops.def: a decomposition of matrices can fail to converge, so it needs .fails");
static_assert(every_op([](const OpInfo& op) {
                return op.rules.aten.starts_with("aten::") ||
                       op.rules.aten.starts_with("rt_torch::");
              }),
              "ops.def: a row has no .aten");
static_assert(every_op([](const OpInfo& op) {
                return op.internal || op.symbol.starts_with("rt_torch_");
              }),
              "ops.def: a symbol lacks its prefix");

}  // namespace

std::span<const OpInfo> all_ops() { return kRows; }

const OpInfo* find_op(std::string_view name) {
  static const auto* const by_name = [] {
    auto* map = new std::unordered_map<std::string_view, const OpInfo*>;
    for (const OpInfo& op : kOps) map->emplace(op.name, &op);
    return map;
  }();
  const auto found = by_name->find(name);
  return found == by_name->end() ? nullptr : found->second;
}

}  // namespace rt
