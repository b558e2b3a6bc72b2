"""Golden cases: comparisons, choices, rounding, further functions and activations."""

import torch
import torch.nn.functional as F

from golden_calls import Net
from golden_reference import NN, REFERENCE, RETURNS, TT, require
from golden_slopes import Parts
from golden_values import (
    ALL,
    FLOATS,
    HALVES,
    I32_MAX,
    I32_MIN,
    I64_MAX,
    I64_MIN,
    INF,
    NAN,
    SPECIAL,
    T,
    empty,
    layouts,
    positive,
    scalar,
    sizes,
    vec,
    wave,
)

COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")
LOGICAL = ("logical_and", "logical_or", "logical_xor")
DIVIDE = ("remainder", "fmod", "floor_divide")
ROUND = ("floor", "ceil", "round", "trunc")
TO_FLOAT = (
    *("rsqrt", "reciprocal", "exp2", "expm1", "log2", "log10", "log1p", "erf"),
    *("atan", "sinh", "cosh", "asinh", "acosh", "atanh"),
)
ACTIVATIONS = {
    "silu": F.silu,
    "selu": F.selu,
    "mish": F.mish,
    "relu6": F.relu6,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "log_sigmoid": F.logsigmoid,
}
EVERY = (*ALL, "bool")


def within(function):
    """The reference of a call whose integer result would be a division by 0."""

    def checked(a, b):
        if not torch.result_type(a, b).is_floating_point and not torch.is_floating_point(b):
            nothing = 0 in (a.numel(), b.numel())
            require(nothing or bool((b != 0).all()), "division by 0")
        return function(a, b)

    return checked


REFERENCE.update({TT + name: getattr(torch, name) for name in (*COMPARE, *LOGICAL, *ROUND)})
REFERENCE.update({TT + name + "_scalar": getattr(torch, name) for name in COMPARE})
REFERENCE.update({TT + name: within(getattr(torch, name)) for name in DIVIDE})
REFERENCE.update({TT + name + "_scalar": getattr(torch, name) for name in DIVIDE})
REFERENCE.update({TT + name: getattr(torch, name) for name in TO_FLOAT})
REFERENCE.update({TT + name: function for name, function in ACTIVATIONS.items()})
REFERENCE.update(
    {
        TT + name: getattr(torch, name)
        for name in (
            *("maximum", "minimum", "clamp", "clamp_min", "clamp_max", "square", "frac", "sign"),
            *("isnan", "isinf", "isfinite", "logical_not", "where", "masked_fill", "lerp"),
        )
    }
)
REFERENCE.update(
    {
        TT + "pow_tensor": torch.pow,
        TT + "addcmul": lambda x, a, b, value: torch.addcmul(x, a, b, value=value),
        TT + "addcdiv": lambda x, a, b, value: torch.addcdiv(x, a, b, value=value),
        TT + "isclose": lambda a, b, rtol, atol, nan: torch.isclose(a, b, rtol, atol, nan),
        TT + "allclose": lambda a, b, rtol, atol, nan: int(torch.allclose(a, b, rtol, atol, nan)),
        TT + "equal": lambda a, b: int(torch.equal(a, b)),
        TT + "elu": F.elu,
        TT + "hardtanh": F.hardtanh,
        TT + "prelu": F.prelu,
    }
)
RETURNS.update({TT + "allclose": "int", TT + "equal": "int"})


def pairs(dtype):
    """Two operands in every way that they broadcast."""
    return {
        "row": (wave(dtype, 2, 3), positive(dtype, 3)),
        "outer": (wave(dtype, 4, 1), positive(dtype, 1, 3)),
        "scalar_left": (scalar(dtype, 1), positive(dtype, 5)),
        "scalar_right": (wave(dtype, 5), scalar(dtype, 1)),
        "empty": (empty(dtype, 0), positive(dtype, 1)),
        "transposed": (wave(dtype, 3, 4).then("t"), positive(dtype, 4, 3)),
        "strided": (wave(dtype, 3, 4), positive(dtype, 9).then("slice", 0, 1, 9, 2)),
        "long": (wave(dtype, 37), positive(dtype, 37)),
    }


def each_with_each(dtype, special=SPECIAL):
    side = [x for x in special for _ in special]
    return vec(dtype, *side), vec(dtype, *(special * len(special)))


