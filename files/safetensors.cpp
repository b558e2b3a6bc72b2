// safetensors.cpp -- reads and checks the header; reads elements on demand; writes files.
#include "files/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "graph/dump/dump.h"
#include "graph/error.h"
#include "graph/printable.h"

namespace rt::files {
namespace {

using Json = nlohmann::json;
using Tensor = Safetensors::Tensor;

constexpr int64_t kLengthSize = 8, kMaxHeader = 100'000'000;  // the format's own limit
constexpr const char* kMetadata = "__metadata__";

/// Collects the tensors while the header is parsed, so that no tree of it is built. The parser of
/// nlohmann/json fixes the names of the public functions.
class Header {
 public:
  explicit Header(int64_t data_size) : data_size_(data_size) {}
  std::vector<Tensor> tensors;

  bool null() { return value(Kind::Null); }
  bool boolean(bool) { return value(Kind::Other); }
  bool number_integer(int64_t) { return value(Kind::Other); }
  bool number_unsigned(uint64_t number) { return value(Kind::Number, number); }
  bool number_float(double, const std::string&) { return value(Kind::Other); }
  bool string(std::string& text) { return value(Kind::Text, 0, text); }
  bool binary(Json::binary_t&) { return value(Kind::Other); }
  bool start_object(size_t) { return open(Kind::Object); }
  bool key(std::string& key);
  bool end_object() { return close(); }
  bool start_array(size_t) { return open(Kind::List); }
  bool end_array() { return close(); }
  bool parse_error(size_t, const std::string&, const Json::exception& error) {
    fail("its header is not well-formed JSON: ", printable(error.what()));
  }

 private:
  enum class Kind { Null, Number, Text, Object, List, Other };
  enum class In { Nothing, Header, Metadata, Entry, Shape, Offsets };
  enum Field { kDType, kShape, kOffsets, kFields, kUnknown = kFields };
  static constexpr std::string_view kNames[kFields] = {"dtype", "shape", "data_offsets"};

  bool value(Kind kind, uint64_t number = 0, std::string_view text = {});
  bool open(Kind kind);
  bool close();
  void check_kind(Kind kind) const;
  void take_dtype(std::string_view name);
  void add_tensor();
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail("the tensor \"", printable(name_), "\" ", parts...);
  }

