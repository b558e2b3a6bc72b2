// attributes.cpp -- writes the attributes of a call as text.
#include "graph/ops/attributes.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "graph/error.h"

namespace rt {

void put_scalar(std::string& out, Kind kind, int64_t bits) {
  if (kind == Kind::Index) {
    out += std::to_string(bits);
    return;
  }
  const auto value = std::bit_cast<double>(bits);
  const double usual = std::numeric_limits<double>::quiet_NaN();
  if (std::isnan(value) && bits != std::bit_cast<int64_t>(usual)) {
    std::array<char, 16> text;
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), static_cast<uint64_t>(bits), 16).ptr;
    out += "nan:";
    out.append(text.data(), end);
    return;
  }
  out += to_string(value);
}

void put_attribute(std::string& out, Kind kind, std::span<const int64_t> attributes) {
  switch (kind) {
    case Kind::Flag: out += attributes[0] ? "true" : "false"; break;
    case Kind::Int: out += std::to_string(attributes[0]); break;
    case Kind::IntList: out += to_string(attributes); break;
    default: put_scalar(out, kind, attributes[0]);
  }
}

std::string call_text(std::string_view symbol, const OpInfo& row, const AttributesView& attributes,
                      const TensorType& result, uint32_t operands,
                      const std::function<std::string(uint32_t)>& operand) {
  std::string text = join(symbol, "(");
  const auto begin = [&](const Param& param) {
    if (text.back() != '(') text += ", ";
    text += join(param.name, "=");
  };
  uint32_t tensor = 0, scalar = 0, integer = 0, list = 0;
  for (const Param& param : row.params) {
    switch (param.kind) {
      case Kind::Tensor:
      case Kind::OptTensor:
        if (const std::string value = operand(tensor++); !value.empty()) {
          begin(param);
          text += value;
        }
        continue;
      default: break;
    }
    begin(param);
    switch (param.kind) {
      case Kind::TensorList:
        text += "[";
        for (const char* before = ""; tensor < operands; before = ", ")
          text += before + operand(tensor++);
        text += "]";
        break;
      case Kind::Sizes: text += to_string(result.sizes); break;
      case Kind::DType: text += name(result.dtype); break;
      case Kind::Device: text += name(result.device); break;
      case Kind::IntList: put_attribute(text, param.kind, attributes.list(list++)); break;
      case Kind::Int:
      case Kind::Flag:
        put_attribute(text, param.kind, attributes.attributes.subspan(row.scalars + integer++, 1));
        break;
      default: put_attribute(text, param.kind, attributes.attributes.subspan(scalar++, 1));
    }
  }
  return text + ")";
}

}  // namespace rt