def comparison(b):
    b.open("comparison")
    for name in (*COMPARE, *LOGICAL):
        symbol = TT + name
        for left in EVERY:
            for right in EVERY:
                b.case(symbol, f"{left}_{right}", wave(left, 2, 3), positive(right, 2, 3))
                b.case(symbol, f"{left}_{right}.scalar", wave(left, 3), scalar(right, 1))
        for dtype in (*ALL, *HALVES):
            for variant, operands in pairs(dtype).items():
                b.case(symbol, f"{dtype}.{variant}", *operands)
        for dtype in FLOATS:
            b.case(symbol, f"{dtype}.special", *each_with_each(dtype))
        b.case(symbol, "beyond_53_bits", vec("i64", 2**53, 2**53 + 1), vec("i64", 2**53 + 1, 2**53))
        b.case(symbol, "mismatch", wave("f32", 2, 3), wave("f32", 4), fails="call")
    for name in COMPARE:
        symbol = TT + name + "_scalar"
        for dtype in EVERY:
            for value in (0.0, 1.0, -1.5):
                b.case(symbol, f"{dtype}.{value}", wave(dtype, 6), value)
            for layout, x in layouts(wave, dtype).items():
                b.case(symbol, f"{dtype}.{layout}", x, 0.5)
        for dtype in FLOATS:
            for value in (NAN, INF, -INF, 1e300, 1e-300, 0.0):
                b.case(symbol, f"{dtype}.special.{value}", vec(dtype, *SPECIAL), value)
        b.case(symbol, "beyond_24_bits", vec("i64", 16777217, 16777216), 16777216.0)
    for name in ("isnan", "isinf", "isfinite", "logical_not"):
        for dtype in EVERY:
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
        for dtype in (*FLOATS, *HALVES):
            b.case(TT + name, f"{dtype}.special", vec(dtype, *SPECIAL[:7]))
    isclose = TT + "isclose"
    for symbol in (isclose, TT + "allclose"):
        for dtype in FLOATS:
            near = [1.0, 1.0 + 1e-5, 1.0 + 1e-3, 0.0, 1e-9, -2.0]
            far = [1.0, 1.0, 1.0, 1e-9, 0.0, 2.0]
            b.case(symbol, f"{dtype}.near", vec(dtype, *near), vec(dtype, *far), 1e-4, 1e-8, False)
            b.case(symbol, f"{dtype}.one", vec(dtype, 1.0), vec(dtype, 1.05), 0.1, 0.0, False)
            for same in (False, True):
                b.case(symbol, f"{dtype}.special.{same}", *each_with_each(dtype), 1e-5, 1e-8, same)
                b.case(symbol, f"{dtype}.nan.{same}", vec(dtype, NAN), vec(dtype, NAN), 0.0, 0.0, same)
        for name, off in (("within", 0.4999), ("beyond", 0.5001)):
            b.case(symbol, f"rtol.{name}", vec("f64", 10 + off), vec("f64", 10.0), 0.05, 0.0, False)
            b.case(symbol, f"atol.{name}", vec("f64", off), vec("f64", 0.0), 0.0, 0.5, False)
        b.case(symbol, "0-d", scalar("f32", 1.0), scalar("f32", 2.0), 0.1, 0.0, False)
        b.case(symbol, "strided", wave("f32", 3, 4).then("t"), wave("f32", 4, 3), 0.1, 0.0, False)
        b.case(symbol, "i64", vec("i64", 10, 20, 30), vec("i64", 11, 21, 30), 0.05, 0.0, False)
        b.case(symbol, "bool", wave("bool", 5), positive("bool", 5), 1e-5, 1e-8, False)
        b.case(symbol, "broadcast", wave("f32", 2, 3), wave("f32", 3), 1e-5, 1e-8, False)
        b.case(symbol, "empty", empty("f32", 0, 3), wave("f32", 3), 1e-5, 1e-8, False)
    b.case(isclose, "dtypes", wave("f32", 3), wave("f64", 3), 1e-5, 1e-8, False, fails="call")
    for name, rtol, atol in (("rtol", -1.0, 0.0), ("atol", 0.0, -1.0)):
        b.case(isclose, name, wave("f32", 3), wave("f32", 3), rtol, atol, False, fails="call")
    b.case(isclose, "mismatch", wave("f32", 2), wave("f32", 3), 0.0, 0.0, False, fails="call")
    equal = TT + "equal"
    for dtype in EVERY:
        b.case(equal, f"{dtype}.same", wave(dtype, 2, 3), wave(dtype, 2, 3))
        b.case(equal, f"{dtype}.other", wave(dtype, 2, 3), wave(dtype, 2, 3, start=1))
        b.case(equal, f"{dtype}.sizes", wave(dtype, 2, 3), wave(dtype, 6))
        b.case(equal, f"{dtype}.empty", empty(dtype, 0), empty(dtype, 0))
        b.case(equal, f"{dtype}.f64", vec(dtype, 1, 0), vec("f64", 1.0, 0.0))
    b.case(equal, "long", wave("f32", 37), wave("f32", 37, start=19))
    b.case(equal, "nan", vec("f32", NAN), vec("f32", NAN))
    b.case(equal, "transposed", wave("f32", 3, 4).then("t"), wave("f32", 3, 4).then("t"))

    for name, args in (("t", ()), ("permute", (sizes(1, 0),)), ("slice", (1, 0, 3, 2))):
        b.open("shape" if name != "t" else "matrix")
        for dtype in ("bool", *HALVES):
            b.case(TT + name, dtype, wave(dtype, 2, 3), *args)
    b.open("comparison")
    where = TT + "where"
    for left in EVERY:
        for right in EVERY:
            b.case(where, f"{left}_{right}", wave("bool", 6), wave(left, 6), positive(right, 6))
            b.case(where, f"{left}_{right}.scalar", wave("bool", 3), wave(left, 3), scalar(right, 1))
    for dtype in FLOATS:
        b.case(where, f"{dtype}.outer", wave("bool", 4, 1), wave(dtype, 3), scalar(dtype, NAN))
        b.case(where, f"{dtype}.special", wave("bool", 10), vec(dtype, *SPECIAL), scalar(dtype, 0.5))
    b.case(where, "condition", wave("f32", 3), wave("f32", 3), wave("f32", 3), fails="call")
    b.case(where, "mismatch", wave("bool", 2), wave("f32", 3), wave("f32", 3), fails="call")
    fill = TT + "masked_fill"
    for dtype in (*EVERY, *HALVES):
        for layout, x in layouts(wave, dtype).items():
            b.case(fill, f"{dtype}.{layout}", x, scalar("bool", 1), 2.0)
        b.case(fill, f"{dtype}.some", wave(dtype, 2, 3), wave("bool", 3), 2.5)
        b.case(fill, f"{dtype}.mask_larger", wave(dtype, 3), wave("bool", 2, 3), -1.0)
    for value in (NAN, INF, -INF):
        b.case(fill, f"f32.{value}", wave("f32", 5), wave("bool", 5), value)
    b.case(fill, "mask", wave("f32", 3), wave("f32", 3), 1.0, fails="call")
    b.case(fill, "f32.beyond", wave("f32", 3), wave("bool", 3), 1e300, fails="call")
    b.case(fill, "i32.beyond", wave("i32", 3), wave("bool", 3), 1e10, fails="call")
    b.case(fill, "i64.nan", wave("i64", 3), wave("bool", 3), NAN, fails="call")
    b.case(fill, "mismatch", wave("f32", 2), wave("bool", 3), 1.0, fails="call")


