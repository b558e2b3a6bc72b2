// shapes.cpp -- calls that move elements, composed of views, joins and picks.
#include <algorithm>
#include <numeric>

#include "frontend_abi/calls.h"
#include "frontend_abi/compose.h"

namespace rt::call {

using namespace compose;

namespace {

/// A dim of `x` that may count from the end. Throws Error for a 0-d tensor.
int64_t dim_of(Expr x, int64_t dim) {
  if (x.rank() == 0) fail("self is 0-d; it must have at least one dimension");
  return wrapped_dim(dim, static_cast<size_t>(x.rank()));
}
/// dim_of() for each; each dimension once.
Shape dims_of(Expr x, std::string_view name, Sizes dims) {
  Shape wrapped;
  for (const int64_t dim : dims) {
    const int64_t at = wrapped_dim(dim, static_cast<size_t>(x.rank()));
    if (std::ranges::find(wrapped, at) != wrapped.end())
      fail(name, " is ", to_string(dims), ", which names dimension ", at, " twice");
    wrapped.push_back(at);
  }
  return wrapped;
}
int64_t size_of(Expr x, int64_t dim) { return x.sizes()[static_cast<uint32_t>(dim)]; }

/// `first`, `first` + step, ... as `count` i64 numbers on the device of `like`.
Expr numbers(Expr like, int64_t first, int64_t count, int64_t step) {
  Builder& build = like.build();
  Args args;
  args.op = Op::ArangeInt;
  args.attributes = {build.constant_index(first), build.constant_index(first + count * step),
                     build.constant_index(step)};
  args.dtype = DType::I64;
  args.device = like.type().device;
  return {build, build.append(args)};
}

/// The entries of `x` along dim that the i64 tensor `index` names.
Expr picked(Expr x, int64_t dim, Expr index) { return x.apply(Op::IndexSelect, index, {dim}); }
Expr reversed(Expr x, int64_t dim) {
  const int64_t size = size_of(x, dim);
  return size < 2 ? x : picked(x, dim, numbers(x, size - 1, size, -1));
}

/// Pieces of these sizes along dim, one after the other.
std::vector<Value> pieces(Expr x, int64_t dim, Sizes sizes) {
  std::vector<Value> all;
  int64_t at = 0;
  for (const int64_t size : sizes) {
    all.push_back(slice(x, dim, at, at + size).value());
    at += size;
  }
  return all;
}

/// A distance from a diagonal, or a number of elements to add, beyond which nothing fits memory.
constexpr int64_t kFar = INT64_MAX / 8;
int64_t near(int64_t distance) { return std::clamp(distance, -kFar, kFar); }

/// a * b. Throws Error where 64 bits do not hold it.
int64_t product(int64_t a, int64_t b) {
  int64_t both = 0;
  if (__builtin_mul_overflow(a, b, &both))
    fail(a, " times ", b, " elements overflow 64 bits; use smaller numbers");
  return both;
}

/// `x` repeated along each dimension; `repeats` has at least as many numbers as `x` dimensions.
Expr repeated(Expr x, Sizes repeats) {
  if (static_cast<int64_t>(repeats.size()) < x.rank())
    fail("repeats is ", to_string(repeats), " and self ", to_string(x.sizes()), " has ", x.rank(),
         " dimensions; give a number for each of them");
  const Shape sizes = x.sizes();
  const size_t added = repeats.size() - sizes.size();
  Shape apart, spread, whole;
  for (size_t d = 0; d < repeats.size(); ++d) {
    if (repeats[d] < 0) fail("repeats is ", to_string(repeats), "; it must not be negative");
    const int64_t size = d < added ? 1 : sizes[static_cast<uint32_t>(d - added)];
    for (const int64_t each : {int64_t{1}, size}) apart.push_back(each);
    for (const int64_t each : {repeats[d], size}) spread.push_back(each);
    whole.push_back(product(repeats[d], size));
  }
  return x.reshape(apart).expand(spread).reshape(whole);
}

/// How far each element of a matrix lies above the diagonal: its column less its row.
Expr above_diagonal(Expr x, int64_t rows, int64_t columns) {
  return numbers(x, 0, columns, 1) - numbers(x, 0, rows, 1).reshape({{rows, 1}});
}
Expr index_scalar(Expr like, int64_t number) {
  Builder& build = like.build();
  Args args;
  args.op = Op::FullInt;
  args.attributes = {build.constant_index(number)};
  args.dtype = DType::I64;
  args.device = like.type().device;
  return {build, build.append(args)};
}

int64_t triangle(CallContext& context, int64_t self, int64_t diagonal, Op kept) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    if (x.rank() < 2)
      fail("self is ", to_string(x.sizes()), "; it must have at least 2 dimensions");
    const Expr above = above_diagonal(x, size_of(x, x.rank() - 2), size_of(x, x.rank() - 1));
    return where(above.apply(kept, index_scalar(x, diagonal)), x, x.filled(0, {}));
  });
}

