// call_by_name.h -- calls a function of the C ABI by its name, with arguments known only at run
// time.
#pragma once
#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace rt_test {

// An argument; the letter selects the member in use.
struct Argument {
  char letter;  // i Int, d Real, I Ints, F Reals, O Out, T Text: see kInvokers
  int64_t integer = 0;
  double real = 0;
  void* pointer = nullptr;
};

template <class A>
A as(const Argument& argument) {
  if constexpr (std::is_same_v<A, int64_t>) return argument.integer;
  else if constexpr (std::is_same_v<A, double>) return argument.real;
  else return static_cast<A>(argument.pointer);
}

struct Reply {
  int64_t integer = 0;
  double real = 0;
};

using Invoker = Reply (*)(void* function, std::span<const Argument> arguments);

template <class R, class... A>
Reply invoke(void* function, std::span<const Argument> arguments) {
  const auto typed = reinterpret_cast<R (*)(A...)>(function);
  return [&]<size_t... N>(std::index_sequence<N...>) {
    const R result = typed(as<A>(arguments[N])...);
    if constexpr (std::is_same_v<R, double>) return Reply{0, result};
    else return Reply{result, 0};
  }
  (std::index_sequence_for<A...>());
}

// Types of the ABI's functions: result, then arguments. A new type needs a row.
using Int = int64_t;
using Real = double;
using Ints = const int64_t*;
using Reals = const double*;
using Out = int64_t*;
using Text = const char*;
inline const std::map<std::string, Invoker> kInvokers = {
    {"i:i", invoke<Int, Int>},
    {"i:ii", invoke<Int, Int, Int>},
    {"i:iii", invoke<Int, Int, Int, Int>},
    {"i:iiii", invoke<Int, Int, Int, Int, Int>},
    {"i:iiiii", invoke<Int, Int, Int, Int, Int, Int>},
    {"i:iiiiii", invoke<Int, Int, Int, Int, Int, Int, Int>},
    {"i:iiiiiii", invoke<Int, Int, Int, Int, Int, Int, Int, Int>},
    {"i:iiiiiiii", invoke<Int, Int, Int, Int, Int, Int, Int, Int, Int>},
    {"i:iiiiiiiiii", invoke<Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int>},
    {"i:id", invoke<Int, Int, Real>},
    {"i:idii", invoke<Int, Int, Real, Int, Int>},
    {"i:iiidd", invoke<Int, Int, Int, Int, Real, Real>},
    {"i:idIii", invoke<Int, Int, Real, Ints, Int, Int>},
    {"i:iIiii", invoke<Int, Int, Ints, Int, Int, Int>},
    {"i:iIiIiIiIi", invoke<Int, Int, Ints, Int, Ints, Int, Ints, Int, Ints, Int>},
    {"i:iiOi", invoke<Int, Int, Int, Out, Int>},
    {"i:iIiIi", invoke<Int, Int, Ints, Int, Ints, Int>},
    {"i:iIiTd", invoke<Int, Int, Ints, Int, Text, Real>},
    {"i:iIiiOi", invoke<Int, Int, Ints, Int, Int, Out, Int>},
    {"i:IiTOi", invoke<Int, Ints, Int, Text, Out, Int>},
    {"i:idd", invoke<Int, Int, Real, Real>},
    {"i:iid", invoke<Int, Int, Int, Real>},
    {"i:iiid", invoke<Int, Int, Int, Int, Real>},
    {"i:iiddi", invoke<Int, Int, Int, Real, Real, Int>},
    {"i:ddd", invoke<Int, Real, Real, Real>},
    {"i:ddi", invoke<Int, Real, Real, Int>},
    {"i:Ii", invoke<Int, Ints, Int>},
    {"i:Iii", invoke<Int, Ints, Int, Int>},
    {"i:Iid", invoke<Int, Ints, Int, Real>},
    {"i:Iiii", invoke<Int, Ints, Int, Int, Int>},
    {"i:Iiddd", invoke<Int, Ints, Int, Real, Real, Real>},
    {"i:Iidddd", invoke<Int, Ints, Int, Real, Real, Real, Real>},
    {"i:Iiddddd", invoke<Int, Ints, Int, Real, Real, Real, Real, Real>},
    {"i:IiIi", invoke<Int, Ints, Int, Ints, Int>},
    {"i:FiIi", invoke<Int, Reals, Int, Ints, Int>},
    {"i:FiIiii", invoke<Int, Reals, Int, Ints, Int, Int, Int>},
    {"i:iIi", invoke<Int, Int, Ints, Int>},
    {"i:iOi", invoke<Int, Int, Out, Int>},
    {"i:iiiOi", invoke<Int, Int, Int, Int, Out, Int>},
    {"i:idi", invoke<Int, Int, Real, Int>},
    {"i:iIiiid", invoke<Int, Int, Ints, Int, Int, Int, Real>},
    {"i:iIiIiIi", invoke<Int, Int, Ints, Int, Ints, Int, Ints, Int>},
    {"i:iiiIiIiIii", invoke<Int, Int, Int, Int, Ints, Int, Ints, Int, Ints, Int, Int>},
    {"i:iiiiiidd", invoke<Int, Int, Int, Int, Int, Int, Int, Real, Real>},
    {"i:iIiFiTi", invoke<Int, Int, Ints, Int, Reals, Int, Text, Int>},
    {"i:iIiIiiidiiiOi",
     invoke<Int, Int, Ints, Int, Ints, Int, Int, Int, Real, Int, Int, Int, Out, Int>},
    {"i:iIii", invoke<Int, Int, Ints, Int, Int>},
    {"i:iIiid", invoke<Int, Int, Ints, Int, Int, Real>},
    {"i:iIiiiiiOi", invoke<Int, Int, Ints, Int, Int, Int, Int, Int, Out, Int>},
    {"i:idid", invoke<Int, Int, Real, Int, Real>},
    {"i:iiIiiidiiiOi", invoke<Int, Int, Int, Ints, Int, Int, Int, Real, Int, Int, Int, Out, Int>},
    {"i:iidi", invoke<Int, Int, Int, Real, Int>},
    {"i:iiiIiIiIiiIi", invoke<Int, Int, Int, Int, Ints, Int, Ints, Int, Ints, Int, Int, Ints, Int>},
    {"i:iiidddii", invoke<Int, Int, Int, Int, Real, Real, Real, Int, Int>},
    {"i:iiidi", invoke<Int, Int, Int, Int, Real, Int>},
    {"i:iiiid", invoke<Int, Int, Int, Int, Int, Real>},
    {"i:iiiidi", invoke<Int, Int, Int, Int, Int, Real, Int>},
    {"i:iiiidid", invoke<Int, Int, Int, Int, Int, Real, Int, Real>},
    {"i:iiiiid", invoke<Int, Int, Int, Int, Int, Int, Real>},
    {"i:iiiiiiiiiidiiiOi",
     invoke<Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Real, Int, Int, Int, Out, Int>},
    {"i:iIiIiIiIiIi", invoke<Int, Int, Ints, Int, Ints, Int, Ints, Int, Ints, Int, Ints, Int>},
    {"i:iiIiIi", invoke<Int, Int, Int, Ints, Int, Ints, Int>},
    {"i:TIi", invoke<Int, Text, Ints, Int>},
    {"d:i", invoke<Real, Int>},
    {"d:ii", invoke<Real, Int, Int>},
};

