// abi_check.cpp -- plays programs through exported functions and compares the clients' results.
#include "tests/fuzz/abi_check.h"
#include "fallback_cpu/reference.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <set>

#include "rt_torch.h"
#include "tests/fuzz/spelling.h"
#include "tests/fuzz/suitable.h"
#include "tests/support/call_by_name.h"

namespace rt::fuzz {
namespace {

using Verb = Instruction::Verb;
using Sort = Argument::Sort;

/// Handles are replaced, because they differ among runs.
std::string without_handles(const std::string& message) {
  std::string out;
  for (size_t i = 0; i < message.size(); ++i) {
    out += message[i];
    if (message[i] != '#') continue;
    while (i + 1 < message.size() && std::isdigit(static_cast<unsigned char>(message[i + 1]))) ++i;
  }
  return out;
}

class Player {
 public:
  explicit Player(const Program& program) : program_(program), trace_(program.list.size()) {}
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;
  ~Player() {
    for (const auto& [id, handle] : handles_) rt_torch_torchtensor_free(handle);
  }

  Trace run() {
    rt_torch_manual_seed(static_cast<int64_t>(program_.seed));
    for (at_ = 0; at_ < program_.list.size(); ++at_) {
      const Instruction& one = program_.list[at_];
      outline_.add(one);
      rt_torch_clear_error();
      switch (one.verb) {
        case Verb::Data: make(one); break;
        case Verb::Call: call(one); break;
        case Verb::Free: release(one.operands[0]); break;
        case Verb::Read: look(one.operands[0], at_); break;
        case Verb::Shape: ask(one.operands[0]); break;
        case Verb::Flush: rt_torch_flush(); break;
      }
    }
    finish();
    return std::move(trace_);
  }

 private:
  int64_t handle_of(uint32_t id) const {
    const auto found = handles_.find(id);
    return found == handles_.end() ? 0 : found->second;
  }
  void fail(Sight& sight) {
    sight.failed = sight.seen = true;
    sight.message = without_handles(rt_torch_last_error());
  }

  void make(const Instruction& one) {
    const Literal& literal = one.literal;
    const Shape& sizes = literal.sizes;
    const int64_t rank = sizes.size(), count = numel(sizes);
    int64_t handle = 0;
    if (literal.dtype == DType::I64) {
      handle = rt_torch_tensor_from_i64_data(literal.integers.data(), count, sizes.data(), rank);
    } else {
      std::vector<double> data = literal.reals;
      if (!is_float(literal.dtype)) data.assign(literal.integers.begin(), literal.integers.end());
      handle = rt_torch_tensor(data.data(), count, sizes.data(), rank,
                               static_cast<int64_t>(literal.dtype), 0);
    }
    keep(one.id, handle);
  }
  void keep(uint32_t id, int64_t handle) {
    makers_[id] = at_;
    if (handle > 0) handles_[id] = handle;
    else fail(trace_[at_]);
  }

  void call(const Instruction& one) {
    const Spelling& spelling = *find_spelling(one.symbol, one.args.op);
    rt_test::Call call;
    for (const uint32_t id : one.operands)
      if (id != kAbsent && handle_of(id) == 0) return inherit(one, id);
    const std::vector<Argument> arguments = *spell(spelling, one);
    for (const Argument& argument : arguments) add(call, argument);
    const bool real = spelling.result == Kind::Float;
    const rt_test::Reply reply = call.to(std::string(one.symbol), real ? 'd' : 'i');
    if (spelling.gives_handle()) return keep(one.id, reply.integer);
    const double number = real ? reply.real : std::bit_cast<double>(reply.integer);
    if (std::isnan(number) && rt_torch_last_error()[0] != '\0') {
      fail(trace_[at_]);
      trace_[at_].at_run = info(one.args.op).can_fail();  // or as it was recorded: unknown here
    } else {
      trace_[at_].value = Tensor{dtype_of(one), {}, {number}, {}};
    }
  }
  /// The precision of a number: f32 results are returned as doubles.
  DType dtype_of(const Instruction& one) const {
    const Outline::Fact* fact = outline_.find(one.id);
    return fact && is_float(fact->dtype) ? fact->dtype : DType::F64;
  }
  void add(rt_test::Call& call, const Argument& argument) {
    std::vector<int64_t> list = argument.list;
    switch (argument.sort) {
      case Sort::Integer: return call.add(argument.integer);
      case Sort::Real: return call.add(argument.real);
      case Sort::Value: return call.add(handle_of(static_cast<uint32_t>(argument.integer)));
      case Sort::Values:
        for (int64_t& id : list) id = handle_of(static_cast<uint32_t>(id));
        return call.add_list(std::move(list));
      case Sort::List: return call.add_list(std::move(list));
    }
  }
  /// Skips a call on a refused value, and copies its failure: no client would make the call.
  void inherit(const Instruction& one, uint32_t operand) {
    trace_[at_] = trace_[makers_.at(operand)];
    makers_[one.id] = at_;
  }

