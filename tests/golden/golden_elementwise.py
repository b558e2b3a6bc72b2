"""Golden cases: creation, arithmetic, activations, casts, the loader."""

import math

from golden_reference import TT
from golden_values import (
    ALL,
    FLOATS,
    I32_MAX,
    I32_MIN,
    I64_MAX,
    I64_MIN,
    INF,
    INTS,
    LOADER_CODE,
    NAN,
    SPECIAL,
    T,
    empty,
    floats,
    layouts,
    positive,
    scalar,
    sizes,
    vec,
    wave,
    word_list,
)


def create(b):
    b.open("create")
    for name in ("zeros", "ones", "empty"):
        symbol = "rt_torch_tensor_" + name
        for dims in ([], [0], [1], [3], [2, 3], [2, 0, 3], [2, 1, 3, 1, 2, 1, 2]):
            b.case(symbol, "x".join(map(str, dims)) or "scalar", sizes(*dims))
        b.case(symbol, "negative_dim", sizes(2, -1), fails="call")
        b.case(symbol, "negative_dim_empty", sizes(0, -1), fails="call")
        b.case(symbol, "overflow", sizes(2**40, 2**40), fails="call")
    full = "rt_torch_tensor_full"
    for name, value in (
        ("whole", 3.0),
        ("rounds", 0.1),
        ("nan", NAN),
        ("minus_inf", -INF),
        ("minus_zero", -0.0),
        ("denormal", 1e-40),
    ):
        b.case(full, name, sizes(2, 2), value)
    b.case(full, "scalar", sizes(), 2.5)
    b.case(full, "empty", sizes(0, 2), 2.5)
    b.case(full, "beyond_f32", sizes(1), 1e300, fails="call")
    b.case(full, "negative_dim", sizes(-3), 1.0, fails="call")

    data = "rt_torch_tensor_from_data"
    b.case(data, "matrix", floats(1.0, 2.5, -3.0, 0.1, 1e300, 5e-324), sizes(2, 3))
    b.case(data, "special", floats(*SPECIAL), sizes(len(SPECIAL)))
    b.case(data, "scalar", floats(4.0), sizes())
    b.case(data, "empty", floats(), sizes(0))
    b.case(data, "empty_2d", floats(), sizes(3, 0))
    b.case(data, "too_few", floats(1.0, 2.0), sizes(3), fails="call")
    b.case(data, "too_many", floats(1.0, 2.0), sizes(1), fails="call")
    b.case(data, "negative", floats(1.0, 2.0), sizes(-1, -2), fails="call")

    arange = "rt_torch_tensor_arange"
    for name, bounds in (
        ("unit", (0.0, 5.0, 1.0)),
        ("tenths", (0.0, 1.0, 0.1)),
        ("one_more", (1.0, 1.3, 0.1)),
        ("down", (3.0, 0.0, -1.0)),
        ("third", (0.0, 1.0, 1 / 3)),
        ("empty", (1.0, 1.0, 1.0)),
        ("empty_down", (1.0, 1.0, -1.0)),
        ("negative", (-2.0, 2.5, 0.75)),
        ("beyond_24_bits", (16777215.0, 16777221.0, 1.0)),
        ("long", (0.0, 40.0, 1.25)),
    ):
        b.case(arange, name, *bounds)
    for name, bounds in (
        ("zero_step", (0.0, 1.0, 0.0)),
        ("nan_step", (0.0, 1.0, NAN)),
        ("wrong_way", (0.0, 1.0, -1.0)),
        ("wrong_way_down", (1.0, 0.0, 1.0)),
        ("nan_end", (0.0, NAN, 1.0)),
        ("infinite", (0.0, INF, 1.0)),
        ("huge", (0.0, 1e20, 1.0)),
    ):
        b.case(arange, name, *bounds, fails="call")

    linspace = "rt_torch_tensor_linspace"
    for name, args in (
        ("five", (0.0, 1.0, 5)),
        ("one", (3.0, 7.0, 1)),
        ("none", (3.0, 7.0, 0)),
        ("two", (1.0, 2.0, 2)),
        ("down", (1.0, -1.0, 4)),
        ("same", (2.0, 2.0, 3)),
        ("ten", (0.0, 0.9, 10)),
        ("long", (-3.0, 3.0, 37)),
        ("nan_end", (0.0, NAN, 3)),
        ("infinite", (0.0, INF, 3)),
    ):
        b.case(linspace, name, *args)
    b.case(linspace, "negative_steps", 0.0, 1.0, -1, fails="call")
    b.case(linspace, "beyond_f32", 0.0, 1e300, 2, fails="call")

    for n in (0, 1, 4):
        b.case("rt_torch_tensor_eye", str(n), n)
    b.case("rt_torch_tensor_eye", "negative", -1, fails="call")