// A call's arguments, and the lists to which they point.
struct Call {
  std::vector<Argument> arguments;
  std::vector<std::vector<int64_t>> int_lists;
  std::vector<std::vector<double>> float_lists;
  std::deque<std::string> texts;  // a deque, so that short ones stay where they are

  void add(int64_t value) { arguments.push_back({'i', value}); }
  void add(double value) { arguments.push_back({'d', 0, value}); }
  void add_list(std::vector<int64_t> list, char letter = 'I') {
    int_lists.push_back(std::move(list));
    arguments.push_back({letter, 0, 0, int_lists.back().data()});
  }
  void add_list(std::vector<double> list) {
    float_lists.push_back(std::move(list));
    arguments.push_back({'F', 0, 0, float_lists.back().data()});
  }

  void add_text(std::string text) {
    texts.push_back(std::move(text));
    arguments.push_back({'T', 0, 0, texts.back().data()});
  }

  Reply to(const std::string& symbol, char result) const {
    std::string shape = {result, ':'};
    for (const Argument& argument : arguments) shape += argument.letter;
    void* function = dlsym(RTLD_DEFAULT, symbol.c_str());
    const auto invoker = kInvokers.find(shape);
    if (function == nullptr) throw std::runtime_error(symbol + " is not exported");
    if (invoker == kInvokers.end()) throw std::runtime_error("no row of kInvokers for " + shape);
    return invoker->second(function, arguments);
  }
};

}  // namespace rt_test