  int64_t data_size_;
  In in_ = In::Nothing;
  int ignored_ = 0;  ///< open brackets in the value of an unknown field
  bool has_metadata_ = false;
  // The entry that is being read.
  std::string name_;
  Field field_ = kUnknown;
  bool has_[kFields] = {};
  const Element* element_ = nullptr;
  Shape sizes_;
  Small<uint64_t, 2> offsets_;
};

bool Header::key(std::string& key) {
  if (ignored_ > 0 || in_ == In::Metadata) return true;
  if (in_ == In::Header) {
    name_ = key;
    if (name_ == kMetadata && std::exchange(has_metadata_, true))
      fail("its header has \"", kMetadata, "\" twice");
    return true;
  }
  field_ = static_cast<Field>(std::ranges::find(kNames, key) - kNames);
  if (field_ != kUnknown && std::exchange(has_[field_], true)) refuse("has its ", key, " twice");
  return true;
}

/// Throws where a value of this kind is not allowed.
void Header::check_kind(Kind kind) const {
  switch (in_) {
    case In::Nothing: break;
    case In::Header:
      if (name_ == kMetadata) {
        if (kind != Kind::Object && kind != Kind::Null)
          fail("its header's ", kMetadata, " is no object");
      } else if (kind != Kind::Object) {
        fail("its header has ", kind == Kind::List ? "a list" : "no object", " for the tensor \"",
             printable(name_), '"');
      }
      break;
    case In::Metadata:
      if (kind != Kind::Text) fail("its header's ", kMetadata, " has a value that is not a string");
      break;
    case In::Entry:
      if (field_ == kDType && kind != Kind::Text) refuse("has a dtype that is not a string");
      if (field_ == kShape && kind != Kind::List) refuse("has a shape that is not a list");
      if (field_ == kOffsets && kind != Kind::List)
        refuse("has data_offsets that are not two numbers");
      break;
    case In::Shape:
      if (kind != Kind::Number) refuse("has a size that is not an integer from 0 to 2^63-1");
      break;
    case In::Offsets:
      if (kind != Kind::Number) refuse("has data_offsets that are not two numbers");
      break;
  }
}

bool Header::value(Kind kind, uint64_t number, std::string_view text) {
  constexpr uint32_t kMaxDims = 64;
  if (ignored_ > 0) return true;
  check_kind(kind);
  if (in_ == In::Entry && field_ == kDType) take_dtype(text);
  if (in_ == In::Offsets) {
    if (offsets_.size() == 2) refuse("has data_offsets that are not two numbers");
    offsets_.push_back(number);
  }
  if (in_ == In::Shape) {
    if (number > INT64_MAX) refuse("has a size that is not an integer from 0 to 2^63-1");
    if (sizes_.size() == kMaxDims) refuse("has more than ", kMaxDims, " sizes");
    sizes_.push_back(static_cast<int64_t>(number));
  }
  return true;
}

bool Header::open(Kind kind) {
  constexpr int kDeepest = 120;  // about the limit of the library safetensors
  if (ignored_ > 0 || (in_ == In::Entry && field_ == kUnknown)) {
    if (++ignored_ > kDeepest) refuse("has a field that nests more than ", kDeepest, " deep");
    return true;
  }
  check_kind(kind);
  switch (in_) {
    case In::Nothing: in_ = In::Header; break;
    case In::Header:
      in_ = name_ == kMetadata ? In::Metadata : In::Entry;
      std::ranges::fill(has_, false);
      sizes_.clear();
      offsets_.clear();
      break;
    default: in_ = field_ == kShape ? In::Shape : In::Offsets; break;
  }
  return true;
}

bool Header::close() {
  if (ignored_ > 0) {
    --ignored_;
    return true;
  }
  if (in_ == In::Entry) add_tensor();
  in_ = in_ == In::Shape || in_ == In::Offsets ? In::Entry : In::Header;
  return true;
}

void Header::take_dtype(std::string_view name) {
  element_ = find_by_safetensors(name);
  if (!element_) refuse("has the dtype ", printable(name), ", which is not known");
}

void Header::add_tensor() {
  for (int field = 0; field < kFields; ++field)
    if (!has_[field]) refuse("has no ", kNames[field]);
  if (offsets_.size() != 2) refuse("has data_offsets that are not two numbers");
  const uint64_t begin = offsets_[0], end = offsets_[1];
  if (begin > end || end > static_cast<uint64_t>(data_size_))
    refuse("has the data_offsets ", begin, " and ", end, " in data of ", data_size_, " bytes");
  const auto count = checked_numel(sizes_);
  int64_t bits;
  if (!count || __builtin_mul_overflow(*count, element_->bits, &bits))
    refuse("has the shape ", to_string(sizes_), ", more than any file can hold");
  const auto bytes = static_cast<int64_t>(end - begin);
  if (bits % 8 != 0 || bits / 8 != bytes)
    refuse("has ", bytes, " bytes for the shape ", to_string(sizes_), " of ",
           element_->safetensors);
  tensors.push_back(
      {name_, element_, sizes_, static_cast<int64_t>(begin), static_cast<int64_t>(end)});
}

}  // namespace

Safetensors::Safetensors(std::string path)
    : path_(std::move(path)), file_(naming(path_, [&] { return File(path_); })) {
  naming(path_, [&] {
    read_header();
    for (const Tensor& tensor : tensors_)
      if (!by_name_.emplace(tensor.name, &tensor).second)
        fail("its header has \"", printable(tensor.name), "\" twice");
    check_ranges();
  });
}

