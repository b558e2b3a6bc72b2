// nasty.h -- calls with invalid arguments, made from the parameters in rt_torch.json.
#pragma once
#include <array>
#include <cstdint>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/source_dir.h"

namespace rt_test {

/// Integers and pointers use one kind of register and doubles another, so that one function type
/// can call every function: each reads only the registers that it declares.
using AnyCall = int64_t (*)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                            int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                            int64_t, int64_t, double, double, double);

/// Values for all parameters, by kind.
struct Nasty {
  int64_t handle, integer;
  size_t list;  ///< index of one of the flavor's lists
  double real;
};

class NastyCall {
 public:
  void add(int64_t attr) { words_.at(size_++) = attr; }
  void add(const void* pointer) { add(reinterpret_cast<int64_t>(pointer)); }
  int64_t to(void* function, double real) const {
    const auto& w = words_;
    return reinterpret_cast<AnyCall>(function)(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8],
                                               w[9], w[10], w[11], w[12], w[13], w[14], w[15],
                                               w[16], w[17], real, real, real);
  }

 private:
  std::array<int64_t, 18> words_{};
  size_t size_ = 0;
};

/// The arguments of a row. `add_list(call, nasty)` adds a list as the flavor passes it.
template <class AddList>
NastyCall nasty_call(const nlohmann::json& row, const Nasty& nasty, const AddList& add_list) {
  NastyCall call;
  for (const auto& param : row["params"]) {
    const std::string kind = param["kind"];
    if (kind == "Float") continue;
    if (kind == "Tensor" || kind == "OptTensor" || kind == "Handle") call.add(nasty.handle);
    else if (kind == "Sizes" || kind == "IntList" || kind == "TensorList" || kind == "IntData" ||
             kind == "FloatList")
      add_list(call, nasty);
    else if (kind == "Text" || kind == "TextBits")
      call.add(nasty.integer == 7 ? nullptr : "no/such/thing");
    else if (kind == "Doubles" || kind == "Int64s" || kind == "Int64Out" || kind == "DoubleOut" ||
             kind == "FloatOut" || kind == "VoidOut")
      call.add(nullptr);  // the length beside it may be wrong, which no library could notice
    else call.add(nasty.integer);
  }
  return call;
}

/// Every combination; `live` are valid handles.
inline std::vector<Nasty> nasty_values(std::vector<int64_t> live, size_t lists) {
  live.insert(live.end(), {0, -1, INT64_MAX, INT64_MIN, int64_t{1} << 52});
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  std::vector<Nasty> all;
  for (const int64_t handle : live)
    for (const int64_t integer : {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{7}})
      for (size_t list = 0; list < lists; ++list)
        all.push_back({handle, integer, list, integer == 0 ? kNan : 1e300});
  return all;
}

/// The calls of a flavor in rt_torch.json.
inline std::vector<nlohmann::json> rows_of_flavor(const std::string& flavor) {
  std::ifstream file(source_dir() + "/frontend_abi/rt_torch.json");
  std::vector<nlohmann::json> rows;
  const auto all = nlohmann::json::parse(file);
  for (const auto& row : all["symbols"])
    if ((',' + row["flavors"].get<std::string>() + ',').find(',' + flavor + ',') !=
        std::string::npos)
      rows.push_back(row);
  return rows;
}

/// False where handle 0 is a valid result: a tensor may have no gradient.
inline bool zero_is_failure(const nlohmann::json& row) {
  return row["symbol"].get<std::string>() != "rt_torch_autograd_grad";
}

/// True if a call may free the valid handles, which the tests use again.
inline bool frees(const nlohmann::json& row) {
  return row["symbol"].get<std::string>().find("free") != std::string::npos;
}

}  // namespace rt_test
