// parse_json.cpp -- reads batches from JSON. Nothing that is read is trusted before verify().
#include <algorithm>
#include <nlohmann/json.hpp>

#include "graph/batch/verify.h"
#include "graph/dump/parse.h"
#include "graph/error.h"
#include "graph/printable.h"

namespace rt::parse {
namespace {

using Json = nlohmann::json;

/// A value of the JSON with its path, for errors.
struct At {
  const Json& json;
  const At* parent = nullptr;
  std::string_view key = {};
  size_t index = 0;

  std::string path() const {
    if (!parent) return "$";
    return parent->path() + (key.empty() ? join("[", index, "]") : join(".", key));
  }
  [[noreturn]] void expected(std::string_view what) const {
    fail(path(), ": expected ", what, ", found ", json.is_null() ? "nothing" : json.type_name());
  }
  const At& need(bool good, std::string_view what) const {
    if (!good) expected(what);
    return *this;
  }
  At member(std::string_view name) const {
    static const Json& nothing = *new Json;
    need(json.is_object(), "an object");
    const auto found = json.find(std::string(name));
    return {found == json.end() ? nothing : *found, this, name};
  }
  At element(size_t i) const { return {json[i], this, {}, i}; }
  size_t array() const {
    need(json.is_array(), "a list");
    return json.size();
  }
  int64_t integer(int64_t least, int64_t most, std::string_view what) const {
    const bool fits = json.is_number_integer() &&
                      !(json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX);
    need(fits, what);
    const auto value = json.get<int64_t>();
    need(value >= least && value <= most, what);
    return value;
  }
  const std::string& text(std::string_view what) const {
    need(json.is_string(), what);
    return json.get_ref<const std::string&>();
  }
  void integers(std::vector<int64_t>& into, size_t most) const {
    into.clear();
    need(array() <= most, join("at most ", most, " elements"));
    for (size_t i = 0; i < json.size(); ++i)
      into.push_back(element(i).integer(INT64_MIN, INT64_MAX, "an integer"));
  }
};

Device read_device(const At& at) {
  const std::string& text = at.text("a device: cpu or cuda:N");
  if (text == "cpu") return {};
  int8_t index = -1;
  at.need(
      text.starts_with("cuda:") && read_all(std::string_view(text).substr(5), index) && index >= 0,
      "a device: cpu or cuda:N");
  return {index};
}

class JsonParser {
 public:
  explicit JsonParser(const At& root, bool inside = false) : root_(root), inside_(inside) {}

  Dump run() {
    root_.member("format").integer(1, 1, "1, the format this version reads");
    scalars();
    const At values = root_.member("values"), steps = root_.member("steps");
    const size_t count = values.array(), step_count = steps.array();
    size_t step_number = 0;
    for (size_t i = 0; i < count; ++i) {
      const At value = values.element(i);
      const At is_input = value.member("input");
      is_input.need(is_input.json.is_null() || is_input.json.is_boolean(), "true or false");
      if (is_input.json.is_boolean() && is_input.json.get<bool>()) {
        input(value);
        continue;
      }
      value.need(step_number < step_count, "an input, as there are no more steps");
      i += step(values, i, steps.element(step_number++)) - 1;
    }
    steps.need(step_number == step_count, "as many steps as values that are no inputs");
    const At roots = root_.member("roots");
    for (size_t i = 0, n = roots.array(); i < n; ++i)
      batch_.roots.push_back(number(roots.element(i)));
    try {
      verify(batch_);
    } catch (const Error& error) {
      fail("$: the JSON is well-formed, but describes no valid batch: ", error.text());
    }
    const At key = root_.member("key");
    const std::string wanted = to_string(key_of(batch_));
    key.need(key.json.is_null() || key.text("text") == wanted,
             join("the key of this batch, ", wanted));
    if (!dump_.ranges.empty()) dump_.ranges.resize(inputs_);
    texts("places", dump_.locations);
    texts("labels", dump_.labels);
    remark("inputs", dump_.inputs);
    remark("error", dump_.error);
    return std::move(dump_);
  }

 private:
  static uint32_t number(const At& at) {
    return static_cast<uint32_t>(at.integer(0, kNone.id - 1, "the number of a value"));
  }

  void scalars() {
    root_.member("scalars").integers(batch_.scalars, kNone.id);
    batch_.free_scalars =
        static_cast<uint32_t>(root_.member("free_scalars")
                                  .integer(0, static_cast<int64_t>(batch_.scalars.size()),
                                           "how many of the scalars are free"));
  }

  DType type(const At& value, Device& device) {
    const At dtype_at = value.member("dtype"), device_at = value.member("device");
    const auto dtype = parse_dtype(dtype_at.text("a dtype"));
    dtype_at.need(dtype.has_value(), "a dtype: f32, f64, i32, i64, bool, f16 or bf16");
    value.member("sizes").integers(sizes_, kMaxRank);
    device = read_device(device_at);
    return *dtype;
  }