def random(b):
    """Below 16 elements randn draws pairs and keeps one number; from 16 on it fills blocks."""
    b.open("random")
    rand, randn = "rt_torch_tensor_rand", "rt_torch_tensor_randn"
    for symbol in (rand, randn):
        for count in (0, 1, 5, 15, 16, 17, 100, 1000):
            b.case(symbol, str(count), sizes(count), seed=count + 7)
        b.case(symbol, "scalar", sizes(), seed=1)
        b.case(symbol, "matrix", sizes(3, 7), seed=0)
        b.case(symbol, "negative_seed", sizes(5), seed=-3)
        b.case(symbol, "large_seed", sizes(5), seed=2**40 + 5)
        b.case(symbol, "negative_dim", sizes(-1), seed=1, fails="call")
    loader = "rt_torch_randn"
    for dtype in FLOATS:
        for count in (0, 1, 5, 15, 16, 17, 100):
            b.case(loader, f"{dtype}.{count}", sizes(count), LOADER_CODE[dtype], 0, seed=count + 11)
    b.case(loader, "f64.1000", sizes(1000), LOADER_CODE["f64"], 0, seed=12)
    b.case(loader, "i64", sizes(3), LOADER_CODE["i64"], 0, seed=1, fails="call")
    # An earlier call may leave a number in the generator.
    b.case(randn, "after_odd_randn", sizes(4), seed=3, before=[(randn, sizes(5))])
    b.case(randn, "after_even_randn", sizes(4), seed=3, before=[(randn, sizes(6))])
    b.case(randn, "after_block_randn", sizes(3), seed=3, before=[(randn, sizes(17))])
    b.case(randn, "block_after_odd_randn", sizes(20), seed=3, before=[(randn, sizes(5))])
    b.case(rand, "after_odd_randn", sizes(4), seed=3, before=[(randn, sizes(5))])
    b.case(rand, "after_rand", sizes(4), seed=3, before=[(rand, sizes(700))])
    b.case(randn, "seed_forgets_the_kept_one", sizes(3), seed=5)
    b.case(
        randn,
        "f32_after_odd_f64",
        sizes(3),
        seed=4,
        before=[(loader, sizes(3), LOADER_CODE["f64"], 0)],
    )
    b.case(
        loader,
        "f64_after_odd_f32",
        sizes(3),
        LOADER_CODE["f64"],
        0,
        seed=4,
        before=[(randn, sizes(3))],
    )


def create_int(b):
    b.open("create_int")
    arange = "rt_torch_tensor_arange_int"
    for name, bounds in (
        ("unit", (0, 5, 1)),
        ("down", (5, 0, -2)),
        ("empty", (3, 3, 1)),
        ("negative", (-4, 9, 3)),
        ("large", (2**53 + 1, 2**53 + 6, 2)),
        ("at_the_end", (I64_MAX - 2, I64_MAX, 1)),
    ):
        b.case(arange, name, *bounds)
    for name, bounds in (
        ("zero_step", (0, 5, 0)),
        ("wrong_way", (5, 0, 1)),
        ("wrong_way_up", (0, 5, -1)),
    ):
        b.case(arange, name, *bounds, fails="call")
    data = "rt_torch_tensor_from_i64_data"
    b.case(data, "extremes", sizes(I64_MAX, I64_MIN, 2**53 + 1, -1, 0, 7), sizes(2, 3))
    b.case(data, "scalar", sizes(-9), sizes())
    b.case(data, "empty", sizes(), sizes(2, 0))
    b.case(data, "too_few", sizes(1, 2), sizes(2, 2), fails="call")
    for name, value in (("zeros", ()), ("ones", ()), ("full", (I64_MIN,))):
        for dims in ((0,), (3,), (2, 3), (3, 0)):
            symbol = f"rt_torch_tensor_{name}_int_{len(dims)}d"
            b.case(symbol, "x".join(map(str, dims)), *dims, *value)
        b.case(f"rt_torch_tensor_{name}_int_1d", "negative", -1, *value, fails="call")
        b.case(f"rt_torch_tensor_{name}_int_2d", "negative", 2, -1, *value, fails="call")


