// parse_text.cpp -- reads batches from text. Nothing that is read is trusted before verify().
#include <algorithm>
#include <bit>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "graph/batch/verify.h"
#include "graph/dump/parse.h"
#include "graph/error.h"
#include "graph/printable.h"

namespace rt::parse {
namespace {

/// Reads the bits of a scalar that put_scalar has written. False where `text` is something else.
bool read_scalar(std::string_view text, Kind kind, int64_t& bits) {
  if (kind == Kind::Index) return read_all(text, bits);
  if (text.starts_with("nan:")) {
    uint64_t raw = 0;
    if (!read_all(text.substr(4), raw, 16)) return false;
    bits = static_cast<int64_t>(raw);
    const auto value = std::bit_cast<double>(bits);
    return value != value;
  }
  double value = 0;
  if (text == "nan") value = std::numeric_limits<double>::quiet_NaN();
  else if (!read_all(text, value) || value != value) return false;
  bits = std::bit_cast<int64_t>(value);
  return true;
}

class TextParser {
 public:
  explicit TextParser(std::string_view text) : text_(text) {}
  /// Reads a group, which comes after `lines_before` lines.
  TextParser(std::string_view text, size_t lines_before)
      : text_(text), line_number_(lines_before), inside_(true) {}

  Dump run() {
    bool returned = false;
    while (next_line()) {
      skip();
      if (at_end()) {
        remark();
        continue;
      }
      if (returned) expected("nothing after return");
      const bool defines = peek() == '%';
      if (defines) value();
      else if (accept("scalars")) scalars();
      else if ((returned = accept("return"))) roots();
      else expected("a value like '%0: f32[2] = ...', or 'return'");
      skip();
      if (!at_end()) expected("the end of the line");
      if (defines) note();
    }
    if (!returned) fail("line ", line_number_, ": expected 'return' before the end of the text");
    number_constants();
    if (!dump_.locations.empty()) dump_.locations.resize(batch_.steps.size());
    if (!dump_.labels.empty()) dump_.labels.resize(batch_.steps.size());
    if (!dump_.ranges.empty()) dump_.ranges.resize(inputs_);
    try {
      verify(batch_);
    } catch (const Error& error) {
      fail("the text is well-formed, but describes no valid batch: ", error.text());
    }
    return std::move(dump_);
  }

 private:
  /// Reads a comment line, which may be a note on the whole batch.
  void remark() {
    std::string_view rest = line_.substr(at_);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    for (const auto& [what, text] :
         {std::pair("# inputs: ", &dump_.inputs), std::pair("# failed: ", &dump_.error)})
      if (rest.starts_with(what)) *text = rest.substr(std::string_view(what).size());
  }

  /// Reads the comment after a value, which may be a note on it; see put_note in dump.cpp.
  void note() {
    std::string_view rest = line_.substr(at_);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    if (!rest.starts_with("# ")) return;
    rest.remove_prefix(2);
    if (batch_.is_input(static_cast<uint32_t>(batch_.values.size() - 1))) return range(rest);
    const size_t step = batch_.steps.size() - 1;
    if (rest.starts_with('"')) {
      size_t end = 1;
      while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
      if (end >= rest.size()) return;
      const auto label = nlohmann::json::parse(rest.substr(0, end + 1), nullptr, false);
      if (!label.is_string()) return;
      dump_.labels.resize(step + 1);
      dump_.labels[step] = label.get<std::string>();
      rest.remove_prefix(std::min(end + 2, rest.size()));
    }
    if (!rest.starts_with("at ")) return;
    dump_.locations.resize(step + 1);
    dump_.locations[step] = rest.substr(3);
  }
  void range(std::string_view rest) {
    constexpr std::string_view kFrom = "from ", kTo = " to ";
    const size_t to = rest.find(kTo);
    Range range;
    if (!rest.starts_with(kFrom) || to == std::string_view::npos ||
        !read_all(rest.substr(kFrom.size(), to - kFrom.size()), range.least) ||
        !read_all(rest.substr(to + kTo.size()), range.most))
      return;
    dump_.ranges.resize(inputs_);
    dump_.ranges.back() = range;
  }

