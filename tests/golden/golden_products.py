"""Golden cases: products of vectors and matrices, distances, and factors of matrices."""

import torch
import torch.nn.functional as F

from golden_reductions import weighted
from golden_reference import COMPARED, NN, REFERENCE, TT, require
from golden_values import (
    ALL,
    FLOATS,
    INF,
    NAN,
    Arg,
    T,
    empty,
    positive,
    scalar,
    sizes,
    tensors,
    vec,
    wave,
)

f = "f32"


def one_dtype(function):
    def checked(*args):
        kinds = {a.dtype for a in args if isinstance(a, torch.Tensor)}
        require(len(kinds) == 1 and torch.bool not in kinds, "one dtype other than bool")
        return function(*args)

    return checked


def one_float(function):
    def checked(*args):
        kinds = {a.dtype for a in args if isinstance(a, torch.Tensor)}
        require(len(kinds) == 1 and kinds.pop().is_floating_point, "one floating point dtype")
        return function(*args)

    return checked


def added(function):
    return one_float(lambda x, a, b, beta, alpha: function(x, a, b, beta=beta, alpha=alpha))


def cdist(x, y, p):
    mode = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x, y, p, compute_mode=mode)


def tensordot(x, y, dims_x, dims_y):
    require(len(dims_x) == 0 or (x.dim() > 0 and y.dim() > 0), "0-d")
    return torch.tensordot(x, y, (dims_x, dims_y))


def solve_triangular(a, b, upper, left, unitriangular):
    return torch.linalg.solve_triangular(
        a, b, upper=upper, left=left, unitriangular=unitriangular
    )


REFERENCE.update(
    {
        TT + "mm": one_dtype(torch.mm),
        TT + "bmm": one_dtype(torch.bmm),
        TT + "mv": one_dtype(torch.mv),
        TT + "addmm": added(torch.addmm),
        TT + "addmv": added(torch.addmv),
        TT + "baddbmm": added(torch.baddbmm),
        TT + "addbmm": added(torch.addbmm),
        TT + "addr": added(torch.addr),
        TT + "outer": torch.outer,
        TT + "inner": one_dtype(torch.inner),
        TT + "tensordot": one_dtype(tensordot),
        TT + "kron": torch.kron,
        TT + "cross": one_dtype(lambda x, y, dim: torch.linalg.cross(x, y, dim=dim)),
        TT + "trace": torch.trace,
        TT + "matrix_power": one_float(torch.linalg.matrix_power),
        TT + "cdist": one_float(cdist),
        NN + "pairwise_distance": one_float(F.pairwise_distance),
        TT + "einsum": one_dtype(lambda equation, xs: torch.einsum(equation, *xs)),
        TT + "linalg_cholesky": lambda x, upper: torch.linalg.cholesky(x, upper=upper),
        TT + "linalg_qr_q": lambda x: torch.linalg.qr(x).Q,
        TT + "linalg_qr_r": lambda x: torch.linalg.qr(x).R,
        TT + "linalg_eigh_values": lambda x: torch.linalg.eigh(x).eigenvalues,
        TT + "linalg_eigh_vectors": lambda x: torch.linalg.eigh(x).eigenvectors,
        TT + "linalg_svd_s": lambda x: torch.linalg.svd(x, full_matrices=False).S,
        TT + "linalg_svd_vh": lambda x: torch.linalg.svd(x, full_matrices=False).Vh,
        TT + "linalg_slogdet_sign": lambda x: torch.linalg.slogdet(x).sign,
        TT + "linalg_slogdet_logabsdet": lambda x: torch.linalg.slogdet(x).logabsdet,
        TT + "logdet": torch.logdet,
        TT + "linalg_solve_triangular": one_float(solve_triangular),
        TT + "linalg_pinv": torch.linalg.pinv,
        TT + "linalg_matrix_rank": torch.linalg.matrix_rank,
        TT + "matrix_exp": torch.linalg.matrix_exp,
    }
)
REFERENCE[TT + "einsum"] = lambda equation, xs: einsum_of(equation, xs)
COMPARED.update({TT + "linalg_eigh_vectors": "columns"})


