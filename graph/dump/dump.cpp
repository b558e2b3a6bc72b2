// dump.cpp -- writes batches as text, JSON and dot.
#include "graph/dump/dump.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "graph/error.h"
#include "graph/ops/attributes.h"
#include "graph/printable.h"

namespace rt {

void put_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto c = static_cast<unsigned char>(text[0]);
    if (c == '"' || c == '\\') (out += '\\') += text[0];
    else if (c == '\n') out += "\\n";
    else if (c < 0x20 || c == 0x7f) (out += "\\u00") += {hex[c >> 4], hex[c & 15]};
    else if (length > 0) out += text.substr(0, length);
    else out += "\xef\xbf\xbd";  // the replacement character
    text.remove_prefix(length > 0 ? length : 1);
  }
  out += '"';
}

namespace {

void put(std::string& out, int64_t value) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

void put_value(std::string& out, uint32_t value) {
  if (value == kNone.id) {
    out += "none";
    return;
  }
  out += '%';
  put(out, value);
}

void put_list(std::string& out, std::span<const int64_t> list) {
  out += '[';
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ',';
    put(out, list[i]);
  }
  out += ']';
}

void put_type(std::string& out, const Batch& batch, uint32_t value) {
  const Batch::Item& item = batch.values[value];
  out += name(item.dtype);
  put_list(out, batch.sizes(value));
  if (item.device < 0) return;
  out += " @cuda:";
  put(out, item.device);
}

/// Appends a text to a comment, without control characters, because a newline
/// would end the comment.
void put_in_line(std::string& out, std::string_view text) {
  for (char c : text) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
}

/// Appends `"label" at location`, as far as these are known.
void put_note(std::string& out, const DumpNotes* notes, size_t step, std::string_view before) {
  if (!notes) return;
  const std::string_view label = notes->label(step), location = notes->location(step);
  if (label.empty() && location.empty()) return;
  out += before;
  if (!label.empty()) put_quoted(out, label);
  if (location.empty()) return;
  out += label.empty() ? "at " : " at ";
  put_in_line(out, location);
}

/// The range of the next input, where it is known.
const Range* next_range(const DumpNotes* notes, size_t& input) {
  const size_t at = input++;
  return notes && at < notes->ranges.size() && notes->ranges[at].known() ? &notes->ranges[at]
                                                                         : nullptr;
}

void put_count(std::string& out, size_t count, std::string_view what) {
  out += ", ";
  put(out, static_cast<int64_t>(count));
  out += ' ';
  out += what;
  if (count != 1) out += 's';
}

/// True where numbering the scalars by first appearance gives the indices that they have.
bool numbered_by_appearance(const Batch& batch) {
  int64_t next = 0, next_constant = batch.free_scalars;
  std::unordered_map<int64_t, int64_t> constants;
  for (const Batch::Step& step : batch.steps) {
    const AttributesView attributes = batch.attributes_of(step);
    for (uint32_t i = 0; i < attributes.row.scalars; ++i) {
      const int64_t number = attributes.scalar(i);
      if (number < batch.free_scalars) {
        if (number != next++) return false;
        continue;
      }
      const int64_t bits = batch.scalars[static_cast<size_t>(number)];
      const auto [known, fresh] = constants.try_emplace(bits, next_constant);
      if (known->second != number) return false;
      if (fresh) ++next_constant;
    }
  }
  return next == batch.free_scalars && next_constant == static_cast<int64_t>(batch.scalars.size());
}

class TextWriter {
 public:
  TextWriter(const Batch& batch, const DumpNotes* notes, std::string_view indent = {})
      : batch_(batch), notes_(notes), indent_(indent), numbered_(!numbered_by_appearance(batch)) {}

  std::string run() {
    out_.reserve(128 + batch_.values.size() * 48);
    if (indent_.empty()) header();
    numbers();
    size_t step = 0;
    for (uint32_t value = 0; value < batch_.values.size(); ++value) {
      if (batch_.is_input(value)) {
        input(value);
      } else {
        line(step);
        value += batch_.steps[step].results - 1;
        ++step;
      }
      out_ += '\n';
    }
    out_ += indent_;
    out_ += "return";
    for (size_t i = 0; i < batch_.roots.size(); ++i) {
      out_ += i > 0 ? ", " : " ";
      put_value(out_, batch_.roots[i]);
    }
    out_ += '\n';
    return std::move(out_);
  }

  std::string run(size_t step) {
    line(step);
    return std::move(out_);
  }

  std::string run_input(uint32_t value) {
    input(value);
    return std::move(out_);
  }

