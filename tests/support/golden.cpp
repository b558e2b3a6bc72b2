// golden.cpp -- golden cases: JSON to calls, and comparisons of their results.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <utility>

#include "rt_torch.h"
#include "tests/support/call_by_name.h"
#include "tests/support/source_dir.h"

namespace rt_test {
namespace {

const std::filesystem::path kDataDir = std::filesystem::path(source_dir()) / "tests/golden";
constexpr int kMaxDims = 64;

// ---- The data ---------------------------------------------------------------

const std::map<std::string, int64_t> kDtypeCodes = {{"f32", 0},  {"f64", 1}, {"i32", 2}, {"i64", 3},
                                                    {"bool", 4}, {"f16", 5}, {"bf16", 6}};
constexpr bool is_float(int64_t dtype) { return dtype <= 1 || dtype >= 5; }

double to_double(const Json& number) {
  if (number.is_number()) return number.get<double>();
  const auto& attr = number.get_ref<const std::string&>();
  if (attr == "nan") return std::numeric_limits<double>::quiet_NaN();
  return attr == "inf" ? HUGE_VAL : -HUGE_VAL;
}

}  // namespace

// The value of a float element; f32 is stored as double, so that one comparison serves both dtypes.
double element(const Contents& tensor, size_t i) {
  return std::bit_cast<double>(tensor.attributes[i]);
}

Contents expected_tensor(const Json& json) {
  Contents tensor{kDtypeCodes.at(json["dtype"]), json["shape"], {}};
  for (const Json& number : json.value("data", Json::array())) {
    double value = is_float(tensor.dtype) ? to_double(number) : 0;
    if (tensor.dtype == 0) value = static_cast<float>(value);
    tensor.attributes.push_back(is_float(tensor.dtype)
                                    ? std::bit_cast<uint64_t>(value)
                                    : static_cast<uint64_t>(number.get<int64_t>()));
  }
  return tensor;
}

std::vector<Json> golden_file(const std::string& name) {
  return Json::parse(std::ifstream(kDataDir / (name + ".json")));
}

const std::map<std::string, std::vector<Json>>& golden_cases() {
  static const auto all = [] {
    std::map<std::string, std::vector<Json>> by_symbol;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(kDataDir, none)) {
      if (entry.path().extension() != ".json") continue;
      for (Json& one : Json::parse(std::ifstream(entry.path())))
        by_symbol[one["symbol"]].push_back(std::move(one));
    }
    return by_symbol;
  }();
  return all;
}

// ---- One case ---------------------------------------------------------------

int64_t Owner::keep(int64_t handle) {
  if (handle > 0) handles_.push_back(handle);
  return handle;
}

void Owner::release(int64_t kept) {
  const auto is_kept = [=](int64_t handle) { return handle == kept; };
  const auto end = std::stable_partition(handles_.begin(), handles_.end(), is_kept);
  std::for_each(end, handles_.end(), rt_torch_torchtensor_free);
  handles_.erase(end, handles_.end());
}

namespace {

int64_t make_view(int64_t base, const Json& view) {
  const std::string name = view[0];
  Call call;
  call.add(base);
  if (name == "permute") {
    std::vector<int64_t> dims(view.begin() + 1, view.end());
    const auto length = static_cast<int64_t>(dims.size());
    call.add_list(std::move(dims));
    call.add(length);
  } else {
    for (size_t at = 1; at < view.size(); ++at) call.add(view[at].get<int64_t>());
  }
  return call.to("rt_torch_torchtensor_" + name, 'i').integer;
}

}  // namespace

Handles make_tensor(const Json& json, Owner& owner) {
  const std::vector<int64_t> shape = json["shape"];
  const auto ndim = static_cast<int64_t>(shape.size());
  const int64_t dtype = kDtypeCodes.at(json["dtype"]);
  int64_t handle = 0;
  if (dtype == 3) {  // the loader's doubles cannot represent every i64
    const std::vector<int64_t> data = json["data"];
    handle = rt_torch_tensor_from_i64_data(data.data(), static_cast<int64_t>(data.size()),
                                           shape.data(), ndim);
  } else {
    std::vector<double> data;
    for (const Json& number : json["data"]) data.push_back(to_double(number));
    handle = rt_torch_tensor(data.data(), static_cast<int64_t>(data.size()), shape.data(), ndim,
                             dtype, 0);
  }
  Handles made = {owner.keep(handle)};
  for (const Json& view : json.value("views", Json::array()))
    made.push_back(handle = owner.keep(make_view(handle, view)));
  if (handle <= 0) throw std::runtime_error("an operand was refused: " + json.dump());
  return made;
}