def arithmetic(b):
    b.open("arithmetic")
    for name in ("maximum", "minimum"):
        symbol = TT + name
        for left in EVERY:
            for right in EVERY:
                b.case(symbol, f"{left}_{right}", wave(left, 2, 3), positive(right, 2, 3))
        for dtype in (*EVERY, *HALVES):
            for variant, operands in pairs(dtype).items():
                b.case(symbol, f"{dtype}.{variant}", *operands)
        for dtype in FLOATS:
            b.case(symbol, f"{dtype}.special", *each_with_each(dtype))
        b.case(symbol, "mismatch", wave("f32", 2, 3), wave("f32", 4), fails="call")
    for name in ("clamp_min", "clamp_max"):
        for dtype in (*EVERY, *HALVES):
            for value in (0.5, -1.0):
                for layout, x in layouts(wave, dtype).items():
                    b.case(TT + name, f"{dtype}.{layout}.{value}", x, value)
        for dtype in FLOATS:
            for value in (NAN, INF, -INF, 0.0):
                b.case(TT + name, f"{dtype}.special.{value}", vec(dtype, *SPECIAL), value)
    for dtype in (*EVERY, *HALVES):
        for low, high in ((-1.0, 1.5), (1.0, -1.0), (0.25, 0.25)):
            b.case(TT + "clamp", f"{dtype}.{low}.{high}", wave(dtype, 2, 5), low, high)
        for layout, x in layouts(wave, dtype).items():
            b.case(TT + "clamp", f"{dtype}.{layout}", x, 0.0, 2.0)
    for dtype in FLOATS:
        for low, high in ((NAN, 1.0), (0.0, NAN), (-INF, INF), (INF, -INF)):
            b.case(TT + "clamp", f"{dtype}.special.{low}.{high}", vec(dtype, *SPECIAL), low, high)
    for dtype in EVERY:
        for name in ("square", "sign"):
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
    for dtype in (*ALL, *HALVES):
        for name in ROUND:
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
    for name in ROUND:
        for dtype in FLOATS:
            halves = (0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 8388609.0, -8388609.0, 1e15, -0.3)
            b.case(TT + name, f"{dtype}.halves", vec(dtype, *halves))
        b.case(TT + name, "bool", wave("bool", 3), fails="call")
    for name in ("square", "sign", "frac", *ROUND):
        for dtype in FLOATS:
            b.case(TT + name, f"{dtype}.special", vec(dtype, *SPECIAL))
    b.case(TT + "square", "i32.wraps", vec("i32", I32_MIN, I32_MAX, 46341))
    for dtype in (*FLOATS, *HALVES):
        for layout, x in layouts(wave, dtype).items():
            b.case(TT + "frac", f"{dtype}.{layout}", x)
    for name in ("i64", "bool"):
        b.case(TT + "frac", name, wave(name, 3), fails="call")

    for name in DIVIDE:
        symbol = TT + name
        for left in EVERY:
            for right in EVERY:
                if left == right == "bool":
                    b.case(symbol, "bools", wave(left, 3), vec(right, 1, 1, 1), fails="call")
                    continue
                ones = vec(right, 1, 1, 1)
                divisor = ones if right == "bool" else positive(right, 3)
                b.case(symbol, f"{left}_{right}", wave(left, 3), divisor)
                b.case(symbol, f"{left}_{right}.scalar", wave(left, 3), scalar(right, 1))
        for dtype in ALL:
            for variant, operands in pairs(dtype).items():
                b.case(symbol, f"{dtype}.{variant}", *operands)
            b.case(symbol, f"{dtype}.signs", vec(dtype, 7, 7, -7, -7, 6, -6), vec(dtype, 3, -3, 3, -3, -3, 3))
        for dtype in FLOATS:
            # PyTorch's vectors take denormal divisors for 0.
            b.case(symbol, f"{dtype}.special", *each_with_each(dtype, SPECIAL[:7]))
            b.case(symbol, f"{dtype}.tenths", vec(dtype, 1.0, 0.3, 2.0, -0.7), vec(dtype, 0.1, 0.1, 0.2, 0.1))
        for dtype, low, high in (("i32", I32_MIN, I32_MAX), ("i64", I64_MIN, I64_MAX)):
            b.case(symbol, f"{dtype}.edges", vec(dtype, low, low, high, high), vec(dtype, -1, 1, -1, low))
            b.case(symbol, f"{dtype}.by_zero", vec(dtype, 1, 2), vec(dtype, 1, 0), fails="run")
            b.case(symbol, f"{dtype}.by_zero_of_nothing", empty(dtype, 0), vec(dtype, 0))
        b.case(symbol, "mismatch", wave("f32", 2, 3), wave("f32", 4), fails="call")
        for dtype in EVERY:
            for value in (2.0, -1.5, 0.3):
                b.case(symbol + "_scalar", f"{dtype}.{value}", wave(dtype, 6), value)
            for layout, x in layouts(wave, dtype).items():
                b.case(symbol + "_scalar", f"{dtype}.{layout}", x, 0.75)
        for dtype in FLOATS:
            for value in (0.0, INF, -INF, NAN):
                b.case(symbol + "_scalar", f"{dtype}.special.{value}", vec(dtype, *SPECIAL), value)
    power = TT + "pow_tensor"
    for left in EVERY:
        for right in EVERY:
            if left == right == "bool":
                b.case(power, "bools", wave(left, 3), wave(right, 3), fails="call")
            else:
                b.case(power, f"{left}_{right}", positive(left, 6), wave(right, 6))
    for dtype in ALL:
        for variant, operands in pairs(dtype).items():
            b.case(power, f"{dtype}.{variant}", *operands)
    for dtype in FLOATS:
        b.case(power, f"{dtype}.special", *each_with_each(dtype))
    b.case(power, "i64.negative", vec("i64", 2, 1, -1, 0, -1, 3), vec("i64", -1, -2, -3, 2, -2, 40))
    b.case(power, "mismatch", wave("f32", 2, 3), wave("f32", 4), fails="call")

    for name in TO_FLOAT:
        b.open("trigonometry" if "a" == name[0] or name.endswith(("sinh", "cosh")) else "arithmetic")
        for dtype in EVERY:
            for layout, x in layouts(positive if name in ("acosh", "rsqrt") else wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
        for dtype in FLOATS:
            b.case(TT + name, f"{dtype}.special", vec(dtype, *SPECIAL))
            close = (1e-4, -1e-4, 0.999, -0.999, 1.0001, 1.5, 3, -3, 8, 64, 100, 1000, -1e4)
            b.case(TT + name, f"{dtype}.range", vec(dtype, *close))
            b.case(TT + name, f"{dtype}.far", vec(dtype, 88, -88, 90, -90, 127, -127, 129, -140, 150, -160, 1e10))
    for dtype in HALVES:
        for name in TO_FLOAT:
            b.case(TT + name, dtype, positive(dtype, 7))
            b.case(TT + name, f"{dtype}.small", vec(dtype, 0.75, 0.5, 0.25))
    b.open("arithmetic")
    for dtype in (*FLOATS, *HALVES):
        for weight in (0.25, 0.75, -1.0, 2.0):
            b.case(TT + "lerp", f"{dtype}.{weight}", wave(dtype, 2, 3), positive(dtype, 3), weight)
        for layout, x in layouts(wave, dtype).items():
            b.case(TT + "lerp", f"{dtype}.{layout}", x, scalar(dtype, 2), 0.25)
            for name in ("addcmul", "addcdiv"):
                b.case(TT + name, f"{dtype}.{layout}", x, scalar(dtype, 2), scalar(dtype, 3), 0.5)
    b.case(TT + "lerp", "dtypes", wave("f32", 3), wave("f64", 3), 0.5, fails="call")
    for name in ("addcmul", "addcdiv"):
        for dtype in (*FLOATS, *HALVES):
            for value in (1.0, -0.5):
                b.case(TT + name, f"{dtype}.{value}", wave(dtype, 2, 3), wave(dtype, 3, start=4), positive(dtype, 2, 1), value)
        b.case(TT + name, "promotes", wave("f32", 3), wave("i64", 3), positive("f64", 3), 2.0)
        b.case(TT + name, "mismatch", wave("f32", 2), wave("f32", 3), wave("f32", 3), 1.0, fails="call")


def activation(b):
    b.open("activation")
    for name in ACTIVATIONS:
        for dtype in (*FLOATS, *HALVES):
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
        for dtype in FLOATS:
            b.case(TT + name, f"{dtype}.special", vec(dtype, *SPECIAL))
            b.case(TT + name, f"{dtype}.range", vec(dtype, -30, -20, -4, -3, -1e-3, 1e-3, 3, 4, 6, 20, 25, 100, -100))
        if name != "relu6":
            b.case(TT + name, "i64", wave("i64", 3), fails="call")
    for dtype in ("i32", "i64"):
        b.case(TT + "relu6", dtype, vec(dtype, -3, 0, 4, 6, 9))
    b.case(TT + "relu6", "bool", wave("bool", 3), fails="call")
    for dtype in (*FLOATS, *HALVES):
        for alpha in (1.0, 0.5, -2.0):
            b.case(TT + "elu", f"{dtype}.{alpha}", wave(dtype, 2, 5), alpha)
        for low, high in ((-1.0, 1.0), (0.0, 0.5)):
            b.case(TT + "hardtanh", f"{dtype}.{low}.{high}", wave(dtype, 2, 5), low, high)
        for layout, x in layouts(wave, dtype).items():
            b.case(TT + "elu", f"{dtype}.{layout}", x, 1.0)
            b.case(TT + "hardtanh", f"{dtype}.{layout}", x, -1.0, 1.0)
            b.case(TT + "prelu", f"{dtype}.{layout}", x, vec(dtype, 0.25))
        b.case(TT + "prelu", f"{dtype}.channels", wave(dtype, 2, 3, 4), vec(dtype, 0.25, -1.0, 2.0))
        b.case(TT + "prelu", f"{dtype}.channels_2d", wave(dtype, 2, 3), vec(dtype, 0.25, -1.0, 2.0))
        b.case(TT + "prelu", f"{dtype}.weight_0d", wave(dtype, 3), scalar(dtype, 0.5))
    for dtype in FLOATS:
        b.case(TT + "elu", f"{dtype}.special", vec(dtype, *SPECIAL), 1.0)
        b.case(TT + "hardtanh", f"{dtype}.special", vec(dtype, *SPECIAL), -1.0, 1.0)
        b.case(TT + "prelu", f"{dtype}.special", vec(dtype, *SPECIAL), vec(dtype, 0.25))
    b.case(TT + "elu", "i64", wave("i64", 3), 1.0, fails="call")
    b.case(TT + "prelu", "dtypes", wave("f32", 3), vec("f64", 1.0), fails="call")
    b.case(TT + "prelu", "too_few", wave("f32", 2, 3), wave("f32", 2), fails="call")
    b.case(TT + "prelu", "no_channels", wave("f32", 3), wave("f32", 3), fails="call")
    b.case(TT + "prelu", "weight_2d", wave("f32", 2, 3), wave("f32", 1, 3), fails="call")


# ---- Gradients


EDGES = (-4.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0)


def choices(n):
    p = Parts(n)
    x, y = p.leaf(3, 4), p.leaf(4)
    p.add(n.where(n.gt(x, y), n.mul(x, x), n.mul(y, y)))
    p.add(n.masked_fill(n.mul(x, x), n.lt_scalar(x, 0.0), 2.0))
    p.add(n.mul(n.maximum(x, y), n.input("weights", 3, 4)))
    p.add(n.mul(n.minimum(x, y), n.input("others", 3, 4)))
    same = p.leaf(3)
    p.add(n.maximum(same, n.mul_scalar(same, 1.0)))
    for name, bounds in (("clamp", (-1.0, 2.0)), ("clamp_min", (0.5,)), ("clamp_max", (0.5,))):
        edges = n.leaf(n.given(name, torch.tensor(EDGES)))
        p.add(n.square(getattr(n, name)(edges, *bounds)))
    return p.loss()


def rounded(n):
    p = Parts(n)
    for name in ("floor", "ceil", "round", "trunc", "frac", "sign"):
        p.add(getattr(n, name)(p.leaf(5)))
    for name in ("remainder_scalar", "fmod_scalar"):
        p.add(getattr(n, name)(p.leaf(5), 0.75))
    for name in ("remainder", "fmod"):
        p.add(getattr(n, name)(p.leaf(2, 3), n.leaf(n.positive(name, 3))))
    return p.loss()


def further_functions(n):
    p = Parts(n)
    for name in TO_FLOAT:
        x = n.leaf(n.positive(name, 5))
        p.add(getattr(n, name)(n.add_scalar(x, 1.0) if name == "acosh" else x))
    p.add(n.square(p.leaf(4)))
    p.add(n.pow_tensor(n.leaf(n.positive("base", 2, 3)), p.leaf(3)))
    p.add(n.pow_tensor(n.leaf(n.given("zero", torch.tensor([0.0, 0.0, 2.0]))), n.leaf(n.given("to", torch.tensor([0.0, 2.0, -1.0])))))
    p.add(n.lerp(p.leaf(2, 3), p.leaf(3), 0.25))
    p.add(n.addcmul(p.leaf(2, 3), p.leaf(3), p.leaf(2, 1), 0.5))
    p.add(n.addcdiv(p.leaf(2, 3), p.leaf(3), n.leaf(n.positive("divisor", 2, 1)), 0.5))
    return p.loss()


def activations(n):
    p = Parts(n)
    for name in ACTIVATIONS:
        edges = n.leaf(n.given(name, torch.tensor(EDGES)))
        p.add(n.mul(getattr(n, name)(edges), n.input(f"weights_{name}", len(EDGES))))
    for name, args in (("elu", (0.75,)), ("hardtanh", (-1.0, 2.0))):
        p.add(n.square(getattr(n, name)(n.leaf(n.given(name, torch.tensor(EDGES))), *args)))
    p.add(n.prelu(p.leaf(2, 3, 4), p.leaf(3)))
    p.add(n.prelu(p.leaf(5), p.leaf(1)))
    return p.loss()


NETWORKS = (choices, rounded, further_functions, activations)