def einsum_of(equation, xs):
    require(len({x.dtype for x in xs}) == 1, "one dtype")
    return torch.einsum(equation, *xs)


def text(value):
    return Arg("text", value)


def products(b):
    b.open("linalg")
    for name, shapes, wrong in (
        (
            "mm",
            (((2, 3), (3, 4)), ((1, 1), (1, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 3))),
            (((3,), (3, 2)), ((2, 3), (2, 3)), ((1, 2, 3), (3, 2))),
        ),
        (
            "bmm",
            (((2, 2, 3), (2, 3, 4)), ((0, 2, 3), (0, 3, 2)), ((2, 2, 0), (2, 0, 3))),
            (((2, 2, 3), (3, 3, 4)), ((2, 3), (2, 3, 4)), ((1, 2, 3), (2, 3, 4))),
        ),
        (
            "mv",
            (((2, 3), (3,)), ((2, 0), (0,)), ((0, 3), (3,))),
            (((2, 3), (2,)), ((3,), (3,)), ((2, 3), (3, 1))),
        ),
        ("outer", (((3,), (4,)), ((0,), (2,)), ((1,), (1,))), (((2, 2), (2,)), ((), (2,)))),
        (
            "inner",
            (((3,), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (3,)), ((), (2, 3)), ((2, 0), (3, 0))),
            (((2, 3), (3, 2)), ((3,), (2,))),
        ),
        ("kron", (((2, 3), (3, 2)), ((2,), (2, 3)), ((), (3,)), ((2, 1, 2), (2,)), ((0,), (2,))), ()),
    ):
        for dtype in ALL:
            for left, right in shapes:
                variant = f"{dtype}.{'x'.join(map(str, left))}_{'x'.join(map(str, right))}"
                b.case(TT + name, variant, wave(dtype, *left), positive(dtype, *right))
        for left, right in wrong:
            variant = f"mismatch.{'x'.join(map(str, left))}_{'x'.join(map(str, right))}"
            b.case(TT + name, variant, wave(f, *left), positive(f, *right), fails="call")
        if name in ("outer", "kron"):
            left, right = shapes[0]
            b.case(TT + name, "promotes", wave("i32", *left), positive(f, *right))
        else:
            left, right = shapes[0]
            b.case(TT + name, "dtypes", wave("f64", *left), positive(f, *right), fails="call")
    turned = wave(f, 3, 2).then("t")
    b.case(TT + "mm", "turned", turned, wave(f, 4, 3).then("t"))
    b.case(TT + "mv", "turned", turned, wave(f, 6).then("slice", 0, 0, 6, 2))
    b.case(TT + "kron", "turned", turned, wave(f, 2, 2).then("t"))
    b.case(TT + "inner", "turned", turned, wave(f, 3, 4).then("t"))

    for name, shapes, wrong in (
        ("addmm", ((2, 4), (2, 3), (3, 4)), ((3, 4), (2, 3), (3, 4))),
        ("addmv", ((2,), (2, 3), (3,)), ((3,), (2, 3), (3,))),
        ("baddbmm", ((2, 2, 4), (2, 2, 3), (2, 3, 4)), ((3, 2, 4), (2, 2, 3), (2, 3, 4))),
        ("addbmm", ((2, 4), (2, 2, 3), (2, 3, 4)), ((2, 2, 4), (2, 2, 3), (2, 3, 4))),
        ("addr", ((2, 4), (2,), (4,)), ((3, 4), (2,), (4,))),
    ):
        symbol = TT + name
        for dtype in FLOATS:
            x, a, c = wave(dtype, *shapes[0]), wave(dtype, *shapes[1]), positive(dtype, *shapes[2])
            for beta, alpha in ((1.0, 1.0), (0.5, -2.0), (0.0, 1.5), (2.0, 0.0)):
                b.case(symbol, f"{dtype}.{beta}.{alpha}", x, a, c, beta, alpha)
            b.case(symbol, f"{dtype}.row", wave(dtype, 1), a, c, 1.0, 2.0)
            b.case(symbol, f"{dtype}.scalar", wave(dtype), a, c, 1.0, 2.0)
        none = T(f, shapes[0], [NAN, INF] * (torch.Size(shapes[0]).numel() // 2))
        args = (wave(f, *shapes[1]), positive(f, *shapes[2]))
        b.case(symbol, "nan_that_does_not_count", none, *args, 0.0, 1.0)
        b.case(symbol, "nan", none, *args, 1.0, 1.0)
        b.case(symbol, "self", wave(f, *wrong[0]), *args, 1.0, 1.0, fails="call")
        swapped = (args[0], wave(f, 7, 7))
        b.case(symbol, "inner", wave(f), *swapped, 1.0, 1.0, fails="call")
        b.case(symbol, "dtypes", wave("f64", *shapes[0]), *args, 1.0, 1.0, fails="call")
        ints = (wave("i64", *shapes[0]), wave("i64", *shapes[1]), wave("i64", *shapes[2]))
        b.case(symbol, "i64", *ints, 0.5, 1.0, fails="call")

    symbol = TT + "tensordot"
    x, y = (2, 3, 4), (4, 3, 5)
    for dtype in ALL:
        for variant, dims in (("two", ((1, 2), (1, 0))), ("one", ((-1,), (0,))), ("none", ((), ()))):
            b.case(
                symbol, f"{dtype}.{variant}", wave(dtype, *x), positive(dtype, *y), *map_sizes(dims)
            )
    b.case(symbol, "all", wave(f, 2, 3), wave(f, 3, 2), *map_sizes(((0, 1), (1, 0))))
    b.case(symbol, "empty", wave(f, 2, 0), wave(f, 0, 2), *map_sizes(((1,), (0,))))
    for variant, dims in (
        ("numbers", ((0, 1), (0,))),
        ("size", ((0,), (0,))),
        ("twice", ((1, 1), (1, 1))),
        ("no_such_dim", ((3,), (0,))),
    ):
        b.case(symbol, variant, wave(f, *x), wave(f, *y), *map_sizes(dims), fails="call")

    symbol = TT + "cross"
    for dtype in ALL:
        b.case(symbol, f"{dtype}.rows", wave(dtype, 2, 3), positive(dtype, 2, 3), 1)
        b.case(symbol, f"{dtype}.columns", wave(dtype, 3, 2), positive(dtype, 3, 2), -2)
    b.case(symbol, "broadcast", wave(f, 4, 1, 3), positive(f, 1, 2, 3), -1)
    b.case(symbol, "size", wave(f, 2, 4), wave(f, 2, 4), 1, fails="call")
    b.case(symbol, "rank", wave(f, 2, 3), wave(f, 3), 1, fails="call")
    b.case(symbol, "no_such_dim", wave(f, 2, 3), wave(f, 2, 3), 2, fails="call")

    symbol = TT + "trace"
    for dtype in ALL:
        for shape in ((3, 3), (2, 4), (4, 2), (0, 3), (1, 1)):
            b.case(symbol, f"{dtype}.{'x'.join(map(str, shape))}", wave(dtype, *shape))
    b.case(symbol, "turned", wave(f, 2, 4).then("t"))
    b.case(symbol, "beside_nan", T(f, [2, 2], [1, NAN, INF, 2]))
    b.case(symbol, "vector", wave(f, 3), fails="call")

    symbol = TT + "matrix_power"
    regular = [2, 1, 0.5, 3]
    for dtype in FLOATS:
        for n in (-3, -1, 0, 1, 2, 3, 5, 6):
            b.case(symbol, f"{dtype}.{n}", T(dtype, [2, 2], regular), n)
        b.case(symbol, f"{dtype}.many", T(dtype, [2, 2, 2], regular + [1, 0, 1, 2]), 3)
        b.case(symbol, f"{dtype}.none_of_many", T(dtype, [2, 2, 2], regular + [1, 0, 1, 2]), 0)
    b.case(symbol, "empty", empty(f, 0, 0), 2)
    b.case(symbol, "not_square", wave(f, 2, 3), 2, fails="call")
    b.case(symbol, "singular", T(f, [2, 2], [1, 2, 2, 4]), -1, fails="run")

    symbol = TT + "cdist"
    for dtype in FLOATS:
        for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF):
            b.case(symbol, f"{dtype}.{p}", wave(dtype, 3, 4), positive(dtype, 2, 4), p)
    b.case(symbol, "many", wave(f, 2, 1, 3, 4), positive(f, 3, 2, 4), 2.0)
    b.case(symbol, "no_rows", empty(f, 0, 4), wave(f, 2, 4), 2.0)
    b.case(symbol, "no_columns", empty(f, 3, 0), empty(f, 2, 0), 2.0)
    b.case(symbol, "nan", T(f, [1, 2], [NAN, 1]), wave(f, 2, 2), 2.0)
    b.case(symbol, "columns", wave(f, 3, 4), wave(f, 2, 3), 2.0, fails="call")
    b.case(symbol, "vector", wave(f, 3), wave(f, 2, 3), 2.0, fails="call")
    b.case(symbol, "negative", wave(f, 3, 4), wave(f, 2, 4), -1.0, fails="call")
    b.case(symbol, "i64", wave("i64", 3, 4), wave("i64", 2, 4), 2.0, fails="call")
    symbol = NN + "pairwise_distance"
    for dtype in FLOATS:
        for p in (0.0, 1.0, 2.0, 3.5, INF):
            b.case(symbol, f"{dtype}.{p}", wave(dtype, 3, 4), positive(dtype, 3, 4), p, 1e-6, False)
    b.case(symbol, "keepdim", wave(f, 3, 4), positive(f, 4), 2.0, 0.25, True)
    b.case(symbol, "vectors", wave(f, 4), positive(f, 4), 2.0, 1e-6, False)
    b.case(symbol, "mismatch", wave(f, 3, 4), wave(f, 3), 2.0, 1e-6, False, fails="call")


def map_sizes(dims):
    return [sizes(*one) for one in dims]


def einsum(b):
    b.open("linalg")
    symbol = TT + "einsum"
    for dtype in ALL:
        for equation, shapes in (
            ("ij,jk->ik", ((2, 3), (3, 4))),
            ("ij,jk", ((2, 3), (3, 4))),
            ("bij,bjk->bik", ((2, 2, 3), (2, 3, 2))),
            ("i,j->ij", ((2,), (3,))),
            ("ij->ji", ((2, 3),)),
            ("ij->", ((2, 3),)),
            ("ii->i", ((3, 3),)),
            ("ii", ((3, 3),)),
        ):
            operands = [wave(dtype, *shape) for shape in shapes]
            b.case(symbol, f"{dtype}.{equation}", text(equation), tensors(*operands))
    for equation, shapes in (
        ("bhqd,bhkd->bhqk", ((2, 2, 3, 4), (2, 2, 2, 4))),
        ("bqhd,bkhd->bhqk", ((2, 3, 2, 4), (2, 2, 2, 4))),
        ("bhqk,bkhd->bqhd", ((2, 2, 3, 2), (2, 2, 2, 4))),
        ("...ij,...jk->...ik", ((2, 1, 2, 3), (3, 3, 2))),
        ("...ij,jk", ((2, 2, 3), (3, 2))),
        ("i...->...", ((2, 3, 2),)),
        ("...i,...i->...", ((2, 3), (3,))),
        (" i j , j k -> k i ", ((2, 3), (3, 4))),
        ("ij,ij->ij", ((2, 3), (2, 3))),
        ("ij,kl->ijkl", ((2, 3), (2, 2))),
        ("ij,k->i", ((2, 3), (2,))),
        ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))),
        ("bn,anm,bm->ba", ((2, 3), (4, 3, 2), (2, 2))),
        ("iij,jk->ik", ((2, 2, 3), (3, 2))),
        ("iji->j", ((2, 3, 2),)),
        ("ij,jk->ik", ((2, 1), (3, 4))),
        ("ij,jk->ik", ((2, 0), (0, 3))),
        ("ij,jk->ijk", ((2, 1), (3, 4))),
        ("Ab,bA->A", ((2, 3), (3, 2))),
        ("ba", ((2, 3),)),
        (",ij->ij", ((), (2, 3))),
        ("->", ((),)),
    ):
        operands = [wave(f, *shape) for shape in shapes]
        variant = f"{equation} {'_'.join('x'.join(map(str, s)) for s in shapes)}"
        b.case(symbol, variant, text(equation), tensors(*operands))
    b.case(symbol, "turned", text("ij,jk->ik"), tensors(wave(f, 3, 2).then("t"), wave(f, 3, 4)))
    for equation, shapes in (
        ("ij,jk->ik", ((2, 3), (4, 4))),
        ("ij,jk->ik", ((2, 3),)),
        ("ijk->i", ((2, 3),)),
        ("i->i", ((2, 3),)),
        ("ij->ik", ((2, 3),)),
        ("ij->ii", ((2, 3),)),
        ("ii->i", ((2, 3),)),
        ("i1->i", ((2, 3),)),
        ("..i->i", ((2, 3),)),
    ):
        operands = [wave(f, *shape) for shape in shapes]
        variant = f"wrong {equation} {'_'.join('x'.join(map(str, s)) for s in shapes)}"
        b.case(symbol, variant, text(equation), tensors(*operands), fails="call")
    b.case(symbol, "dtypes", text("i,i->"), tensors(wave(f, 3), wave("f64", 3)), fails="call")


