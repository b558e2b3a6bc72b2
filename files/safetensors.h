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

/// An open file. All that its header says has been checked: the ranges of its tensors cover the
/// data without gap or overlap, and each has the size that its shape and type need.
class Safetensors {
 public:
  struct Tensor {
    std::string name;
    const Element* element;
    Shape sizes;
    int64_t begin, end;  ///< bytes, from the end of the header on
  };

  explicit Safetensors(std::string path);
  Safetensors(const Safetensors&) = delete;
  Safetensors& operator=(const Safetensors&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }  ///< in the order of their data
  /// All names, joined by newline. Throws where one cannot be told from two.
  std::string names() const;
  /// Throws where there is none.
  const Tensor& at(std::string_view name) const;
  /// What holds the elements of the tensor; throws where nothing does.
  DType dtype(const Tensor& tensor) const;
  /// Reads the elements, row-major, into room for so many of that type.
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

/// Writes the tensors; `data` gives the row-major elements of one, good until it is asked for the
/// next. An older file is replaced all at once, or stays whole when anything fails; the disk is not
/// waited for.
void save_safetensors(const std::string& path, std::span<const Stored> tensors,
                      const std::function<const void*(size_t tensor)>& data);

}  // namespace rt::files