  void release(uint32_t id) {
    const auto found = handles_.find(id);
    if (found == handles_.end()) return;
    rt_torch_torchtensor_free(found->second);
    handles_.erase(found);
  }
  void ask(uint32_t id) {
    const int64_t handle = handle_of(id);
    if (handle == 0) return;
    Shape sizes;
    sizes.resize(64);
    const int64_t rank = rt_torch_torchtensor_shape(handle, sizes.data(), sizes.size());
    sizes.resize(static_cast<uint32_t>(std::max<int64_t>(rank, 0)));
    const auto dtype = static_cast<DType>(rt_torch_torchtensor_dtype(handle));
    trace_[at_].type = to_string(dtype, sizes);
  }
  /// Reads a value. Notes its elements at `at`, a failure at the instruction that made the value.
  void look(uint32_t id, size_t at) {
    const int64_t handle = handle_of(id);
    if (handle == 0) return;
    Sight& maker = trace_[makers_.at(id)];
    maker.seen = true;
    Tensor tensor{static_cast<DType>(rt_torch_torchtensor_dtype(handle)), {}, {}, {}};
    const bool real = is_float(tensor.dtype);
    const int64_t count = std::max<int64_t>(rt_torch_torchtensor_numel(handle), 0);
    if (real) tensor.reals.resize(static_cast<size_t>(count));
    else tensor.integers.resize(static_cast<size_t>(count));
    void* data = real ? static_cast<void*>(tensor.reals.data()) : tensor.integers.data();
    const DType as = real ? DType::F64 : DType::I64;
    if (rt_torch_copy_data(handle, data, count, static_cast<int64_t>(as)) < 0) {
      maker.at_run = true;
      return fail(maker);
    }
    tensor.sizes.resize(64);
    tensor.sizes.resize(static_cast<uint32_t>(
        rt_torch_torchtensor_shape(handle, tensor.sizes.data(), tensor.sizes.size())));
    trace_[at].value = std::move(tensor);
  }
  void finish() {
    for (const auto& [id, handle] : handles_) {
      rt_torch_clear_error();
      look(id, makers_.at(id));
    }
    rt_torch_sync();
    rt_torch_clear_error();
  }

  const Program& program_;
  Outline outline_;
  Trace trace_;
  size_t at_ = 0;
  std::map<uint32_t, int64_t> handles_;
  std::map<uint32_t, size_t> makers_;
};

/// True if the call makes existing handles stand for new values.
bool updates(const Instruction& one) {
  return one.verb == Verb::Call && find_spelling(one.symbol, one.args.op)->updates;
}

/// Calls with an operand that may fail when it runs. Their messages and how far they get depend on
/// when it runs.
std::vector<bool> after_failures(const Program& program) {
  std::vector<bool> after(program.list.size());
  std::set<uint32_t> may_fail;
  for (size_t i = 0; i < program.list.size(); ++i) {
    const Instruction& one = program.list[i];
    for (const uint32_t id : one.operands)
      if (may_fail.contains(id)) after[i] = true;
    if (one.verb == Verb::Call && (after[i] || info(one.args.op).can_fail())) {
      may_fail.insert(one.id);
      if (updates(one)) may_fail.insert(one.operands.begin(), one.operands.end());
    }
  }
  return after;
}

/// Values computed from decompositions: for a nearly singular matrix one backend alone may fail.
std::set<uint32_t> decomposed(const Program& program) {
  std::set<uint32_t> values;
  for (const Instruction& one : program.list)
    if (one.verb == Verb::Call &&
        (is_decomposing(one.args.op) || info(one.args.op).rules.ambiguous ||
         std::ranges::any_of(one.operands, [&](uint32_t id) { return values.contains(id); })))
      values.insert(one.id);
  return values;
}

/// Compares two rounds of a program, instruction by instruction.
class Comparison {
 public:
  Comparison(const Program& program, const Trace& got, const Trace& wanted, std::string between,
             Tally& tally)
      : program_(program),
        got_(got),
        wanted_(wanted),
        between_(std::move(between)),
        tally_(tally),
        after_(after_failures(program)),
        decomposed_(decomposed(program)) {}

  /// With `bits` elements must be equal bit for bit, else within an error bound.
  std::optional<Failure> run(bool bits) {
    for (at_ = 0; at_ < program_.list.size() && !failure_; ++at_) {
      const Sight &a = got_[at_], &b = wanted_[at_];
      const Instruction& one = program_.list[at_];
      const uint32_t id = one.verb == Verb::Read ? one.operands[0] : one.id;
      if (!bits && decomposed_.contains(id) && (a.failed || b.failed || !a.value || !b.value))
        continue;
      failures(a, b, bits);
      if (!after_[at_] && a.type != b.type) report("abi type", a.type, " and ", b.type);
      if (a.value && b.value) values(*a.value, *b.value, bits);
      else if (a.value || b.value) report("abi value", "one of them cannot be read");
    }
    return failure_;
  }

