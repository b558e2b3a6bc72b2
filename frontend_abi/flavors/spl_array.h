// spl_array.h -- reads and creates lists and texts of the Simple runtime.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "spl_torch.h"

namespace rt::spl {

/// A list from the host: an SplArray, or a tagged word where the host exports rt_array_len and
/// rt_array_get, which read it. NULL is empty, and so is the nil of tagged words.
class List {
 public:
  /// Throws unless `array` is a list of at most `most` elements.
  List(const char* name, const SplArray* array, int64_t most);
  size_t length() const { return length_; }
  /// Copies all elements to `out`: integers, floats and bools. Throws with the index of an element
  /// that is none of these, or that is no integer where one is needed.
  void read(int64_t* out) const;
  void read(double* out) const;

  /// Writes into a message what is known of a list that cannot be read.
  static void describe(std::string& text, const SplArray* array);

 private:
  template <class T>
  void read_as(T* out) const;
  const char* name_;
  const SplArray* array_;
  size_t length_ = 0;
};

/// A new list or text, from the host's functions where it exports them, else from malloc. nullptr
/// when there is no memory.
SplArray* make_list(std::span<const int64_t> numbers) noexcept;
SplArray* make_list(std::span<const double> numbers) noexcept;
char* make_text(const char* text) noexcept;

}  // namespace rt::spl