def arithmetic(b):
    b.open("arithmetic")
    for name in ("add", "sub", "mul", "div"):
        symbol = TT + name
        for left in ALL:
            for right in ALL:
                b.case(symbol, f"{left}_{right}", wave(left, 2, 3), positive(right, 2, 3))
                b.case(symbol, f"{left}_{right}.scalar_right", wave(left, 3), scalar(right, 3))
                if left != right:
                    b.case(symbol, f"{left}_{right}.scalars", scalar(left, 5), scalar(right, 2))
                    b.case(
                        symbol, f"{left}_{right}.one_is_no_scalar", scalar(left, 5), vec(right, 2)
                    )
        for dtype in ALL:
            pairs = {
                "row": (wave(dtype, 2, 3), positive(dtype, 3)),
                "column": (wave(dtype, 2, 3), positive(dtype, 2, 1)),
                "outer": (wave(dtype, 4, 1), positive(dtype, 1, 3)),
                "more_dims": (wave(dtype, 3), positive(dtype, 2, 1, 3)),
                "scalar_left": (scalar(dtype, 7), positive(dtype, 5)),
                "empty": (empty(dtype, 0), positive(dtype, 1)),
                "empty_column": (empty(dtype, 2, 0), positive(dtype, 2, 1)),
                "transposed": (wave(dtype, 3, 4).then("t"), positive(dtype, 4, 3)),
                "both_transposed": (wave(dtype, 3, 4).then("t"), positive(dtype, 3, 4).then("t")),
                "strided_row": (wave(dtype, 3, 4), positive(dtype, 9).then("slice", 0, 1, 9, 2)),
                "permuted": (wave(dtype, 2, 3, 4).then("permute", 2, 0, 1), positive(dtype, 2, 1)),
                "long": (wave(dtype, 37), positive(dtype, 37)),
            }
            for variant, (left, right) in pairs.items():
                b.case(symbol, f"{dtype}.{variant}", left, right)
        for dtype in FLOATS:
            side = [x for x in SPECIAL for _ in SPECIAL]
            b.case(
                symbol, f"{dtype}.special", vec(dtype, *side), vec(dtype, *(SPECIAL * len(SPECIAL)))
            )
        for dtype, low, high in (("i32", I32_MIN, I32_MAX), ("i64", I64_MIN, I64_MAX)):
            b.case(
                symbol,
                f"{dtype}.wraps",
                vec(dtype, high, low, high, low, low),
                vec(dtype, 1, -1, high, low, 1),
            )
        b.case(symbol, "mismatch", wave("f32", 2, 3), wave("f32", 4), fails="call")
        b.case(symbol, "mismatch_empty", empty("f32", 2, 0), wave("f32", 3), fails="call")
    div = TT + "div"
    b.case(div, "i64.by_zero", vec("i64", 1, 0, -1), vec("i64", 0, 0, 0))
    b.case(div, "i64.beyond_24_bits", vec("i64", 2**53 + 1, 16777217), vec("i64", 3, 1))
    b.case(div, "i32_f64.exact", vec("i32", 1, 16777217), vec("f64", 3, 7))
    for name in ("add", "mul"):
        b.case(TT + name, "f64_scalar_rounds_to_f32", vec("f32", 3, 7), scalar("f64", 0.1))
        b.case(TT + name, "f64_scalar_beyond_f32", vec("f32", 3, -3), scalar("f64", 1e300))
        b.case(TT + name, "i64_f64.keeps_52_bits", vec("i64", 2**52 + 1), scalar("f64", 1.0))

    for dtype in ALL:
        for name in ("neg", "abs"):
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
        for name in ("sqrt", "log"):
            for layout, x in layouts(positive, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
        for layout, x in layouts(wave, dtype).items():
            b.case(TT + "exp", f"{dtype}.{layout}", x)
        for name in ("sqrt", "log"):
            b.case(TT + name, f"{dtype}.zero_and_negative", vec(dtype, 0, -1, -4, 1))
    for name in ("neg", "abs", "sqrt", "exp", "log"):
        for dtype in FLOATS:
            b.case(TT + name, f"{dtype}.special", vec(dtype, *SPECIAL))
    for name in ("neg", "abs"):
        b.case(TT + name, "i64.wraps", vec("i64", I64_MIN, I64_MAX, I64_MIN + 1))
        b.case(TT + name, "i32.wraps", vec("i32", I32_MIN, I32_MAX, I32_MIN + 1))
    for dtype in FLOATS:
        b.case(
            TT + "exp",
            f"{dtype}.range",
            vec(dtype, -110, -104, -95, -88, -80, 80, 88, 88.5, 89, 700, 710, -745),
        )
        b.case(
            TT + "log",
            f"{dtype}.range",
            vec(dtype, 1e-38, 1e-45, 0.5, 0.99999, 1.00001, 2, 1e10, 3e38),
        )

    exponents = (2.0, 0.5, -1.0, 3.0, 0.0, 1.0, -2.0, -0.5, 1.7, -3.5, 10.0)
    for dtype in ALL:
        for exponent in exponents:
            b.case(TT + "pow", f"{dtype}.positive.{exponent}", positive(dtype, 2, 3), exponent)
        for exponent in (2.0, 3.0, 4.0, -1.0, 0.3):
            b.case(TT + "pow", f"{dtype}.signed.{exponent}", wave(dtype, 6), exponent)
        for name in ("add_scalar", "mul_scalar"):
            for value in (2.0, -1.5, 0.1, 0.0):
                b.case(TT + name, f"{dtype}.{value}", wave(dtype, 2, 3), value)
        for name, value in (("pow", 2.0), ("add_scalar", 0.7), ("mul_scalar", 0.7)):
            for layout, x in layouts(positive, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x, value)
    for dtype in FLOATS:
        for exponent in (*exponents, NAN, INF, -INF):
            b.case(TT + "pow", f"{dtype}.special.{exponent}", vec(dtype, *SPECIAL), exponent)
        for name in ("add_scalar", "mul_scalar"):
            for value in (NAN, INF, 0.0, -0.0, 1e300, 1e-300):
                b.case(TT + name, f"{dtype}.special.{value}", vec(dtype, *SPECIAL), value)
    for name in ("add_scalar", "mul_scalar"):
        b.case(TT + name, "i64.beyond_24_bits", vec("i64", 2**53 + 1, 16777217, I64_MIN), 0.5)
    b.case(TT + "pow", "f32.exponent_beyond_f32", vec("f32", 3, 0.5, 1), 1e300)


def scalar_arithmetic(b):
    """sub_scalar and div_scalar, which have a group of their own."""
    b.open("later_client")
    for name in ("sub_scalar", "div_scalar"):
        for dtype in ALL:
            for value in (2.0, -1.5, 0.1, 0.0):
                b.case(TT + name, f"{dtype}.{value}", wave(dtype, 2, 3), value)
            for layout, x in layouts(positive, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x, 0.7)
        for dtype in FLOATS:
            for value in (NAN, INF, 0.0, -0.0, 1e300, 1e-300):
                b.case(TT + name, f"{dtype}.special.{value}", vec(dtype, *SPECIAL), value)
        b.case(TT + name, "i64.beyond_24_bits", vec("i64", 2**53 + 1, 16777217, I64_MIN), 0.5)


def trigonometry(b):
    b.open("trigonometry")
    atan2 = TT + "atan2"
    for name in ("sin", "cos", "tan", "asin", "acos"):
        for dtype in ALL:
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
        for dtype in FLOATS:
            b.case(TT + name, f"{dtype}.special", vec(dtype, *SPECIAL))
            b.case(TT + name, f"{dtype}.range", vec(dtype, 1e-4, 0.999, -0.999, 1.5, 3, 100, -1e4))
    for left in ALL:
        for right in ALL:
            b.case(atan2, f"{left}_{right}", wave(left, 2, 3), positive(right, 2, 3))
            b.case(atan2, f"{left}_{right}.scalar", wave(left, 3), scalar(right, 2))
    for dtype in FLOATS:
        for layout, x in layouts(wave, dtype).items():
            b.case(atan2, f"{dtype}.{layout}", x, scalar(dtype, 0.7))
        side = [x for x in SPECIAL for _ in SPECIAL]
        b.case(atan2, f"{dtype}.special", vec(dtype, *side), vec(dtype, *(SPECIAL * len(SPECIAL))))
    b.case(atan2, "outer", wave("f32", 3, 1), wave("f32", 4, start=5))
    b.case(atan2, "mismatch", wave("f32", 2, 3), wave("f32", 4), fails="call")


def activation(b):
    b.open("activation")
    for name in ("relu", "sigmoid", "tanh", "gelu", "leaky_relu", "softplus"):
        slope = (0.1,) if name == "leaky_relu" else ()
        for dtype in ALL:
            fails = "call" if name in ("gelu", "leaky_relu", "softplus") and dtype in INTS else None
            for layout, x in layouts(wave, dtype).items():
                if not (fails and layout.startswith("empty")):
                    b.case(TT + name, f"{dtype}.{layout}", x, *slope, fails=fails)
        for dtype in FLOATS:
            # PyTorch's gelu of huge numbers depends on the processor's instructions.
            special = [x for x in SPECIAL if name != "gelu" or not abs(x) > 1e30]
            b.case(TT + name, f"{dtype}.special", vec(dtype, *special), *slope)
            b.case(
                TT + name,
                f"{dtype}.range",
                vec(dtype, -100, -20, -9, -5, -0.7, -1e-4, 1e-4, 0.3, 0.6, 5, 9, 20, 100),
                *slope,
            )
    for slope in (0.0, -1.0, 2.0, INF, NAN):
        b.case(
            TT + "leaky_relu",
            f"f32.slope.{slope}",
            vec("f32", NAN, INF, -INF, -2, -0.5, 1, 3),
            slope,
        )
    for name in ("softmax", "log_softmax"):
        for dtype in FLOATS:
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x, -1)
                b.case(TT + name, f"{dtype}.{layout}.dim0", x, 0)
            b.case(TT + name, f"{dtype}.middle", wave(dtype, 2, 3, 4), 1)
            b.case(TT + name, f"{dtype}.empty_dim", empty(dtype, 0, 3), 0)
            b.case(TT + name, f"{dtype}.one", wave(dtype, 3, 1), 1)
            b.case(
                TT + name,
                f"{dtype}.large",
                T(dtype, [2, 3], [1000, 1001, 999, -1000, -1001, 88]),
                1,
            )
            b.case(
                TT + name,
                f"{dtype}.special",
                T(
                    dtype,
                    [5, 3],
                    [NAN, 1, 2, INF, 1, 2, -INF, 1, 2, -INF, -INF, -INF, INF, -INF, 0],
                ),
                1,
            )
            b.case(
                TT + name,
                f"{dtype}.special.dim0",
                T(dtype, [2, 5], [NAN, INF, -INF, -INF, INF, 1, 1, 1, -INF, -INF]),
                0,
            )
            b.case(TT + name, f"{dtype}.wide", wave(dtype, 3, 40), 1)
        for dtype in INTS:
            b.case(TT + name, dtype, wave(dtype, 3), 0, fails="call")
        b.case(TT + name, "no_such_dim", wave("f32", 2, 3), 2, fails="call")
        b.case(TT + name, "no_such_dim_negative", wave("f32", 2, 3), -3, fails="call")
        b.case(TT + name, "no_such_dim_scalar", wave("f32"), 1, fails="call")


