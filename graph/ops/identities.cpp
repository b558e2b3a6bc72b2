// identities.cpp -- when a call gives its operand back.
#include "graph/ops/identities.h"

#include <bit>

namespace rt::identity {

bool equal_dtype(const Args& args, const TensorType& self, const Layout&) {
  return args.dtype == self.dtype;
}

bool equal_device(const Args& args, const TensorType& self, const Layout&) {
  return args.device == self.device;
}

bool one_dimension(const Args&, const TensorType& self, const Layout&) {
  return self.sizes.size() == 1;
}

bool row_major(const Args&, const TensorType&, const Layout& layout) {
  return is_contiguous(layout.sizes, layout.strides);
}

bool drops_nothing(const Args& args, const TensorType& self, const Layout&) {
  const AttributesView attributes{info(args.op), args.attributes};
  return attributes.integer(0) == 0 || std::bit_cast<double>(attributes.scalar(0)) == 0 ||
         numel(self.sizes) == 0;
}

}  // namespace rt::identity