SYMMETRIC = [4, 1, 0.5, 1, 3, -1, 0.5, -1, 5]


def factors(b):
    b.open("linalg")
    some = {
        "square": lambda dtype: T(dtype, [3, 3], [2, 1, 0.5, -1, 3, 1, 0.5, 2, -4]),
        "tall": lambda dtype: wave(dtype, 4, 2),
        "wide": lambda dtype: wave(dtype, 2, 4),
        "many": lambda dtype: wave(dtype, 2, 3, 2),
        "turned": lambda dtype: wave(dtype, 2, 3).then("t"),
        "one": lambda dtype: T(dtype, [1, 1], [-2]),
        "no_rows": lambda dtype: empty(dtype, 0, 3),
        "no_columns": lambda dtype: empty(dtype, 3, 0),
        "no_matrices": lambda dtype: empty(dtype, 0, 2, 2),
    }
    square = ("square", "one", "no_matrices")
    for name, only_square in (
        ("linalg_qr_q", False),
        ("linalg_qr_r", False),
        ("linalg_svd_s", False),
        ("linalg_pinv", False),
        ("linalg_matrix_rank", False),
        ("linalg_slogdet_sign", True),
        ("linalg_slogdet_logabsdet", True),
        ("logdet", True),
        ("matrix_exp", True),
    ):
        symbol = TT + name
        for dtype in FLOATS:
            for variant, make in some.items():
                if not only_square or variant in square:
                    b.case(symbol, f"{dtype}.{variant}", make(dtype))
            if only_square:
                pair = T(dtype, [2, 2, 2], [2, 1, 0.5, 3, 1, 2, 3, 1])
                b.case(symbol, f"{dtype}.pair", pair)
                b.case(symbol, f"{dtype}.empty", empty(dtype, 0, 0))
        b.case(symbol, "vector", wave(f, 3), fails="call")
        b.case(symbol, "i64", wave("i64", 2, 2), fails="call")
        if only_square:
            b.case(symbol, "not_square", wave(f, 2, 3), fails="call")
    singular = T(f, [2, 2], [1, 2, 2, 4])
    for name in ("linalg_slogdet_sign", "linalg_slogdet_logabsdet", "linalg_matrix_rank"):
        b.case(TT + name, "singular", singular)
    b.case(TT + "linalg_matrix_rank", "zeros", T(f, [2, 3], [0] * 6))
    b.case(TT + "linalg_pinv", "singular", singular)
    b.case(TT + "matrix_exp", "zeros", T(f, [2, 2], [0] * 4))
    b.case(TT + "matrix_exp", "larger", T("f64", [2, 2], [3, -8, 2, 5]))
    for name in ("linalg_svd_s", "linalg_matrix_rank", "linalg_pinv"):
        b.case(TT + name, "nan", T(f, [2, 2], [1, NAN, 2, 4]), fails="run")

    cholesky = TT + "linalg_cholesky"
    lopsided = [4, 9, 9, 1, 3, 9, 0.5, -1, 5]
    for dtype in FLOATS:
        for upper in (False, True):
            b.case(cholesky, f"{dtype}.{upper}", T(dtype, [3, 3], SYMMETRIC), upper)
            pair = T(dtype, [2, 2, 2], [2, 0.5, 0.5, 1, 3, -1, -1, 4])
            b.case(cholesky, f"{dtype}.{upper}.pair", pair, upper)
            b.case(cholesky, f"{dtype}.{upper}.empty", empty(dtype, 0, 0), upper)
    b.case(cholesky, "one_triangle", T(f, [3, 3], lopsided), False)
    b.case(cholesky, "other_triangle", T(f, [3, 3], lopsided).then("t"), True)
    b.case(cholesky, "not_positive", T(f, [2, 2], [1, 2, 2, 1]), False, fails="run")
    b.case(cholesky, "not_square", wave(f, 2, 3), False, fails="call")
    b.case(cholesky, "i64", wave("i64", 2, 2), False, fails="call")
    for name in ("linalg_eigh_values", "linalg_eigh_vectors"):
        symbol = TT + name
        for dtype in FLOATS:
            b.case(symbol, f"{dtype}.three", T(dtype, [3, 3], SYMMETRIC))
            pair = T(dtype, [2, 2, 2], [2, 0.5, 0.5, 1, 3, -1, -1, -4])
            b.case(symbol, f"{dtype}.pair", pair)
            b.case(symbol, f"{dtype}.empty", empty(dtype, 0, 0))
        b.case(symbol, "one_triangle", T(f, [3, 3], lopsided))
        b.case(symbol, "not_square", wave(f, 2, 3), fails="call")
        b.case(symbol, "i64", wave("i64", 2, 2), fails="call")
    symbol = TT + "linalg_svd_vh"
    b.case(symbol, "one", T(f, [1, 1], [2]))
    b.case(symbol, "no_rows", empty(f, 0, 3))
    b.case(symbol, "vector", wave(f, 3), fails="call")
    b.case(symbol, "i64", wave("i64", 2, 2), fails="call")

    symbol = TT + "linalg_solve_triangular"
    a = [2, 0.5, 1, -1, 4, 0.25, 3, 1, -2]
    for dtype in FLOATS:
        for upper in (False, True):
            for left in (False, True):
                for unit in (False, True):
                    right = wave(dtype, 3, 2) if left else wave(dtype, 2, 3)
                    name = f"{dtype}.{upper}.{left}.{unit}"
                    b.case(symbol, name, T(dtype, [3, 3], a), right, upper, left, unit)
        many = T(dtype, [2, 2, 2], [2, 1, 3, 1, 4, -1, 2, 2])
        b.case(symbol, f"{dtype}.broadcast", many, wave(dtype, 2, 3), False, True, False)
    args = (False, True, False)
    b.case(symbol, "beside_nan", T(f, [2, 2], [2, NAN, 1, 4]), wave(f, 2, 1), *args)
    b.case(symbol, "rows", wave(f, 2, 2), wave(f, 3, 2), *args, fails="call")
    b.case(symbol, "columns", wave(f, 2, 2), wave(f, 2, 3), False, False, False, fails="call")
    b.case(symbol, "not_square", wave(f, 2, 3), wave(f, 2, 3), *args, fails="call")
    b.case(symbol, "vector", wave(f, 2, 2), wave(f, 2), *args, fails="call")
    b.case(symbol, "dtypes", wave(f, 2, 2), wave("f64", 2, 2), *args, fails="call")


