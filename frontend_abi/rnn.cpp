// rnn.cpp -- recurrent networks as compositions: the products with the inputs of all steps are one
// product, and each step adds that with the state.
#include <algorithm>

#include "frontend_abi/calls.h"
#include "frontend_abi/compose.h"
#include "graph/error.h"

namespace rt::call {

using namespace compose;

namespace {

enum class Cell { Tanh, Relu, Gru, Lstm };

/// Rows of weights for each feature of the state.
int64_t gates(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }

/// The weights of a layer in one direction; biases may be empty.
struct Weights {
  Expr input, hidden, input_bias, hidden_bias;
};

struct State {
  Expr hidden, memory;  ///< memory: of an LSTM
};

/// Gate `i` of `all`, whose last dimension holds them side by side.
Expr gate(Expr all, int64_t i, int64_t features) {
  return slice(all, all.rank() - 1, i * features, (i + 1) * features);
}

/// The state after a step. `from_input` has the products with the step's input, and all biases that
/// do not stand within a product with the state.
State after_step(Cell cell, Expr from_input, State before, const Weights& weights) {
  const int64_t features = before.hidden.sizes().back();
  const auto part = [features](Expr all, int64_t i) { return gate(all, i, features); };
  const auto sigmoid = [](Expr a) { return a.apply(Op::Sigmoid); };
  if (cell == Cell::Gru) {
    const Expr from_state = linear(before.hidden, weights.hidden, weights.hidden_bias);
    const Expr reset = sigmoid(part(from_input, 0) + part(from_state, 0));
    const Expr kept = sigmoid(part(from_input, 1) + part(from_state, 1));
    const Expr fresh = (part(from_input, 2) + reset * part(from_state, 2)).apply(Op::Tanh);
    return {(before.hidden - fresh) * kept + fresh, {}};
  }
  const Expr all = from_input + linear(before.hidden, weights.hidden, {});
  if (cell != Cell::Lstm) return {all.apply(cell == Cell::Tanh ? Op::Tanh : Op::Relu), {}};
  const Expr memory =
      sigmoid(part(all, 1)) * before.memory + sigmoid(part(all, 0)) * part(all, 2).apply(Op::Tanh);
  return {sigmoid(part(all, 3)) * memory.apply(Op::Tanh), memory};
}

/// The products with inputs, and the biases; see after_step().
Expr from_inputs(Cell cell, Expr input, const Weights& weights) {
  Expr bias = weights.input_bias;
  if (cell != Cell::Gru && bias) bias = bias + weights.hidden_bias;
  return linear(input, weights.input, bias);
}

void check_weights(Cell cell, const Weights& weights, int64_t taken, int64_t features) {
  const int64_t rows = gates(cell) * features;
  const auto check = [](std::string_view name, Expr given, const Shape& wanted) {
    if (given && !(given.sizes() == wanted))
      fail(name, " is ", to_string(given.sizes()), "; for this input and state it must be ",
           to_string(wanted));
  };
  check("w_ih", weights.input, {rows, taken});
  check("w_hh", weights.hidden, {rows, features});
  check("b_ih", weights.input_bias, {rows});
  check("b_hh", weights.hidden_bias, {rows});
}

// ---- Layers.

/// The arguments of a network but for its tensors.
struct Network {
  Cell cell;
  bool has_biases;
  int64_t layers;
  double dropout;  ///< 0 without training
  bool bidirectional, batch_first;
  int64_t directions() const { return bidirectional ? 2 : 1; }
  int64_t parts() const { return layers * directions(); }
  int64_t weights_of_part() const { return has_biases ? 4 : 2; }
};

/// One direction of a layer over input [T,N,...]: the states [T,N,H], and `state` after all steps.
Expr run_direction(const Network& network, Expr input, bool backwards, const Weights& weights,
                   State& state) {
  std::vector<Expr> inputs, outputs;
  entries_of(from_inputs(network.cell, input, weights), inputs);
  if (backwards) std::ranges::reverse(inputs);
  for (const Expr& from_input : inputs) {
    state = after_step(network.cell, from_input, state, weights);
    outputs.push_back(state.hidden);
  }
  if (backwards) std::ranges::reverse(outputs);
  return joined(Op::Stack, outputs, 0);
}

std::vector<Value> run_network(const Network& network, Builder& build,
                               std::span<const Value> operands) {
  Expr input(build, operands[0]);
  const bool has_memory = network.cell == Cell::Lstm;
  const size_t states = has_memory ? 2 : 1;
  const Expr hidden(build, operands[1]), memory = has_memory ? Expr(build, operands[2]) : Expr();
  const std::span<const Value> params = operands.subspan(1 + states);
  if (input.rank() != 3)
    fail("input is ", to_string(input.sizes()), "; it must be [T,N,features], or [N,T,features] ",
         "with batch_first");
  if (network.batch_first) input = input.apply(Op::Transpose, {0, 1});
  const int64_t length = input.sizes()[0], batch = input.sizes()[1];
  if (length == 0) fail("input has no steps; there must be at least one");
  for (const Expr& state : {hidden, memory})
    if (state && (state.rank() != 3 || state.sizes()[0] != network.parts() ||
                  state.sizes()[1] != batch || !(state.sizes() == hidden.sizes())))
      fail("a state of hx is ", to_string(state.sizes()), "; it must be [", network.parts(), ",",
           batch, ",features], one for each layer and direction");
  const int64_t features = hidden.sizes()[2];
  std::vector<Expr> last_hidden, last_memory;
  for (int64_t layer = 0; layer < network.layers; ++layer) {
    std::vector<Expr> outputs;
    for (int64_t direction = 0; direction < network.directions(); ++direction) {
      const int64_t part = layer * network.directions() + direction;
      const auto weight = [&](int64_t i) {
        if (i >= network.weights_of_part()) return Expr();
        return Expr(build, params[static_cast<size_t>(part * network.weights_of_part() + i)]);
      };
      const Weights weights{weight(0), weight(1), weight(2), weight(3)};
      check_weights(network.cell, weights, input.sizes()[2], features);
      const auto own = [part](Expr all) {
        return all ? slice(all, 0, part, part + 1).apply(Op::SqueezeDim, {0}) : all;
      };
      State state{own(hidden), own(memory)};
      outputs.push_back(run_direction(network, input, direction == 1, weights, state));
      last_hidden.push_back(state.hidden);
      if (has_memory) last_memory.push_back(state.memory);
    }
    input = outputs.size() == 1 ? outputs[0] : joined(Op::Cat, outputs, 2);
    if (network.dropout > 0 && layer + 1 < network.layers)
      input = input * input.apply(Op::DropoutMask, {build.constant(network.dropout), 1});
  }
  if (network.batch_first) input = input.apply(Op::Transpose, {0, 1});
  std::vector<Value> results = {input.value(), joined(Op::Stack, last_hidden, 0).value()};
  if (has_memory) results.push_back(joined(Op::Stack, last_memory, 0).value());
  return results;
}

int64_t record(CallContext& context, int64_t input, std::span<const int64_t> hx,
               std::span<const int64_t> params, Network network, bool train,
               abi::OutputList<int64_t>& out) {
  check_probability("dropout", network.dropout);
  if (!train) network.dropout = 0;
  const size_t states = network.cell == Cell::Lstm ? 2 : 1;
  if (hx.size() != states)
    fail("hx has ", hx.size(), " tensors; it must have ", states,
         states == 2 ? ", the hidden state and the memory" : ", the hidden state");
  if (network.layers < 1 || network.layers > abi::kMaxTensors)
    fail("num_layers is ", network.layers, "; it must be from 1 to ", abi::kMaxTensors);
  const int64_t wanted = network.parts() * network.weights_of_part();
  if (static_cast<int64_t>(params.size()) != wanted)
    fail("params has ", params.size(), " tensors; it must have ", wanted, ": w_ih and w_hh",
         network.has_biases ? ", b_ih and b_hh" : "", " for each layer and direction");
  std::vector<int64_t> handles = {input};
  for (const std::span<const int64_t> list : {hx, params})
    for (const int64_t handle : list) handles.push_back(handle);
  for (const int64_t handle : handles) context.engine.recorder.value_of(context, handle);
  return list(context, handles, out, [&](Builder& build, std::span<const Value> operands) {
    return run_network(network, build, operands);
  });
}

// ---- Single steps.

std::vector<Value> run_cell(Cell cell, Builder& build, std::span<const Value> operands) {
  const bool has_memory = cell == Cell::Lstm;
  const size_t first = has_memory ? 3 : 2;
  const Expr input(build, operands[0]), hidden(build, operands[1]);
  const State before{hidden, has_memory ? Expr(build, operands[2]) : Expr()};
  const Weights weights{optional(build, operands[first]), optional(build, operands[first + 1]),
                        optional(build, operands[first + 2]), optional(build, operands[first + 3])};
  if (!weights.input_bias != !weights.hidden_bias)
    fail("b_ih and b_hh must both be given or both be 0");
  const int64_t rank = input.rank();
  if (rank < 1 || rank > 2 || hidden.rank() != rank ||
      (rank == 2 && hidden.sizes()[0] != input.sizes()[0]))
    fail("input is ", to_string(input.sizes()), " and the hidden state ", to_string(hidden.sizes()),
         "; they must be [N,features], or [features] for one sample");
  if (before.memory && !(before.memory.sizes() == hidden.sizes()))
    fail("the memory is ", to_string(before.memory.sizes()), "; it must be as the hidden state, ",
         to_string(hidden.sizes()));
  check_weights(cell, weights, input.sizes().back(), hidden.sizes().back());
  const State after = after_step(cell, from_inputs(cell, input, weights), before, weights);
  if (has_memory) return {after.hidden.value(), after.memory.value()};
  return {after.hidden.value()};
}

int64_t record_cell(CallContext& context, Cell cell, int64_t input, int64_t hx, int64_t w_ih,
                    int64_t w_hh, int64_t b_ih, int64_t b_hh) {
  const int64_t handles[] = {input, hx, w_ih, w_hh, b_ih, b_hh};
  need_tensors(context, handles, {0, 1, 2, 3});
  return one(context, handles, [&](Builder& build, std::span<const Value> operands) {
    return Expr(build, run_cell(cell, build, operands)[0]);
  });
}

}  // namespace

int64_t rt_torch_nn_lstm(CallContext& context, int64_t input, std::span<const int64_t> hx,
                         std::span<const int64_t> params, bool has_biases, int64_t num_layers,
                         double dropout, bool train, bool bidirectional, bool batch_first,
                         abi::OutputList<int64_t> out) {
  return record(context, input, hx, params,
                {Cell::Lstm, has_biases, num_layers, dropout, bidirectional, batch_first}, train,
                out);
}

int64_t rt_torch_nn_gru(CallContext& context, int64_t input, int64_t hx,
                        std::span<const int64_t> params, bool has_biases, int64_t num_layers,
                        double dropout, bool train, bool bidirectional, bool batch_first,
                        abi::OutputList<int64_t> out) {
  return record(context, input, {&hx, 1}, params,
                {Cell::Gru, has_biases, num_layers, dropout, bidirectional, batch_first}, train,
                out);
}

int64_t rt_torch_nn_rnn_tanh(CallContext& context, int64_t input, int64_t hx,
                             std::span<const int64_t> params, bool has_biases, int64_t num_layers,
                             double dropout, bool train, bool bidirectional, bool batch_first,
                             abi::OutputList<int64_t> out) {
  return record(context, input, {&hx, 1}, params,
                {Cell::Tanh, has_biases, num_layers, dropout, bidirectional, batch_first}, train,
                out);
}

int64_t rt_torch_nn_rnn_relu(CallContext& context, int64_t input, int64_t hx,
                             std::span<const int64_t> params, bool has_biases, int64_t num_layers,
                             double dropout, bool train, bool bidirectional, bool batch_first,
                             abi::OutputList<int64_t> out) {
  return record(context, input, {&hx, 1}, params,
                {Cell::Relu, has_biases, num_layers, dropout, bidirectional, batch_first}, train,
                out);
}

int64_t rt_torch_nn_lstm_cell(CallContext& context, int64_t input, std::span<const int64_t> hx,
                              int64_t w_ih, int64_t w_hh, int64_t b_ih, int64_t b_hh,
                              abi::OutputList<int64_t> out) {
  if (hx.size() != 2)
    fail("hx has ", hx.size(), " tensors; it must have 2, the hidden state and the memory");
  const int64_t handles[] = {input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh};
  need_tensors(context, handles, {0, 1, 2, 3, 4});
  return list(context, handles, out, [](Builder& build, std::span<const Value> operands) {
    return run_cell(Cell::Lstm, build, operands);
  });
}

int64_t rt_torch_nn_gru_cell(CallContext& context, int64_t input, int64_t hx, int64_t w_ih,
                             int64_t w_hh, int64_t b_ih, int64_t b_hh) {
  return record_cell(context, Cell::Gru, input, hx, w_ih, w_hh, b_ih, b_hh);
}
int64_t rt_torch_nn_rnn_tanh_cell(CallContext& context, int64_t input, int64_t hx, int64_t w_ih,
                                  int64_t w_hh, int64_t b_ih, int64_t b_hh) {
  return record_cell(context, Cell::Tanh, input, hx, w_ih, w_hh, b_ih, b_hh);
}
int64_t rt_torch_nn_rnn_relu_cell(CallContext& context, int64_t input, int64_t hx, int64_t w_ih,
                                  int64_t w_hh, int64_t b_ih, int64_t b_hh) {
  return record_cell(context, Cell::Relu, input, hx, w_ih, w_hh, b_ih, b_hh);
}

}  // namespace rt::call
