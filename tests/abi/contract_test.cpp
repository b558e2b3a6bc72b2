// contract_test.cpp -- compares rt_torch.json with symbols.tsv, the list of calls that clients
// keep: names, results, arguments, groups.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/source_dir.h"

namespace {

using Json = nlohmann::json;
const std::filesystem::path kSources = source_dir();

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  for (size_t at = 0;;) {
    const size_t end = text.find(separator, at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string::npos) return parts;
    at = end + separator.size();
  }
}

struct Listed {
  std::string group, flavors, returns;
  std::vector<std::string> arguments;  // types only, because clients call by position
};

/// The rows of the list, also those of one flavor alone.
const std::map<std::string, Listed>& listed() {
  static const auto all = [] {
    std::map<std::string, Listed> rows;
    std::ifstream file(kSources / "tests/abi/symbols.tsv");
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      const std::vector<std::string> columns = split(line, "\t");
      Listed row{columns.at(0), columns.at(2), columns.at(3), {}};
      if (!columns.at(4).empty())
        for (const std::string& argument : split(columns[4], ", "))
          row.arguments.push_back(argument.substr(0, argument.rfind(' ')));
      rows.emplace(columns[1], std::move(row));
    }
    return rows;
  }();
  return all;
}

std::map<std::string, Json> declared() {
  std::map<std::string, Json> rows;
  std::ifstream file(kSources / "frontend_abi/rt_torch.json");
  Json all = Json::parse(file);
  for (Json& row : all["symbols"]) {
    const std::string symbol = row["symbol"];
    EXPECT_TRUE(rows.emplace(symbol, std::move(row)).second) << symbol << " is there twice";
  }
  return rows;
}

/// The list's spelling of a kind of kinds.def.
std::string spelled(const std::string& kind, bool result) {
  static const std::map<std::string, std::string> attributes = {{"Void", "void"},
                                                                {"Tensor", "int64_t"},
                                                                {"OptTensor", "int64_t"},
                                                                {"Handle", "int64_t"},
                                                                {"Int", "int64_t"},
                                                                {"Index", "int64_t"},
                                                                {"Count", "int64_t"},
                                                                {"Bits", "int64_t"},
                                                                {"Int32", "int32_t"},
                                                                {"Code", "int32_t"},
                                                                {"Status", "int32_t"},
                                                                {"Flag", "flag"},
                                                                {"Idle", "flag"},
                                                                {"Float", "double"},
                                                                {"Rate", "double"},
                                                                {"TextBits", "int64_t"},
                                                                {"TensorList", "handle[]"},
                                                                {"IntList", "i64[]"},
                                                                {"Sizes", "i64[]"},
                                                                {"IntData", "i64[]"},
                                                                {"FloatList", "f64[]"},
                                                                {"Doubles", "const double*"},
                                                                {"Int64s", "const int64_t*"},
                                                                {"Int64Out", "int64_t*"},
                                                                {"DoubleOut", "double*"},
                                                                {"FloatOut", "float*"},
                                                                {"VoidOut", "void*"}};
  if (kind == "Text") return result ? "text" : "cstr";
  const auto found = attributes.find(kind);
  return found == attributes.end() ? "unknown kind " + kind : found->second;
}

TEST(Contract, EveryCallIsListedWithTheSameTypes) {
  ASSERT_FALSE(listed().empty());
  for (const auto& [symbol, row] : declared()) {
    SCOPED_TRACE(symbol);
    const auto found = listed().find(symbol);
    ASSERT_NE(found, listed().end()) << "not in the list";
    EXPECT_EQ(row["flavors"], found->second.flavors);
    EXPECT_EQ(spelled(row["returns"], true), found->second.returns);
    std::vector<std::string> arguments;
    for (const Json& param : row["params"]) arguments.push_back(spelled(param["kind"], false));
    EXPECT_EQ(Json(arguments), Json(found->second.arguments));
  }
}

TEST(Contract, CallsOfTheGroupAllI64TakeAndGiveOnlyInt64) {
  const std::set<std::string> one_word = {"Tensor", "OptTensor", "Handle", "Int",   "Index",
                                          "Int32",  "Flag",      "Bits",   "Count", "TextBits"};
  for (const auto& [symbol, row] : declared()) {
    if (listed().at(symbol).group != "all-i64") continue;
    EXPECT_TRUE(row["returns"] == "Void" || one_word.contains(row["returns"])) << symbol;
    for (const Json& param : row["params"]) EXPECT_TRUE(one_word.contains(param["kind"])) << symbol;
  }
}

}  // namespace
