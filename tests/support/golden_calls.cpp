// golden_calls.cpp -- golden cases of many calls: JSON to calls, and comparisons with PyTorch.
#include "tests/support/golden_calls.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "rt_torch.h"
#include "tests/support/call_by_name.h"

namespace rt_test {

void Scope::make(const Json& tensors) {
  for (const auto& [name, tensor] : tensors.items())
    names_[name] = make_tensor(tensor, owner_).back();
}

void Scope::call(const Json& calls) {
  for (const Json& one : calls) {
    Call call;
    for (const Json& argument : one["args"]) add_argument(call, argument, owner_, names_);
    const int64_t handle = owner_.keep(call.to(one["symbol"], 'i').integer);
    if (handle <= 0) throw std::runtime_error(one.dump() + ": " + rt_torch_last_error());
    names_[one["gives"]] = handle;
  }
}

Handles Scope::all(const Json& names) const {
  Handles handles;
  for (const Json& name : names) handles.push_back(names_.at(name));
  return handles;
}

void expect_tensor(int64_t handle, const Json& expected, Tolerance tolerance, double factor) {
  const Contents want = expected_tensor(expected);
  Contents got;
  ASSERT_TRUE(read_tensor(handle, ReadOrder::DataFirst, got)) << rt_torch_last_error();
  EXPECT_EQ(got.dtype, want.dtype);
  ASSERT_EQ(got.shape, want.shape);
  ASSERT_EQ(got.attributes.size(), want.attributes.size());
  for (size_t at = 0; at < want.attributes.size(); ++at) {
    const double g = element(got, at), w = factor * element(want, at);
    ASSERT_TRUE(close(g, w, tolerance)) << "element " << at << ": " << g << " for " << w;
  }
}

}  // namespace rt_test
