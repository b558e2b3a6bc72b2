"""Golden cases of many calls: named tensors, and calls that are recorded as PyTorch runs them."""

import zlib

import torch

from golden_reference import NN, REFERENCE, TT
from golden_values import DTYPES, NO_TENSOR, Arg, arg_json, tensor_json


class Ref:
    """A named tensor, and its contents before the first call."""

    def __init__(self, name, value, given=None):
        self.name, self.value, self.given = name, value, given


class Net:
    """Named tensors, and calls on them: n.relu(x) is rt_torch_torchtensor_relu,
        n.linear(x, w, b) is rt_torch_nn_linear."""

    def __init__(self, name, dtype):
        self.dtype, self.tensors, self.leaves, self.calls = dtype, {}, [], []
        self.numbers = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def given_json(self):
        return {name: ref.given for name, ref in self.tensors.items()}

    def given(self, name, value, dtype=None):
        value = value.to(DTYPES[dtype or self.dtype]).clone()
        assert name not in self.tensors
        self.tensors[name] = Ref(name, value, tensor_json(value))
        return self.tensors[name]

    def input(self, name, *shape, dtype=None):
        return self.given(name, self.normal(shape), dtype)

    def normal(self, shape):
        """Multiples of 1/64, which are equal in both float dtypes."""
        numbers = torch.randn(shape, generator=self.numbers, dtype=torch.float64)
        return (numbers * 64).round() / 64

    def positive(self, name, *shape, dtype=None):
        """Multiples of 1/64 inside (0, 1)."""
        uniform = torch.rand(shape, generator=self.numbers, dtype=torch.float64)
        return self.given(name, (uniform * 58 + 3).round() / 64, dtype)

    def ints(self, name, values):
        return self.given(name, torch.tensor(values), "i64")

    def leaf(self, ref):
        ref.value.requires_grad_(True)
        self.leaves.append(ref)
        return ref

    def parameter(self, name, *shape, dtype=None):
        return self.leaf(self.input(name, *shape, dtype=dtype))

    def weight(self, name, *shape):
        """A parameter so small that values stay within bounds through many layers."""
        return self.leaf(self.given(name, self.normal(shape) / 4))

    def __getattr__(self, name):
        for prefix in (TT, NN, "rt_torch_"):
            reference = REFERENCE.get(prefix + name) or REFERENCE.get(
                prefix + name.removesuffix("_tensor")
            )
            if reference:
                return lambda *args: self.call(prefix + name, reference, args)
        raise AttributeError(name)

    def call(self, symbol, reference, args):
        result = Ref(f"v{len(self.calls)}", reference(*map(as_torch, args)))
        row = {"symbol": symbol, "args": [as_json(a) for a in args], "gives": result.name}
        self.calls.append(row)
        return result


def as_torch(arg):
    if isinstance(arg, Ref):
        return arg.value
    if isinstance(arg, Arg):
        return arg.value
    return [as_torch(a) for a in arg] if isinstance(arg, list) else arg


def as_json(arg):
    if isinstance(arg, Ref):
        return {"value": arg.name}
    if isinstance(arg, list) and arg and isinstance(arg[0], Ref):
        return {"values": [ref.name for ref in arg]}
    if isinstance(arg, list):
        return {"ints": arg}
    return arg_json(NO_TENSOR if arg is None else arg)