 private:
  void definition(uint32_t value) {
    put_value(out_, value);
    out_ += ": ";
    put_type(out_, batch_, value);
  }
  void line(size_t number) {
    const Batch::Step& step = batch_.steps[number];
    out_ += indent_;
    for (uint32_t i = 0; i < step.results; ++i) {
      if (i > 0) out_ += ", ";
      definition(step.result + i);
    }
    out_ += " = ";
    call(step);
    put_note(out_, notes_, number, "  # ");
    if (step.op != Op::Fused) return;
    out_ += '\n';
    out_ += TextWriter(batch_.group_of(step), nullptr, kIndent).run();
    out_.pop_back();
  }

  void header() {
    out_ += "# batch " + to_string(key_of(batch_));
    put_count(out_, inputs(), "input");
    put_count(out_, batch_.steps.size(), "step");
    put_count(out_, batch_.scalars.size(), "scalar");
    put_count(out_, batch_.roots.size(), "root");
    out_ += '\n';
    if (notes_) {
      remark("# inputs: ", notes_->inputs);
      remark("# failed: ", notes_->error);
    }
  }
  size_t inputs() const {
    return static_cast<size_t>(std::ranges::count_if(
        batch_.values, [](const Batch::Item& item) { return item.flags & Batch::kInput; }));
  }
  void numbers() {
    if (!numbered_) return;
    out_ += indent_;
    out_ += "scalars free=";
    put(out_, batch_.free_scalars);
    out_ += " bits=";
    put_list(out_, batch_.scalars);
    out_ += '\n';
  }

  void remark(std::string_view what, std::string_view text) {
    if (text.empty()) return;
    out_ += what;
    put_in_line(out_, text);
    out_ += '\n';
  }

  void input(uint32_t value) {
    out_ += indent_;
    definition(value);
    out_ += " = input";
    if (batch_.values[value].flags & Batch::kStrided) {
      out_ += "(strides=";
      put_list(out_, batch_.strides(value));
      out_ += ')';
    }
    if (const Range* range = next_range(notes_, inputs_))
      out_ += join("  # from ", range->least, " to ", range->most);
  }

  void call(const Batch::Step& step) {
    const OpInfo& row = info(step.op);
    out_ += row.name;
    const char* before = "(";
    for (uint32_t operand : batch_.operands_of(step)) {
      out_ += before;
      put_value(out_, operand);
      before = ", ";
    }
    each_attribute(row, batch_.attributes_of(step),
                   [&](const Param& param, std::span<const int64_t> attributes) {
                     out_ += before;
                     out_ += param.name;
                     out_ += '=';
                     before = ", ";
                     if (is_scalar(param.kind)) scalar(param.kind, attributes[0]);
                     else put_attribute(out_, param.kind, attributes);
                   });
    out_ += *before == '(' ? "()" : ")";
  }

  void scalar(Kind kind, int64_t number) {
    const bool free = number < batch_.free_scalars;
    if (free) out_ += '<';
    put_scalar(out_, kind, batch_.scalars[static_cast<size_t>(number)]);
    if (numbered_) {
      out_ += " at ";
      put(out_, number);
    }
    if (free) out_ += '>';
  }

  const Batch& batch_;
  const DumpNotes* notes_;
  static constexpr std::string_view kIndent = "    ";
  const std::string_view indent_;
  const bool numbered_;  ///< scalars are written with their indices
  size_t inputs_ = 0;    ///< inputs written so far
  std::string out_;
};

/// Appends a scalar as a number, or as a string where JSON has no such number.
void put_json_scalar(std::string& out, Kind kind, int64_t bits) {
  const bool plain = kind == Kind::Index || std::isfinite(std::bit_cast<double>(bits));
  if (!plain) out += '"';
  put_scalar(out, kind, bits);
  if (!plain) out += '"';
}

void put_json_numbers(std::string& out, std::span<const uint32_t> numbers) {
  out += '[';
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) out += ',';
    if (numbers[i] == kNone.id) out += "null";
    else put(out, numbers[i]);
  }
  out += ']';
}

void put_json_value(std::string& out, const Batch& batch, uint32_t value, const Range* range) {
  const Batch::Item& item = batch.values[value];
  out += "{\"dtype\": \"";
  out += name(item.dtype);
  out += "\", \"sizes\": ";
  put_list(out, batch.sizes(value));
  out += ", \"device\": \"" + name(Device{item.device}) + '"';
  if (batch.is_input(value)) out += ", \"input\": true";
  if (item.flags & Batch::kStrided) {
    out += ", \"strides\": ";
    put_list(out, batch.strides(value));
  }
  if (range) {
    out += ", \"range\": ";
    put_list(out, std::array{range->least, range->most});
  }
  out += '}';
}

