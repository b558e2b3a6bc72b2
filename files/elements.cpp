// elements.cpp -- the table of the element types of files, and the widening of narrow ones.
#include "files/elements.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "graph/error.h"

namespace rt::files {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

/// Converts in place. The narrow elements lie at the end of `out`, so that a wide element never
/// covers a narrow one that has not been read yet.
template <class Narrow, class Wide>
void widen(void* out, int64_t elements) {
  static_assert(sizeof(Narrow) <= sizeof(Wide));
  char* to = static_cast<char*>(out);
  const char* from = to + elements * static_cast<int64_t>(sizeof(Wide) - sizeof(Narrow));
  for (int64_t i = 0; i < elements; ++i, from += sizeof(Narrow), to += sizeof(Wide)) {
    Narrow narrow;
    std::memcpy(&narrow, from, sizeof(Narrow));
    const Wide wide = static_cast<Wide>(narrow);
    std::memcpy(to, &wide, sizeof(Wide));
  }
}

/// Any byte but 0 is true in a file; the library stores true as 1.
constexpr auto kToBool = widen<uint8_t, bool>;

constexpr Element kElements[] = {
    {"F32", "FloatStorage", "float32", 32, DType::F32, nullptr},
    {"F64", "DoubleStorage", "float64", 64, DType::F64, nullptr},
    {"I32", "IntStorage", "int32", 32, DType::I32, nullptr},
    {"I64", "LongStorage", "int64", 64, DType::I64, nullptr},
    {"BOOL", "BoolStorage", "bool", 8, DType::Bool, kToBool},
    {"F16", "HalfStorage", "float16", 16, DType::F16, nullptr},
    {"BF16", "BFloat16Storage", "bfloat16", 16, DType::BF16, nullptr},
    {"U8", "ByteStorage", "uint8", 8, DType::I32, widen<uint8_t, int32_t>},
    {"I8", "CharStorage", "int8", 8, DType::I32, widen<int8_t, int32_t>},
    {"I16", "ShortStorage", "int16", 16, DType::I32, widen<int16_t, int32_t>},
    {"U16", "UInt16Storage", "uint16", 16, DType::I32, widen<uint16_t, int32_t>},
    {"U32", "UInt32Storage", "uint32", 32, DType::I64, widen<uint32_t, int64_t>},
    {"U64", "UInt64Storage", "uint64", 64, {}, nullptr},
    {"", "ComplexHalfStorage", "complex32", 32, {}, nullptr},
    {"C64", "ComplexFloatStorage", "complex64", 64, {}, nullptr},
    {"", "ComplexDoubleStorage", "complex128", 128, {}, nullptr},
    {"F4", "", "", 4, {}, nullptr},
    {"F6_E2M3", "", "", 6, {}, nullptr},
    {"F6_E3M2", "", "", 6, {}, nullptr},
    {"F8_E4M3", "Float8_e4m3fnStorage", "float8_e4m3fn", 8, {}, nullptr},
    {"F8_E4M3FNUZ", "Float8_e4m3fnuzStorage", "float8_e4m3fnuz", 8, {}, nullptr},
    {"F8_E5M2", "Float8_e5m2Storage", "float8_e5m2", 8, {}, nullptr},
    {"F8_E5M2FNUZ", "Float8_e5m2fnuzStorage", "float8_e5m2fnuz", 8, {}, nullptr},
    {"F8_E8M0", "Float8_e8m0fnuStorage", "float8_e8m0fnu", 8, {}, nullptr},
};

constexpr bool opens_with_all_dtypes() {
  for (int i = 0; i < kDTypes; ++i)
    if (kElements[i].held != static_cast<DType>(i)) return false;
  return true;
}
static_assert(opens_with_all_dtypes(), "element_of() finds a dtype by its number");

const Element* find(std::string_view Element::*name, std::string_view wanted) {
  const auto found = std::ranges::find(kElements, wanted, name);
  return wanted.empty() || found == std::end(kElements) ? nullptr : found;
}

/// Undoes `disguise` in place, for `elements` elements at `at` in the file's form.
void unveil(const Element& element, char* at, int64_t elements, Disguise disguise) {
  if (!disguise.big_endian && !disguise.negated) return;
  const bool floating = is_float(held(element));
  const auto size = static_cast<size_t>(element.bits / 8);
  for (const char* end = at + elements * element.bits / 8; at != end; at += size) {
    if (disguise.big_endian) std::reverse(at, at + size);
    if (!disguise.negated) continue;
    uint64_t number = 0;
    std::memcpy(&number, at, size);
    number = floating ? number ^ uint64_t { 1 } << (element.bits - 1) : -number;
    std::memcpy(at, &number, size);
  }
}

}  // namespace

const Element* find_by_safetensors(std::string_view name) {
  return find(&Element::safetensors, name);
}
const Element* find_by_storage(std::string_view name) { return find(&Element::storage, name); }

const Element* find_by_torch(std::string_view name) { return find(&Element::torch, name); }

const Element& element_of(DType dtype) { return kElements[static_cast<size_t>(dtype)]; }

DType held(const Element& element) {
  if (element.held) return *element.held;
  fail("its elements are of the type ",
       element.safetensors.empty() ? element.storage : element.safetensors,
       ", which is not supported; convert the tensor before it is saved");
}

void read_elements(const Element& element, int64_t elements, void* out,
                   const std::function<void(void* to, int64_t bytes)>& read, Disguise disguise) {
  const int64_t bytes = elements * element.bits / 8;
  char* in_file = static_cast<char*>(out) + elements * item_size(held(element)) - bytes;
  read(in_file, bytes);
  unveil(element, in_file, elements, disguise);
  if (element.widen) element.widen(out, elements);
}

}  // namespace rt::files