  void input(const At& value) {
    Device device;
    const DType dtype = type(value, device);
    attributes_.clear();
    const At strides = value.member("strides");
    if (!strides.json.is_null()) {
      strides.integers(attributes_, kMaxRank);
      strides.need(attributes_.size() == sizes_.size() && !attributes_.empty(),
                   "one stride for each size");
    }
    batch_.add_input(dtype, device, sizes_, attributes_);
    ++inputs_;
    const At range = value.member("range");
    if (range.json.is_null()) return;
    range.integers(elements_, 2);
    range.need(elements_.size() == 2 && elements_[0] <= elements_[1], "the least and the greatest");
    dump_.ranges.resize(inputs_);
    dump_.ranges.back() = {elements_[0], elements_[1]};
  }

  /// Reads a text for each step, if there are any.
  void texts(std::string_view name, std::vector<std::string>& into) {
    const At list = root_.member(name);
    if (list.json.is_null()) return;
    list.need(list.array() == batch_.steps.size(), "one text a step");
    for (size_t i = 0; i < batch_.steps.size(); ++i) into.push_back(list.element(i).text("a text"));
  }
  void remark(std::string_view name, std::string& into) {
    const At at = root_.member(name);
    if (!at.json.is_null()) into = at.text("a text");
  }

  /// Adds the step whose first result is values[at]. Returns the number of its results.
  size_t step(const At& values, size_t at, const At& step) {
    const At op = step.member("op"), result = step.member("result");
    const At operands = step.member("operands"), attributes = step.member("words");
    const OpInfo* row = find_op(op.text("the name of an op"));
    op.need(row != nullptr, "the name of an op");
    result.need(number(result) == batch_.values.size(),
                join("the number of the next value that is no input, ", batch_.values.size()));
    operands_.clear();
    for (size_t i = 0, n = operands.array(); i < n; ++i) {
      const At operand = operands.element(i);
      operands_.push_back(operand.json.is_null() ? kNone.id : number(operand));
    }
    attributes.need(attributes.json.is_object(), "an object");
    attributes_.assign(size_t{row->scalars} + row->integers, 0);
    size_t scalar = 0, integer = row->scalars;
    for (const Param& param : row->params) {
      const At attr = attributes.member(param.name);
      switch (param.kind) {
        case Kind::Float:
        case Kind::Index:
          attributes_[scalar++] = attr.member("scalar").integer(
              0, static_cast<int64_t>(batch_.scalars.size()) - 1, "the number of a scalar");
          break;
        case Kind::Int:
          attributes_[integer++] = attr.integer(INT64_MIN, INT64_MAX, "an integer");
          break;
        case Kind::Flag:
          attr.need(attr.json.is_boolean(), "true or false");
          attributes_[integer++] = attr.json.get<bool>();
          break;
        case Kind::IntList:
          attr.integers(elements_, kMaxWords - attributes_.size() - 1);
          attributes_.push_back(static_cast<int64_t>(elements_.size()));
          attributes_.insert(attributes_.end(), elements_.begin(), elements_.end());
          break;
        default: break;
      }
    }
    if (row->op == Op::Fused) return fused(values, at, attributes);
    Device device;
    const DType dtype = type(values.element(at), device);
    batch_.add_step(row->op, operands_, attributes_, dtype, device, sizes_);
    return 1;
  }

  size_t fused(const At& values, size_t at, const At& attributes) {
    const At groups = root_.member("groups"), number = attributes.member("group");
    groups.need(!inside_, "none, as a group holds no groups");
    const auto index = static_cast<int64_t>(batch_.groups.size());
    groups.need(static_cast<int64_t>(groups.array()) > index, "a group for each such step");
    number.need(attributes_[0] == index, join("the number of the next group, ", index));
    Batch group = JsonParser(groups.element(batch_.groups.size()), true).run().batch;
    const size_t results = group.roots.size();
    values.need(results > 0 && results <= values.array() - at, "what the group returns");
    for (size_t i = 0; i < results; ++i) {
      Device device;
      const At value = values.element(at + i);
      const DType dtype = type(value, device);
      const TensorType root = group.type(group.roots[i]);
      value.need(
          dtype == root.dtype && device == root.device && std::ranges::equal(sizes_, root.sizes),
          "the type that the group returns");
    }
    batch_.add_fused(std::move(group), operands_, std::span(attributes_).subspan(2));
    return results;
  }

  const At& root_;
  const bool inside_;  ///< the batch is a group
  size_t inputs_ = 0;  ///< inputs read so far
  Dump dump_;
  Batch& batch_ = dump_.batch;
  std::vector<int64_t> sizes_, attributes_, elements_;
  std::vector<uint32_t> operands_;
};

}  // namespace

Dump read_json(std::string_view text) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    fail("$: this is not JSON: ", printable(error.what()));
  }
  const At root{json};
  return JsonParser(root).run();
}

}  // namespace rt::parse