 private:
  template <class... Parts>
  void report(const char* kind, const Parts&... parts) {
    const Instruction& one = program_.list[at_];
    const std::string_view row = one.verb == Verb::Call   ? info(one.args.op).name
                                 : one.verb == Verb::Read ? "read"
                                                          : "";
    if (!failure_) failure_ = {kind, std::string(row), join(between_, ": ", parts...)};
  }
  void failures(const Sight& a, const Sight& b, bool bits) {
    if (!a.seen || !b.seen) return;
    if (a.failed != b.failed) report("abi fails", "'", a.message, "' and '", b.message, "'");
    // Failures at run time have messages of the backend.
    const bool same_words = bits || (!a.at_run && !b.at_run);
    if (!after_[at_] && same_words && a.message != b.message)
      report("abi message", "'", a.message, "' and '", b.message, "'");
  }
  void values(const Tensor& a, const Tensor& b, bool bits) {
    const std::string off = difference(a, b);
    if (bits ? same_bits(a, b) : off.empty()) return;
    if (bits) return report("abi value", off.empty() ? "the last bits differ" : off);
    const Instruction& one = program_.list[at_];
    const uint32_t id = one.verb == Verb::Read ? one.operands[0] : one.id;
    const Bounds& bounds = error_bounds();
    const auto number = form_.numbers.find(id);
    if (number == form_.numbers.end()) return report("abi value", off);
    // Bounds are computed from a batch that has no updates.
    const bool updated = std::ranges::any_of(program_.list, updates);
    if (updated || bounds.excused[number->second]) {
      ++tally_.excused_roots;
      return;
    }
    const std::string still = difference(a, b, bounds.slack[number->second]);
    if (still.empty()) ++tally_.by_slack;
    else report("abi value", still);
  }
  const Bounds& error_bounds() {
    if (bounds_) return *bounds_;
    MemoryCount memory;
    const auto judge = make_reference_backend(memory, 1);
    form_ = to_batch(program_, false);
    return bounds_.emplace(fuzz::error_bounds(*judge, form_, program_.seed));
  }

  const Program& program_;
  const Trace &got_, &wanted_;
  std::string between_;
  Tally& tally_;
  std::vector<bool> after_;
  std::set<uint32_t> decomposed_;
  size_t at_ = 0;
  Form form_;
  std::optional<Bounds> bounds_;
  std::optional<Failure> failure_;
};

std::string unbalanced() {
  const auto stat = [](const char* name) { return rt_torch_stat(name); };
  const int64_t forced = stat("forced_by_shape") + stat("forced_by_free") + stat("forced_by_read") +
                         stat("forced_by_flush") + stat("forced_by_limit") +
                         stat("forced_by_eager");
  if (stat("batches") != forced) return join(stat("batches"), " batches, ", forced, " forced");
  const int64_t nodes = stat("batch_nodes") + stat("dead_nodes") + stat("pending_nodes");
  if (stat("nodes") != nodes) return join(stat("nodes"), " nodes, ", nodes, " accounted for");
  return rt_torch_live_handles() == 0 ? "" : join(rt_torch_live_handles(), " handles left");
}

std::string text(const Round& round) {
  return join(round.backend, " ", round.policy, " ", round.repeat + 1);
}

}  // namespace

bool choose_backend(const std::string& name) {
  rt_torch_sync();
  rt_torch_clear_error();
  if (name == rt_torch_backend()) return true;
  const bool chosen = rt_torch_set_backend(name.c_str()) == 1;
  rt_torch_clear_error();
  return chosen;
}

Trace play(const Program& program, const Round& round) {
  rt_torch_set_policy(round.policy.c_str());
  return Player(program).run();
}

std::optional<Failure> check_abi(const Program& program, const std::vector<std::string>& backends,
                                 Tally& tally, const Tamper& tamper) {
  constexpr std::pair<const char*, int> kRounds[] = {{"observe", 3}, {"data", 2}, {"eager", 1}};
  ++tally.programs;
  std::vector<Trace> firsts;
  for (const std::string& backend : backends) {
    if (!choose_backend(backend)) return Failure{"backend", "", join(backend, " is gone")};
    Trace first;
    for (const auto& [policy, repeats] : kRounds)
      for (int repeat = 0; repeat < repeats; ++repeat) {
        const Round round{backend, policy, repeat};
        Trace trace = play(program, round);
        if (tamper) tamper(program, round, trace);
        if (const std::string off = unbalanced(); !off.empty())
          return Failure{"abi books", "", join(text(round), ": ", off)};
        if (first.empty()) first = std::move(trace);
        else if (auto failure =
                     Comparison(program, trace, first, text(round) + " against observe 1", tally)
                         .run(true))
          return failure;
      }
    firsts.push_back(std::move(first));
  }
  for (size_t i = 0; i < program.list.size(); ++i) {
    tally.steps += program.list[i].verb == Verb::Call;
    tally.failing_steps += firsts[0][i].failed;
    tally.roots += firsts[0][i].value.has_value();
  }
  if (firsts.size() < 2) return std::nullopt;
  return Comparison(program, firsts[1], firsts[0], join(backends[1], " against ", backends[0]),
                    tally)
      .run(false);
}

}  // namespace rt::fuzz