def dtype(b):
    b.open("dtype")
    for name in ("to_float", "to_float32", "to_int"):
        for dtype in ALL:
            for layout, x in layouts(wave, dtype).items():
                b.case(TT + name, f"{dtype}.{layout}", x)
        b.case(TT + name, "f32.fractions", vec("f32", 0.1, -0.9, 1.5, 2.5, -1.5, -2.5, 1e9))
        b.case(TT + name, "f64.fractions", vec("f64", 0.1, -0.9, 1.5, 2.5, -1.5, -2.5, 9e18))
        b.case(TT + name, "i64.large", vec("i64", 2**53 + 1, 16777217, 16777219, I64_MAX, I64_MIN))
        b.case(TT + name, "i32.large", vec("i32", I32_MAX, I32_MIN, 16777217))
    for name in ("to_float", "to_float32"):
        for dtype in FLOATS:
            b.case(TT + name, f"{dtype}.special", vec(dtype, *SPECIAL))
    b.case(TT + "to_float32", "f64.range", vec("f64", 1e300, -1e300, 1e-300, 3.5e38, 1e-46, 0.1))


def loader(b):
    b.open("loader")
    for dtype in ALL:
        code = LOADER_CODE[dtype]
        b.case(
            "rt_torch_tensor", dtype, floats(1.0, -2.0, 3.0, 0.0, 7.0, 9.0), sizes(2, 3), code, 0
        )
        b.case("rt_torch_tensor", f"{dtype}.scalar", floats(5.0), sizes(), code, 0)
        b.case("rt_torch_tensor", f"{dtype}.empty", floats(), sizes(0, 2), code, 0)
        for name in ("zeros", "ones"):
            b.case(f"rt_torch_{name}", dtype, sizes(2, 3), code, 0)
            b.case(f"rt_torch_{name}", f"{dtype}.scalar", sizes(), code, 0)
        b.case("rt_torch_arange", dtype, -3, 7, 3, code, 0)
        b.case("rt_torch_arange", f"{dtype}.down", 5, 0, -2, code, 0)
        b.case("rt_torch_arange", f"{dtype}.empty", 5, 5, 1, code, 0)
        b.case("rt_torch_arange", f"{dtype}.zero_step", 0, 5, 0, code, 0, fails="call")
        b.case("rt_torch_arange", f"{dtype}.wrong_way", 0, 5, -1, code, 0, fails="call")
        for copy in ("rt_torch_clone", "rt_torch_to_cpu", "rt_torch_tensor_cpu"):
            b.case(copy, dtype, wave(dtype, 2, 3))
            b.case(copy, f"{dtype}.turned", wave(dtype, 2, 3).then("t"))
        b.case("rt_torch_tensor_to_device", dtype, wave(dtype, 2, 3), -1)
    for name in ("rt_torch_tensor_cuda", "rt_torch_to_cuda"):
        b.case(name, "negative", wave("f32", 2), -1, fails="call")
    b.case(
        "rt_torch_tensor",
        "f32.rounds",
        floats(0.1, 1e-50, 1e39, 16777217.0, *SPECIAL),
        sizes(14),
        0,
        0,
    )
    b.case("rt_torch_tensor", "f64.special", floats(*SPECIAL), sizes(10), 1, 0)
    b.case("rt_torch_tensor", "i64.truncates", floats(1.9, -1.9, 2.5, 2.0**52 + 1), sizes(4), 3, 0)
    b.case("rt_torch_tensor", "i32.truncates", floats(1.9, -1.9, 2.5, 2.0**30 + 1), sizes(4), 2, 0)
    b.case("rt_torch_tensor", "too_few", floats(1.0), sizes(2), 0, 0, fails="call")
    for code in (7, 9, -1):
        b.case("rt_torch_tensor", f"dtype_{code}", floats(1.0), sizes(1), code, 0, fails="call")
        b.case("rt_torch_zeros", f"dtype_{code}", sizes(2), code, 0, fails="call")
    b.case("rt_torch_zeros", "negative_dim", sizes(2, -3), 0, 0, fails="call")
    b.case("rt_torch_ones", "overflow", sizes(2**40, 2**40), 0, 0, fails="call")
    b.case("rt_dyn_torch_tensor_from_bits_1d", "special", word_list(*SPECIAL), 10)
    b.case("rt_dyn_torch_tensor_from_bits_1d", "empty", word_list(), 0)
    b.case(
        "rt_dyn_torch_tensor_from_bits_2d",
        "matrix",
        word_list(1.5, -2.0, 0.1, 1e300, 5e-324, 7.0),
        2,
        3,
    )
    b.case("rt_dyn_torch_tensor_from_bits_2d", "empty", word_list(), 3, 0)