  // Nothing in a dump spans lines.
  bool next_line() {
    if (text_.empty()) return false;
    const size_t end = std::min(text_.find('\n'), text_.size());
    line_ = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    at_ = 0;
    ++line_number_;
    return true;
  }
  bool at_end() const { return at_ == line_.size() || line_[at_] == '#'; }
  char peek() const { return at_ < line_.size() ? line_[at_] : '\0'; }
  void skip() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r'))
      ++at_;
  }
  bool accept(std::string_view token) {
    skip();
    if (!line_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void need(std::string_view token) {
    if (!accept(token)) expected(join("'", token, "'"));
  }
  [[noreturn]] void expected(std::string_view what) const {
    const std::string_view rest = line_.substr(std::min(at_, line_.size()), 24);
    fail("line ", line_number_, ", column ", at_ + 1, ": expected ", what, ", found ",
         rest.empty() ? "the end of the line" : join("'", printable(rest), "'"));
  }
  /// The text up to one of `stops`.
  std::string_view token(std::string_view stops) {
    skip();
    const size_t end = std::min(line_.find_first_of(stops, at_), line_.size());
    const std::string_view found = line_.substr(at_, end - at_);
    at_ = end;
    return found;
  }
  std::string_view attr() {
    skip();
    const size_t begin = at_;
    while (at_ < line_.size() &&
           (std::isalnum(static_cast<unsigned char>(line_[at_])) || line_[at_] == '_'))
      ++at_;
    return line_.substr(begin, at_ - begin);
  }
  int64_t integer(int64_t least = INT64_MIN, int64_t most = INT64_MAX) {
    skip();
    int64_t value = 0;
    const char *begin = line_.data() + at_, *end = line_.data() + line_.size();
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (error != std::errc() || value < least || value > most)
      expected(least == INT64_MIN ? "an integer" : join("an integer from ", least, " to ", most));
    at_ += static_cast<size_t>(stop - begin);
    return value;
  }
  void list(std::vector<int64_t>& into, size_t most) {
    into.clear();
    need("[");
    if (accept("]")) return;
    do {
      if (into.size() == most) expected(join("at most ", most, " elements"));
      into.push_back(integer());
    } while (accept(","));
    need("]");
  }
  uint32_t number() {
    need("%");
    return static_cast<uint32_t>(integer(0, kNone.id - 1));
  }

  void scalars() {
    if (numbered_ || !batch_.values.empty()) expected("one scalars line, before all values");
    numbered_ = true;
    need("free=");
    batch_.free_scalars = static_cast<uint32_t>(integer(0, kNone.id - 1));
    need("bits=");
    list(batch_.scalars, kNone.id);
    if (batch_.free_scalars > batch_.scalars.size()) expected("at least as many bits as are free");
  }

  /// The part of a line that defines a value: "%3: f32[2,3] @cuda:0".
  struct Definition {
    DType dtype{};
    Device device;
    std::vector<int64_t> sizes;
    bool operator==(const Definition&) const = default;
  };
  void definition() {
    skip();
    const size_t begin = at_, value = batch_.values.size() + definitions_.size();
    if (number() != value) {
      at_ = begin;
      expected(join("%", value));
    }
    Definition& made = definitions_.emplace_back();
    need(":");
    skip();
    const size_t type_at = at_;
    const auto dtype = parse_dtype(attr());
    if (!dtype) {
      at_ = type_at;
      expected("a dtype: f32, f64, i32, i64, bool, f16 or bf16");
    }
    made.dtype = *dtype;
    list(made.sizes, kMaxRank);
    if (accept("@cuda:")) made.device.index = static_cast<int8_t>(integer(0, INT8_MAX));
  }

  void value() {
    definitions_.clear();
    do definition();
    while (accept(","));
    need("=");
    skip();
    const size_t op_at = at_;
    const std::string_view name = attr();
    const OpInfo* row = find_op(name);
    const bool fits = definitions_.size() == 1 ? row || name == "input" : row && is_fused(*row);
    if (!fits) {
      at_ = op_at;
      expected(definitions_.size() == 1 ? "'input' or the name of an op" : "'fused'");
    }
    const auto& [dtype, device, sizes] = definitions_[0];
    if (!row) return input(dtype, device, sizes);
    call(*row);
    if (is_fused(*row)) fused();
    else batch_.add_step(row->op, operands_, attributes_, dtype, device, sizes);
  }

  static bool is_fused(const OpInfo& row) { return row.op == Op::Fused; }

  /// Reads the lines of a group, which follow up to its return.
  void fused() {
    skip();
    if (!at_end()) expected("the end of the line");
    if (inside_) fail("line ", line_number_, ": a group cannot contain a group");
    const std::string_view after = text_;
    const size_t before = line_number_;
    do
      if (!next_line()) fail("line ", line_number_, ": the text ends within a group");
    while (!accept("return"));
    Batch group = TextParser(after.substr(0, after.size() - text_.size()), before).run().batch;
    at_ = line_.size();
    std::vector<Definition> results;
    for (const uint32_t root : group.roots) {
      const TensorType type = group.type(root);
      results.push_back({type.dtype, type.device, {type.sizes.begin(), type.sizes.end()}});
    }
    if (results.empty() || results != definitions_)
      fail("line ", before, ": expected the types of the group's results before it");
    if (attributes_[0] != static_cast<int64_t>(batch_.groups.size()))
      fail("line ", before, ": expected group=", batch_.groups.size());
    batch_.add_fused(std::move(group), operands_, std::span(attributes_).subspan(2));
  }

  void input(DType dtype, Device device, const std::vector<int64_t>& sizes) {
    attributes_.clear();
    if (accept("(")) {
      need("strides=");
      list(attributes_, kMaxRank);
      need(")");
      if (attributes_.size() != sizes.size() || attributes_.empty())
        expected("one stride for each size before this");
    }
    batch_.add_input(dtype, device, sizes, attributes_);
    ++inputs_;
  }

  void call(const OpInfo& row) {
    operands_.clear();
    need("(");
    bool first = true;
    const auto comma = [&] {
      if (!first) need(",");
      first = false;
    };
    for (uint8_t i = 0; i < row.tensors; ++i) {
      comma();
      operands_.push_back(accept("none") ? kNone.id : number());
    }
    if (row.variadic) {
      comma();
      do operands_.push_back(number());
      while (more_operands());
    }
    attributes_.assign(size_t{row.scalars} + row.integers, 0);
    size_t scalar = 0, integer_at = row.scalars;
    for (const Param& param : row.params) {
      switch (param.kind) {
        case Kind::Float:
        case Kind::Index:
          comma();
          name_of(param);
          attributes_[scalar] = scalar_number(param.kind, batch_.attributes.size() + scalar);
          ++scalar;
          break;
        case Kind::Int:
          comma();
          name_of(param);
          attributes_[integer_at++] = integer();
          break;
        case Kind::Flag:
          comma();
          name_of(param);
          if (accept("true")) attributes_[integer_at++] = 1;
          else need_false(integer_at++);
          break;
        case Kind::IntList:
          comma();
          name_of(param);
          list(elements_, kMaxWords - attributes_.size() - 1);
          attributes_.push_back(static_cast<int64_t>(elements_.size()));
          attributes_.insert(attributes_.end(), elements_.begin(), elements_.end());
          break;
        default: break;
      }
    }
    need(")");
  }
  void name_of(const Param& param) {
    need(param.name);
    need("=");
  }
  void need_false(size_t at) {
    if (!accept("false")) expected("true or false");
    attributes_[at] = 0;
  }
  /// After an operand of a list: true where another one follows, and not a named parameter.
  bool more_operands() {
    const size_t begin = at_;
    if (accept(",")) {
      skip();
      if (peek() == '%') return true;
    }
    at_ = begin;
    return false;
  }

  /// Reads a scalar and returns its index, which goes to position `at` of batch_.attributes.
  int64_t scalar_number(Kind kind, size_t at) {
    const bool free = accept("<");
    skip();
    const size_t begin = at_;
    int64_t bits = 0;
    if (!read_scalar(token(" \t\r>,)"), kind, bits)) {
      at_ = begin;
      expected(kind == Kind::Index ? "an integer" : "a number, inf or nan");
    }
    int64_t number = 0;
    if (numbered_) {
      need("at");
      number = integer(0, static_cast<int64_t>(batch_.scalars.size()) - 1);
      if (batch_.scalars[static_cast<size_t>(number)] != bits)
        expected(join("the value that the scalars line has for scalar ", number, " before this"));
      if ((number < batch_.free_scalars) != free)
        expected("angle brackets around free scalars and none around constants");
    } else if (free) {
      number = static_cast<int64_t>(batch_.scalars.size());
      batch_.scalars.push_back(bits);
    } else {
      const auto [known, fresh] =
          constant_numbers_.try_emplace(bits, static_cast<int64_t>(constants_.size()));
      if (fresh) constants_.push_back(bits);
      number = known->second;
      constant_words_.push_back(at);
    }
    if (free) need(">");
    return number;
  }

  /// Constants come after the free scalars, whose count is known only at the end.
  void number_constants() {
    if (numbered_) return;
    batch_.free_scalars = static_cast<uint32_t>(batch_.scalars.size());
    for (size_t at : constant_words_) batch_.attributes[at] += batch_.free_scalars;
    batch_.scalars.insert(batch_.scalars.end(), constants_.begin(), constants_.end());
  }

  void roots() {
    skip();
    if (at_end()) return;
    do batch_.roots.push_back(number());
    while (accept(","));
  }

  std::string_view text_, line_;
  size_t at_ = 0, line_number_ = 0;
  const bool inside_ = false;  ///< the batch is a group
  size_t inputs_ = 0;          ///< inputs read so far
  Dump dump_;
  Batch& batch_ = dump_.batch;
  bool numbered_ = false;  ///< there is a scalars line
  std::vector<int64_t> constants_;
  std::unordered_map<int64_t, int64_t> constant_numbers_;
  std::vector<size_t> constant_words_;   ///< positions in batch_.attributes of constants' indices
  std::vector<Definition> definitions_;  ///< of the present line
  std::vector<int64_t> attributes_, elements_;
  std::vector<uint32_t> operands_;
};

}  // namespace

Dump read_text(std::string_view text) { return TextParser(text).run(); }

}  // namespace rt::parse
