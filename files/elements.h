// elements.h -- the element types of files, and the dtypes that hold them.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "graph/types.h"

namespace rt::files {

/// One row per type. A type that the library lacks is held in the next wider dtype, if any.
struct Element {
  std::string_view safetensors;  ///< name in safetensors; "" where that format lacks it
  std::string_view storage;      ///< name of PyTorch's storage class; "" where it has none
  std::string_view torch;        ///< name of PyTorch's dtype; "" where it has none
  int bits;
  std::optional<DType> held;                   ///< empty: no dtype holds it
  void (*widen)(void* out, int64_t elements);  ///< null: held as it is in the file
};

/// Each finds the type that has the name `name`; nullptr where none has it.
const Element* find_by_safetensors(std::string_view name);
const Element* find_by_storage(std::string_view name);
const Element* find_by_torch(std::string_view name);
/// The type whose elements are exactly those of `dtype`.
const Element& element_of(DType dtype);

/// The dtype that holds elements of this type. Throws Error where none does.
DType held(const Element& element);

/// The difference between elements in a file and the numbers that they stand for.
struct Disguise {
  bool big_endian = false;  ///< each element has its highest byte first
  bool negated = false;     ///< each element has the opposite sign; never set for bools
};

/// Fills `out` with `elements` elements of the dtype held(element), which throws where there is
/// none. `read` copies `bytes` bytes of the file to `to`. The sizes in bytes, in the file and at
/// `out`, must fit an int64_t.
void read_elements(const Element& element, int64_t elements, void* out,
                   const std::function<void(void* to, int64_t bytes)>& read,
                   Disguise disguise = {});

}  // namespace rt::files