/// The elements of a diagonal of the last two dimensions, as a new last dimension.
Expr diagonal_of(Expr x, int64_t offset, int64_t dim1, int64_t dim2) {
  offset = near(offset);
  if (x.rank() < 2) fail("self is ", to_string(x.sizes()), "; it must have at least 2 dimensions");
  const int64_t a = dim_of(x, dim1), b = dim_of(x, dim2);
  if (a == b) fail("dim1 and dim2 are both ", a, "; they must differ");
  Shape order;
  for (int64_t d = 0; d < x.rank(); ++d)
    if (d != a && d != b) order.push_back(d);
  order.push_back(a);
  order.push_back(b);
  x = x.permute(order);
  const int64_t rows = size_of(x, x.rank() - 2), columns = size_of(x, x.rank() - 1);
  const int64_t first = std::max<int64_t>(0, -offset), shift = std::max<int64_t>(0, offset);
  const int64_t length = std::max<int64_t>(0, std::min(rows - first, columns - shift));
  // Of the elements counted row by row, every (columns + 1)st.
  Shape flat = x.sizes();
  flat.resize(flat.size() - 2);
  flat.push_back(product(rows, columns));
  const int64_t begin = length == 0 ? 0 : first * columns + shift;
  const int64_t end = length == 0 ? 0 : begin + (length - 1) * (columns + 1) + 1;
  return slice(x.reshape(flat), x.rank() - 2, begin, end, columns + 1);
}

/// A matrix for each row of the last dimension, with it on a diagonal.
Expr on_diagonal(Expr x, int64_t offset) {
  offset = near(offset);
  const int64_t length = size_of(x, x.rank() - 1), size = length + std::abs(offset);
  const Expr before =
      padded(x, x.rank() - 1, std::max<int64_t>(0, -offset), std::max<int64_t>(0, offset));
  // Element i stands in row i, `offset` columns to the right.
  const Expr here = above_diagonal(x, size, size).apply(Op::Eq, index_scalar(x, offset));
  return where(here, with_dim(before, x.rank()), x.filled(0, {}));
}

// ---- Padding.

Expr constant_pad(Expr x, int64_t dim, int64_t before, int64_t after, double value) {
  const int64_t size = size_of(x, dim);
  before = near(before);
  after = near(after);
  if (size + before + after < 0)
    fail("pad takes ", -before - after, " elements off dimension ", dim, ", which has ", size);
  if (before < 0 || after < 0)
    x = slice(x, dim, std::max<int64_t>(0, -before), size - std::max<int64_t>(0, -after));
  std::vector<Expr> parts;
  const auto add = [&](int64_t count) {
    Shape sizes = x.sizes();
    sizes[static_cast<uint32_t>(dim)] = count;
    parts.push_back(x.filled(value, sizes));
  };
  if (before > 0) add(before);
  parts.push_back(x);
  if (after > 0) add(after);
  return parts.size() == 1 ? x : joined(Op::Cat, parts, dim);
}

/// The index that element `at` of the padded dimension is taken from.
Expr padded_by_index(Expr x, int64_t dim, int64_t before, int64_t after, std::string_view mode) {
  const int64_t size = size_of(x, dim);
  const bool reflects = mode == "reflect", repeats = mode == "replicate";
  const int64_t most = reflects ? size - 1 : repeats ? INT64_MAX : size;
  if (size == 0 || before > most || after > most || before < 0 || after < 0)
    fail("pad is ", before, " and ", after, " for dimension ", dim, " of ", size,
         " elements; with mode ", mode, " each must be from 0 to ",
         repeats ? "any number, of at least one element" : join(std::max<int64_t>(most, 0)));
  std::vector<Expr> parts;
  const auto add = [&](int64_t first, int64_t count, int64_t step) {
    if (count == 0) return;
    parts.push_back(step == 0 ? index_scalar(x, first).expand({{count}})
                              : numbers(x, first, count, step));
  };
  add(reflects ? before : repeats ? 0 : size - before, before, reflects ? -1 : repeats ? 0 : 1);
  add(0, size, 1);
  add(reflects ? size - 2 : repeats ? size - 1 : 0, after, reflects ? -1 : repeats ? 0 : 1);
  return parts.size() == 1 ? x : picked(x, dim, joined(Op::Cat, parts, 0));
}

}  // namespace