void Safetensors::read_header() {
  if (file_.size() < kLengthSize)
    fail("has ", file_.size(), " bytes, which is too short for a safetensors file");
  uint64_t length;
  file_.read(0, &length, kLengthSize);
  const int64_t most = std::min(kMaxHeader, file_.size() - kLengthSize);
  if (length > static_cast<uint64_t>(most))
    fail("says that its header has ", length, " bytes, and at most ", most,
         " are possible; it is cut off, damaged or not a safetensors file");
  std::string text(length, '\0');
  file_.read(kLengthSize, text.data(), static_cast<int64_t>(length));
  data_at_ = kLengthSize + static_cast<int64_t>(length);
  if (!text.starts_with('{')) fail("its header does not begin with {: it is no safetensors file");
  // The parser would take a NUL for the end of the text.
  if (text.find('\0') != std::string::npos) fail("its header is not JSON: it has a NUL in it");
  Header header(file_.size() - data_at_);
  Json::sax_parse(text, &header);
  tensors_ = std::move(header.tensors);
  const auto by_place = [](const Tensor& a, const Tensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  };
  std::ranges::sort(tensors_, by_place);
}

void Safetensors::check_ranges() const {
  int64_t covered = 0;
  for (const Tensor& tensor : tensors_) {
    if (tensor.begin != covered)
      fail("the data of the tensor \"", printable(tensor.name), "\" begins at byte ", tensor.begin,
           tensor.begin < covered ? ", within the data of another, which ends at "
                                  : ", and the data before it ends at ",
           covered);
    covered = tensor.end;
  }
  if (const int64_t size = file_.size() - data_at_; covered != size)
    fail("has ", size, " bytes of data, and its tensors have ", covered, "; they must be equal");
}

std::string Safetensors::names() const {
  std::string all;
  for (const Tensor& tensor : tensors_) {
    constexpr std::string_view kSeparators("\n\0", 2);
    if (tensor.name.empty() || tensor.name.find_first_of(kSeparators) != std::string::npos)
      naming(path_,
             [] { fail("its names cannot be listed: one is empty or has a newline in it"); });
    if (!all.empty()) all += '\n';
    all += tensor.name;
  }
  return all;
}

const Tensor& Safetensors::at(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end())
    naming(path_, [&] {
      fail("has no tensor \"", printable(name), "\"; rt_torch_safetensors_list_names lists its ",
           tensors_.size());
    });
  return *found->second;
}

DType Safetensors::dtype(const Tensor& tensor) const {
  return naming(path_, [&] { return held(*tensor.element); });
}

void Safetensors::read(const Tensor& tensor, void* out) const {
  naming(path_, [&] {
    file_.check_size();
    read_elements(*tensor.element, numel(tensor.sizes), out,
                  [&](void* to, int64_t bytes) { file_.read(data_at_ + tensor.begin, to, bytes); });
  });
}

void save_safetensors(const std::string& path, std::span<const Stored> tensors,
                      const std::function<const void*(size_t tensor)>& data) {
  naming(path, [&] {
    std::string text = "{";
    int64_t end = 0;
    std::vector<int64_t> bytes;
    for (const Stored& tensor : tensors) {
      bytes.push_back(numel(tensor.sizes) * item_size(tensor.dtype));
      const int64_t begin = std::exchange(end, end + bytes.back());
      if (text.size() > 1) text += ',';
      put_quoted(text, tensor.name);
      text += join(R"(:{"dtype":")", element_of(tensor.dtype).safetensors, R"(","shape":)",
                   to_string(tensor.sizes), R"(,"data_offsets":[)", begin, ',', end, "]}");
    }
    text += '}';
    // The header is padded so that readers that map the file find aligned elements.
    text.resize((text.size() + kLengthSize - 1) / kLengthSize * kLengthSize, ' ');
    const auto length = static_cast<uint64_t>(text.size());
    Replacement file(path);
    file.write(&length, kLengthSize);
    file.write(text.data(), std::ssize(text));
    for (size_t i = 0; i < tensors.size(); ++i) file.write(data(i), bytes[i]);
    file.replace();
  });
}

}  // namespace rt::files
