// infer_shapes.cpp -- shape rules of elementwise, creation, view and picking rows.
#include <algorithm>
#include <bit>
#include <cmath>

#include "graph/error.h"
#include "graph/ops/infer.h"

namespace rt {

int64_t wrapped_dim(int64_t dim, size_t rank) {
  const auto range = static_cast<int64_t>(rank == 0 ? 1 : rank);
  if (dim < -range || dim >= range)
    fail("dim ", dim, " is out of range; a tensor of ", rank, " dimensions takes ", -range, " to ",
         range - 1);
  return dim < 0 ? dim + range : dim;
}

Shape broadcast_sizes(std::span<const TensorType> operands) {
  Shape result;
  for (const TensorType& type : operands) {
    if (type.none) continue;
    while (result.size() < type.sizes.size()) result.insert(0, 1);
    const auto shift = result.size() - static_cast<uint32_t>(type.sizes.size());
    for (uint32_t i = 0; i < type.sizes.size(); ++i) {
      int64_t& to = result[shift + i];
      const int64_t size = type.sizes[i];
      if (to == 1) to = size;
      else if (size != 1 && size != to)
        fail("sizes ", to_string(operands[0].sizes), " and ", to_string(type.sizes),
             " do not broadcast: ", to, " and ", size, " at dimension ", shift + i,
             "; they must be equal or one of them 1");
    }
  }
  return result;
}

namespace shape {
namespace {

/// Replaces the one -1 in `wanted`, and checks the sizes against the number of elements.
Shape resized(Sizes from, Sizes wanted) {
  Shape result(wanted);
  const int64_t count = numel(from);
  int64_t known = 1, unknown = -1;
  for (uint32_t i = 0; i < result.size(); ++i) {
    if (result[i] == -1) {
      if (unknown >= 0)
        fail("sizes ", to_string(wanted), " have more than one -1; give all sizes but one");
      unknown = i;
    } else if (result[i] < 0) {
      fail("size ", result[i], " at dimension ", i, " of ", to_string(wanted),
           " is negative; a size is at least 0, or -1 for the one that follows from the others");
    } else if (__builtin_mul_overflow(known, result[i], &known)) {
      fail("the product of the sizes ", to_string(wanted), " overflows 64 bits; use smaller sizes");
    }
  }
  if (unknown >= 0) {
    if (known == 0 && count == 0)
      fail("the -1 in ", to_string(wanted),
           " could be any size, because self has no elements; give that size");
    if (known == 0 || count % known != 0)
      fail("self has ", count, " elements, and no size for the -1 in ", to_string(wanted),
           " gives as many");
    result[static_cast<uint32_t>(unknown)] = count / known;
  } else if (known != count) {
    fail("self ", to_string(from), " has ", count, " elements and ", to_string(wanted), " has ",
         known, "; they must be equal");
  }
  return result;
}

/// The number of values from start to end by step, for finite doubles.
int64_t range_length(double start, double end, double step) {
  if (step == 0 || std::isnan(step))
    fail("step is ", to_string(step), "; it must be a number other than 0");
  if (!std::isfinite(start) || !std::isfinite(end))
    fail("the range from ", to_string(start), " to ", to_string(end),
         " is not finite; start and end must be finite");
  if ((step > 0) != (end >= start) && end != start)
    fail("step ", to_string(step), " leads from start ", to_string(start), " away from end ",
         to_string(end), "; change its sign");
  const double length = std::ceil((end - start) / step);
  if (!(length < 9.2e18)) fail("the range has more than 2^63 values; use a larger step");
  return static_cast<int64_t>(length);
}

__extension__ using Wide = __int128;  // differences of int64_t

/// Throws unless the strides select elements of `self` alone.
void check_strided(Sizes self, Sizes sizes, Sizes strides, int64_t offset) {
  if (sizes.size() != strides.size())
    fail("stride has ", strides.size(), " numbers and size has ", sizes.size(),
         "; they must have as many");
  Wide last = offset;
  bool sound = offset >= 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    sound = sound && strides[d] >= 0 && sizes[d] >= 0;
    last += Wide{sizes[d] - 1} * strides[d];
  }
  if (!sound || (numel(sizes) > 0 && last >= numel(self)))
    fail("size ", to_string(sizes), " with stride ", to_string(strides), " from ", offset,
         " reaches outside of ", to_string(self));
}

bool is_index(DType dtype) { return dtype == DType::I64 || dtype == DType::I32; }

}  // namespace

void same(Inference& call) { call.shape.assign(call.operand(0).sizes); }

void equal(Inference& call) {
  same(call);
  uint32_t at = 0;
  for (const Param& param : call.row.params) {
    if (param.kind != Kind::Tensor) continue;
    if (const Sizes sizes = call.operand(at++).sizes; !std::ranges::equal(Sizes(call.shape), sizes))
      fail(call.row.params[0].name, " is ", to_string(call.shape), " and ", param.name, " is ",
           to_string(sizes), "; they must be equal");
  }
}

void equal_along_dim(Inference& call) {
  along_dim(call);
  equal(call);
}

void same_second(Inference& call) { call.shape.assign(call.operand(1).sizes); }
void broadcast(Inference& call) {
  const Sizes first = call.operand(0).sizes;
  const bool equal = std::ranges::all_of(call.operands, [first](const TensorType& type) {
    return std::ranges::equal(first, type.sizes);
  });
  if (equal) call.shape.assign(first);
  else call.shape = broadcast_sizes(call.operands);
}

void sizes(Inference& call) {
  for (uint32_t i = 0; i < call.shape.size(); ++i)
    if (call.shape[i] < 0)
      fail("size ", call.shape[i], " at dimension ", i, " of ", to_string(call.shape),
           " is negative; it must be at least 0");
}

void arange(Inference& call) {
  const auto bits = [&](uint32_t i) { return std::bit_cast<double>(call.attributes[i]); };
  call.shape = {range_length(bits(0), bits(1), bits(2))};
}

void arange_int(Inference& call) {
  const Wide start = call.attributes[0], end = call.attributes[1], step = call.attributes[2];
  if (step == 0) fail("step is 0; it must be a number other than 0");
  if (start != end && (step > 0) != (end > start))
    fail("step ", call.attributes[2], " leads from start ", call.attributes[0], " away from end ",
         call.attributes[1], "; change its sign");
  const Wide length = (end - start + step - (step > 0 ? 1 : -1)) / step;
  if (length > INT64_MAX) fail("the range has more than 2^63 values; use a larger step");
  call.shape = {static_cast<int64_t>(length)};
}

void linspace(Inference& call) {
  const int64_t steps = call.attr().integer(0);
  if (steps < 0) fail("steps is ", steps, "; it must not be negative");
  call.shape = {steps};
}

void eye(Inference& call) {
  const int64_t n = call.attr().integer(0);
  if (n < 0) fail("n is ", n, "; it must not be negative");
  call.shape = {n, n};
}

void along_dim(Inference& call) {
  same(call);
  int64_t& dim = call.attr().integer(0);
  dim = wrapped_dim(dim, call.shape.size());
}

void reshape(Inference& call) { call.shape = resized(call.operand(0).sizes, call.shape); }

void transpose(Inference& call) {
  same(call);
  const auto attributes = call.attr();
  for (uint32_t i = 0; i < 2; ++i)
    attributes.integer(i) = wrapped_dim(attributes.integer(i), call.shape.size());
  if (!call.shape.empty())
    std::swap(call.shape[static_cast<uint32_t>(attributes.integer(0))],
              call.shape[static_cast<uint32_t>(attributes.integer(1))]);
}

void t(Inference& call) {
  same(call);
  if (call.shape.size() > 2)
    fail("self has ", call.shape.size(),
         " dimensions and t takes at most 2; use transpose or permute");
  if (call.shape.size() == 2) std::swap(call.shape[0], call.shape[1]);
}

void permute(Inference& call) {
  const Sizes from = call.operand(0).sizes;
  const auto dims = call.attr().list(0);
  if (dims.size() != from.size())
    fail("dims names ", dims.size(), " dimensions and self has ", from.size(), "; name each once");
  uint64_t seen = 0;
  call.shape.clear();
  for (int64_t& dim : dims) {
    dim = wrapped_dim(dim, from.size());
    if (seen >> dim & 1) fail("dims names dimension ", dim, " twice; name each once");
    seen |= uint64_t{1} << dim;
    call.shape.push_back(from[static_cast<size_t>(dim)]);
  }
}

void squeeze(Inference& call) {
  call.shape.clear();
  for (int64_t size : call.operand(0).sizes)
    if (size != 1) call.shape.push_back(size);
}

void squeeze_dim(Inference& call) {
  along_dim(call);
  const auto dim = static_cast<uint32_t>(call.attr().integer(0));
  if (dim < call.shape.size() && call.shape[dim] == 1) call.shape.erase(dim);
}

void unsqueeze(Inference& call) {
  same(call);
  int64_t& dim = call.attr().integer(0);
  dim = wrapped_dim(dim, call.shape.size() + 1);
  call.shape.insert(static_cast<uint32_t>(dim), 1);
}

void flatten(Inference& call) { call.shape = {numel(call.operand(0).sizes)}; }

void slice(Inference& call) {
  along_dim(call);
  if (call.shape.empty()) fail("a 0-d tensor cannot be sliced; reshape it to [1] first");
  const auto attributes = call.attr();
  const int64_t step = attributes.integer(1);
  if (step <= 0) fail("step is ", step, "; it must be at least 1");
  int64_t& size = call.shape[static_cast<uint32_t>(attributes.integer(0))];
  int64_t &start = attributes.scalar(0), &end = attributes.scalar(1);
  for (int64_t* bound : {&start, &end}) {
    if (*bound < 0) *bound += size;
    *bound = std::clamp<int64_t>(*bound, 0, size);
  }
  end = std::max(end, start);
  size = (end - start) / step + ((end - start) % step != 0);
}

void slice_backward(Inference& call) {
  sizes(call);
  const Shape input = call.shape;
  const Sizes grad = call.operand(0).sizes;
  const TensorType whole{.dtype = call.operand(0).dtype, .device = {}, .sizes = input};
  Inference forward{call.row, {&whole, 1}, call.attributes, call.shape, call.dtype, call.device};
  slice(forward);
  if (!std::ranges::equal(Sizes(call.shape), grad))
    fail("grad_output is ", to_string(grad), " and the slice of ", to_string(input), " is ",
         to_string(call.shape));
  call.shape = input;
}

void expand(Inference& call) {
  sizes(call);
  const Sizes self = call.operand(0).sizes;
  const size_t missing = call.shape.size() < self.size() ? 0 : call.shape.size() - self.size();
  bool fits = call.shape.size() >= self.size();
  for (size_t d = 0; fits && d < self.size(); ++d)
    fits = self[d] == 1 || self[d] == call.shape[static_cast<uint32_t>(missing + d)];
  if (!fits)
    fail("self is ", to_string(self), ", which does not broadcast to ", to_string(call.shape));
}

void as_strided(Inference& call) {
  check_strided(call.operand(0).sizes, call.shape, call.attr().list(0), call.attr().integer(0));
}

void as_strided_scatter(Inference& call) {
  const auto sizes = call.attr().list(0);
  check_strided(call.operand(0).sizes, sizes, call.attr().list(1), call.attr().integer(0));
  if (!std::ranges::equal(sizes, call.operand(1).sizes))
    fail("src is ", to_string(call.operand(1).sizes), "; it must be ", to_string(sizes),
         ", the sizes of the part of self that it replaces");
  same(call);
}

void index_select(Inference& call) {
  along_dim(call);
  const TensorType& index = call.operand(1);
  if (index.sizes.size() > 1) fail("index has ", index.sizes.size(), " dimensions; it must be 1-D");
  if (!is_index(index.dtype)) fail("index is ", name(index.dtype), "; it must be i64 or i32");
  const int64_t count = numel(index.sizes);
  if (call.shape.empty()) {
    if (count != 1) fail("index has ", count, " elements; a 0-d tensor takes one");
    return;
  }
  int64_t& size = call.shape[static_cast<uint32_t>(call.attr().integer(0))];
  if (size == 0 && count > 0)
    fail("index has ", count, " elements and dimension ", call.attr().integer(0), " of ",
         to_string(call.operand(0).sizes), " is empty; index must be empty too");
  size = count;
}

void gather(Inference& call) {
  along_dim(call);
  const TensorType &self = call.operand(0), &index = call.operand(1);
  if (!is_index(index.dtype)) fail("index is ", name(index.dtype), "; it must be i64 or i32");
  call.shape.assign(index.sizes);
  if (numel(index.sizes) == 0) return;
  const auto rank = [](const TensorType& type) { return std::max<size_t>(type.sizes.size(), 1); };
  if (rank(self) != rank(index))
    fail("index has ", index.sizes.size(), " dimensions and self has ", self.sizes.size(),
         "; they must have as many");
  for (size_t i = 0; i < std::min(self.sizes.size(), index.sizes.size()); ++i)
    if (static_cast<int64_t>(i) != call.attr().integer(0) && index.sizes[i] > self.sizes[i])
      fail("index has size ", index.sizes[i], " at dimension ", i, " and self has ", self.sizes[i],
           "; index must not be larger");
}

void scatter_add(Inference& call) {
  const TensorType &self = call.operand(0), &index = call.operand(1), &src = call.operand(2);
  const TensorType picked[] = {self, index};
  Inference forward{call.row, picked, call.attributes, call.shape, call.dtype, call.device};
  gather(forward);
  if (src.dtype != self.dtype || !std::ranges::equal(src.sizes, index.sizes))
    fail("src is ", to_string(src.dtype, src.sizes), "; it must be ",
         to_string(self.dtype, index.sizes), ", as index and self");
  same(call);
}

void index_add(Inference& call) {
  const TensorType &self = call.operand(0), &index = call.operand(1), &source = call.operand(2);
  const TensorType picked[] = {self, index};
  Inference forward{call.row, picked, call.attributes, call.shape, call.dtype, call.device};
  index_select(forward);
  if (source.dtype != self.dtype || !std::ranges::equal(source.sizes, Sizes(call.shape)))
    fail("source is ", to_string(source.dtype, source.sizes), "; it must be ",
         to_string(self.dtype, call.shape), ", as index and self");
  same(call);
}

void cat(Inference& call) {
  if (call.operands.empty()) fail("the list of tensors is empty; give at least one");
  // PyTorch skips 1-D tensors without elements, whatever the others' rank.
  const auto skipped = [](const TensorType& type) {
    return type.sizes.size() == 1 && type.sizes[0] == 0;
  };
  const TensorType* first = nullptr;
  int64_t& dim = call.attr().integer(0);
  for (uint32_t i = 0; i < call.operands.size(); ++i) {
    const TensorType& type = call.operand(i);
    if (type.sizes.empty())
      fail("tensor ", i, " is 0-d and cannot be concatenated; use stack, or reshape it to [1]");
    if (skipped(type)) continue;
    if (!first) {
      first = &type;
      dim = wrapped_dim(dim, type.sizes.size());
      call.shape.assign(type.sizes);
      continue;
    }
    if (type.sizes.size() != first->sizes.size())
      fail("tensor ", i, " has ", type.sizes.size(), " dimensions and the first has ",
           first->sizes.size(), "; they must have as many");
    for (uint32_t d = 0; d < type.sizes.size(); ++d) {
      if (d == dim) {
        if (__builtin_add_overflow(call.shape[d], type.sizes[d], &call.shape[d]))
          fail("the size at dimension ", dim, " overflows 64 bits");
      } else if (type.sizes[d] != first->sizes[d])
        fail("tensor ", i, " is ", to_string(type.sizes), " and the first is ",
             to_string(first->sizes), "; only dimension ", dim, " may differ");
    }
  }
  if (first) return;
  dim = 0;
  call.shape = {0};
}

void stack(Inference& call) {
  if (call.operands.empty()) fail("the list of tensors is empty; give at least one");
  same(call);
  for (uint32_t i = 1; i < call.operands.size(); ++i)
    if (!std::ranges::equal(call.operand(i).sizes, call.operand(0).sizes))
      fail("tensor ", i, " is ", to_string(call.operand(i).sizes), " and the first is ",
           to_string(call.operand(0).sizes), "; they must be equal");
  int64_t& dim = call.attr().integer(0);
  dim = wrapped_dim(dim, call.shape.size() + 1);
  call.shape.insert(static_cast<uint32_t>(dim), call.operands.size());
}

}  // namespace shape
}  // namespace rt