int64_t rt_torch_torchtensor_expand(CallContext& context, int64_t self, Sizes size) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    const Shape sizes = x.sizes();
    Shape wanted(size);
    for (uint32_t back = 1; back <= wanted.size(); ++back) {
      int64_t& here = wanted[wanted.size() - back];
      if (here != -1) continue;
      if (back > sizes.size())
        fail("size is ", to_string(size), "; -1 stands for a dimension that self ",
             to_string(sizes), " has");
      here = sizes[sizes.size() - back];
    }
    return x.expand(wanted);
  });
}

int64_t rt_torch_torchtensor_narrow(CallContext& context, int64_t self, int64_t dim, int64_t start,
                                    int64_t length) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    const int64_t at = dim_of(x, dim), size = size_of(x, at);
    const int64_t first = start < 0 ? start + size : start;
    if (length < 0 || first < 0 || first > size || length > size - first)
      fail("start is ", start, " and length ", length, "; dimension ", at, " has ", size,
           " elements, and the piece must lie inside");
    return slice(x, at, first, first + length);
  });
}

int64_t rt_torch_torchtensor_select(CallContext& context, int64_t self, int64_t dim,
                                    int64_t index) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    const int64_t at = dim_of(x, dim), size = size_of(x, at);
    if (index < -size || index >= size)
      fail("index is ", index, "; dimension ", at, " has ", size, " elements");
    const int64_t first = index < 0 ? index + size : index;
    return slice(x, at, first, first + 1).apply(Op::SqueezeDim, {at});
  });
}

int64_t rt_torch_torchtensor_split(CallContext& context, int64_t self, int64_t split_size,
                                   int64_t dim, abi::OutputList<int64_t> out) {
  return list_of_tensors(context, {{self}}, out, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    const int64_t at = dim_of(x, dim), size = size_of(x, at);
    if (split_size < 0 || (split_size == 0 && size > 0))
      fail("split_size is ", split_size, "; it must be at least 1");
    const int64_t count = size == 0 ? 1 : size / split_size + (size % split_size != 0);
    if (count > abi::kMaxTensors)
      fail("the call makes ", count, " pieces; at most ", abi::kMaxTensors,
           " are possible; use a larger split_size");
    Shape sizes;
    for (int64_t i = 0; i < count; ++i)
      sizes.push_back(std::min(size - i * split_size, split_size));
    if (size == 0) sizes[0] = 0;
    return pieces(x, at, sizes);
  });
}

int64_t rt_torch_torchtensor_split_with_sizes(CallContext& context, int64_t self, Sizes split_sizes,
                                              int64_t dim, abi::OutputList<int64_t> out) {
  return list_of_tensors(context, {{self}}, out, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    const int64_t at = dim_of(x, dim), size = size_of(x, at);
    int64_t rest = size;
    for (const int64_t piece : split_sizes) {
      if (piece < 0) fail("split_sizes is ", to_string(split_sizes), "; none may be negative");
      rest = piece > rest ? -1 : rest - piece;
      if (rest < 0) break;
    }
    if (rest != 0)
      fail("split_sizes is ", to_string(split_sizes), "; their sum must be ", size,
           ", the size of dimension ", at);
    return pieces(x, at, split_sizes);
  });
}

int64_t rt_torch_torchtensor_unbind(CallContext& context, int64_t self, int64_t dim,
                                    abi::OutputList<int64_t> out) {
  return list_of_tensors(context, {{self}}, out, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    const int64_t at = dim_of(x, dim), size = size_of(x, at);
    if (size > abi::kMaxTensors)
      fail("the call makes ", size, " tensors; at most ", abi::kMaxTensors, " are possible");
    std::vector<Value> all;
    for (int64_t i = 0; i < size; ++i)
      all.push_back(slice(x, at, i, i + 1).apply(Op::SqueezeDim, {at}).value());
    return all;
  });
}

int64_t rt_torch_torchtensor_movedim(CallContext& context, int64_t self, Sizes source,
                                     Sizes destination) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    if (source.size() != destination.size())
      fail("source is ", to_string(source), " and destination ", to_string(destination),
           "; they must have as many dimensions");
    const Shape from = dims_of(x, "source", source), to = dims_of(x, "destination", destination);
    Shape order;
    order.resize(static_cast<uint32_t>(x.rank()), -1);
    for (uint32_t i = 0; i < from.size(); ++i) order[static_cast<uint32_t>(to[i])] = from[i];
    int64_t next = 0;
    for (int64_t& place : order) {
      if (place >= 0) continue;
      while (std::ranges::find(from, next) != from.end()) ++next;
      place = next++;
    }
    return x.permute(order);
  });
}

