"""PyTorch's equivalent of each symbol of the ABI, and all departures from PyTorch."""

import math
import struct

import torch
import torch.nn.functional as F

from golden_values import DTYPES


def require(condition, sentence):
    if not condition:
        raise ValueError(sentence)


def dtype_of(code, allowed=range(len(DTYPES))):
    require(code in allowed, "unknown dtype code")
    return list(DTYPES.values())[code]


def from_data(data, shape):
    require(len(data) == math.prod(shape) and all(d >= 0 for d in shape), "data and dims disagree")
    return torch.tensor(data, dtype=torch.float64).reshape(shape)


def from_i64_data(data, shape):
    require(len(data) == math.prod(shape) and all(d >= 0 for d in shape), "data and dims disagree")
    return torch.tensor(data, dtype=torch.int64).reshape(shape)


def from_words(words, rows, cols=None):
    count = rows if cols is None else rows * cols
    values = struct.unpack(f"<{count}d", struct.pack(f"<{count}q", *words))
    return torch.tensor(values, dtype=torch.float64).reshape(
        (rows,) if cols is None else (rows, cols)
    )


def load_tensor(data, shape, code, device):
    require(device == 0, "no such device")
    return from_data(data, shape).to(dtype_of(code))


def arg_extreme(function):
    """dim < 0 means the whole tensor; in PyTorch it counts from the end."""
    return lambda x, dim, keepdim: function(x, None if dim < 0 else dim, keepdim=keepdim)


def shape_dim(x, dim):
    """A negative index is out of range; in PyTorch it counts from the end."""
    require(0 <= dim < x.dim(), "no such dimension")
    return x.size(dim)


def to_device(x, device):
    """These cases ask only for the CPU, with any index that stands for it."""
    require(device < 0, "no such device")
    return x.clone()


def no_cuda(x, device):
    raise ValueError("no such device")


def conv2d(x, weight, bias, stride, padding, dilation, groups):
    return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)


def batch_norm(x, mean, var, weight, bias, training, momentum, eps):
    """In training the call changes the statistics in place."""
    return F.batch_norm(x, mean, var, weight, bias, training, momentum, eps)


def det(x):
    require(x.dim() == 2, "one matrix")
    return torch.det(x)


TT, NN = "rt_torch_torchtensor_", "rt_torch_nn_"