Handles add_argument(Call& call, const Json& argument, Owner& owner, const Names& names) {
  const std::string kind = argument.begin().key();
  const Json& value = argument.begin().value();
  if (kind == "tensor") {
    Handles made = make_tensor(value, owner);
    call.add(made.back());
    return made;
  }
  if (kind == "value") call.add(names.at(value));
  else if (kind == "none") call.add(int64_t{0});
  else if (kind == "int") call.add(value.get<int64_t>());
  else if (kind == "flag") call.add(int64_t{value.get<bool>()});
  else if (kind == "float") call.add(to_double(value));
  else if (kind == "text") call.add_text(value.get<std::string>());
  else if (kind == "words") call.add_list(value.get<std::vector<int64_t>>());
  else if (kind == "floats") {
    std::vector<double> list;
    for (const Json& number : value) list.push_back(to_double(number));
    call.add_list(std::move(list));
    call.add(static_cast<int64_t>(value.size()));
  } else {
    std::vector<int64_t> list;
    for (const Json& item : value)
      list.push_back(kind == "tensors"  ? make_tensor(item, owner).back()
                     : kind == "values" ? names.at(item)
                                        : item.get<int64_t>());
    call.add_list(std::move(list));
    call.add(static_cast<int64_t>(value.size()));
  }
  return {};
}

namespace {

// An operand, or its result after the first `of` of its view calls, seen through further views.
int64_t make_looked_at(const Json& look, const std::vector<Handles>& made, Owner& owner) {
  const Handles& steps = made.at(look["arg"].get<size_t>());
  int64_t handle = steps.at(look.value("of", steps.size() - 1));
  for (const Json& view : look.value("views", Json::array()))
    handle = owner.keep(make_view(handle, view));
  return handle;
}

}  // namespace

bool read_tensor(int64_t handle, ReadOrder order, Contents& tensor) {
  tensor.dtype = rt_torch_torchtensor_dtype(handle);
  const auto read_shape = [&] {
    tensor.shape.resize(kMaxDims);
    const int64_t ndim = rt_torch_torchtensor_shape(handle, tensor.shape.data(), kMaxDims);
    tensor.shape.resize(static_cast<size_t>(std::max<int64_t>(ndim, 0)));
    return ndim >= 0;
  };
  const auto read_data = [&] {
    const bool real = is_float(tensor.dtype);
    std::vector<uint64_t> attributes(4096);
    const auto capacity = static_cast<int64_t>(attributes.size());
    const int64_t count = rt_torch_copy_data(handle, attributes.data(), capacity, real ? 1 : 3);
    attributes.resize(static_cast<size_t>(std::max<int64_t>(count, 0)));
    tensor.attributes = std::move(attributes);
    return count >= 0;
  };
  return order == ReadOrder::DataFirst ? read_data() && read_shape() : read_shape() && read_data();
}

