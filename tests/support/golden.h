// golden.h -- the golden cases of tests/golden: reads them, makes their calls through the C ABI,
// and compares with PyTorch's results. Only rt_torch.h is used.
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
// The cases of one file, for example "training/networks".
std::vector<Json> golden_file(const std::string& name);

// A tensor as a client sees it, which must be equal under every policy.
struct Contents {
  int64_t dtype = -1;
  std::vector<int64_t> shape;
  std::vector<uint64_t> attributes;  // bits of each element; i32 and i64 are sign-extended
};

// The result of a case: the reply, and its tensors after they were read.
struct Outcome {
  bool failed = false;
  bool failed_late = false;  // the call returned a handle whose read failed
  std::string error;
  double real = 0;
  std::vector<int64_t> integers;  // shapes and counts
  std::vector<Contents> tensors;
  std::vector<Contents> after;  // tensors that the case reads after the call
};

enum class ReadOrder { DataFirst, ShapeFirst };

// The tensor that the data expect.
Contents expected_tensor(const Json& json);
// Reads a tensor as a client does; false if its value has failed.
bool read_tensor(int64_t handle, ReadOrder order, Contents& tensor);
// An element of a float tensor.
double element(const Contents& tensor, size_t i);

// Tolerated difference from PyTorch's number.
struct Tolerance {
  double relative, absolute;
};
// The tolerance of torch.testing.assert_close.
Tolerance default_tolerance(int64_t dtype);
bool close(double got, double want, Tolerance tolerance);

// Owns handles of a case, and frees them in the order of their creation.
class Owner {
 public:
  Owner() = default;
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() { release(); }
  int64_t keep(int64_t handle);
  // Frees all but `kept`, which it still owns.
  void release(int64_t kept = 0);

 private:
  Handles handles_;
};

struct Call;
// The tensor, after the tensors to which its view calls were applied.
Handles make_tensor(const Json& json, Owner& owner);
// Handles by their names in a case.
using Names = std::map<std::string, int64_t>;
// Adds an argument; for a tensor returns the handles of make_tensor.
Handles add_argument(Call& call, const Json& argument, Owner& owner, const Names& names = {});

// A case that is recorded, then read; several may be active at once.
class Run {
 public:
  explicit Run(const Json& one) : one_(one), expect_(one["expect"]) {}

  void record();
  // Frees operands, except those that the case reads after the call.
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

// Compares with the case's expectation; differences become failures of the running test.
void compare(const Outcome& got, const Json& one);

// True for equal bits. All NaNs are equal, because their bits depend on the processor.
bool same(const Outcome& left, const Outcome& right);

}  // namespace rt_test
