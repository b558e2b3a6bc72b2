// rows.h -- the rows of the tables as abi_gen prints them: symbols, their sections, and where each
// parameter of a symbol goes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "graph/ops/op.h"

namespace rt::abi_gen {

/// Which force point a call is.
enum class Forces {
  Nothing,
  Asks,     ///< for sizes: submits under the policy observe, when the value is pending
  Frees,    ///< submits under the policy observe, when the last holder of a pending value goes
  Submits,  ///< always submits and does not wait
  Waits,    ///< submits, and waits until all that was submitted has run
  Reads,    ///< submits, and waits for the elements of its tensor
};
std::string_view name(Forces forces);  ///< "nothing", "asks" ...

/// "float32" for "f32".
std::string long_name(std::string_view dtype);

/// A row of kinds.def.
struct KindText {
  std::string_view name, c_result, c_params, spl_result, spl_params, simple;
  std::string_view failure;  ///< the last column, as it is written there
};
const KindText& text(Kind kind);
std::vector<KindText> all_kinds();
inline bool is_list(Kind kind) { return text(kind).simple.starts_with('['); }

/// A parameter of a symbol as (a part of) a parameter of the op or of the aten operator.
struct Use {
  std::string_view param;  ///< of the symbol
  std::string name;        ///< of the op's parameter, or aten's where no op is bound
  int element = -1;        ///< >= 0: this element of a list
  std::string as;          ///< how the integer is understood; "": as it is
};

/// A parameter that no parameter of the symbol gives.
struct Constant {
  std::string name;
  std::string json;
};

/// One exported function.
struct Symbol {
  std::string_view flavors;  ///< of the libraries that have it: "c", "spl" or "c,spl"
  std::string_view name, group, section;
  Kind result;
  std::vector<Param> params;
  std::string doc;
  const OpInfo* op = nullptr;  ///< that it records
  bool checked = false;        ///< a last parameter, double* out, takes the number
  Forces forces = Forces::Nothing;
  std::string_view always = {};  ///< its result, where that is always one value
  /// The row whose meaning the parameters have: its own, or that of the call it is an alias of.
  struct Original {
    std::string_view name, section;
    std::vector<std::string_view> params;  ///< by position; empty where they are its own
  } original = {};

  std::vector<std::string> overloads =
      {};  ///< of aten that it follows; of several, `op` is the index
  std::vector<Use> uses = {};
  std::vector<Constant> constants = {};

  const Use* use(std::string_view param) const;
};
std::vector<Symbol> all_symbols();

/// A heading of the header and of OPS.md, in their order.
struct Section {
  std::string_view name, heading, intro;
};
const std::vector<Section>& sections();  ///< none is without rows in either flavor
const Section& section_of(const Symbol& symbol);

constexpr std::string_view kBoth = "c,spl";

}  // namespace rt::abi_gen
