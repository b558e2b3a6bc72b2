// safetensors.cpp -- reading and checking the header, and the elements on demand.
#include "files/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "graph/error.h"

namespace rt::files {
namespace {

using Json = nlohmann::json;
using Event = Json::parse_event_t;
using Tensor = Safetensors::Tensor;

constexpr int64_t kLengthSize = 8, kMostHeader = 100'000'000;  // the format's own limit
constexpr const char* kMetadata = "__metadata__";

/// Takes the header in while it is parsed, entry by entry, so that no tree of all of it is built.
class Header {
 public:
  explicit Header(int64_t data_size) : data_size_(data_size) {}

  /// What the parser comes by; `depth` counts the brackets that are open around it.
  bool operator()(int depth, Event event, Json& parsed);
  std::vector<Tensor> tensors;

 private:
  void take_key(int depth, std::string key);
  void take_entry(const Json& entry);
  Tensor tensor(const Json& entry) const;
  Shape sizes(const Json& shape) const;
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail("the tensor \"", name_, "\" ", parts...);
  }

  int64_t data_size_;
  std::string name_;  ///< of the entry that is open
  std::set<std::string> names_, fields_;
  size_t numbers_ = 0;  ///< in the list that is open
};

bool Header::operator()(int depth, Event event, Json& parsed) {
  constexpr int kEntry = 1, kField = 2, kItem = 3;
  constexpr size_t kMostDims = 64;
  switch (event) {
    case Event::object_start:
      if (depth > kEntry) fail("its header nests objects too deep, at \"", name_, '"');
      fields_.clear();
      break;
    case Event::array_start:
      if (depth > kField) fail("its header nests lists too deep, at \"", name_, '"');
      if (depth == kEntry) fail("its header has a list for the tensor \"", name_, '"');
      numbers_ = 0;
      break;
    case Event::key: take_key(depth, parsed.get<std::string>()); break;
    case Event::value:
      if (depth == kEntry) fail("its header has no object for the tensor \"", name_, '"');
      if (depth == kItem && ++numbers_ > kMostDims) refuse("has more than ", kMostDims, " sizes");
      break;
    case Event::object_end:
      if (depth != kEntry) break;
      take_entry(parsed);
      return false;
    case Event::array_end: break;
  }
  return true;
}

void Header::take_key(int depth, std::string key) {
  constexpr int kName = 1;
  if (depth == kName) name_ = key;
  if (!(depth == kName ? names_ : fields_).insert(key).second)
    fail("its header has \"", key, "\" twice");
}

void Header::take_entry(const Json& entry) {
  if (name_ != kMetadata) return tensors.push_back(tensor(entry));
  for (const Json& value : entry)
    if (!value.is_string()) fail("its header's ", kMetadata, " holds something else than texts");
}

Shape Header::sizes(const Json& shape) const {
  Shape sizes;
  for (const Json& size : shape) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX)
      refuse("has a size that is no number a size can be");
    sizes.push_back(size.get<int64_t>());
  }
  return sizes;
}

Tensor Header::tensor(const Json& entry) const {
  const auto field = [&](const char* field) -> const Json& {
    const auto found = entry.find(field);
    if (found == entry.end()) refuse("has no ", field);
    return *found;
  };
  const Json &dtype = field("dtype"), &shape = field("shape"), &offsets = field("data_offsets");
  if (!dtype.is_string()) refuse("has a dtype that is no text");
  const Element* element = find_by_safetensors(dtype.get_ref<const std::string&>());
  if (!element)
    refuse("has the dtype ", dtype.get_ref<const std::string&>(), ", which is not known");
  if (!shape.is_array()) refuse("has a shape that is no list");
  const auto is_offset = [](const Json& offset) { return offset.is_number_unsigned(); };
  if (!offsets.is_array() || offsets.size() != 2 || !std::ranges::all_of(offsets, is_offset))
    refuse("has data_offsets that are not two numbers");

  const uint64_t begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
  if (begin > end || end > static_cast<uint64_t>(data_size_))
    refuse("has the data_offsets ", begin, " and ", end, " in data of ", data_size_, " bytes");
  Tensor tensor{name_, element, sizes(shape), static_cast<int64_t>(begin),
                static_cast<int64_t>(end)};
  const auto count = checked_numel(tensor.sizes);
  int64_t bits;
  if (!count || __builtin_mul_overflow(*count, element->bits, &bits))
    refuse("has the shape ", to_string(tensor.sizes), ", more than any file can hold");
  if (bits % 8 != 0 || bits / 8 != tensor.end - tensor.begin)
    refuse("has ", tensor.end - tensor.begin, " bytes for the shape ", to_string(tensor.sizes),
           " of ", element->safetensors);
  return tensor;
}

}  // namespace

