"""Golden cases: matrices, linear layers, embeddings, losses."""

from golden_reference import NN, TT
from golden_values import (
    ALL,
    FLOATS,
    I64_MAX,
    INF,
    INTS,
    NAN,
    NO_TENSOR,
    T,
    empty,
    positive,
    scalar,
    vec,
    wave,
)


def linalg(b):
    b.open("linalg")
    matmul = TT + "matmul"
    shapes = (
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((5, 7), (7, 6)),
        ((2, 2, 3), (2, 3, 4)),
        ((2, 2, 3), (3, 4)),
        ((2, 3), (2, 3, 4)),
        ((3,), (2, 3, 4)),
        ((2, 2, 3), (3,)),
        ((2, 1, 2, 3), (3, 3, 2)),
        ((1, 2, 3), (4, 3, 1)),
        ((0,), (0,)),
        ((2, 0), (0, 3)),
        ((0, 3), (3, 2)),
        ((2, 3), (3, 0)),
        ((0, 2, 3), (3, 2)),
        ((2, 0), (0,)),
        ((2, 2, 0), (2, 0, 2)),
    )
    for left, right in shapes:
        name = f"{'x'.join(map(str, left))}_{'x'.join(map(str, right))}"
        for dtype in ALL:
            b.case(matmul, f"{dtype}.{name}", wave(dtype, *left), positive(dtype, *right))
    for dtype in FLOATS:
        b.case(matmul, f"{dtype}.turned_left", wave(dtype, 3, 2).then("t"), positive(dtype, 3, 4))
        b.case(matmul, f"{dtype}.turned_right", wave(dtype, 2, 3), positive(dtype, 4, 3).then("t"))
        b.case(
            matmul,
            f"{dtype}.turned_both",
            wave(dtype, 3, 2).then("t"),
            positive(dtype, 4, 3).then("t"),
        )
        b.case(
            matmul,
            f"{dtype}.cut",
            wave(dtype, 4, 6).then("slice", 1, 0, 6, 2),
            positive(dtype, 5, 3).then("slice", 0, 1, 4, 1),
        )
        b.case(
            matmul,
            f"{dtype}.permuted_batch",
            wave(dtype, 3, 2, 4).then("permute", 1, 0, 2),
            positive(dtype, 2, 3, 4).then("transpose", 1, 2),
        )
        b.case(
            matmul,
            f"{dtype}.strided_vector",
            wave(dtype, 2, 3),
            positive(dtype, 6).then("slice", 0, 0, 6, 2),
        )
        b.case(
            matmul,
            f"{dtype}.special",
            T(dtype, [3, 2], [NAN, 1, INF, 0, -INF, 1]),
            T(dtype, [2, 2], [1, 0, 2, -1]),
        )
        b.case(matmul, f"{dtype}.wide", wave(dtype, 3, 40), positive(dtype, 40, 4))
    b.case(matmul, "i32.wraps", T("i32", [1, 2], [2**30, 2**30]), T("i32", [2, 1], [3, 2]))
    b.case(matmul, "i64.wraps", T("i64", [1, 2], [I64_MAX, 5]), T("i64", [2, 1], [2, 1]))
    for left, right in (("f32", "f64"), ("f32", "i64"), ("i32", "i64")):
        b.case(matmul, f"{left}_{right}", wave(left, 2, 2), wave(right, 2, 2), fails="call")
        b.case(TT + "dot", f"{left}_{right}", wave(left, 2), wave(right, 2), fails="call")
    for name, left, right in (
        ("inner", (2, 3), (2, 3)),
        ("inner_vector", (2, 3), (2,)),
        ("batch", (2, 2, 3), (3, 3, 2)),
        ("scalar_left", (), (2,)),
        ("scalar_right", (2, 2), ()),
        ("inner_batch", (2, 2, 3), (2, 2, 3)),
    ):
        b.case(matmul, f"mismatch.{name}", wave("f32", *left), wave("f32", *right), fails="call")

    dot = TT + "dot"
    for dtype in ALL:
        for n in (0, 1, 5, 33):
            b.case(dot, f"{dtype}.{n}", wave(dtype, n), positive(dtype, n))
        b.case(
            dot, f"{dtype}.strided", wave(dtype, 9).then("slice", 0, 1, 9, 2), positive(dtype, 4)
        )
    b.case(dot, "nan", vec("f32", 1, NAN), vec("f32", 1, 0))
    for name, left, right in (
        ("length", (3,), (2,)),
        ("matrix", (2, 1), (2, 1)),
        ("scalars", (), ()),
    ):
        b.case(dot, f"mismatch.{name}", wave("f32", *left), wave("f32", *right), fails="call")

    for dtype in ALL:
        b.case(TT + "t", f"{dtype}.matrix", wave(dtype, 2, 3))
        b.case(TT + "transpose", f"{dtype}.block", wave(dtype, 2, 3, 4), 0, 2)
    for name, x in (
        ("vector", wave("f32", 3)),
        ("scalar", wave("f32")),
        ("twice", wave("f32", 2, 3).then("t")),
        ("empty", empty("f32", 0, 2)),
    ):
        b.case(TT + "t", name, x)
    b.case(TT + "t", "block", wave("f32", 1, 2, 1), fails="call")
    for name, x, d0, d1 in (
        ("from_the_end", wave("f32", 2, 3, 4), -1, -2),
        ("same", wave("f32", 2, 3), 1, 1),
        ("scalar", wave("f32"), 0, -1),
        ("twice", wave("f32", 2, 3, 4).then("transpose", 0, 1), 1, 2),
        ("empty", empty("f32", 2, 0), 0, 1),
    ):
        b.case(TT + "transpose", name, x, d0, d1)
    for name, x, d0, d1 in (
        ("no_such_dim", wave("f32", 2, 3), 0, 2),
        ("no_such_dim_negative", wave("f32", 2, 3), -3, 0),
        ("scalar_no_such_dim", wave("f32"), 0, 1),
    ):
        b.case(TT + "transpose", name, x, d0, d1, fails="call")

    linear = NN + "linear"
    for dtype in ALL:
        weight, bias = positive(dtype, 4, 3), wave(dtype, 4)
        b.case(linear, f"{dtype}.matrix", wave(dtype, 2, 3), weight, bias)
        b.case(linear, f"{dtype}.no_bias", wave(dtype, 2, 3), weight, NO_TENSOR)
        b.case(linear, f"{dtype}.vector", wave(dtype, 3), weight, bias)
        b.case(linear, f"{dtype}.block", wave(dtype, 2, 2, 3), weight, bias)
        b.case(linear, f"{dtype}.empty_batch", empty(dtype, 0, 3), weight, bias)
        b.case(linear, f"{dtype}.no_features", empty(dtype, 2, 0), empty(dtype, 4, 0), bias)
    f = "f32"
    for name, x, w, bias in (
        ("turned", wave(f, 3, 2).then("t"), positive(f, 4, 3), wave(f, 4)),
        ("turned_weight", wave(f, 2, 3), positive(f, 3, 4).then("t"), wave(f, 4)),
        ("permuted_block", wave(f, 2, 3, 2).then("transpose", 1, 2), positive(f, 4, 3), wave(f, 4)),
        ("weight_vector", wave(f, 2, 3), positive(f, 3), NO_TENSOR),
        ("one_bias", wave(f, 2, 3), positive(f, 4, 3), wave(f, 1)),
        ("scalar_bias", wave(f, 2, 3), positive(f, 4, 3), wave(f)),
        ("bias_matrix", wave(f, 2, 3), positive(f, 4, 3), wave(f, 2, 4)),
        ("strided_bias", wave(f, 2, 3), positive(f, 4, 3), wave(f, 8).then("slice", 0, 1, 8, 2)),
        ("no_bias_block", wave(f, 2, 2, 3), positive(f, 4, 3), NO_TENSOR),
    ):
        b.case(linear, name, x, w, bias)
    for name, x, w, bias in (
        ("inner", wave(f, 2, 2), positive(f, 4, 3), NO_TENSOR),
        ("input_scalar", wave(f), positive(f, 4, 3), NO_TENSOR),
        ("weight_block", wave(f, 2, 3), positive(f, 2, 4, 3), NO_TENSOR),
        ("bias_size", wave(f, 2, 3), positive(f, 4, 3), wave(f, 3)),
        ("bias_grows", wave(f, 3), positive(f, 4, 3), wave(f, 3, 4)),
        ("dtypes", wave(f, 2, 3), positive("f64", 4, 3), NO_TENSOR),
        ("bias_dtype", wave(f, 2, 3), positive(f, 4, 3), wave("f64", 4)),
    ):
        b.case(linear, f"mismatch.{name}", x, w, bias, fails="call")

    embedding = NN + "embedding"
    for dtype in ALL:
        for at in INTS:
            b.case(embedding, f"{dtype}.{at}", vec(at, 2, 0, 2), wave(dtype, 3, 4))
    for name, at, weight in (
        ("matrix", T("i64", [2, 2], [0, 1, 2, 1]), wave(f, 3, 2)),
        ("scalar", scalar("i64", 1), wave(f, 3, 2)),
        ("nothing", empty("i64", 0), wave(f, 3, 2)),
        ("nothing_2d", empty("i64", 2, 0), wave(f, 3, 2)),
        ("turned_weight", vec("i64", 1, 0), wave(f, 3, 2).then("t")),
        ("turned_index", T("i64", [2, 2], [0, 1, 2, 1]).then("t"), wave(f, 3, 2)),
        ("no_columns", vec("i64", 1), empty(f, 3, 0)),
        ("nothing_from_nothing", empty("i64", 0), empty(f, 0, 2)),
    ):
        b.case(embedding, name, at, weight)
    for name, at, weight in (
        ("float_index", vec("f32", 1), wave(f, 3, 2)),
        ("weight_vector", vec("i64", 1), wave(f, 3)),
        ("weight_block", vec("i64", 1), wave(f, 2, 2, 2)),
        ("weight_scalar", vec("i64", 0), wave(f)),
        ("no_rows", vec("i64", 0), empty(f, 0, 2)),
    ):
        b.case(embedding, name, at, weight, fails="call")
    for name, bad in (("negative", -1), ("too_large", 3)):
        b.case(embedding, name, vec("i64", 0, bad), wave(f, 3, 2), fails="run")


