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
// The cases of one file, as in "training/networks".
std::vector<Json> golden_file(const std::string& name);

// What a client can look at, and so what must be the same under every policy.
struct Contents {
  int64_t dtype = -1;
  std::vector<int64_t> shape;
  std::vector<uint64_t> attributes;  // each element's bits, i32 and i64 sign-extended
};

// What came out of a case: the reply, and the tensors behind it once they have been read.
struct Outcome {
  bool failed = false;
  bool failed_late = false;  // the call gave a handle, reading it failed
  std::string error;
  double real = 0;
  std::vector<int64_t> integers;  // shapes and counts
  std::vector<Contents> tensors;
  std::vector<Contents> after;  // what the case looks at besides, once the call is made
};

enum class ReadOrder { DataFirst, ShapeFirst };

// As the data have it.
Contents expected_tensor(const Json& json);
// As a client sees it; false when the value turns out to have failed.
bool read_tensor(int64_t handle, ReadOrder order, Contents& tensor);
// Of a tensor of floats.
double element(const Contents& tensor, size_t i);

// How far a number may be from PyTorch's.
struct Tolerance {
  double relative, absolute;
};
// torch.testing.assert_close's.
Tolerance default_tolerance(int64_t dtype);
bool close(double got, double want, Tolerance tolerance);

// Frees what a case made, in the order in which it was made.
class Owner {
 public:
  Owner() = default;
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() { release(); }
  int64_t keep(int64_t handle);
  // All but `kept`, which stays its own.
  void release(int64_t kept = 0);

 private:
  Handles handles_;
};

struct Call;
// The tensor last, before it what its view calls were applied to.
Handles make_tensor(const Json& json, Owner& owner);
// Handles by the names that a case gives them.
using Names = std::map<std::string, int64_t>;
// What make_tensor gives where the argument is a tensor of its own.
Handles add_argument(Call& call, const Json& argument, Owner& owner, const Names& names = {});

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