Safetensors::Safetensors(std::string path)
    : path_(std::move(path)), file_(naming(path_, [&] { return File(path_); })) {
  naming(path_, [&] {
    read_header();
    check_ranges();
  });
  for (const Tensor& tensor : tensors_) by_name_.emplace(tensor.name, &tensor);
}

void Safetensors::read_header() {
  if (file_.size() < kLengthSize)
    fail("has ", file_.size(), " bytes, which is too short for a safetensors file");
  uint64_t length;
  file_.read(0, &length, kLengthSize);
  const int64_t most = std::min(kMostHeader, file_.size() - kLengthSize);
  if (length > static_cast<uint64_t>(most))
    fail("says that its header has ", length, " bytes, where at most ", most,
         " can be; it is cut off, damaged or no safetensors file");
  std::string text(length, '\0');
  file_.read(kLengthSize, text.data(), static_cast<int64_t>(length));
  data_at_ = kLengthSize + static_cast<int64_t>(length);
  if (!text.starts_with('{')) fail("its header does not begin with {: it is no safetensors file");
  // The parser would take it for the end.
  if (text.find('\0') != std::string::npos) fail("its header is not JSON: it has a NUL in it");
  Header header(file_.size() - data_at_);
  try {
    const auto rest = Json::parse(text, std::ref(header));
  } catch (const Json::exception& error) {
    fail("its header is not well-formed JSON: ", std::string_view(error.what()));
  }
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
      fail("the data of the tensor \"", tensor.name, "\" begins at byte ", tensor.begin,
           tensor.begin < covered ? ", within the data of another, which ends at "
                                  : ", and the data before it ends at ",
           covered);
    covered = tensor.end;
  }
  if (const int64_t size = file_.size() - data_at_; covered != size)
    fail("has ", size, " bytes of data, of which its tensors take ", covered);
}

std::string Safetensors::names() const {
  std::string all;
  for (const Tensor& tensor : tensors_) {
    constexpr std::string_view kSeparators("\n\0", 2);
    if (tensor.name.empty() || tensor.name.find_first_of(kSeparators) != std::string::npos)
      fail(path_, ": its names cannot be listed: one is empty or has a newline in it");
    if (!all.empty()) all += '\n';
    all += tensor.name;
  }
  return all;
}

const Tensor& Safetensors::at(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end())
    fail(path_, ": has no tensor \"", name, "\" among its ", tensors_.size());
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
    Json header = Json::object();
    int64_t end = 0;
    std::vector<int64_t> bytes;
    for (const Stored& tensor : tensors) {
      bytes.push_back(numel(tensor.sizes) * item_size(tensor.dtype));
      const int64_t begin = std::exchange(end, end + bytes.back());
      header[tensor.name] = {{"dtype", element_of(tensor.dtype).safetensors},
                             {"shape", std::vector(tensor.sizes.begin(), tensor.sizes.end())},
                             {"data_offsets", {begin, end}}};
    }
    // Readers that map the file want the elements where their types may lie.
    std::string text = header.dump();
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