REFERENCE = {
    "rt_torch_tensor_zeros": lambda dims: torch.zeros(dims),
    "rt_torch_tensor_ones": lambda dims: torch.ones(dims),
    "rt_torch_tensor_empty": lambda dims: torch.zeros(dims),
    "rt_torch_tensor_full": lambda dims, value: torch.full(dims, value, dtype=torch.float32),
    "rt_torch_tensor_rand": lambda dims: torch.rand(dims),
    "rt_torch_tensor_randn": lambda dims: torch.randn(dims),
    "rt_torch_tensor_from_data": from_data,
    "rt_torch_tensor_arange": lambda start, end, step: torch.arange(
        start, end, step, dtype=torch.float32
    ),
    "rt_torch_tensor_linspace": lambda start, end, steps: torch.linspace(start, end, steps),
    "rt_torch_tensor_eye": lambda n: torch.eye(n),
    "rt_torch_tensor_arange_int": lambda start, end, step: torch.arange(start, end, step),
    "rt_torch_tensor_from_i64_data": from_i64_data,
    "rt_torch_tensor_zeros_int_1d": lambda n: torch.zeros(n, dtype=torch.int64),
    "rt_torch_tensor_zeros_int_2d": lambda n, m: torch.zeros(n, m, dtype=torch.int64),
    "rt_torch_tensor_ones_int_1d": lambda n: torch.ones(n, dtype=torch.int64),
    "rt_torch_tensor_ones_int_2d": lambda n, m: torch.ones(n, m, dtype=torch.int64),
    "rt_torch_tensor_full_int_1d": lambda n, value: torch.full((n,), value),
    "rt_torch_tensor_full_int_2d": lambda n, m, value: torch.full((n, m), value),
    TT + "add": torch.add,
    TT + "sub": torch.sub,
    TT + "mul": torch.mul,
    TT + "div": torch.div,
    TT + "pow": torch.pow,
    TT + "add_scalar": torch.add,
    TT + "mul_scalar": torch.mul,
    TT + "sub_scalar": torch.sub,
    TT + "div_scalar": torch.div,
    TT + "sin": torch.sin,
    TT + "cos": torch.cos,
    TT + "tan": torch.tan,
    TT + "asin": torch.asin,
    TT + "acos": torch.acos,
    TT + "atan2": torch.atan2,
    TT + "neg": torch.neg,
    TT + "abs": torch.abs,
    TT + "sqrt": torch.sqrt,
    TT + "exp": torch.exp,
    TT + "log": torch.log,
    TT + "relu": torch.relu,
    TT + "sigmoid": torch.sigmoid,
    TT + "tanh": torch.tanh,
    TT + "gelu": F.gelu,
    TT + "leaky_relu": F.leaky_relu,
    TT + "softplus": F.softplus,
    TT + "softmax": torch.softmax,
    TT + "log_softmax": torch.log_softmax,
    TT + "sum": torch.sum,
    TT + "mean": torch.mean,
    TT + "max": torch.max,
    TT + "min": torch.min,
    TT + "std": torch.std,
    TT + "var": torch.var,
    TT + "norm": torch.norm,
    TT + "cumsum": torch.cumsum,
    TT + "sum_dim": lambda x, dim, keepdim: x.sum(dim, keepdim=keepdim),
    TT + "mean_dim": lambda x, dim, keepdim: x.mean(dim, keepdim=keepdim),
    TT + "max_dim": lambda x, dim, keepdim: x.max(dim, keepdim=keepdim).values,
    TT + "min_dim": lambda x, dim, keepdim: x.min(dim, keepdim=keepdim).values,
    TT + "argmax": arg_extreme(torch.argmax),
    TT + "argmin": arg_extreme(torch.argmin),
    TT + "ndim": torch.Tensor.dim,
    TT + "numel": torch.Tensor.numel,
    TT + "shape": lambda x: list(x.shape),
    TT + "shape_dim": shape_dim,
    TT + "reshape": torch.reshape,
    TT + "view": torch.reshape,  # a copy if PyTorch's view fails
    TT + "permute": torch.permute,
    TT + "squeeze": torch.squeeze,
    TT + "squeeze_dim": torch.squeeze,
    TT + "unsqueeze": torch.unsqueeze,
    TT + "flatten": torch.flatten,
    TT + "contiguous": torch.Tensor.contiguous,
    TT + "slice": torch.ops.aten.slice.Tensor,
    TT + "index_select": torch.index_select,
    TT + "gather": torch.gather,
    TT + "cat": torch.cat,
    TT + "stack": torch.stack,
    TT + "chunk": lambda x, chunks, dim: list(torch.chunk(x, chunks, dim)),
    TT + "to_float": torch.Tensor.double,
    TT + "to_float32": torch.Tensor.float,
    TT + "to_int": torch.Tensor.long,
    TT + "matmul": torch.matmul,
    TT + "dot": torch.dot,
    TT + "transpose": torch.transpose,
    TT + "t": torch.t,
    TT + "det": det,
    TT + "inverse": torch.inverse,
    TT + "svd": lambda x: torch.linalg.svd(x, full_matrices=False).U,
    TT + "eig": lambda x: torch.linalg.eig(x).eigenvalues.real,
    TT + "linalg_solve": torch.linalg.solve,
    NN + "conv2d": conv2d,
    NN + "max_pool2d": F.max_pool2d,
    NN + "avg_pool2d": F.avg_pool2d,
    NN + "batch_norm": batch_norm,
    NN + "layer_norm": F.layer_norm,
    NN + "dropout": F.dropout,
    NN + "linear": F.linear,
    NN + "embedding": F.embedding,
    NN + "mse_loss": F.mse_loss,
    NN + "cross_entropy": F.cross_entropy,
    NN + "binary_cross_entropy": F.binary_cross_entropy,
    NN + "nll_loss": F.nll_loss,
    "rt_torch_tensor": load_tensor,
    "rt_torch_zeros": lambda dims, code, device: torch.zeros(dims, dtype=dtype_of(code)),
    "rt_torch_ones": lambda dims, code, device: torch.ones(dims, dtype=dtype_of(code)),
    "rt_torch_randn": lambda dims, code, device: torch.randn(dims, dtype=dtype_of(code)),
    "rt_torch_arange": lambda start, end, step, code, device: torch.arange(
        start, end, step, dtype=dtype_of(code)
    ),
    "rt_dyn_torch_tensor_from_bits_1d": from_words,
    "rt_dyn_torch_tensor_from_bits_2d": from_words,
    "rt_torch_clone": torch.clone,
    "rt_torch_to_cpu": torch.clone,
    "rt_torch_to_cuda": no_cuda,
    "rt_torch_tensor_cpu": torch.clone,
    "rt_torch_tensor_cuda": no_cuda,
    "rt_torch_tensor_to_device": to_device,
}

# Aliases: each gets the first cases of its original.
SAME_AS = {
    "rt_torch_tensor_add": TT + "add",
    "rt_torch_tensor_mul": TT + "mul",
    "rt_torch_tensor_matmul": TT + "matmul",
    "rt_torch_relu": TT + "relu",
    "rt_torch_sigmoid": TT + "sigmoid",
    "rt_torch_tanh": TT + "tanh",
    "rt_torch_tensor_ndim": TT + "ndim",
    "rt_torch_tensor_numel": TT + "numel",
    "rt_torch_tensor_shape": TT + "shape",
}
CASES_PER_ALIAS = 4

# Symbols that do not return one handle. A double is a number read from a 0-d tensor.
RETURNS = {
    **{TT + n: "double" for n in ("sum", "mean", "max", "min", "std", "var", "norm", "det")},
    **{NN + n: "double" for n in ("mse_loss", "cross_entropy", "binary_cross_entropy", "nll_loss")},
    **{TT + n: "int" for n in ("ndim", "numel", "shape_dim")},
    TT + "shape": "ints",
    TT + "chunk": "handles",
}

# How to compare results that are not unique: columns with free signs, or an unordered list.
COMPARED = {TT + "svd": "columns", TT + "eig": "sorted"}

# Symbols for which IEEE arithmetic determines the sign of a zero; others leave it to the kernel.
SIGNED_ZERO = {
    TT + n
    for n in (
        "add",
        "sub",
        "mul",
        "div",
        "neg",
        "abs",
        "sqrt",
        "add_scalar",
        "sub_scalar",
        "mul_scalar",
        "div_scalar",
        "atan2",
        "pow",
        "leaky_relu",
        "reshape",
        "view",
        "permute",
        "squeeze",
        "unsqueeze",
        "flatten",
        "contiguous",
        "slice",
        "index_select",
        "gather",
        "cat",
        "stack",
        "to_float",
        "to_float32",
        "transpose",
        "t",
    )
} | {
    "rt_torch_tensor_from_data",
    "rt_torch_tensor",
    "rt_dyn_torch_tensor_from_bits_1d",
    "rt_torch_tensor_full",
}
