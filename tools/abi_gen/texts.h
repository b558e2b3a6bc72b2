// texts.h -- the sentences about a symbol in the documents, made from the facts of the tables.
#pragma once
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "tools/abi_gen/rows.h"

namespace rt::abi_gen {

inline constexpr size_t kWidth = 100;  ///< columns of what is printed

inline void print(const std::string& line) { std::puts(line.c_str()); }

/// The shape, dtype, unit or codes of one of the symbol's parameters.
std::string param_text(const Symbol& symbol, const Param& param);

/// Sizes and dtype of the tensor that an op's call returns; "" for calls that return none.
std::string result_text(const Symbol& symbol);

/// Notes that hold for a row because of its rules: force point, view, gradient, late errors.
std::vector<std::string> notes(const Symbol& symbol);

/// The result of a call that has failed, in C: "0", "NaN"; "" for Void.
std::string failure_text(const KindText& result);

}  // namespace rt::abi_gen
