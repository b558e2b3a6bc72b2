"""Golden cases: reductions, shapes, indices."""

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
    NAN,
    SPECIAL,
    T,
    empty,
    layouts,
    positive,
    scalar,
    sizes,
    tensors,
    vec,
    wave,
)


def reduction(b):
    b.open("reduction")
    floating_only = ("mean", "std", "var", "norm")
    for name in ("sum", "mean", "max", "min", "std", "var", "norm"):
        for dtype in ALL:
            wrong = name in floating_only and dtype in INTS
            for layout, x in layouts(wave, dtype).items():
                no_elements = name in ("max", "min") and layout.startswith("empty")
                b.case(
                    TT + name,
                    f"{dtype}.{layout}",
                    x,
                    fails="call" if wrong or no_elements else None,
                )
        for dtype in FLOATS:
            b.case(TT + name, f"{dtype}.one", vec(dtype, 2.5))
            b.case(TT + name, f"{dtype}.nan", vec(dtype, 1, NAN, INF))
            b.case(TT + name, f"{dtype}.inf", vec(dtype, 1, INF, 2))
            b.case(TT + name, f"{dtype}.minus_inf", vec(dtype, 1, -INF, 2))
            b.case(TT + name, f"{dtype}.infs", vec(dtype, INF, -INF, 2))
            b.case(
                TT + name,
                f"{dtype}.long",
                wave(dtype, 1500) if name in ("max", "sum") else wave(dtype, 60),
            )
            b.case(TT + name, f"{dtype}.tenths", vec(dtype, *(i / 10 for i in range(1, 30))))
    for name in ("std", "var"):
        b.case(TT + name, "f32.large_mean", vec("f32", 10001, 10002, 10003, 10004))
    b.case(TT + "norm", "f64.large", vec("f64", 1e100, 1e100))
    b.case(TT + "sum", "i64.wraps", vec("i64", I64_MAX, 1, 1))
    b.case(TT + "sum", "i32.widens", vec("i32", I32_MAX, I32_MAX, 5))
    b.case(TT + "max", "i64.extremes", vec("i64", I64_MIN, -1))
    b.case(TT + "min", "i32.extremes", vec("i32", I32_MIN, I32_MAX))

    for name in ("sum_dim", "mean_dim", "max_dim", "min_dim", "argmax", "argmin"):
        symbol = TT + name
        picks = not name.startswith(("sum", "mean"))
        whole = name.startswith("arg")
        for dtype in ALL:
            wrong = "call" if name == "mean_dim" and dtype in INTS else None
            for layout, x in layouts(wave, dtype).items():
                for dim in (0, -1) if len(x.torch().shape) > 1 or whole else (0,):
                    keepdim = layout in ("block", "transposed", "scalar")
                    # An empty dimension or tensor has no extreme.
                    size = (
                        x.torch().numel() if whole and dim < 0 else (x.torch().shape or (1,))[dim]
                    )
                    nothing = picks and size == 0
                    b.case(
                        symbol,
                        f"{dtype}.{layout}.{dim}",
                        x,
                        dim,
                        keepdim,
                        fails=wrong or ("call" if nothing else None),
                    )
        for dtype in FLOATS:
            x = T(dtype, [4, 3], [1, NAN, 3, NAN, 2, NAN, INF, -INF, INF, -INF, 5, -INF])
            b.case(symbol, f"{dtype}.special.1", x, 1, False)
            b.case(symbol, f"{dtype}.special.0", x, 0, True)
            b.case(symbol, f"{dtype}.middle", wave(dtype, 3, 5, 2), 1, False)
            b.case(symbol, f"{dtype}.wide", wave(dtype, 2, 45), 1, True)
            b.case(symbol, f"{dtype}.tall", wave(dtype, 45, 2), 0, False)
        b.case(symbol, "ties", T("f32", [2, 4], [1, 3, 3, 1, 2, 2, 2, 2]), 1, False)
        b.case(symbol, "scalar_no_such_dim", wave("f32"), 1, False, fails="call")
        b.case(symbol, "no_such_dim", wave("f32", 2, 3), 2, False, fails="call")
        b.case(symbol, "keepdim_first", wave("f32", 2, 3), 0, True)
        if whole:
            b.case(symbol, "whole_keepdim", wave("f32", 2, 3, 2), -1, True)
            b.case(symbol, "any_negative_dim", wave("i64", 2, 3), -7, False)
        else:
            b.case(symbol, "scalar_from_the_end", wave("f32"), -1, True)
            b.case(symbol, "no_such_dim_negative", wave("f32", 2, 3), -3, False, fails="call")
    symbol = TT + "cumsum"
    for dtype in ALL:
        for layout, x in layouts(wave, dtype).items():
            for dim in (0, -1) if len(x.torch().shape) > 1 else (0,):
                b.case(symbol, f"{dtype}.{layout}.{dim}", x, dim)
    for dtype in FLOATS:
        x = T(dtype, [4, 3], [1, NAN, 3, NAN, 2, NAN, INF, -INF, INF, -INF, 5, -INF])
        b.case(symbol, f"{dtype}.special", x, 1)
        b.case(symbol, f"{dtype}.middle", wave(dtype, 3, 5, 2), 1)
        b.case(symbol, f"{dtype}.cancels", vec(dtype, 1, 1e16, 1, -1e16, 1), 0)
    b.case(symbol, "i64.wraps", T("i64", [2, 2], [I64_MAX, 1, I64_MIN, -1]), 1)
    b.case(symbol, "i32.widens", T("i32", [2, 2], [I32_MAX, 1, I32_MIN, -1]), 1)
    b.case(symbol, "scalar_no_such_dim", wave("f32"), 1, fails="call")
    b.case(symbol, "no_such_dim", wave("f32", 2, 3), -3, fails="call")
    b.case(TT + "sum_dim", "i64.wraps", T("i64", [2, 2], [I64_MAX, 1, I64_MIN, -1]), 1, False)
    b.case(TT + "sum_dim", "i32.widens", T("i32", [2, 2], [I32_MAX, 1, I32_MIN, -1]), 1, False)


