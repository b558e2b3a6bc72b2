// safetensors.h -- files in the format safetensors: a header in JSON, then the elements.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "files/elements.h"
#include "files/file.h"

namespace rt::files {

/// An open file. Its header has been checked: the ranges of its tensors cover the data without gap
/// or overlap, and each has the size that its shape and type need.
class Safetensors {
 public:
  struct Tensor {
    std::string name;
    const Element* element;
    Shape sizes;
    int64_t begin, end;  ///< bytes, counted from the end of the header
  };

  explicit Safetensors(std::string path);
  Safetensors(const Safetensors&) = delete;
  Safetensors& operator=(const Safetensors&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }  ///< in the order of their data
  /// All names, joined by newlines. Throws where a name is empty or holds a newline or a NUL.
  std::string names() const;
  /// The tensor of that name, owned by this object. Throws where there is none.
  const Tensor& at(std::string_view name) const;
  /// The dtype that holds the tensor's elements. Throws where none does.
  DType dtype(const Tensor& tensor) const;
  /// Writes the row-major elements to `out`, which has memory for all of them in dtype(tensor).
  void read(const Tensor& tensor, void* out) const;

 private:
  void read_header();
  void check_ranges() const;

  std::string path_;
  File file_;
  int64_t data_at_ = 0;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, const Tensor*> by_name_;
};

/// A tensor to be written.
struct Stored {
  std::string name;
  DType dtype;
  Shape sizes;
};

/// Writes the tensors. `data(i)` gives the row-major elements of tensor i, which must stay valid
/// until it is called again. An older file is replaced as a whole, or stays as it was when anything
/// fails. Does not wait for the disk.
void save_safetensors(const std::string& path, std::span<const Stored> tensors,
                      const std::function<const void*(size_t tensor)>& data);

}  // namespace rt::files