int64_t rt_torch_torchtensor_flip(CallContext& context, int64_t self, Sizes dims) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    Expr x{build, in[0]};
    for (const int64_t dim : dims_of(x, "dims", dims))
      if (x.rank() > 0) x = reversed(x, dim);
    return x.apply(Op::Clone);
  });
}

int64_t rt_torch_torchtensor_roll(CallContext& context, int64_t self, Sizes shifts, Sizes dims) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr whole{build, in[0]};
    const bool flat = dims.empty();
    if (shifts.empty() || (flat ? shifts.size() != 1 : shifts.size() != dims.size()))
      fail("shifts is ", to_string(shifts), " and dims ", to_string(dims),
           "; give a shift for each dimension, or one shift and no dims");
    Expr x = flat ? whole.reshape({{numel(whole.sizes())}}) : whole;
    for (size_t i = 0; i < shifts.size(); ++i) {
      const int64_t dim = flat ? 0 : dim_of(x, dims[i]), size = size_of(x, dim);
      if (size == 0) continue;
      const int64_t shift = ((shifts[i] % size) + size) % size;
      if (shift == 0) continue;
      x = joined(Op::Cat, {slice(x, dim, size - shift, size), slice(x, dim, 0, size - shift)}, dim);
    }
    return x.reshape(whole.sizes()).apply(Op::Clone);
  });
}

int64_t rt_torch_torchtensor_repeat(CallContext& context, int64_t self, Sizes repeats) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    return repeated({build, in[0]}, repeats).apply(Op::Clone);
  });
}

int64_t rt_torch_torchtensor_tile(CallContext& context, int64_t self, Sizes dims) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    Shape repeats(dims);
    while (static_cast<int64_t>(repeats.size()) < x.rank()) repeats.insert(0, 1);
    return repeated(x, repeats).apply(Op::Clone);
  });
}

int64_t rt_torch_torchtensor_repeat_interleave(CallContext& context, int64_t self, int64_t repeats,
                                               int64_t dim) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    const int64_t at = dim_of(x, dim);
    if (repeats < 0) fail("repeats is ", repeats, "; it must not be negative");
    Shape spread = x.sizes(), whole = spread;
    spread.insert(static_cast<uint32_t>(at + 1), repeats);
    int64_t& here = whole[static_cast<uint32_t>(at)];
    here = product(here, repeats);
    return with_dim(x, at + 1).expand(spread).reshape(whole).apply(Op::Clone);
  });
}

int64_t rt_torch_torchtensor_tril(CallContext& context, int64_t self, int64_t diagonal) {
  return triangle(context, self, diagonal, Op::Le);
}
int64_t rt_torch_torchtensor_triu(CallContext& context, int64_t self, int64_t diagonal) {
  return triangle(context, self, diagonal, Op::Ge);
}

int64_t rt_torch_torchtensor_diagonal(CallContext& context, int64_t self, int64_t offset,
                                      int64_t dim1, int64_t dim2) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    return diagonal_of({build, in[0]}, offset, dim1, dim2);
  });
}

int64_t rt_torch_torchtensor_diag_embed(CallContext& context, int64_t self, int64_t offset) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    dim_of(x, 0);
    return on_diagonal(x, offset);
  });
}

int64_t rt_torch_torchtensor_diag(CallContext& context, int64_t self, int64_t diagonal) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    if (x.rank() != 1 && x.rank() != 2)
      fail("self is ", to_string(x.sizes()), "; it must be a vector or a matrix");
    return x.rank() == 1 ? on_diagonal(x, diagonal)
                         : diagonal_of(x, diagonal, 0, 1).apply(Op::Clone);
  });
}

