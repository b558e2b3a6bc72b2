// copy.cpp -- copies between layouts and dtypes: by runs, or by tiles where a side runs crosswise.
#include "fallback_cpu/copy.h"

#include <cstring>
#include <utility>

#include "fallback_cpu/buffer.h"
#include "fallback_cpu/parallel.h"

namespace rt::cpu {
namespace {

struct Dim {
  int64_t size, out, in;  ///< strides in elements
};

/// Drops dimensions of size 1 and joins neighbours where the strides of both sides allow it.
Small<Dim, 8> joined(Sizes sizes, Sizes out, Sizes in) {
  Small<Dim, 8> dims;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Dim dim{sizes[i], out[i], in[i]};
    if (dim.size == 1) continue;
    if (!dims.empty() && dims.back().out == dim.out * dim.size &&
        dims.back().in == dim.in * dim.size)
      dims.back() = {dims.back().size * dim.size, dim.out, dim.in};
    else dims.push_back(dim);
  }
  return dims;
}

/// The two innermost loops.
struct Plane {
  Dim rows, columns;
  int64_t out_size, in_size;
  ConvertKernel convert;

  void run(char* out, const char* in) const {
    if (columns.out == 1 && columns.in != 1 && rows.in == 1) return turn(out, in);
    for (int64_t r = 0; r < rows.size; ++r)
      row(out + r * rows.out * out_size, in + r * rows.in * in_size);
  }

 private:
  void row(char* out, const char* in) const {
    if (columns.out == 1) return convert(columns.size, out, in, columns.in);
    for (int64_t i = 0; i < columns.size; ++i)
      convert(1, out + i * columns.out * out_size, in + i * columns.in * in_size, 1);
  }
  /// For a source that runs along the rows. Tiles let both sides read and write whole cache lines.
  void turn(char* out, const char* in) const {
    if (out_size == 8) turn_tiles<uint64_t>(out, in);
    else if (out_size == 4) turn_tiles<uint32_t>(out, in);
    else if (out_size == 2) turn_tiles<uint16_t>(out, in);
    else turn_tiles<uint8_t>(out, in);
  }
  template <class T>
  void turn_tiles(char* out, const char* in) const {
    constexpr int64_t kTile = 32;
    T line[kTile], tile[kTile][kTile];
    for (int64_t r = 0; r < rows.size; r += kTile) {
      const int64_t height = std::min(kTile, rows.size - r);
      for (int64_t c = 0; c < columns.size; c += kTile) {
        const int64_t width = std::min(kTile, columns.size - c);
        for (int64_t k = 0; k < width; ++k) {
          convert(height, line, in + (r + (c + k) * columns.in) * in_size, 1);
          for (int64_t i = 0; i < height; ++i) tile[i][k] = line[i];
        }
        for (int64_t i = 0; i < height; ++i)
          std::memcpy(out + ((r + i) * rows.out + c) * out_size, tile[i],
                      static_cast<size_t>(width) * sizeof(T));
      }
    }
  }
};

}  // namespace

void copy_elements(char* out, DType to, Sizes out_strides, ElementSource source, Sizes sizes,
                   const Team& team) {
  const int64_t count = numel(sizes);
  if (count == 0) return;
  Small<Dim, 8> dims = joined(sizes, out_strides, source.strides);
  Plane plane{{1, 0, 0},
              {1, 1, 1},
              item_size(to),
              item_size(source.dtype),
              convert_kernel(to, source.dtype)};
  if (!dims.empty()) {
    plane.columns = dims.back();
    dims.resize(dims.size() - 1);
  }
  if (dims.empty()) {  // one run is cut into rows, so that threads can share it
    constexpr int64_t kRun = kParallelFrom / 4;
    const int64_t n = plane.columns.size;
    const int64_t out_step = plane.columns.out * plane.out_size;
    const int64_t in_step = plane.columns.in * plane.in_size;
    for_ranges(n / kRun, kRun, team, [&](int64_t begin, int64_t end) {
      Plane part = plane;
      part.columns.size = (end - begin) * kRun;
      part.run(out + begin * kRun * out_step, source.data + begin * kRun * in_step);
    });
    const int64_t rest = n / kRun * kRun;
    plane.columns.size = n - rest;
    plane.run(out + rest * out_step, source.data + rest * in_step);
    return;
  }
  uint32_t inner = dims.size() - 1;  // the rows: the dimension along which the source runs, if any
  for (uint32_t i = 0; i < dims.size(); ++i)
    if (dims[i].in == 1) inner = i;
  const Dim rows = dims[inner];
  dims.erase(inner);
  int64_t outer = 1;
  for (const Dim& dim : dims) outer *= dim.size;
  constexpr int64_t kRows = 64;
  const int64_t strips = (rows.size + kRows - 1) / kRows;
  const int64_t cost = std::min(rows.size, kRows) * plane.columns.size;
  for_ranges(outer * strips, cost, team, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      int64_t rest = item / strips, to_offset = 0, from_offset = 0;
      for (uint32_t d = dims.size(); d-- > 0; rest /= dims[d].size) {
        to_offset += rest % dims[d].size * dims[d].out;
        from_offset += rest % dims[d].size * dims[d].in;
      }
      const int64_t first = item % strips * kRows;
      Plane part = plane;
      part.rows = {std::min(kRows, rows.size - first), rows.out, rows.in};
      part.run(out + (to_offset + first * rows.out) * plane.out_size,
               source.data + (from_offset + first * rows.in) * plane.in_size);
    }
  });
}

BufferRef contiguous(const BufferRef& buffer, MemoryCount& memory, const Team& team) {
  if (buffer->contiguous()) return buffer;
  BufferRef copy = allocate(buffer->dtype(), buffer->sizes(), memory);
  copy_elements(copy->data(), copy->dtype(), copy->strides(), source_of(*buffer), buffer->sizes(),
                team);
  return copy;
}

}  // namespace rt::cpu