def shape(b):
    b.open("shape")
    x = wave("f32", 2, 3, 4)
    turned, cut = wave("f32", 3, 4).then("t"), wave("f32", 4, 6).then("slice", 1, 1, 5, 1)
    for name in ("ndim", "numel", "shape"):
        for variant, value in (
            ("block", x),
            ("turned", turned),
            ("scalar", wave("f64")),
            ("empty", empty("i64", 3, 0)),
        ):
            b.case(TT + name, variant, value)
    for dim in (0, 2):
        b.case(TT + "shape_dim", str(dim), x, dim)
    for dim in (3, -1):
        b.case(TT + "shape_dim", str(dim), x, dim, fails="call")
    b.case(TT + "shape_dim", "scalar", wave("f32"), 0, fails="call")

    for name in ("reshape", "view"):
        symbol = TT + name
        for variant, value, dims in (
            ("flat", x, (24,)),
            ("split", x, (2, 3, 2, 2)),
            ("inferred", x, (4, -1)),
            ("ones", x, (1, 24, 1)),
            ("to_scalar", wave("i64", 1), ()),
            ("from_scalar", wave("f64"), (1, 1)),
            ("empty", empty("f32", 0, 3), (3, 0)),
            ("empty_inferred", empty("f32", 0), (-1, 3)),
            ("empty_flat", empty("f32", 0), (-1,)),
            ("turned_split", turned, (4, 3, 1)),
            ("turned_split_2", wave("f32", 6, 4).then("t"), (4, 2, 3)),
            ("cut_split", cut, (4, 2, 2)),
            ("cut_rows", wave("f32", 5, 3).then("slice", 0, 1, 4, 1), (9,)),
            ("empty_turned", empty("f32", 0, 3).then("t"), (0,)),
            ("i32", wave("i32", 2, 3), (3, 2)),
            ("every_other", wave("f32", 12).then("slice", 0, 1, 12, 2), (2, 3)),
            ("minus_zero", vec("f32", -0.0, 0.0), (2, 1)),
        ):
            b.case(symbol, variant, value, sizes(*dims))
        for variant, value, dims in (
            ("wrong_size", x, (5, 5)),
            ("not_divisible", x, (5, -1)),
            ("two_inferred", x, (-1, -1)),
            ("minus_two", x, (-2, 12)),
            ("two_to_scalar", wave("f32", 2), ()),
            ("ambiguous", empty("f32", 0), (0, -1)),
            ("zero_inferred", wave("f32", 2), (-1, 0)),
            ("overflow", wave("f32", 2), (2**62, 4)),
        ):
            b.case(symbol, variant, value, sizes(*dims), fails="call")
        b.case(symbol, "turned_flat", turned, sizes(12))
        b.case(symbol, "cut_flat", cut, sizes(-1))
        b.case(symbol, "permuted_merge", wave("f32", 2, 3, 4).then("permute", 2, 0, 1), sizes(4, 6))
        b.case(
            symbol,
            "permuted",
            wave("f32", 2, 3, 4).then("permute", 1, 0, 2),
            sizes(6, 4),
        )

    for variant, value, dims in (
        ("cycle", x, (2, 0, 1)),
        ("same", x, (0, 1, 2)),
        ("from_the_end", x, (-1, 0, 1)),
        ("scalar", wave("f32"), ()),
        ("again", x.then("permute", 1, 2, 0), (1, 2, 0)),
        ("empty", empty("f32", 2, 0, 3), (2, 0, 1)),
        ("i64", wave("i64", 2, 3), (1, 0)),
    ):
        b.case(TT + "permute", variant, value, sizes(*dims))
    for variant, dims in (
        ("too_few", (0, 1)),
        ("too_many", (0, 1, 2, 3)),
        ("twice", (0, 0, 1)),
        ("twice_negative", (0, -3, 1)),
        ("out_of_range", (0, 1, 3)),
        ("out_of_range_negative", (-4, 1, 2)),
    ):
        b.case(TT + "permute", variant, x, sizes(*dims), fails="call")

    ones = wave("f32", 1, 3, 1, 2)
    for name in ("squeeze", "flatten", "contiguous"):
        for variant, value in (
            ("ones", ones),
            ("block", x),
            ("turned", turned),
            ("scalar", wave("f32")),
            ("cut", cut),
            ("all_ones", wave("f64", 1, 1)),
            ("empty", empty("f32", 1, 0)),
            ("i32", wave("i32", 1, 2)),
            ("permuted", wave("i64", 2, 3, 4).then("permute", 2, 0, 1)),
        ):
            b.case(TT + name, variant, value)
    for variant, value, dim in (
        ("first", ones, 0),
        ("from_the_end", ones, -2),
        ("not_one", ones, 1),
        ("scalar", wave("f32"), 0),
        ("scalar_from_the_end", wave("f32"), -1),
        ("turned", wave("f32", 1, 3).then("t"), 1),
    ):
        b.case(TT + "squeeze_dim", variant, value, dim)
    for variant, value, dim in (
        ("first", x, 0),
        ("last", x, 3),
        ("from_the_end", x, -1),
        ("front_from_the_end", x, -4),
        ("scalar", wave("f32"), 0),
        ("scalar_from_the_end", wave("f32"), -1),
        ("turned", turned, 1),
        ("empty", empty("i32", 0), 1),
    ):
        b.case(TT + "unsqueeze", variant, value, dim)
    for name, dims in (("squeeze_dim", (4, -5)), ("unsqueeze", (5, -6))):
        for dim in dims:
            b.case(TT + name, f"no_such_dim.{dim}", ones, dim, fails="call")
    b.case(TT + "squeeze_dim", "scalar_no_such_dim", wave("f32"), 1, fails="call")
    b.case(TT + "unsqueeze", "scalar_no_such_dim", wave("f32"), 1, fails="call")


