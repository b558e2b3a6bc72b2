"""Golden cases: determinants, inverses, decompositions and linear systems."""

from golden_reference import TT
from golden_values import FLOATS, INF, INTS, NAN, T, empty, vec, wave

TALL = [4, 1, 0.5, 2, 5, -1, 1, 0, 3, -2, 1, 7]  # 4x3 or 3x4, with distinct singular values


def dominant(dtype, *shape):
    """Square matrices far from singular: a wave with a heavy diagonal."""
    n = shape[-1]
    x = wave(dtype, *shape)
    data = [v + (9 + i // n % n if i // n % n == i % n else 0) for i, v in enumerate(x.data)]
    return T(dtype, shape, data)


def singular(dtype):
    return T(dtype, [2, 2], [1, 2, 2, 4])


def refuses(b, symbol, *more):
    """First operands that every call here refuses."""
    for dtype in INTS:
        b.case(symbol, dtype, T(dtype, [2, 2], [2, 0, 1, 3]), *more, fails="call")
    for name, x in (("vector", wave("f32", 2)), ("scalar", wave("f32"))):
        b.case(symbol, name, x, *more, fails="call")


def matrix(b):
    b.open("matrix")
    det, inverse, svd, eig = (TT + n for n in ("det", "inverse", "svd", "eig"))
    f = "f32"
    for symbol in (det, inverse, eig):
        refuses(b, symbol)
        b.case(symbol, "wide", wave(f, 2, 3), fails="call")
        b.case(symbol, "tall", wave(f, 3, 2), fails="call")
        b.case(symbol, "wide_empty", empty(f, 0, 3), fails="call")
        for dtype in FLOATS:
            for n in (1, 2, 3, 5) if dtype == "f32" else (1, 2, 3, 5, 20):
                b.case(symbol, f"{dtype}.{n}", dominant(dtype, n, n))
            b.case(symbol, f"{dtype}.empty", empty(dtype, 0, 0))
            b.case(symbol, f"{dtype}.turned", dominant(dtype, 3, 3).then("t"))
            b.case(
                symbol,
                f"{dtype}.strided",
                dominant(dtype, 6, 6).then("slice", 1, 0, 3, 1).then("slice", 0, 0, 6, 2),
            )
    b.case(det, "batch", dominant(f, 2, 3, 3), fails="call")
    for dtype in FLOATS:
        b.case(det, f"{dtype}.swaps", T(dtype, [3, 3], [0, 2, 0, 0, 0, 3, 5, 0, 0]))
        b.case(det, f"{dtype}.singular", singular(dtype))
        b.case(det, f"{dtype}.nan", T(dtype, [2, 2], [1, NAN, 2, 3]))
        b.case(inverse, f"{dtype}.singular", singular(dtype), fails="run")
        b.case(inverse, f"{dtype}.zero", T(dtype, [1, 1], [0]), fails="run")
        b.case(inverse, f"{dtype}.nan", T(dtype, [2, 2], [NAN] * 4))
        b.case(inverse, f"{dtype}.swaps", T(dtype, [3, 3], [0, 2, 0, 0, 0, 3, 5, 0, 0]))
        b.case(inverse, f"{dtype}.batch", dominant(dtype, 2, 3, 3))
        b.case(inverse, f"{dtype}.batches", dominant(dtype, 2, 1, 2, 2))
        b.case(inverse, f"{dtype}.turned_batch", dominant(dtype, 2, 3, 3).then("transpose", 1, 2))
        b.case(eig, f"{dtype}.rotation", T(dtype, [2, 2], [0, -1, 1, 0]))
        b.case(eig, f"{dtype}.complex", T(dtype, [3, 3], [1, -2, 0, 2, 1, 0, 0, 0, 5]))
        b.case(eig, f"{dtype}.batch", dominant(dtype, 2, 3, 3))
        b.case(eig, f"{dtype}.triangle", T(dtype, [3, 3], [1, 5, 7, 0, 2, 9, 0, 0, 3]))
        for symbol in (inverse, eig, svd):
            b.case(symbol, f"{dtype}.no_matrices", empty(dtype, 0, 2, 2))
            b.case(symbol, f"{dtype}.empty_matrices", empty(dtype, 3, 0, 0))
    x = singular(f)
    both = T(f, [2, 2, 2], [2, 0, 0, 2, *x.data])
    b.case(inverse, "batch_singular", both, fails="run")
    for name, value in (("nan", NAN), ("inf", INF)):
        b.case(eig, name, T(f, [2, 2], [1, value, 2, 3]), fails="run")
    b.case(svd, "nan", T(f, [2, 2], [1, NAN, 2, 3]), fails="run")

    refuses(b, svd)
    for dtype in FLOATS:
        b.case(svd, f"{dtype}.one", T(dtype, [1, 1], [-3]))
        b.case(svd, f"{dtype}.square", T(dtype, [3, 3], [4, 1, 0, -2, 7, 1, 0.5, 1, 15]))
        b.case(svd, f"{dtype}.tall", T(dtype, [4, 3], TALL))
        b.case(svd, f"{dtype}.wide", T(dtype, [3, 4], TALL))
        b.case(svd, f"{dtype}.turned", T(dtype, [4, 3], TALL).then("t"))
        b.case(svd, f"{dtype}.column", T(dtype, [3, 1], [1, 2, 2]))
        b.case(svd, f"{dtype}.batch", T(dtype, [2, 2, 3], TALL))
        b.case(svd, f"{dtype}.empty", empty(dtype, 0, 0))
        b.case(svd, f"{dtype}.no_columns", empty(dtype, 3, 0))
        b.case(svd, f"{dtype}.no_rows", empty(dtype, 0, 3))


def solve(b):
    b.open("later_client")
    symbol = TT + "linalg_solve"
    f = "f32"
    refuses(b, symbol, vec("f32", 1, 2))
    for dtype in FLOATS:
        a, stack = dominant(dtype, 3, 3), dominant(dtype, 2, 3, 3)
        for name, left, right in (
            ("columns", a, wave(dtype, 3, 2)),
            ("vector", a, wave(dtype, 3)),
            ("batch", stack, wave(dtype, 2, 3, 2)),
            ("batch_of_vectors", stack, wave(dtype, 2, 3)),
            ("one_vector", stack, wave(dtype, 3)),
            ("one_matrix", a, wave(dtype, 2, 3, 2)),
            ("one_right_side", stack, wave(dtype, 3, 2)),
            ("broadcast", dominant(dtype, 2, 1, 3, 3), wave(dtype, 4, 3, 2)),
            ("vectors_not_columns", dominant(dtype, 3, 3, 3), wave(dtype, 3, 3)),
            ("columns_for_all", a, wave(dtype, 5, 3, 3)),
            ("turned", a.then("t"), wave(dtype, 2, 3).then("t")),
            ("needs_swaps", T(dtype, [2, 2], [0, 2, 3, 1]), vec(dtype, 1, 2)),
            ("large", dominant(dtype, 20, 20), wave(dtype, 20, 3)),
            ("empty", empty(dtype, 0, 0), empty(dtype, 0, 2)),
            ("empty_vector", empty(dtype, 0, 0), empty(dtype, 0)),
            ("no_columns", a, empty(dtype, 3, 0)),
            ("no_matrices", empty(dtype, 0, 3, 3), empty(dtype, 0, 3, 2)),
            ("no_matrices_broadcast", empty(dtype, 0, 3, 3), wave(dtype, 3, 2)),
        ):
            b.case(symbol, f"{dtype}.{name}", left, right)
        b.case(symbol, f"{dtype}.singular", singular(dtype), vec(dtype, 1, 2), fails="run")
        b.case(
            symbol,
            f"{dtype}.singular_for_nothing",
            singular(dtype),
            empty(dtype, 2, 0),
            fails="run",
        )
    for name, left, right in (
        ("rows", dominant(f, 3, 3), wave(f, 2, 2)),
        ("rows_of_vector", dominant(f, 3, 3), wave(f, 2)),
        ("wide", wave(f, 2, 3), wave(f, 2)),
        ("batches", dominant(f, 4, 3, 3), wave(f, 2, 3, 2)),
        ("right_scalar", dominant(f, 3, 3), wave(f)),
        ("dtypes", dominant("f64", 2, 2), wave(f, 2)),
        ("right_ints", dominant(f, 2, 2), vec("i64", 1, 2)),
    ):
        b.case(symbol, f"mismatch.{name}", left, right, fails="call")