def forms(b):
    """Strided operands, many elements and none, for mutations that no other case notices."""
    b.open("linalg")
    f = "f64"
    grid, turned = wave(f, 6, 7), wave(f, 7, 6).then("t")
    square = T(f, [6, 6], [9.0 if i % 7 == 0 else ((i * 5) % 11 - 5) / 4 for i in range(36)])
    even = T(f, [6, 6], [9.0 if r == c else ((r * c) % 5 - 2) / 4 for r in range(6) for c in range(6)])
    stack = wave(f, 7, 6, 2).then("permute", 2, 1, 0)  # [2, 6, 7]
    back = wave(f, 2, 7, 6)
    empty_grid = empty(f, 0, 7)
    for variant, x, y in (("turned", turned, wave(f, 7, 6)), ("empty", empty_grid, wave(f, 7, 6))):
        rows = x.torch().shape[0]
        b.case(TT + "mm", f"forms.{variant}", x, y)
        b.case(TT + "mv", f"forms.{variant}", x, wave(f, 7))
        b.case(TT + "addmm", f"forms.{variant}", wave(f, rows, 6), x, y, 0.5, 2.0)
        b.case(TT + "addmv", f"forms.{variant}", wave(f, rows), x, wave(f, 7), 0.5, 2.0)
        b.case(TT + "inner", f"forms.{variant}", x, wave(f, 6, 7))
        b.case(TT + "tensordot", f"forms.{variant}", x, y, sizes(1), sizes(0))
        b.case(TT + "cdist", f"forms.{variant}", x, wave(f, 6, 7, start=4), 2.0)
        norm = NN + "pairwise_distance"
        b.case(norm, f"forms.{variant}", x, wave(f, rows, 7, start=4), 2.0, 1e-6, False)
    b.case(NN + "pairwise_distance", "forms.scalar", scalar(f, 1.0), scalar(f, 3.0), 2.0, 1e-6, False)
    b.case(TT + "bmm", "forms", stack, back)
    for variant, x in (("turned", stack), ("empty", empty(f, 0, 6, 7))):
        count = x.torch().shape[0]
        y = back if count else empty(f, 0, 7, 6)
        b.case(TT + "baddbmm", f"forms.{variant}", wave(f, count, 6, 6), x, y, 0.5, 2.0)
        b.case(TT + "addbmm", f"forms.{variant}", wave(f, 6, 6), x, y, 0.5, 2.0)
    line, column = wave(f, 14).then("slice", 0, 0, 14, 2), wave(f, 6)
    b.case(TT + "outer", "forms", line, column)
    b.case(TT + "addr", "forms", wave(f, 7, 6), line, column, 0.5, 2.0)
    b.case(TT + "addr", "forms.empty", empty(f, 0, 6), empty(f, 0), column, 0.5, 2.0)
    b.case(TT + "cross", "forms", wave(f, 3, 7).then("t"), wave(f, 7, 3, start=4), 1)
    b.case(TT + "cross", "forms.empty", empty(f, 0, 3), empty(f, 0, 3), 1)
    b.case(TT + "trace", "forms", turned)
    b.case(TT + "matrix_power", "forms", square.then("t"), 2)
    b.case(TT + "norm_scalar", "forms", turned, 3.0)
    for name in ("linalg_slogdet_sign", "linalg_slogdet_logabsdet", "logdet", "matrix_exp"):
        small = T(f, [6, 6], [v / 16 for v in square.data])
        b.case(TT + name, "forms", (small if name == "matrix_exp" else square).then("t"))
    for name in ("linalg_qr_q", "linalg_qr_r", "linalg_svd_s", "linalg_pinv", "linalg_matrix_rank"):
        b.case(TT + name, "forms", grid)
    for name in ("linalg_eigh_values", "linalg_eigh_vectors"):
        b.case(TT + name, "forms", even.then("t"))
    b.case(TT + "linalg_cholesky", "forms", even, False)
    solve = TT + "linalg_solve_triangular"
    b.case(solve, "forms", square.then("t"), wave(f, 6, 5), True, True, False)
    b.case(solve, "forms.empty", empty(f, 0, 0), empty(f, 0, 2), True, True, False)
    b.open("reduction")
    for name in ("kthvalue", "kthvalue_indices"):
        b.case(TT + name, "forms", T(f, [2, 20], [float((i * 7) % 41) for i in range(40)]), 3, 1, False)
    b.open("shape")
    b.case(TT + "unsqueeze", "bool", wave("bool", 3), 0)
    for dtype in ("i32", "i64"):
        b.case(TT + "expand", f"forms.{dtype}", wave(dtype, 3, 1), sizes(3, 4))