def loss(b):
    b.open("loss")
    mse, ce, nll, bce = (
        NN + n for n in ("mse_loss", "cross_entropy", "nll_loss", "binary_cross_entropy")
    )
    f = "f32"
    for left in ALL:
        for right in ALL:
            b.case(
                mse,
                f"{left}_{right}",
                wave(left, 2, 3),
                positive(right, 2, 3),
                fails="call" if left in INTS and right in INTS else None,
            )
    for name, x, y in (
        ("row", wave(f, 2, 3), wave(f, 3, start=4)),
        ("outer", wave(f, 4, 1), wave(f, 3)),
        ("scalars", scalar(f, 1), scalar(f, 3)),
        ("scalar_f64", wave(f, 3), scalar("f64", 0.1)),
        ("empty", empty(f, 0), empty(f, 0)),
        ("nan", vec(f, 1, 2), vec(f, 1, NAN)),
        ("inf", vec(f, 1, INF), vec(f, 1, 2)),
        ("turned", wave(f, 3, 2).then("t"), positive(f, 2, 3)),
        ("long", wave(f, 60), positive(f, 60)),
    ):
        b.case(mse, name, x, y)
    b.case(mse, "mismatch", wave(f, 3), wave(f, 2), fails="call")

    for symbol in (ce, nll):
        for dtype in FLOATS:
            x = wave(dtype, 4, 3)
            for name, logits, target in (
                ("batch", x, vec("i64", 2, 0, 1, 2)),
                ("ignored", x, vec("i64", 2, -100, 1, -100)),
                ("all_ignored", x, vec("i64", *[-100] * 4)),
                ("one", wave(dtype, 3), scalar("i64", 1)),
                ("one_in_list", wave(dtype, 3), vec("i64", 1)),
                ("one_ignored", wave(dtype, 3), scalar("i64", -100)),
                ("empty_batch", empty(dtype, 0, 3), empty("i64", 0)),
                ("one_class", wave(dtype, 2, 1), vec("i64", 0, 0)),
                ("line", wave(dtype, 2, 3, 2), T("i64", [2, 2], [0, 2, 1, -100])),
                (
                    "picture",
                    wave(dtype, 2, 3, 2, 2),
                    T("i64", [2, 2, 2], [0, 1, 2, 0, 1, 2, -100, 1]),
                ),
                ("volume", wave(dtype, 1, 2, 2, 1, 2), T("i64", [1, 2, 1, 2], [0, 1, 1, 0])),
                ("empty_line", empty(dtype, 2, 3, 0), empty("i64", 2, 0)),
                ("turned", wave(dtype, 3, 4).then("t"), vec("i64", 2, 0, 1, 2)),
                ("strided_target", x, vec("i64", 2, 9, 0, 9, 1, 9, 2, 9).then("slice", 0, 0, 8, 2)),
                ("infinite", T(dtype, [2, 3], [-INF, 0, 1, 2, -INF, 1]), vec("i64", 2, 0)),
                ("infinite_picked", T(dtype, [1, 3], [-INF, 0, 1]), vec("i64", 0)),
                ("nan", T(dtype, [2, 3], [NAN, 0, 1, 1, 2, 3]), vec("i64", 0, 1)),
                ("nan_ignored", T(dtype, [2, 3], [NAN, 0, 1, 1, 2, 3]), vec("i64", -100, 1)),
                ("large", T(dtype, [2, 3], [1000, 0, -1000, 500, 501, 502]), vec("i64", 0, 1)),
                ("wide", wave(dtype, 3, 30), vec("i64", 29, 0, 17)),
            ):
                b.case(symbol, f"{dtype}.{name}", logits, target)
        for name, logits, target in (
            ("i32_target", wave(f, 2, 3), vec("i32", 0, 1)),
            ("float_target", wave(f, 2, 3), vec(f, 0, 1)),
            ("other_batch", wave(f, 2, 3), vec("i64", 1)),
            ("int_input", wave("i64", 2, 3), vec("i64", 0, 1)),
            ("scalars", wave(f), scalar("i64", 0)),
            ("no_line", wave(f, 2, 3, 2), vec("i64", 0, 1)),
            ("other_line", wave(f, 2, 3, 2), T("i64", [2, 3], [0] * 6)),
            ("target_matrix", wave(f, 2, 3), T("i64", [2, 1], [0, 1])),
            ("two_for_one", wave(f, 3), vec("i64", 0, 1)),
            ("target_of_input_shape", wave(f, 2, 3), T("i64", [2, 3], [0, 1, 0, 1, 0, 0])),
        ):
            b.case(symbol, name, logits, target, fails="call")
        for name, bad in (("too_large", 3), ("negative", -1)):
            b.case(symbol, name, wave(f, 2, 3), vec("i64", 0, bad), fails="run")
    shares = [0.25, 0.25, 0.5, 1, 0, 0]
    for left in FLOATS:
        for right in FLOATS:
            b.case(ce, f"{left}_{right}.shares", wave(left, 2, 3), T(right, [2, 3], shares))
    for name, logits, target in (
        ("shares.one", wave(f, 3), vec(f, 0.2, 0.3, 0.5)),
        ("shares.line", wave(f, 1, 3, 2), T(f, [1, 3, 2], shares)),
        ("shares.empty", empty(f, 0, 3), empty(f, 0, 3)),
        ("shares.any_number", wave(f, 2, 3), wave(f, 2, 3, start=2)),
        ("shares.turned", wave(f, 3, 2).then("t"), T(f, [3, 2], shares).then("t")),
        ("shares.infinite", T(f, [1, 3], [-INF, 0, 1]), T(f, [1, 3], [0, 0.5, 0.5])),
    ):
        b.case(ce, name, logits, target)
    b.case(ce, "shares.int_input", wave("i64", 2, 3), T(f, [2, 3], shares), fails="call")
    b.case(nll, "shares", wave(f, 2, 3), T(f, [2, 3], shares), fails="call")

    for dtype in FLOATS:
        for name, p, y in (
            (
                "block",
                T(dtype, [2, 3], [0.1, 0.9, 0.5, 0.01, 0.99, 0.3]),
                T(dtype, [2, 3], [0, 1, 0.3, 1, 0, 0.5]),
            ),
            ("scalars", scalar(dtype, 0.25), scalar(dtype, 1)),
            ("certain_and_right", vec(dtype, 0, 1), vec(dtype, 0, 1)),
            ("certain_and_wrong", vec(dtype, 0, 1), vec(dtype, 1, 0)),
            ("tiny", vec(dtype, 1e-30, 0.5), vec(dtype, 1, 0.5)),
            ("empty", empty(dtype, 0), empty(dtype, 0)),
            (
                "turned",
                T(dtype, [2, 2], [0.1, 0.2, 0.3, 0.4]).then("t"),
                T(dtype, [2, 2], [1, 0, 0, 1]),
            ),
        ):
            b.case(bce, f"{dtype}.{name}", p, y)
    for name, p, y in (
        ("dtypes", vec(f, 0.5), vec("f64", 1)),
        ("int_target", vec(f, 0.5), vec("i64", 1)),
        ("ints", vec("i64", 1), vec("i64", 1)),
        ("broadcast", vec(f, 0.1, 0.2), vec(f, 1)),
        ("other_shape", T(f, [1, 2], [0.1, 0.2]), vec(f, 1, 0)),
    ):
        b.case(bce, name, p, y, fails="call")
    for name, p, y in (
        ("above_one", 1.5, 1),
        ("below_zero", -0.1, 1),
        ("nan", NAN, 1),
        ("target_above_one", 0.5, 2),
        ("target_nan", 0.5, NAN),
    ):
        b.case(bce, name, vec(f, 0.5, p), vec(f, 0, y), fails="run")
