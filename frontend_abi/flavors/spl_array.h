// spl_array.h -- lists and texts of the Simple runtime: numbers out of them, and new ones made.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "spl_torch.h"

namespace rt::spl {

/// A list that the host has passed: an SplArray, or a tagged word of a host that exports
/// rt_array_len and rt_array_get, which read it. NULL has no elements, nor has such a host's nil.
class List {
 public:
  /// Throws unless it is a list that can have so many elements, at most `most`.
  List(const char* name, const SplArray* array, int64_t most);
  size_t length() const { return length_; }
  /// All elements as numbers: integers, floats and bools are. Throws for others, and for a float
  /// that is no integer where one is needed, with the element's index.
  void read(int64_t* out) const;
  void read(double* out) const;

  /// Writes for a message what is known of a list that cannot be read.
  static void describe(std::string& text, const SplArray* array);

 private:
  template <class T>
  void read_as(T* out) const;
  const char* name_;
  const SplArray* array_;
  size_t length_ = 0;
};

/// A new list, a new text: made by the host where it exports what that takes, else of malloc.
/// nullptr when there is no memory.
SplArray* make_list(std::span<const int64_t> numbers) noexcept;
SplArray* make_list(std::span<const double> numbers) noexcept;
char* make_text(const char* text) noexcept;

}  // namespace rt::spl