def index(b):
    b.open("index")
    line, grid = wave("f32", 7), wave("f32", 3, 5)
    for variant, args in (
        ("all", (0, 0, 7, 1)),
        ("middle", (0, 2, 5, 1)),
        ("step", (0, 1, 7, 3)),
        ("negative_start", (0, -3, 7, 1)),
        ("negative_end", (0, 0, -2, 2)),
        ("both_negative", (0, -5, -1, 1)),
        ("far_below", (0, -100, 3, 1)),
        ("far_above", (0, 2, 100, 1)),
        ("beyond_the_end", (0, 9, 12, 1)),
        ("backwards", (0, 5, 2, 1)),
        ("end_far_below", (0, 0, -100, 1)),
        ("dim_from_the_end", (-1, 1, 4, 1)),
        ("largest_end", (0, 1, I64_MAX, 2)),
        ("extreme", (0, I64_MIN, I64_MAX, 1)),
        ("extreme_step", (0, 2, I64_MAX, I64_MAX - 7)),
        ("one", (0, 6, 7, 1)),
    ):
        b.case(TT + "slice", variant, line, *args)
    for variant, value, args in (
        ("column", grid, (1, 1, 4, 2)),
        ("rows", grid, (0, 1, 3, 1)),
        ("turned", grid.then("t"), (0, 1, 5, 2)),
        ("twice", line.then("slice", 0, 1, 7, 2), (0, 1, 3, 2)),
        ("empty", empty("f32", 0, 2), (0, 0, 3, 1)),
        ("i64", wave("i64", 4, 2), (0, 1, -1, 1)),
        ("i32", wave("i32", 5), (0, 0, 5, 4)),
    ):
        b.case(TT + "slice", variant, value, *args)
    for variant, value, args in (
        ("zero_step", line, (0, 0, 7, 0)),
        ("negative_step", line, (0, 6, 0, -1)),
        ("no_such_dim", line, (1, 0, 1, 1)),
        ("no_such_dim_negative", line, (-2, 0, 1, 1)),
        ("scalar", wave("f32"), (0, 0, 1, 1)),
    ):
        b.case(TT + "slice", variant, value, *args, fails="call")

    select = TT + "index_select"
    for dtype in ALL:
        for at in INTS:
            b.case(select, f"{dtype}.{at}", wave(dtype, 3, 5), 1, vec(at, 4, 0, 4))
    for variant, value, dim, at in (
        ("rows", grid, 0, vec("i64", 2, 1)),
        ("dim_from_the_end", grid, -2, vec("i64", 2, 1)),
        ("turned", grid.then("t"), 0, vec("i64", 4, 4, 1)),
        ("strided_index", grid, 1, vec("i64", 4, 9, 0, 9).then("slice", 0, 0, 4, 2)),
        ("scalar_index", grid, 1, scalar("i64", 3)),
        ("no_index", grid, 1, empty("i64", 0)),
        ("scalar", wave("f32"), 0, vec("i64", 0)),
        ("block", wave("f32", 2, 3, 2), 1, vec("i64", 2, 0, 1, 1)),
        ("empty_other_dim", empty("f32", 0, 3), 1, vec("i64", 0, 1)),
        ("special", vec("f32", *SPECIAL), 0, vec("i64", 4, 0, 1)),
    ):
        b.case(select, variant, value, dim, at)
    for variant, value, dim, at in (
        ("float_index", grid, 1, vec("f32", 1)),
        ("index_matrix", grid, 1, T("i64", [1, 2], [0, 1])),
        ("no_such_dim", grid, 2, vec("i64", 0)),
        ("from_nothing", empty("f32", 0, 3), 0, vec("i64", 0)),
        ("scalar_twice", wave("f32"), 0, vec("i64", 0, 0)),
    ):
        b.case(select, variant, value, dim, at, fails="call")
    for variant, bad in (("negative", -1), ("too_large", 5), ("way_off", I64_MIN)):
        b.case(select, variant, grid, 1, vec("i64", 0, bad), fails="run")

    gather = TT + "gather"
    for dtype in ALL:
        for at in INTS:
            b.case(gather, f"{dtype}.{at}", wave(dtype, 3, 5), 1, T(at, [3, 2], [4, 0, 1, 1, 2, 3]))
    for variant, value, dim, at in (
        ("rows", grid, 0, T("i64", [2, 5], [0, 1, 2, 1, 0, 2, 2, 0, 0, 1])),
        ("fewer", grid, 1, T("i64", [1, 2], [3, 1])),
        ("longer_along_dim", grid, 0, T("i64", [4, 2], [0, 1, 2, 0, 1, 1, 2, 2])),
        ("dim_from_the_end", grid, -1, T("i64", [3, 1], [4, 3, 2])),
        ("turned", grid.then("t"), 0, T("i64", [2, 3], [4, 3, 2, 0, 1, 2])),
        ("turned_index", grid, 1, T("i64", [2, 3], [4, 3, 2, 0, 1, 2]).then("t")),
        ("scalars", wave("f32"), 0, scalar("i64", 0)),
        ("scalar_self", wave("f32"), 0, vec("i64", 0, 0)),
        ("scalar_index", line, 0, scalar("i64", 5)),
        ("block", wave("f32", 2, 3, 2), 1, T("i64", [2, 1, 2], [2, 0, 1, 1])),
    ):
        b.case(gather, variant, value, dim, at)
    for variant, value, dim, at in (
        ("float_index", grid, 1, T("f32", [3, 1], [0, 0, 0])),
        ("fewer_dims", grid, 1, vec("i64", 1)),
        ("wider_than_self", grid, 1, T("i64", [4, 1], [0, 0, 0, 0])),
        ("no_such_dim", grid, 2, T("i64", [1, 1], [0])),
    ):
        b.case(gather, variant, value, dim, at, fails="call")
    for variant, bad in (("negative", -1), ("too_large", 5)):
        b.case(gather, variant, grid, 1, T("i64", [2, 1], [0, bad]), fails="run")

    cat, stack = TT + "cat", TT + "stack"
    for symbol in (cat, stack):
        for left in ALL:
            for right in ALL:
                b.case(symbol, f"{left}_{right}", tensors(wave(left, 2), positive(right, 2)), 0)
        b.case(symbol, "one", tensors(grid), 1)
        b.case(symbol, "three", tensors(grid, wave("f32", 3, 5, start=9), grid), 1)
        b.case(symbol, "from_the_end", tensors(grid, grid), -1)
        b.case(symbol, "front_from_the_end", tensors(grid, grid), -2 if symbol == cat else -3)
        b.case(symbol, "turned", tensors(grid.then("t"), wave("f32", 5, 3)), 1)
        b.case(symbol, "block", tensors(wave("i64", 2, 3, 2), wave("i64", 2, 3, 2, start=5)), 1)
        b.case(symbol, "special", tensors(vec("f32", *SPECIAL), vec("f32", *SPECIAL)), 0)
        b.case(symbol, "many", tensors(*(wave("f32", 2, start=i) for i in range(12))), 0)
        b.case(symbol, "nothing", tensors(), 0, fails="call")
        b.case(symbol, "no_such_dim", tensors(grid, grid), 3, fails="call")
        b.case(symbol, "no_such_dim_negative", tensors(grid, grid), -4, fails="call")
        b.case(symbol, "other_size", tensors(grid, wave("f32", 3, 4)), 0, fails="call")
        b.case(symbol, "other_ndim", tensors(grid, wave("f32", 5)), 0, fails="call")
    b.case(cat, "other_length", tensors(grid, wave("f32", 1, 5)), 0)
    b.case(cat, "no_rows", tensors(empty("f32", 0, 5), grid), 0)
    b.case(cat, "flat_empty_is_skipped", tensors(empty("f32", 0), grid, empty("f32", 0)), 1)
    b.case(cat, "flat_empty_still_promotes", tensors(grid, empty("f64", 0)), 0)
    b.case(cat, "flat_empty_only", tensors(empty("i32", 0), empty("i32", 0)), 0)
    b.case(cat, "scalars", tensors(scalar("f32", 1), scalar("f32", 2)), 0, fails="call")
    b.case(cat, "empty_rows_of_other_width", tensors(empty("f32", 0, 2), grid), 0, fails="call")
    b.case(stack, "scalars", tensors(scalar("f32", 1), scalar("i64", 2)), 0)
    b.case(stack, "scalars_from_the_end", tensors(scalar("f32", 1), scalar("f32", 2)), -1)
    b.case(stack, "empties", tensors(empty("f32", 0), empty("f32", 0)), 1)

    chunk = TT + "chunk"
    for size, chunks in ((5, 2), (5, 4), (6, 4), (5, 9), (5, 1), (0, 3)):
        b.case(chunk, f"{size}_in_{chunks}", wave("f32", size), chunks, 0)
    for variant, value, chunks, dim in (
        ("columns", grid, 2, 1),
        ("from_the_end", grid, 3, -1),
        ("turned", grid.then("t"), 2, 0),
        ("i64", wave("i64", 4, 2), 2, 0),
        ("empty", empty("f32", 2, 0), 2, 0),
    ):
        b.case(chunk, variant, value, chunks, dim)
    for variant, value, chunks, dim in (
        ("none", line, 0, 0),
        ("negative", line, -1, 0),
        ("no_such_dim", line, 2, 1),
        ("scalar", wave("f32"), 1, 0),
    ):
        b.case(chunk, variant, value, chunks, dim, fails="call")
