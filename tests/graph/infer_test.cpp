// infer_test.cpp -- shapes, dtypes and refusals of the rows, as in PyTorch.
#include "graph/ops/infer.h"

#include <bit>

#include "tests/graph/samples.h"

namespace rt::test {
namespace {

using Ints = std::vector<int64_t>;

/// The result's type as text, or the error's message.
std::string inferred(Op op, const std::vector<Operand>& operands, const Ints& attributes = {},
                     const Ints& shape = {}, Ints* normalised = nullptr) {
  Args args;
  args.op = op;
  args.attributes.assign(attributes);
  args.shape.assign(shape);
  std::vector<TensorType> types;
  for (const Operand& operand : operands) types.push_back(operand.type());
  try {
    infer(args, types);
  } catch (const Error& error) {
    return error.text();
  }
  if (normalised) normalised->assign(args.attributes.begin(), args.attributes.end());
  return to_string(args.dtype, args.shape);
}

void expect_error(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' in '" << message << "'";
}

Operand f32(Ints sizes) { return {DType::F32, std::move(sizes)}; }
Operand i64(Ints sizes) { return {DType::I64, std::move(sizes)}; }

TEST(Infer, Broadcasting) {
  EXPECT_EQ(inferred(Op::Add, {f32({2, 3}), f32({2, 3})}), "f32[2,3]");
  EXPECT_EQ(inferred(Op::Add, {f32({2, 1}), f32({3})}), "f32[2,3]");
  EXPECT_EQ(inferred(Op::Add, {f32({}), f32({4, 1, 2})}), "f32[4,1,2]");
  EXPECT_EQ(inferred(Op::Add, {f32({0}), f32({1})}), "f32[0]");
  expect_error(inferred(Op::Add, {f32({2, 3}), f32({2, 4})}), {"[2,3]", "[2,4]", "dimension 1"});
  expect_error(inferred(Op::Add, {f32({0}), f32({2})}), {"do not broadcast", "0 and 2"});
}

TEST(Infer, PromotionOfTensorsWithDimensionsAndWithout) {
  const auto add = [](DType a, Ints x, DType b, Ints y) {
    return inferred(Op::Add, {{a, std::move(x)}, {b, std::move(y)}});
  };
  EXPECT_EQ(add(DType::I32, {2}, DType::I64, {}), "i32[2]");
  EXPECT_EQ(add(DType::F32, {2}, DType::F64, {}), "f32[2]");
  EXPECT_EQ(add(DType::I64, {2}, DType::F32, {}), "f32[2]");
  EXPECT_EQ(add(DType::I64, {2}, DType::F64, {}), "f64[2]");
  EXPECT_EQ(add(DType::Bool, {2}, DType::I32, {}), "i32[2]");
  EXPECT_EQ(add(DType::F32, {}, DType::F64, {}), "f64[]");
  EXPECT_EQ(add(DType::F32, {1}, DType::F64, {1}), "f64[1]");
  EXPECT_EQ(add(DType::Bool, {2}, DType::Bool, {2}), "bool[2]");
  EXPECT_EQ(inferred(Op::Div, {{DType::I32, {2}}, i64({2})}), "f32[2]");
  EXPECT_EQ(inferred(Op::Div, {{DType::I32, {2}}, {DType::F64, {}}}), "f64[2]");
  EXPECT_EQ(inferred(Op::Sqrt, {i64({2})}), "f32[2]");
  EXPECT_EQ(inferred(Op::Sum, {{DType::Bool, {2}}}), "i64[]");
  EXPECT_EQ(inferred(Op::Argmax, {f32({2, 3})}, {-4, 1}), "i64[1,1]");
  EXPECT_EQ(inferred(Op::AddScalar, {i64({2})}, {0}), "f32[2]");
  expect_error(inferred(Op::Sub, {{DType::Bool, {2}}, f32({2})}), {"no bool"});
  expect_error(inferred(Op::Gelu, {i64({2})}), {"floating point", "i64"});
  expect_error(inferred(Op::Neg, {{DType::Bool, {2}}}), {"no bool"});
  expect_error(inferred(Op::Mean, {i64({2})}), {"i64"});
}

TEST(Infer, Products) {
  EXPECT_EQ(inferred(Op::Matmul, {f32({2, 3}), f32({3, 4})}), "f32[2,4]");
  EXPECT_EQ(inferred(Op::Matmul, {f32({3}), f32({3})}), "f32[]");
  EXPECT_EQ(inferred(Op::Matmul, {f32({3}), f32({3, 4})}), "f32[4]");
  EXPECT_EQ(inferred(Op::Matmul, {f32({2, 3}), f32({3})}), "f32[2]");
  EXPECT_EQ(inferred(Op::Matmul, {f32({5, 1, 2, 3}), f32({7, 3, 4})}), "f32[5,7,2,4]");
  EXPECT_EQ(inferred(Op::Matmul, {f32({2, 0}), f32({0, 4})}), "f32[2,4]");
  expect_error(inferred(Op::Matmul, {f32({2, 3}), f32({4, 5})}),
               {"inner sizes differ", "[2,3] x [4,5]", "3 and 4"});
  expect_error(inferred(Op::Matmul, {f32({}), f32({2})}), {"0-d"});
  expect_error(inferred(Op::Matmul, {f32({2, 2}), i64({2, 2})}), {"f32 and i64"});
  expect_error(inferred(Op::Dot, {f32({2, 2}), f32({2})}), {"1-D"});
  EXPECT_EQ(inferred(Op::Embedding, {i64({5}), f32({9, 4})}), "f32[5,4]");
}

TEST(Infer, Reshape) {
  const auto reshape = [](Ints from, Ints to) {
    return inferred(Op::Reshape, {f32(std::move(from))}, {}, to);
  };
  EXPECT_EQ(reshape({2, 3}, {-1}), "f32[6]");
  EXPECT_EQ(reshape({2, 3}, {3, -1}), "f32[3,2]");
  EXPECT_EQ(reshape({1}, {}), "f32[]");
  EXPECT_EQ(reshape({0}, {-1, 3}), "f32[0,3]");
  expect_error(reshape({2, 3}, {-1, -1}), {"more than one -1"});
  expect_error(reshape({2, 3}, {-2}), {"-2", "negative"});
  expect_error(reshape({2, 3}, {4}), {"6 elements", "4"});
  expect_error(reshape({2, 3}, {-1, 4}), {"6 elements", "[-1,4]"});
  expect_error(reshape({0}, {0, -1}), {"could be any size"});
  expect_error(reshape({2}, {-1, 0}), {"2 elements", "[-1,0]"});
  expect_error(reshape({2}, {INT64_MAX, 4}), {"overflow"});
}

TEST(Infer, SliceClampsItsBounds) {
  const auto slice = [](int64_t start, int64_t end, int64_t step, Ints wanted_bounds) {
    Ints attributes;
    const std::string type =
        inferred(Op::Slice, {f32({10, 2})}, {start, end, 0, step}, {}, &attributes);
    if (!wanted_bounds.empty()) {
      attributes.resize(2);
      EXPECT_EQ(attributes, wanted_bounds);
    }
    return type;
  };
  EXPECT_EQ(slice(2, 5, 1, {2, 5}), "f32[3,2]");
  EXPECT_EQ(slice(-3, INT64_MAX, 1, {7, 10}), "f32[3,2]");
  EXPECT_EQ(slice(INT64_MIN, -1, 4, {0, 9}), "f32[3,2]");
  EXPECT_EQ(slice(8, 3, 1, {8, 8}), "f32[0,2]");
  EXPECT_EQ(slice(0, 10, INT64_MAX, {0, 10}), "f32[1,2]");
  expect_error(slice(0, 5, 0, {}), {"step is 0", "at least 1"});
  expect_error(inferred(Op::Slice, {f32({})}, {0, 1, 0, 1}), {"0-d"});
}

TEST(Infer, DimensionsWrap) {
  Ints attributes;
  EXPECT_EQ(inferred(Op::SumDim, {f32({2, 3})}, {-1, 1}, {}, &attributes), "f32[2,1]");
  EXPECT_EQ(attributes, (Ints{1, 1}));
  EXPECT_EQ(inferred(Op::SumDim, {f32({})}, {-1, 1}), "f32[]");
  EXPECT_EQ(inferred(Op::Unsqueeze, {f32({2})}, {-1}, {}, &attributes), "f32[2,1]");
  EXPECT_EQ(attributes, (Ints{1}));
  EXPECT_EQ(inferred(Op::Transpose, {f32({2, 3, 4})}, {0, -1}), "f32[4,3,2]");
  EXPECT_EQ(inferred(Op::Permute, {f32({2, 3, 4})}, {3, -1, 0, 1}), "f32[4,2,3]");
  expect_error(inferred(Op::SumDim, {f32({2, 3})}, {2, 0}), {"dim 2", "-2 to 1"});
  expect_error(inferred(Op::Permute, {f32({2, 3})}, {2, 0, -2}), {"dimension 0 twice"});
  expect_error(inferred(Op::Permute, {f32({2, 3})}, {1, 0}), {"names 1 dimensions"});
  expect_error(inferred(Op::MaxDim, {f32({0, 3})}, {0, 0}), {"empty"});
  EXPECT_EQ(inferred(Op::MaxDim, {f32({0, 3})}, {1, 0}), "f32[0]");
}

TEST(Infer, Joining) {
  EXPECT_EQ(inferred(Op::Cat, {f32({2, 3}), f32({4, 3})}, {0}), "f32[6,3]");
  EXPECT_EQ(inferred(Op::Cat, {{DType::F64, {0}}, f32({4, 3})}, {-1}), "f64[4,3]");
  EXPECT_EQ(inferred(Op::Stack, {f32({2}), f32({2})}, {-1}), "f32[2,2]");
  expect_error(inferred(Op::Cat, {f32({2, 3}), f32({2, 4})}, {0}), {"tensor 1 is [2,4]", "[2,3]"});
  expect_error(inferred(Op::Cat, {f32({}), f32({2})}, {0}), {"0-d"});
  expect_error(inferred(Op::Stack, {}, {0}), {"empty"});
  EXPECT_EQ(inferred(Op::IndexSelect, {f32({5, 2}), i64({3})}, {0}), "f32[3,2]");
  expect_error(inferred(Op::IndexSelect, {f32({5, 2}), f32({3})}, {0}), {"f32", "i64 or i32"});
}

TEST(Infer, Creation) {
  const auto arange = [](double start, double end, double step) {
    return inferred(
        Op::Arange, {},
        {std::bit_cast<int64_t>(start), std::bit_cast<int64_t>(end), std::bit_cast<int64_t>(step)});
  };
  EXPECT_EQ(arange(1, 1.3, .1), "f32[4]");
  EXPECT_EQ(arange(3, 3, -1), "f32[0]");
  expect_error(arange(0, 1, 0), {"step is 0"});
  expect_error(arange(0, 1, -1), {"leads from start 0 away"});
  EXPECT_EQ(inferred(Op::ArangeInt, {}, {5, -2, -3}), "f32[3]");
  expect_error(inferred(Op::ArangeInt, {}, {INT64_MIN, INT64_MAX, 1}), {"2^63"});
  expect_error(inferred(Op::Full, {}, {0}, {2, -1}), {"-1", "negative"});
  expect_error(inferred(Op::Full, {}, {0}, {INT64_MAX, 4}), {"overflow"});
  expect_error(inferred(Op::Full, {}, {0}, {INT64_MAX / 8}), {"bytes and this machine has"});
}

TEST(Infer, Losses) {
  EXPECT_EQ(inferred(Op::MseLoss, {f32({3}), {DType::F64, {}}}), "f64[]");
  EXPECT_EQ(inferred(Op::NllLoss, {f32({2, 3}), i64({2})}), "f32[]");
  expect_error(inferred(Op::NllLoss, {f32({2, 3}), i64({2, 1})}), {"[2,1]", "[2]"});
  expect_error(inferred(Op::NllLoss, {f32({2, 3}), f32({2})}), {"f32", "must be i64"});
  expect_error(inferred(Op::BinaryCrossEntropy, {f32({2}), f32({3})}), {"[3]", "[2]"});
  EXPECT_EQ(inferred(Op::CrossEntropyLoss, {f32({2, 3}), {DType::F64, {2, 3}}}), "f64[]");
}

TEST(Infer, GradientsOfLossesAreLikeWhatTheyAreOf) {
  const Operand classes = i64({2});
  EXPECT_EQ(inferred(Op::MseLossBackward, {f32({}), f32({2, 3}), f32({2, 3})}), "f32[2,3]");
  EXPECT_EQ(inferred(Op::BinaryCrossEntropyBackward, {f32({2}), f32({2}), f32({2})}), "f32[2]");
  expect_error(inferred(Op::MseLossBackward, {f32({}), f32({2, 3}), f32({3})}), {"[3]", "[2,3]"});
  expect_error(inferred(Op::MseLossBackward, {f32({3}), f32({2, 3}), f32({2, 3})}),
               {"grad_output is [3]", "0-d or like self, [2,3]"});
  EXPECT_EQ(inferred(Op::NllLossTotalWeight, {f32({2, 3}), classes}), "f32[]");
  expect_error(inferred(Op::NllLossTotalWeight, {f32({3}), i64({})}), {"[3]", "[N,C]"});
  EXPECT_EQ(inferred(Op::NllLossBackward, {f32({}), f32({2, 3}), classes, f32({})}), "f32[2,3]");
  expect_error(inferred(Op::NllLossBackward, {f32({}), f32({2, 3}), i64({3}), f32({})}),
               {"batch of 2", "[3]"});
  expect_error(inferred(Op::NllLossBackward, {f32({2}), f32({2, 3}), classes, f32({})}),
               {"grad_output is [2]", "0-d"});
  expect_error(inferred(Op::NllLossBackward, {f32({}), f32({2, 3}), classes, f32({1})}),
               {"total_weight is [1]", "0-d"});
}

TEST(Infer, ComparisonsGiveBoolsAndChoicesTakeThem) {
  const Operand yes{DType::Bool, {2, 1}};
  EXPECT_EQ(inferred(Op::Eq, {f32({2, 1}), i64({3})}), "bool[2,3]");
  EXPECT_EQ(inferred(Op::Where, {yes, f32({3}), i64({})}), "f32[2,3]");
  EXPECT_EQ(inferred(Op::Where, {yes, i64({3}), f32({})}), "f32[2,3]");
  EXPECT_EQ(inferred(Op::Where, {yes, yes, yes}), "bool[2,1]");
  EXPECT_EQ(inferred(Op::Where, {{DType::Bool, {}}, f32({}), f32({4})}), "f32[4]");
  expect_error(inferred(Op::Where, {i64({2}), f32({2}), f32({2})}), {"condition is i64", "bool"});
}

TEST(Infer, Devices) {
  Args args;
  args.op = Op::Add;
  const Ints sizes = {2}, none = {};
  TensorType types[] = {{.dtype = DType::F32, .device = {0}, .sizes = sizes},
                        {.dtype = DType::F32, .device = {}, .sizes = none}};
  infer(args, types);
  EXPECT_EQ(name(args.device), "cuda:0") << "a 0-d CPU tensor goes along";
  types[1].sizes = sizes;
  expect_error(message_of([&] { infer(args, types); }), {"on cuda:0 and on cpu"});
}

TEST(Infer, ListsOfWindowsAreSpelledOut) {
  Ints attributes;
  const Operand image = f32({2, 3, 8, 9}), weight = f32({4, 3, 3, 2});
  const auto absent = [](Op op, std::vector<Operand> operands, Ints list, Ints* normalised) {
    Args args;
    args.op = op;
    args.attributes.assign(list);
    std::vector<TensorType> types;
    for (const Operand& operand : operands) types.push_back(operand.type());
    types.push_back({.device = {}, .none = true, .sizes = {}});
    infer(args, types);
    normalised->assign(args.attributes.begin(), args.attributes.end());
    return to_string(args.dtype, args.shape);
  };
  EXPECT_EQ(absent(Op::Conv2d, {image, weight}, {1, 1, 2, 2, 1, 0, 1, 1}, &attributes),
            "f32[2,4,4,4]");
  EXPECT_EQ(attributes, (Ints{1, 2, 2, 2, 2, 1, 0, 2, 1, 1}));
  EXPECT_EQ(inferred(Op::MaxPool2d, {image}, {2, 3, 2, 0, 1, 0}, {}, &attributes), "f32[2,3,2,4]");
  EXPECT_EQ(attributes, (Ints{2, 3, 2, 2, 3, 2, 2, 0, 0}));
  EXPECT_EQ(inferred(Op::AvgPool2d, {image}, {1, 3, 1, 2, 1, 1}, {}, &attributes), "f32[2,3,4,5]");
  EXPECT_EQ(attributes, (Ints{2, 3, 3, 2, 2, 2, 2, 1, 1}));
}

TEST(Infer, LayersSayWhatTheyCannotTake) {
  const Operand image = f32({2, 3, 8, 9}), weight = f32({4, 3, 3, 2}), bias = f32({4});
  const auto conv = [&](const Operand& x, const Operand& w, const Operand& b, Ints attributes) {
    return inferred(Op::Conv2d, {x, w, b}, attributes);
  };
  const Ints plain = {1, 1, 1, 1, 0, 1, 1};
  EXPECT_EQ(conv(image, weight, bias, plain), "f32[2,4,6,8]");
  EXPECT_EQ(conv(f32({3, 8, 9}), weight, bias, plain), "f32[4,6,8]");
  expect_error(conv(f32({8, 9}), weight, bias, plain), {"input is [8,9]", "[N,C,H,W] or [C,H,W]"});
  expect_error(conv(image, f32({3, 3}), bias, plain), {"weight is [3,3]", "[out,C/groups,KH,KW]"});
  expect_error(conv(f32({2, 4, 8, 9}), weight, bias, plain), {"4 channels", "takes 3"});
  expect_error(conv(image, weight, f32({3}), plain), {"bias is [3]", "[4]"});
  expect_error(conv(image, weight, bias, {1, 3, 1, 1, 1, 1, 0, 1, 1}), {"stride has 3 numbers"});
  expect_error(conv(image, weight, bias, {1, 1, 0, 1, 0, 1, 1}), {"stride is [0]", "from 1"});
  expect_error(conv(image, weight, bias, {1, 1, 1, 1, 0, 1, 4}), {"reaches over 9", "has 8"});
  expect_error(conv(image, weight, bias, {1, 1, 1, 1, INT64_MAX, 1, 1}), {"padding is"});
  expect_error(conv(image, weight, {DType::F64, {4}}, plain), {"f32 and f64", "convert"});
  const auto pool = [&](Ints attributes) { return inferred(Op::MaxPool2d, {image}, attributes); };
  expect_error(pool({1, 3, 0, 1, 2}), {"padding is 2", "half of kernel_size, which is 3"});
  expect_error(pool({1, 9, 0, 1, 0}), {"window of 9", "input of 8"});
  expect_error(inferred(Op::AvgPool2d, {{DType::I32, {1, 4, 4}}}, {1, 2, 0, 1, 0}), {"not i32"});
}

TEST(Infer, NormalizationsAndDropoutSayWhatTheyCannotTake) {
  const auto bits = [](double value) { return std::bit_cast<int64_t>(value); };
  const Operand x = f32({2, 3}), three = f32({3});
  const auto layer = [&](const Operand& weight, Ints shape) {
    Ints attributes = {bits(1e-5), static_cast<int64_t>(shape.size())};
    attributes.insert(attributes.end(), shape.begin(), shape.end());
    return inferred(Op::LayerNorm, {x, weight, weight}, attributes);
  };
  EXPECT_EQ(layer(three, {3}), "f32[2,3]");
  expect_error(layer(three, {2}), {"normalized_shape is [2]", "last sizes of input [2,3]"});
  expect_error(layer(f32({1, 3}), {3}), {"weight is [1,3]", "normalized_shape, [3]"});
  const auto batch = [&](const Operand& input, const Operand& mean, double eps) {
    return inferred(Op::BatchNorm, {input, three, three, mean, three}, {bits(eps)});
  };
  EXPECT_EQ(batch(x, three, 1e-5), "f32[2,3]");
  expect_error(batch(x, f32({2}), 1e-5), {"running_mean is [2]", "must be [3]", "[2,3]"});
  expect_error(inferred(Op::BatchNormOfBatch, {f32({1, 3}), three, three}, {bits(1e-5)}),
               {"one value for each channel", "at least two"});
  expect_error(batch(x, three, 0), {"eps is 0", "positive"});
  for (const DType half : {DType::F16, DType::BF16}) {
    const Operand low{half, {2, 3}}, low_three{half, {3}};
    const std::string wanted = to_string(half, Shape{2, 3});
    EXPECT_EQ(inferred(Op::LayerNorm, {low, three, three}, {bits(1e-5), 1, 3}), wanted);
    EXPECT_EQ(batch(low, three, 1e-5), wanted);
    EXPECT_EQ(inferred(Op::BatchNormOfBatch, {low, three, three}, {bits(1e-5)}), wanted);
    EXPECT_EQ(inferred(Op::BatchNormOfBatch, {low, low_three, low_three}, {bits(1e-5)}), wanted);
    expect_error(batch(low, low_three, 1e-5), {"the others f32 and", "all be f32 or all"});
    expect_error(layer(Operand{DType::F64, {3}}, {3}), {"f32 and f64"});
  }
  const auto dropout = [&](const Operand& input, double p) {
    return inferred(Op::Dropout, {input}, {bits(p), 1});
  };
  EXPECT_EQ(dropout(i64({2}), 1), "i64[2]");
  expect_error(dropout(i64({2}), 0.5), {"not i64", "to_float32"});
  expect_error(dropout(x, 1.5), {"p is 1.5", "from 0 to 1"});
}

TEST(Infer, Matrices) {
  EXPECT_EQ(inferred(Op::Svd, {f32({5, 4, 2})}), "f32[5,4,2]");
  EXPECT_EQ(inferred(Op::Svd, {f32({2, 4})}), "f32[2,2]");
  EXPECT_EQ(inferred(Op::Eig, {f32({5, 3, 3})}), "f32[5,3]");
  EXPECT_EQ(inferred(Op::LinalgSolve, {f32({4, 3, 3}), f32({4, 3})}), "f32[4,3]");
  EXPECT_EQ(inferred(Op::LinalgSolve, {f32({3, 3}), f32({4, 3, 3})}), "f32[4,3,3]");
  expect_error(inferred(Op::Inverse, {f32({2, 3})}), {"self is [2,3]", "must be equal"});
  expect_error(inferred(Op::Eig, {f32({3})}), {"self is [3]", "matrix"});
  expect_error(inferred(Op::Det, {f32({4, 2, 2})}), {"[4,2,2]", "give one matrix"});
  expect_error(inferred(Op::LinalgSolve, {f32({3, 3}), f32({2, 2})}),
               {"A is [3,3]", "3 rows, not 2"});
}

TEST(Infer, GradientsFitWhatTheyAreGradientsOf) {
  EXPECT_EQ(inferred(Op::DetBackward, {f32({}), f32({3, 3})}), "f32[3,3]");
  expect_error(inferred(Op::DetBackward, {f32({1}), f32({3, 3})}), {"grad_output is [1]", "[]"});
  expect_error(inferred(Op::DetBackward, {f32({}), f32({2, 3, 3})}), {"give one matrix"});
  EXPECT_EQ(inferred(Op::EigBackward, {f32({2, 3}), f32({2, 3, 3})}), "f32[2,3,3]");
  expect_error(inferred(Op::EigBackward, {f32({3}), f32({2, 3, 3})}), {"[3]", "must be [2,3]"});
  expect_error(inferred(Op::EigBackward, {f32({3}), f32({3, 2})}), {"self is [3,2]", "equal"});
  const Operand index = i64({2});
  EXPECT_EQ(inferred(Op::EmbeddingBackward, {f32({2, 5}), index}, {3}), "f32[3,5]");
  expect_error(inferred(Op::EmbeddingBackward, {f32({3, 5}), index}, {3}), {"[3,5]", "[2]"});
  expect_error(inferred(Op::EmbeddingBackward, {f32({2, 5}), f32({2})}, {3}), {"i64 or i32"});
  EXPECT_EQ(inferred(Op::IndexAdd, {f32({4, 3}), index, f32({4, 2})}, {-1}), "f32[4,3]");
  expect_error(inferred(Op::IndexAdd, {f32({4, 3}), index, f32({4, 3})}, {-1}), {"f32[4,2]"});
  expect_error(inferred(Op::IndexAdd, {i64({4}), index, i64({2})}, {0}), {"not i64"});
  EXPECT_EQ(inferred(Op::ScatterAdd, {f32({4}), index, f32({2})}, {0}), "f32[4]");
  expect_error(inferred(Op::ScatterAdd, {f32({4}), index, f32({4})}, {0}), {"f32[2]"});
  EXPECT_EQ(inferred(Op::SliceBackward, {f32({2})}, {-3, 9, 0, 2}, {4}), "f32[4]");
  expect_error(inferred(Op::SliceBackward, {f32({3})}, {-3, 9, 0, 2}, {4}), {"is [2]"});
  expect_error(inferred(Op::SliceBackward, {f32({0})}, {0, 9, 0, 2}, {-4}), {"negative"});
  expect_error(inferred(Op::Expand, {f32({3})}, {}, {-2, 3}), {"negative"});
  expect_error(inferred(Op::Expand, {f32({3})}, {}, {3, 2}), {"does not broadcast to [3,2]"});
}

TEST(Infer, StridesStayInside) {
  EXPECT_EQ(inferred(Op::AsStrided, {f32({6})}, {1, 2, 3, 1}, {2, 2}), "f32[2,2]");
  expect_error(inferred(Op::AsStrided, {f32({6})}, {2, 2, 3, 1}, {2, 2}),
               {"reaches outside of [6]"});
  expect_error(inferred(Op::AsStrided, {f32({6})}, {-1, 1, 1}, {2}), {"reaches outside"});
  expect_error(inferred(Op::AsStrided, {f32({6})}, {0, 1, 1}, {2, 2}), {"stride has 1 numbers"});
  EXPECT_EQ(inferred(Op::AsStridedScatter, {f32({6}), f32({2})}, {0, 1, 2, 1, 3}), "f32[6]");
  expect_error(inferred(Op::AsStridedScatter, {f32({6}), f32({3})}, {0, 1, 2, 1, 3}),
               {"src is [3]", "[2]"});
}

}  // namespace
}  // namespace rt::test
