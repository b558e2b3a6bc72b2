"""ours.py -- the workloads on the engine from Python, through ctypes.

The calls of the C ABI, with their types, come from frontend_abi/rt_torch.json. ctypes takes longer
for a call than the engine does, so that the times of the engine in peers.py's table are those of
rt_bench, which makes the calls from C++.
"""
import contextlib
import ctypes
import json
import math
import os
import pathlib

import numpy as np

import workloads as w

TABLE = pathlib.Path(__file__).resolve().parents[2] / "frontend_abi" / "rt_torch.json"
TITLE = None
FLOAT, INT64 = 0, 3
TYPES = {"int64_t": ctypes.c_int64, "double": ctypes.c_double, "const char*": ctypes.c_char_p,
         "void": None, "void*": ctypes.c_void_p}


def bind(library, symbol, kinds):
    """The function of the library, or None where it lacks the symbol."""
    function = getattr(library, symbol["symbol"], None)
    if function is None:
        return None
    pointer = {"c_params": "void* $"}
    parameters = ", ".join(kinds.get(p["kind"], pointer)["c_params"] for p in symbol["params"])
    types = [text.rpartition(" ")[0] for text in parameters.split(", ")] if parameters else []
    function.argtypes = [TYPES.get(one, ctypes.c_void_p) for one in types]
    function.restype = TYPES.get(kinds[symbol["returns"]]["c_result"], ctypes.c_void_p)
    return function


class Api:
    """The calls without their prefixes: `add` is rt_torch_torchtensor_add."""

    def __init__(self, path):
        library = ctypes.CDLL(path)
        table = json.loads(TABLE.read_text())
        for symbol in table["symbols"]:
            name = symbol["symbol"]
            short = name.removeprefix("rt_torch_").removeprefix("torchtensor_")
            # A call of a tensor comes before another of that short name.
            if "torchtensor_" in name or not hasattr(self, short):
                setattr(self, short, bind(library, symbol, table["kinds"]))


def choose(backend):
    """Loads the library of the build folder PEERS_BUILD, on that backend."""
    global api, TITLE
    api = Api(os.environ["PEERS_BUILD"] + "/lib/librt_torch.so")
    TITLE = f"rt_torch on {backend}, from Python"
    if api.set_backend(backend.encode()) != 1:
        raise RuntimeError(api.last_error().decode())


def version():
    return f"rt_torch {json.loads(TABLE.read_text())['version']}"


def ints(*values):
    return (ctypes.c_int64 * len(values))(*values), len(values)


class Tensor:
    """Owns a handle. ctypes passes the handle where a call takes a tensor."""

    __slots__ = ("_as_parameter_",)

    def __init__(self, handle):
        self._as_parameter_ = handle
        if handle <= 0:
            raise RuntimeError(api.last_error().decode())

    def __del__(self):
        if self._as_parameter_ > 0:
            api.free(self._as_parameter_)

    def __add__(self, other):
        if isinstance(other, Tensor):
            return Tensor(api.add(self, other))
        return Tensor(api.add_scalar(self, other))

    def __mul__(self, other):
        if isinstance(other, Tensor):
            return Tensor(api.mul(self, other))
        return Tensor(api.mul_scalar(self, other))

    def __matmul__(self, other):
        return Tensor(api.matmul(self, other))

    def transpose(self, dim0, dim1):
        return Tensor(api.transpose(self, dim0, dim1))

    def reshape(self, *sizes):
        return Tensor(api.reshape(self, *ints(*sizes)))

    def numpy(self):
        values = np.empty(api.numel(self), np.float32)
        if api.copy_data(self, values.ctypes.data, len(values), FLOAT) != len(values):
            raise RuntimeError(api.last_error().decode())
        return values


def tensor(values):
    dtype = INT64 if values.dtype == np.int64 else FLOAT
    numbers = np.ascontiguousarray(values, np.float64)
    return Tensor(api.tensor(numbers.ctypes.data, numbers.size, *ints(*values.shape), dtype, 0))


def relu(x):
    return Tensor(api.relu(x))


def softmax(x):
    return Tensor(api.softmax(x, -1))


def linear(x, weight, bias):
    return Tensor(api.nn_linear(x, weight, bias))


def layer_norm(x, weight, bias, width):
    return Tensor(api.nn_layer_norm(x, *ints(width), weight, bias, 1e-5))


def flushed(result):
    """Submits the step, as rt_bench does where nothing is read."""
    api.flush()
    return result


# ---- attention