void put_json_step(std::string& out, const Batch& batch, const Batch::Step& step) {
  const OpInfo& row = info(step.op);
  out += "{\"op\": \"";
  out += row.name;
  out += "\", \"result\": ";
  put(out, step.result);
  out += ", \"operands\": ";
  put_json_numbers(out, batch.operands_of(step));
  out += ", \"words\": {";
  const char* before = "";
  each_attribute(
      row, batch.attributes_of(step), [&](const Param& param, std::span<const int64_t> attributes) {
        out += before;
        before = ", ";
        out += '"';
        out += param.name;
        out += "\": ";
        if (!is_scalar(param.kind)) return put_attribute(out, param.kind, attributes);
        out += "{\"scalar\": ";
        put(out, attributes[0]);
        out += ", \"value\": ";
        put_json_scalar(out, param.kind, batch.scalars[static_cast<size_t>(attributes[0])]);
        out += '}';
      });
  out += "}}";
}

void put_json_texts(std::string& out, std::string_view name, std::span<const std::string> texts) {
  const auto silent = [](const std::string& text) { return text.empty(); };
  if (std::ranges::all_of(texts, silent)) return;
  out += ",\n  \"";
  out += name;
  out += "\": [";
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ", ";
    put_quoted(out, texts[i]);
  }
  out += ']';
}

void put_json_text(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += ",\n  \"";
  out += name;
  out += "\": ";
  put_quoted(out, text);
}

}  // namespace

std::string to_text(const Batch& batch, const DumpNotes* notes) {
  return TextWriter(batch, notes).run();
}

std::string step_text(const Batch& batch, size_t step, const DumpNotes* notes) {
  return TextWriter(batch, notes).run(step);
}

std::string input_text(const Batch& batch, uint32_t value) {
  return TextWriter(batch, nullptr).run_input(value);
}

std::string to_json(const Batch& batch, const DumpNotes* notes) {
  std::string out = "{\n  \"format\": 1,\n  \"key\": \"" + to_string(key_of(batch)) + "\",\n";
  out.reserve(256 + batch.values.size() * 160);
  out += "  \"values\": [";
  size_t inputs = 0;
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    out += value > 0 ? ",\n    " : "\n    ";
    put_json_value(out, batch, value, batch.is_input(value) ? next_range(notes, inputs) : nullptr);
  }
  out += "],\n  \"steps\": [";
  for (size_t i = 0; i < batch.steps.size(); ++i) {
    out += i > 0 ? ",\n    " : "\n    ";
    put_json_step(out, batch, batch.steps[i]);
  }
  out += "],\n  \"scalars\": ";
  put_list(out, batch.scalars);
  out += ",\n  \"free_scalars\": ";
  put(out, batch.free_scalars);
  out += ",\n  \"roots\": ";
  put_json_numbers(out, batch.roots);
  if (!batch.groups.empty()) {
    out += ",\n  \"groups\": [";
    for (size_t i = 0; i < batch.groups.size(); ++i) {
      if (i > 0) out += ", ";
      out += to_json(batch.groups[i]);
      out.pop_back();
    }
    out += ']';
  }
  if (notes) {
    put_json_texts(out, "places", notes->locations);
    put_json_texts(out, "labels", notes->labels);
    put_json_text(out, "inputs", notes->inputs);
    put_json_text(out, "error", notes->error);
  }
  out += "\n}\n";
  return out;
}

std::string to_dot(const Batch& batch, const DumpNotes* notes) {
  std::string out = "digraph batch {\n  node [shape=box, fontname=\"monospace\"];\n";
  out.reserve(128 + batch.values.size() * 96);
  std::vector<bool> is_root(batch.values.size());
  for (uint32_t root : batch.roots) is_root[root] = true;
  std::string text;
  size_t step = 0;
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    const bool input = batch.is_input(value);
    const Batch::Step* const of = input ? nullptr : &batch.steps[step];
    text.clear();
    put_value(text, value);
    text += ' ';
    text += of ? info(of->op).name : std::string_view("input");
    if (of && of->op == Op::Fused) {
      std::string_view before = ": ";
      for (const Batch::Step& inside : batch.group_of(*of).steps) {
        text += before;
        text += info(inside.op).name;
        before = ", ";
      }
    }
    text += '\n';
    put_type(text, batch, value);
    if (!input) put_note(text, notes, step, "\n");
    out += "  v";
    put(out, value);
    out += " [label=";
    put_quoted(out, text);
    if (input) out += ", shape=ellipse, style=filled, fillcolor=lightgrey";
    if (is_root[value]) out += ", peripheries=2";
    out += "];\n";
    if (input) continue;
    for (uint32_t operand : batch.operands_of(*of)) {
      if (operand == kNone.id) continue;
      out += "  v";
      put(out, operand);
      out += " -> v";
      put(out, value);
      out += ";\n";
    }
    if (value + 1 == of->result + of->results) ++step;
  }
  out += "}\n";
  return out;
}

}  // namespace rt
