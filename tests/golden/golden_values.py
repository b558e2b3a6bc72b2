"""Arguments of golden cases, and the JSON of arguments and results."""

import math
import struct

import numpy as np
import torch

NAN, INF = math.nan, math.inf
I64_MAX, I64_MIN = 2**63 - 1, -(2**63)
I32_MAX, I32_MIN = 2**31 - 1, -(2**31)
DTYPES = {
    "f32": torch.float32,
    "f64": torch.float64,
    "i32": torch.int32,
    "i64": torch.int64,
    "bool": torch.bool,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
}
NAME_OF = {dtype: name for name, dtype in DTYPES.items()}
LOADER_CODE = {name: code for code, name in enumerate(DTYPES)}
FLOATS, INTS, ALL = ("f32", "f64"), ("i32", "i64"), ("f32", "f64", "i32", "i64")
HALVES = ("f16", "bf16")


class T:
    """A tensor argument: a contiguous base and the view calls applied to it."""

    def __init__(self, dtype, shape, data, views=()):
        self.dtype, self.shape, self.data, self.views = dtype, list(shape), list(data), list(views)
        assert math.prod(self.shape) == len(self.data), (shape, data)

    def then(self, *view):
        return T(self.dtype, self.shape, self.data, self.views + [list(view)])

    def torch(self):
        return self.steps()[-1]

    def steps(self):
        """The base, and the result of each view call."""
        base = torch.tensor(self.data, dtype=DTYPES[self.dtype]).reshape(self.shape)
        return through(base, self.views)

    def json(self):
        base = {"dtype": self.dtype, "shape": self.shape, "data": numbers(self.data, self.dtype)}
        if self.views:
            base["views"] = self.views
        return {"tensor": base}


class Arg:
    """An argument whose kind does not follow from its Python type; kind is its key in the JSON."""

    def __init__(self, kind, value):
        self.kind, self.value = kind, value


def sizes(*values):
    return Arg("ints", list(values))


def floats(*values):
    return Arg("floats", list(values))


def tensors(*values):
    return Arg("tensors", list(values))


def word_list(*values):
    """Bits of doubles, passed as a pointer; their counts follow as integers."""
    return Arg("words", [struct.unpack("<q", struct.pack("<d", v))[0] for v in values])


NO_TENSOR = Arg("none", None)

def through(value, views):
    """The tensor, and the result of each view call on the one before it."""
    values = [value]
    for name, *args in views:
        values.append(VIEWS[name](values[-1], *args))
    return values


class Seen:
    """A tensor to read after the call: the argument `arg`, or its result after the first `of` of its
        view calls, through further views made before the call."""

    def __init__(self, arg, of=None, views=()):
        self.arg, self.of, self.views = arg, of, [list(view) for view in views]

    def torch(self, made):
        steps = made[self.arg]
        return through(steps[len(steps) - 1 if self.of is None else self.of], self.views)[-1]

    def json(self, value):
        row = {"arg": self.arg}
        if self.of is not None:
            row["of"] = self.of
        if self.views:
            row["views"] = self.views
        return {**row, **tensor_json(value)}


VIEWS = {
    "clone": torch.clone,
    "transpose": torch.transpose,
    "t": torch.t,
    "permute": lambda x, *dims: x.permute(dims),
    "slice": torch.ops.aten.slice.Tensor,
    "unsqueeze": torch.unsqueeze,
    "squeeze_dim": torch.squeeze,
}


def numbers(values, dtype):
    """JSON numbers that parse to exactly these values; f32 values in their shorter notation."""
    return [number(v, dtype) for v in values]


def number(value, dtype="f64"):
    if dtype in INTS or dtype == "bool":
        return int(value)
    value = float(np.float32(value)) if dtype == "f32" else float(value)
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if dtype == "f32":
        short = float(str(np.float32(value)))
        assert np.float32(short) == np.float32(value)
        value = short
    # Whole numbers drop ".0" to keep the data small, except -0.0, which would lose its sign.
    whole = (
        value == int(value)
        and abs(value) < 2**53
        and not (value == 0 and math.copysign(1, value) < 0)
    )
    return int(value) if whole else value


def tensor_json(x):
    dtype = NAME_OF[x.dtype]
    return {"dtype": dtype, "shape": list(x.shape), "data": numbers(x.flatten().tolist(), dtype)}


def arg_json(arg):
    if isinstance(arg, T):
        return arg.json()
    if isinstance(arg, bool):
        return {"flag": arg}
    if isinstance(arg, int):
        return {"int": arg}
    if isinstance(arg, float):
        return {"float": number(arg)}
    if arg.kind == "tensors":
        return {"tensors": [t.json()["tensor"] for t in arg.value]}
    if arg.kind == "floats":
        return {"floats": numbers(arg.value, "f64")}
    return {arg.kind: arg.value}


def arg_steps(arg):
    """The tensors of an argument: its base and the result of each view call."""
    return arg.steps() if isinstance(arg, T) else [arg_torch(arg)]


def arg_torch(arg):
    if isinstance(arg, T):
        return arg.torch()
    if not isinstance(arg, Arg):
        return arg
    return [t.torch() for t in arg.value] if arg.kind == "tensors" else arg.value


def wave(dtype, *shape, start=0):
    """Numbers of both signs without order, exact in every dtype: -9..9, in quarters for floats."""
    steps = [((start + i) * 7 + 3) % 19 - 9 for i in range(math.prod(shape))]
    return T(dtype, shape, of_dtype(dtype, steps, 4))


def of_dtype(dtype, whole, parts):
    """Whole numbers for a dtype: divided by `parts` for floats, odd or even for bools."""
    if dtype == "bool":
        return [w % 2 for w in whole]
    return [w / parts for w in whole] if dtype in FLOATS + HALVES else whole


def positive(dtype, *shape):
    """1..13 in halves for floats."""
    steps = [(i * 5 + 2) % 13 + 1 for i in range(math.prod(shape))]
    return T(dtype, shape, of_dtype(dtype, steps, 2))


def vec(dtype, *values):
    return T(dtype, [len(values)], values)


def scalar(dtype, value):
    return T(dtype, [], [value])


def empty(dtype, *shape):
    return T(dtype, shape, [])


def layouts(make, dtype):
    """Such values in every layout that a kernel must handle."""
    return {
        "scalar": make(dtype),
        "empty": make(dtype, 0),
        "empty_2d": make(dtype, 2, 0),
        "row": make(dtype, 19),
        "block": make(dtype, 2, 3, 4),
        "transposed": make(dtype, 3, 4).then("t"),
        "strided": make(dtype, 4, 7).then("slice", 1, 1, 7, 3),
        "permuted": make(dtype, 2, 3, 4).then("permute", 2, 0, 1),
        "rows_cut": make(dtype, 5, 3).then("slice", 0, 1, 4, 1),
    }


SPECIAL = (NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40, 3e38)
