// elements.h -- the element types that files may have, and what holds them here.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "graph/types.h"

namespace rt::files {

/// A row a type. A type that the library does not have is widened to the next that it has, where
/// there is one.
struct Element {
  std::string_view safetensors;  ///< its name there, "" where that format has none
  std::string_view storage;      ///< PyTorch's class of storages of it, "" where there is none
  std::string_view torch;        ///< its name in PyTorch, "" where it has none
  int bits;
  std::optional<DType> held;                   ///< none: no type here holds it
  void (*widen)(void* out, int64_t elements);  ///< null: held as it is in the file
};

/// nullptr where there is none of that name.
const Element* find_by_safetensors(std::string_view name);
const Element* find_by_storage(std::string_view name);
const Element* find_by_torch(std::string_view name);
/// The type whose elements are just those of `dtype`.
const Element& element_of(DType dtype);

/// What holds an element; throws where nothing does.
DType held(const Element& element);

/// How elements in a file differ from the numbers that they stand for.
struct Disguise {
  bool big_endian = false;  ///< the highest byte of each comes first
  bool negated = false;     ///< each has the other sign; not of bools
};

/// Fills `out` with `elements` elements of the type that holds `element`. `read` puts the file's
/// bytes where it is told; their number must fit an int64_t, as must that of the bytes at `out`.
void read_elements(const Element& element, int64_t elements, void* out,
                   const std::function<void(void* to, int64_t bytes)>& read,
                   Disguise disguise = {});

}  // namespace rt::files