int64_t rt_torch_nn_pad(CallContext& context, int64_t input, Sizes pad, std::string_view mode,
                        double value) {
  return of_tensors(context, {{input}}, [&](Builder& build, std::span<const Value> in) {
    Expr x{build, in[0]};
    if (mode != "constant" && mode != "reflect" && mode != "replicate" && mode != "circular")
      fail("mode is ", mode, "; it must be constant, reflect, replicate or circular");
    if (pad.size() % 2 != 0 || static_cast<int64_t>(pad.size() / 2) > x.rank())
      fail("pad is ", to_string(pad), " and input ", to_string(x.sizes()),
           "; give two numbers for each of its last dimensions, the last one first");
    for (size_t i = 0; i < pad.size(); i += 2) {
      const int64_t dim = x.rank() - 1 - static_cast<int64_t>(i / 2);
      if (pad[i] == 0 && pad[i + 1] == 0) continue;
      x = mode == "constant" ? constant_pad(x, dim, pad[i], pad[i + 1], value)
                             : padded_by_index(x, dim, pad[i], pad[i + 1], mode);
    }
    return x.apply(Op::Clone);
  });
}

int64_t rt_torch_torchtensor_take_along_dim(CallContext& context, int64_t self, int64_t indices,
                                            int64_t dim) {
  return of_tensors(context, {{self, indices}}, [&](Builder& build, std::span<const Value> in) {
    Expr x{build, in[0]}, index{build, in[1]};
    const int64_t at = dim_of(x, dim);
    if (index.rank() != x.rank())
      fail("indices is ", to_string(index.sizes()), " and self ", to_string(x.sizes()),
           "; they must have as many dimensions");
    const auto apart = [&](Expr of) {
      Shape sizes = of.sizes();
      sizes[static_cast<uint32_t>(at)] = 1;
      return sizes;
    };
    TensorType both[2];
    const Shape sizes[] = {apart(x), apart(index)};
    for (int i = 0; i < 2; ++i) both[i].sizes = sizes[i];
    Shape wanted = broadcast_sizes(both);
    wanted[static_cast<uint32_t>(at)] = size_of(x, at);
    x = x.expand(wanted);
    wanted[static_cast<uint32_t>(at)] = size_of(index, at);
    return x.apply(Op::Gather, index.expand(wanted), {at});
  });
}

int64_t rt_torch_nn_one_hot(CallContext& context, int64_t self, int64_t num_classes) {
  return of_tensors(context, {{self}}, [&](Builder& build, std::span<const Value> in) {
    const Expr x{build, in[0]};
    if (x.type().dtype != DType::I64)
      fail("self is ", name(x.type().dtype), "; it must hold classes as i64; convert with to_int");
    if (num_classes < 1) fail("num_classes is ", num_classes, "; it must be at least 1");
    const Expr all = numbers(x, 0, num_classes, 1);
    // Picked from all classes, because one out of range is an error then.
    Shape sizes = x.sizes();
    const Expr known = picked(all, 0, x.reshape({{numel(sizes)}})).reshape(sizes);
    return with_dim(known, x.rank()).apply(Op::Eq, all).cast(DType::I64);
  });
}

int64_t rt_torch_tensor_meshgrid(CallContext& context, Sizes tensors, std::string_view indexing,
                                 abi::OutputList<int64_t> out) {
  return list_of_tensors(context, tensors, out, [&](Builder& build, std::span<const Value> in) {
    if (in.empty()) fail("tensors is empty; give at least one");
    if (indexing != "ij" && indexing != "xy")
      fail("indexing is ", indexing, "; it must be ij or xy");
    Shape sizes;
    std::vector<Expr> all;
    for (const Value value : in) {
      all.emplace_back(build, value);
      if (all.back().rank() > 1)
        fail("tensors have ", to_string(all.back().sizes()), "; each must be 0-d or 1-D");
      sizes.push_back(numel(all.back().sizes()));
    }
    const bool swaps = indexing == "xy" && all.size() > 1;
    std::vector<Value> grids;
    for (uint32_t i = 0; i < all.size(); ++i) {
      Shape alone;
      alone.resize(sizes.size(), 1);
      alone[i] = sizes[i];
      Expr grid = all[i].reshape(alone).expand(sizes);
      if (swaps) grid = grid.apply(Op::Transpose, {0, 1});
      grids.push_back(grid.value());
    }
    return grids;
  });
}

int64_t rt_torch_torchtensor_searchsorted(CallContext& context, int64_t sorted_sequence,
                                          int64_t self, bool right) {
  return of_tensors(
      context, {{sorted_sequence, self}}, [&](Builder& build, std::span<const Value> in) {
        const Expr sorted{build, in[0]}, x{build, in[1]};
        if (sorted.rank() != 1)
          fail("sorted_sequence is ", to_string(sorted.sizes()), "; it must be 1-D");
        const Expr passed = sorted.apply(right ? Op::Le : Op::Lt, with_dim(x, x.rank()));
        return passed.apply(Op::SumDim, {x.rank(), 0});
      });
}

}  // namespace rt::call