def split_heads(x, batch, length, heads, width):
    return x.reshape(batch, length, heads, width // heads).transpose(1, 2)


def causal_attention(query, key, value, kind, mask):
    sizes = kind.batch, kind.length, kind.heads, kind.width
    query, key, value = (split_heads(x, *sizes) for x in (query, key, value))
    scores = query @ key.transpose(2, 3) * (1 / math.sqrt(kind.width // kind.heads))
    mixed = softmax(scores + mask) @ value
    return mixed.transpose(1, 2).reshape(kind.batch, kind.length, kind.width)


# ---- losses


def mlp_loss(parameters, x, target, kind):
    for i in range(0, len(parameters), 2):
        x = linear(x if i == 0 else relu(x), parameters[i], parameters[i + 1])
    return Tensor(api.nn_mse_loss_tensor(x, target))


def cross_entropy(logits, target):
    return Tensor(api.nn_cross_entropy_tensor(logits, target))


def conv_loss(parameters, x, target, kind):
    ones, twos, zeros = ints(1, 1), ints(2, 2), ints(0, 0)
    for i in (0, 2):
        x = relu(Tensor(api.nn_conv2d(x, parameters[i], parameters[i + 1],
                                      *ones, *ones, *ones, 1)))
        x = Tensor(api.nn_max_pool2d(x, *twos, *twos, *zeros))
    return cross_entropy(linear(x.reshape(kind.batch, -1), parameters[4], parameters[5]), target)


def transformer_loss(parameters, characters, target, kind):
    def dense(i, x):
        return linear(x, parameters[2 + 2 * i], parameters[3 + 2 * i])

    def norm(i, x):
        return layer_norm(x, parameters[12 + 2 * i], parameters[13 + 2 * i], kind.width)

    x = Tensor(api.nn_embedding(characters, parameters[0])) + parameters[1]
    parts = (ctypes.c_int64 * 3)()
    if api.chunk(dense(0, norm(0, x)), 3, 2, parts, 3) != 3:
        raise RuntimeError(api.last_error().decode())
    x = x + dense(1, causal_attention(*(Tensor(part) for part in parts), kind, kind.mask))
    x = x + dense(3, Tensor(api.gelu(dense(2, norm(1, x)))))
    return cross_entropy(dense(4, norm(2, x).reshape(-1, kind.width)), target)


LOSSES = {w.Mlp: mlp_loss, w.ConvNet: conv_loss, w.Transformer: transformer_loss}


def training_step(kind):
    parameters = [tensor(x) for x in kind.parameters]
    for one in parameters:
        api.autograd_set_requires_grad(one, 1)
    handles = ints(*(one._as_parameter_ for one in parameters))
    optimizer = (api.adamw_new(*handles, w.RATE, 0.9, 0.999, 1e-8, w.WEIGHT_DECAY) if kind.adamw
                 else api.sgd_new(*handles, w.RATE, 0.0, 0.0))
    batches = [(tensor(x), tensor(y)) for x, y in kind.batches]
    if isinstance(kind, w.Transformer):
        kind.mask = tensor(kind.mask)
    loss_of, steps = LOSSES[type(kind)], iter(range(10**9))

    def step():
        api.optimizer_zero_grad(optimizer)
        loss = loss_of(parameters, *batches[next(steps) % len(batches)], kind)
        api.autograd_backward(loss)
        api.optimizer_step(optimizer)
        return api.item(loss)
    return step


def make(kind):
    match kind:
        case w.Training():
            return training_step(kind)
        case w.OneOp():
            start, shift = tensor(kind.start), tensor(kind.shift)
            return lambda: (start + shift).numpy()
        case w.Chain():
            operands = *map(tensor, (kind.start, kind.scale, kind.shift)), kind.ops, relu
            if not kind.costly:
                return lambda: flushed(w.chain(*operands))
            return lambda: api.sum(w.costly_chain(*operands, lambda x: Tensor(api.exp(x)),
                                                  lambda x: Tensor(api.tanh(x))))
        case w.NewShapes():
            steps = iter(range(10**9))

            def new_shapes():
                sizes = ints(*kind.sizes(next(steps)))
                return flushed(w.new_shapes(Tensor(api.tensor_full(*sizes, 0.5)), kind.ops))
            return new_shapes
        case w.Attention():
            projections = [(tensor(a), tensor(b)) for a, b in kind.projections]
            norm, x = [tensor(one) for one in kind.norm], tensor(kind.input)

            def attention():
                query, key, value = (linear(x, *one) for one in projections[:3])
                mixed = softmax(query @ key.transpose(-2, -1) * kind.scale) @ value
                return flushed(layer_norm(x + linear(mixed, *projections[3]), *norm, kind.width))
            return attention
        case w.CausalAttention():
            if kind.own_call:
                return None  # the engine has no such call
            operands = [tensor(x) for x in (kind.query, kind.key, kind.value)]
            mask = tensor(kind.mask)
            return lambda: flushed(causal_attention(*operands, kind, mask))


@contextlib.contextmanager
def around(kind):
    yield
    api.sync()
    if api.last_error():
        raise RuntimeError(api.last_error().decode())


def values(result):
    return result.numpy() if isinstance(result, Tensor) else result