void Run::record() {
  if (one_.contains("seed")) rt_torch_manual_seed(one_["seed"].get<int64_t>());
  for (const Json& earlier : one_.value("before", Json::array())) {
    Call call;
    for (const Json& argument : earlier["args"]) add_argument(call, argument, operands_);
    results_.keep(call.to(earlier["symbol"], 'i').integer);
  }
  Call call;
  std::vector<Handles> made;
  for (const Json& argument : one_["args"]) made.push_back(add_argument(call, argument, operands_));
  for (const Json& look : one_.value("after", Json::array()))
    looked_at_.push_back(make_looked_at(look, made, operands_));
  const std::string returns = expect_.value("returns", returned_kind());
  const bool lists = returns == "ints" || returns == "handles";
  if (lists) {
    call.add_list(std::vector<int64_t>(kMaxDims), 'O');
    call.add(int64_t{kMaxDims});
  }
  rt_torch_clear_error();
  const Reply reply = call.to(one_["symbol"], returns == "double" ? 'd' : 'i');
  outcome_.error = rt_torch_last_error();
  outcome_.real = reply.real;
  if (lists && reply.integer >= 0) {
    auto& out = call.int_lists.back();
    out.resize(static_cast<size_t>(std::min<int64_t>(reply.integer, kMaxDims)));
    (returns == "ints" ? outcome_.integers : values_) = out;
  } else if (returns == "int") {
    outcome_.integers = {reply.integer};
  } else if (returns == "handle" && reply.integer > 0) {
    values_ = {reply.integer};
  }
  for (const int64_t value : values_) results_.keep(value);
  const bool is_handle = returns == "handle";
  outcome_.failed = returns == "double" ? std::isnan(reply.real) && !outcome_.error.empty()
                                        : reply.integer == (is_handle ? 0 : -1);
}

void Run::drop_operands() {
  if (looked_at_.empty()) operands_.release();
}

void Run::read(ReadOrder order) {
  for (const int64_t value : values_) {
    rt_torch_clear_error();
    Contents& tensor = outcome_.tensors.emplace_back();
    if (!read_tensor(value, order, tensor)) outcome_.failed = outcome_.failed_late = true;
    if (outcome_.error.empty()) outcome_.error = rt_torch_last_error();
  }
  if (outcome_.failed) outcome_.tensors.clear();
  for (const int64_t handle : looked_at_)
    EXPECT_TRUE(read_tensor(handle, order, outcome_.after.emplace_back())) << rt_torch_last_error();
}

void Run::release() {
  operands_.release();
  results_.release();
}

std::string Run::returned_kind() const {
  for (const char* kind : {"double", "int", "ints", "handles"})
    if (expect_.contains(kind)) return kind;
  return "handle";
}

// ---- Comparing --------------------------------------------------------------

Tolerance default_tolerance(int64_t dtype) {
  switch (dtype) {
    case 0: return {1.3e-6, 1e-5};
    case 5: return {1e-3, 1e-5};
    case 6: return {1.6e-2, 1e-5};
    default: return {1e-7, 1e-7};
  }
}

bool close(double got, double want, Tolerance tolerance) {
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  if (std::isinf(want) || std::isinf(got)) return got == want;
  return std::abs(got - want) <= tolerance.absolute + tolerance.relative * std::abs(want);
}

namespace {

// Sorts each row of the last dimension, for results that are unordered lists.
void sort_rows(Contents& tensor) {
  const auto size = static_cast<ptrdiff_t>(tensor.shape.back());
  for (auto row = tensor.attributes.begin(); size > 0 && row != tensor.attributes.end();
       row += size)
    std::sort(row, row + size, [](uint64_t a, uint64_t b) {
      return std::bit_cast<double>(a) < std::bit_cast<double>(b);
    });
}

// For columns with free signs: gives each the sign that its largest element has in `want`.
void align_columns(Contents& tensor, const Contents& want) {
  const size_t columns = static_cast<size_t>(want.shape.back());
  const size_t rows = static_cast<size_t>(want.shape[want.shape.size() - 2]);
  for (size_t matrix = 0; matrix < want.attributes.size(); matrix += rows * columns)
    for (size_t column = matrix; column < matrix + columns; ++column) {
      size_t largest = column;
      for (size_t row = 0; row < rows; ++row)
        if (const size_t at = column + row * columns;
            std::abs(element(want, at)) > std::abs(element(want, largest)))
          largest = at;
      if (std::signbit(element(tensor, largest)) == std::signbit(element(want, largest))) continue;
      for (size_t row = 0; row < rows; ++row)
        tensor.attributes[column + row * columns] =
            std::bit_cast<uint64_t>(-element(tensor, column + row * columns));
    }
}

std::string shape_text(const Contents& tensor) { return Json(tensor.shape).dump(); }

void compare(Contents got, const Json& expect) {
  Contents want = expected_tensor(expect);
  EXPECT_EQ(got.dtype, want.dtype);
  ASSERT_EQ(shape_text(got), shape_text(want));
  if (!expect.contains("data")) return;
  ASSERT_EQ(got.attributes.size(), want.attributes.size());
  const std::string how = expect.value("compare", "");
  if (how == "sorted") {
    sort_rows(got);
    sort_rows(want);
  } else if (how == "columns" && !want.attributes.empty()) {
    align_columns(got, want);
  }
  for (size_t at = 0; at < want.attributes.size(); ++at) {
    if (!is_float(want.dtype)) {
      ASSERT_EQ(static_cast<int64_t>(got.attributes[at]), static_cast<int64_t>(want.attributes[at]))
          << "element " << at;
      continue;
    }
    const double g = element(got, at), w = element(want, at);
    ASSERT_TRUE(close(g, w, default_tolerance(want.dtype)))
        << "element " << at << ": " << g << " for " << w;
    if (expect.contains("signed_zero") && w == 0) {
      ASSERT_EQ(std::signbit(g), std::signbit(w)) << "element " << at << ": the zero's sign";
    }
  }
}

bool same_bits(double left, double right) {
  return (std::isnan(left) && std::isnan(right)) ||
         std::bit_cast<uint64_t>(left) == std::bit_cast<uint64_t>(right);
}

bool same(const Contents& left, const Contents& right) {
  if (left.dtype != right.dtype || left.shape != right.shape) return false;
  if (left.attributes.size() != right.attributes.size()) return false;
  if (!is_float(left.dtype)) return left.attributes == right.attributes;
  for (size_t at = 0; at < left.attributes.size(); ++at)
    if (!same_bits(element(left, at), element(right, at))) return false;
  return true;
}

}  // namespace