CASES = (products, einsum, factors, forms)


# ---- Gradients


def more_products(n):
    x, y, v = n.parameter("x", 2, 3), n.parameter("y", 3, 2), n.parameter("v", 3)
    many, others = n.parameter("many", 2, 2, 3), n.parameter("others", 2, 3, 2)
    small = n.parameter("small", 2)
    parts = [
        n.mm(x, y),
        n.bmm(many, others),
        n.mv(x, v),
        n.addmm(small, x, y, 0.5, 2.0),
        n.addmm(n.parameter("unused_self", 2, 2), x, y, 0.0, 1.0),
        n.addmv(small, x, v, 1.0, 0.5),
        n.baddbmm(small, many, others, 2.0, 1.0),
        n.addbmm(small, many, others, 1.0, 1.0),
        n.addr(n.parameter("base", 2, 3), small, v, 0.5, 2.0),
        n.outer(small, v),
        n.inner(x, v),
        n.tensordot(many, others, [2, 0], [1, 0]),
        n.kron(x, small),
        n.cross(x, n.parameter("z", 2, 3), 1),
        n.trace(n.mm(x, y)),
        n.matrix_power(n.mm(x, y), 3),
        n.cdist(x, n.t(y), 3.0),
        n.cdist(x, n.t(y), 2.0),
        n.pairwise_distance(x, v, 2.0, 1e-3, True),
    ]
    return weighted(n, parts)


def factors_of(n):
    a = n.parameter("a", 3, 3)
    base = n.add(n.matmul(a, n.t(a)), n.given("eye", 2 * torch.eye(3)))
    tall, wide = n.parameter("tall", 4, 2), n.parameter("wide", 2, 3)
    parts = [
        n.linalg_cholesky(base, False),
        n.linalg_cholesky(base, True),
        n.linalg_qr_q(tall),
        n.linalg_qr_r(tall),
        n.linalg_qr_q(wide),
        n.linalg_qr_r(wide),
        n.linalg_eigh_values(base),
        n.linalg_svd_s(tall),
        n.linalg_slogdet_logabsdet(base),
        n.logdet(base),
        n.linalg_solve_triangular(base, n.t(wide), True, True, False),
        n.linalg_solve_triangular(base, wide, False, False, True),
        n.linalg_pinv(tall),
        n.linalg_pinv(wide),
        n.matrix_exp(n.mul_scalar(a, 0.25)),
    ]
    vectors = n.linalg_eigh_vectors(base)
    parts.append(n.mul(vectors, vectors))
    right = n.linalg_svd_vh(wide)
    parts.append(n.mul(right, right))
    return weighted(n, parts)


NETWORKS = (more_products, factors_of)
