// golden.h -- the golden cases of tests/golden: reading them, making their calls through the C ABI,
// comparing with PyTorch's answers. Of the library only rt_torch.h is used.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace rt_test {

using Json = nlohmann::json;
using Handles = std::vector<int64_t>;

// All cases by symbol; parsed once.
const std::map<std::string, std::vector<Json>>& golden_cases();

// What a client can look at, and so what must be the same under every policy.
struct Tensor {
  int64_t dtype = -1;
  std::vector<int64_t> shape;
  std::vector<uint64_t> words;  // each element's bits, i32 and i64 sign-extended
};

// What came out of a case: the reply, and the tensors behind it once they have been read.
struct Outcome {
  bool failed = false;
  bool failed_late = false;  // the call gave a handle, reading it failed
  std::string error;
  double real = 0;
  std::vector<int64_t> integers;  // shapes and counts
  std::vector<Tensor> tensors;
  std::vector<Tensor> after;  // what the case looks at besides, once the call is made
};

enum class ReadOrder { DataFirst, ShapeFirst };

// Frees what a case made, in the order in which it was made.
class Owner {
 public:
  Owner() = default;
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() { release(); }
  int64_t keep(int64_t handle);
  void release();

 private:
  Handles handles_;
};

// A case between its recording and its reading; several may be under way at once.
class Run {
 public:
  explicit Run(const Json& one) : one_(one), expect_(one["expect"]) {}

  void record();
  // Not those that the case looks at afterwards.
  void drop_operands();
  void read(ReadOrder order);
  void release();
  const Outcome& outcome() const { return outcome_; }

 private:
  std::string returned_kind() const;

  const Json& one_;
  const Json& expect_;
  Owner operands_, results_;
  Handles values_;
  Handles looked_at_;
  Outcome outcome_;
};

// Against what the case expects: differences are failures of the running test.
void compare(const Outcome& got, const Json& one);

// Bit for bit, but that NaNs count as one value: which of its bit patterns comes out is the
// processor's affair.
bool same(const Outcome& left, const Outcome& right);

}  // namespace rt_test