void compare(const Outcome& got, const Json& one) {
  const Json looks = one.value("after", Json::array());
  ASSERT_EQ(got.after.size(), looks.size());
  for (size_t at = 0; at < looks.size(); ++at) {
    SCOPED_TRACE("looked at afterwards: " + std::to_string(at));
    compare(got.after[at], looks[at]);
  }
  const Json& expect = one["expect"];
  if (expect.contains("error")) {
    EXPECT_TRUE(got.failed) << "PyTorch raises";
    if (expect["error"] == "call") {
      EXPECT_FALSE(got.failed_late) << "known when recorded, told when read";
    }
    const std::string symbol = one["symbol"], original = one.value("same_as", symbol);
    EXPECT_TRUE(got.error.starts_with(symbol + "(") || got.error.starts_with(original + "("))
        << "the message: '" << got.error << "'";
    return;
  }
  ASSERT_FALSE(got.failed) << got.error;
  EXPECT_EQ(got.error, "");
  if (expect.contains("double")) {
    const int64_t dtype = kDtypeCodes.at(expect["dtype"]);
    const double want = to_double(expect["double"]);
    EXPECT_TRUE(close(got.real, want, default_tolerance(is_float(dtype) ? dtype : 1)))
        << got.real << " for " << want;
    if (dtype == 0 && !std::isnan(want)) {
      EXPECT_EQ(got.real, static_cast<double>(static_cast<float>(got.real))) << "not an f32";
    }
  } else if (expect.contains("int")) {
    EXPECT_EQ(Json(got.integers), Json::array({expect["int"]}));
  } else if (expect.contains("ints")) {
    EXPECT_EQ(Json(got.integers), expect["ints"]);
  } else if (expect.contains("handles")) {
    ASSERT_EQ(got.tensors.size(), expect["handles"].size());
    for (size_t at = 0; at < got.tensors.size(); ++at)
      compare(got.tensors[at], expect["handles"][at]);
  } else {
    ASSERT_EQ(got.tensors.size(), 1U);
    compare(got.tensors[0], expect);
  }
}

bool same(const Outcome& left, const Outcome& right) {
  const auto all_same = [](const std::vector<Contents>& a, const std::vector<Contents>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Contents& x, const Contents& y) { return same(x, y); });
  };
  return left.failed == right.failed && same_bits(left.real, right.real) &&
         left.integers == right.integers && all_same(left.tensors, right.tensors) &&
         all_same(left.after, right.after);
}

}  // namespace rt_test
