"""Golden cases: reductions over several dimensions, scans and order."""

import torch

from golden_reference import REFERENCE, SIGNED_ZERO, TT, require
from golden_values import (
    ALL,
    FLOATS,
    I32_MAX,
    I64_MAX,
    I64_MIN,
    INF,
    INTS,
    NAN,
    T,
    NO_TENSOR,
    empty,
    layouts,
    positive,
    scalar,
    sizes,
    vec,
    wave,
)

aten = torch.ops.aten
f = "f32"


def no_bool(function):
    """PyTorch's kernels lack bool here, with messages of their own."""

    def checked(x, *args):
        require(x.dtype != torch.bool, "bool")
        return function(x, *args)

    return checked


def some(function):
    def checked(x, *args):
        require(x.numel() > 0, "no elements")
        return function(x, *args)

    return checked


def spread(function):
    return lambda x, dim, correction, keepdim: function(
        x, dim or None, correction=correction, keepdim=keepdim
    )


def norm(x, order, dim, keepdim):
    return torch.linalg.vector_norm(x, order, dim or None, keepdim=keepdim)


REFERENCE.update(
    {
        TT + "sum_dims": lambda x, dim, keepdim: x.sum(dim, keepdim=keepdim),
        TT + "mean_dims": lambda x, dim, keepdim: x.mean(dim, keepdim=keepdim),
        TT + "var_dims": spread(torch.var),
        TT + "std_dims": spread(torch.std),
        TT + "var_dim": lambda x, dim, unbiased, keepdim: torch.var(
            x, dim, unbiased=unbiased, keepdim=keepdim
        ),
        TT + "std_dim": lambda x, dim, unbiased, keepdim: torch.std(
            x, dim, unbiased=unbiased, keepdim=keepdim
        ),
        TT + "amax": lambda x, dim, keepdim: torch.amax(x, dim, keepdim),
        TT + "amin": lambda x, dim, keepdim: torch.amin(x, dim, keepdim),
        TT + "aminmax_min": lambda x, dim, keepdim: torch.aminmax(x, dim=dim, keepdim=keepdim).min,
        TT + "aminmax_max": lambda x, dim, keepdim: torch.aminmax(x, dim=dim, keepdim=keepdim).max,
        TT + "norm_dims": norm,
        TT + "linalg_vector_norm": norm,
        TT + "norm_scalar": lambda x, p: torch.linalg.vector_norm(x, p),
        TT + "prod": torch.prod,
        TT + "prod_dim": lambda x, dim, keepdim: torch.prod(x, dim, keepdim=keepdim),
        TT + "any": torch.any,
        TT + "all": torch.all,
        TT + "any_dim": lambda x, dim, keepdim: torch.any(x, dim, keepdim=keepdim),
        TT + "all_dim": lambda x, dim, keepdim: torch.all(x, dim, keepdim=keepdim),
        TT + "logsumexp": lambda x, dim, keepdim: torch.logsumexp(
            x, dim or list(range(x.dim())), keepdim
        ),
        TT + "count_nonzero": torch.count_nonzero,
        TT + "count_nonzero_dims": lambda x, dim: torch.count_nonzero(x, dim or None),
        TT + "nansum": torch.nansum,
        TT + "nansum_dims": lambda x, dim, keepdim: torch.nansum(x, dim or None, keepdim),
        TT + "cumprod": torch.cumprod,
        TT + "logcumsumexp": torch.logcumsumexp,
        TT + "cummax": lambda x, dim: torch.cummax(x, dim).values,
        TT + "cummax_indices": lambda x, dim: torch.cummax(x, dim).indices,
        TT + "cummin": lambda x, dim: torch.cummin(x, dim).values,
        TT + "cummin_indices": lambda x, dim: torch.cummin(x, dim).indices,
        TT + "diff": torch.diff,
        TT + "sort": lambda x, stable, dim, descending: torch.sort(
            x, stable=stable, dim=dim, descending=descending
        ).values,
        TT + "sort_indices": lambda x, stable, dim, descending: torch.sort(
            x, stable=stable, dim=dim, descending=descending
        ).indices,
        TT + "argsort": lambda x, stable, dim, descending: torch.argsort(
            x, stable=stable, dim=dim, descending=descending
        ),
        TT + "topk": no_bool(lambda x, *args: torch.topk(x, *args).values),
        TT + "topk_indices": no_bool(lambda x, *args: torch.topk(x, *args).indices),
        TT + "median": some(no_bool(torch.median)),
        TT + "median_dim": no_bool(lambda x, *args: torch.median(x, *args).values),
        TT + "median_dim_indices": no_bool(lambda x, *args: torch.median(x, *args).indices),
        TT + "kthvalue": no_bool(lambda x, *args: torch.kthvalue(x, *args).values),
        TT + "kthvalue_indices": no_bool(lambda x, *args: torch.kthvalue(x, *args).indices),
        TT + "mode": lambda x, *args: torch.mode(x, *args).values,
        TT + "mode_indices": lambda x, *args: torch.mode(x, *args).indices,
        TT + "quantile": lambda x, q, dim, keepdim: torch.quantile(x, q, dim, keepdim),
    }
)

DTYPES = (*ALL, "bool")


def special(dtype):
    return T(dtype, [4, 3], [1, NAN, 3, NAN, 2, NAN, INF, -INF, INF, -INF, 5, -INF])


def distinct(dtype, *shape):
    """Numbers of both signs, no two of them equal along one dimension."""
    return wave(dtype, *shape)


def several(b):
    """Reductions over several dimensions."""
    b.open("reduction")
    block = {
        name: (name in ("mean_dims", "var_dims", "std_dims"), name in ("amax", "amin"), more)
        for name, more in (
            ("sum_dims", ()),
            ("mean_dims", ()),
            ("var_dims", (1,)),
            ("std_dims", (0,)),
            ("amax", ()),
            ("amin", ()),
            ("logsumexp", ()),
            ("nansum_dims", ()),
        )
    }
    for name, (floating, needs, more) in block.items():
        symbol = TT + name
        for dtype in DTYPES:
            if dtype == "bool" and name == "nansum_dims":
                continue
            wrong = "call" if floating and dtype not in FLOATS else None
            for layout, x in layouts(wave, dtype).items():
                rank = x.torch().dim()
                for dim in {0: ((),), 1: ((0,),)}.get(rank, ((0,), (-1, 0))):
                    keepdim = layout in ("block", "transposed", "scalar")
                    nothing = needs and any(x.torch().shape[d] == 0 for d in dim)
                    b.case(
                        symbol,
                        f"{dtype}.{layout}.{len(dim)}",
                        x,
                        sizes(*dim),
                        *more,
                        keepdim,
                        fails=wrong or ("call" if nothing else None),
                    )
        for dtype in FLOATS:
            b.case(symbol, f"{dtype}.special", special(dtype), sizes(1), *more, False)
            b.case(symbol, f"{dtype}.special_columns", special(dtype), sizes(0), *more, True)
            b.case(symbol, f"{dtype}.middle", wave(dtype, 3, 5, 2), sizes(1), *more, False)
            b.case(symbol, f"{dtype}.around", wave(dtype, 3, 5, 2), sizes(0, 2), *more, False)
            b.case(symbol, f"{dtype}.wide", wave(dtype, 2, 45), sizes(1), *more, True)
        b.case(symbol, "empty_list", wave(f, 2, 3), sizes(), *more, False)
        b.case(symbol, "empty_list_keepdim", wave(f, 2, 3), sizes(), *more, True)
        b.case(symbol, "scalar_from_the_end", wave(f), sizes(-1), *more, True)
        b.case(symbol, "twice", wave(f, 2, 3), sizes(0, -2), *more, False, fails="call")
        b.case(symbol, "no_such_dim", wave(f, 2, 3), sizes(2), *more, False, fails="call")
        b.case(symbol, "no_such_dim_below", wave(f, 2, 3), sizes(-3), *more, False, fails="call")
        b.case(symbol, "scalar_no_such_dim", wave(f), sizes(1), *more, False, fails="call")
    for name in ("var_dims", "std_dims"):
        for correction in (0, 1, 3, 5):
            b.case(TT + name, f"correction.{correction}", wave(f, 2, 3), sizes(1), correction, False)
        b.case(TT + name, "large_mean", vec(f, 10001, 10002, 10003, 10004), sizes(0), 1, False)
    b.case(TT + "sum_dims", "i32.widens", vec("i32", I32_MAX, I32_MAX, 5), sizes(0), False)
    b.case(TT + "logsumexp", "large", vec(f, 1000, 1001, -1000), sizes(0), False)
    b.case(TT + "logsumexp", "small", vec(f, -1000, -1001, -1002), sizes(0), False)
    for name in ("amax", "amin"):
        b.case(TT + name, "ties", T(f, [2, 4], [1, 3, 3, 1, 2, 2, 2, 2]), sizes(1), False)

    for name in ("norm_dims", "linalg_vector_norm"):
        symbol = TT + name
        for dtype in DTYPES:
            wrong = None if dtype in FLOATS else "call"
            for layout, x in layouts(wave, dtype).items():
                rank = x.torch().dim()
                dim = () if rank == 0 else (-1,)
                keepdim = layout in ("block", "transposed", "scalar")
                b.case(symbol, f"{dtype}.{layout}", x, 2.0, sizes(*dim), keepdim, fails=wrong)
        for order in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF, -INF, -1.0):
            b.case(symbol, f"order.{order}", wave(f, 3, 4), order, sizes(0), False)
            b.case(symbol, f"f64.order.{order}", wave("f64", 2, 3, 4), order, sizes(0, 2), True)
            b.case(symbol, f"special.{order}", special(f), order, sizes(1), False)
            nothing = "call" if order < 0 or order == INF else None
            b.case(symbol, f"nothing.{order}", empty(f, 2, 0), order, sizes(1), False, fails=nothing)
        b.case(symbol, "no_rows", empty(f, 0, 2), INF, sizes(1), False)
        b.case(symbol, "all", wave(f, 3, 4), 3.0, sizes(), False)
        b.case(symbol, "no_such_dim", wave(f, 2, 3), 2.0, sizes(2), False, fails="call")
    for order in (0.0, 1.0, 2.0, 2.5, INF, -INF):
        for dtype in FLOATS:
            b.case(TT + "norm_scalar", f"{dtype}.{order}", wave(dtype, 3, 4), order)
        b.case(TT + "norm_scalar", f"scalar.{order}", scalar(f, -3), order)
        nothing = "call" if order < 0 or order == INF else None
        b.case(TT + "norm_scalar", f"nothing.{order}", empty(f, 0), order, fails=nothing)
    b.case(TT + "norm_scalar", "i64", wave("i64", 3), 2.0, fails="call")


def along(b):
    """Reductions along one dimension, and of all elements."""
    b.open("reduction")
    rows = (
        ("var_dim", (True,), True, False),
        ("std_dim", (False,), True, False),
        ("aminmax_min", (), False, True),
        ("aminmax_max", (), False, True),
        ("prod_dim", (), False, False),
        ("any_dim", (), False, False),
        ("all_dim", (), False, False),
    )
    for name, more, floating, needs in rows:
        symbol = TT + name
        for dtype in DTYPES:
            wrong = "call" if floating and dtype not in FLOATS else None
            for layout, x in layouts(wave, dtype).items():
                for dim in (0, -1) if x.torch().dim() > 1 else (0,):
                    keepdim = layout in ("block", "transposed", "scalar")
                    nothing = needs and (x.torch().shape or (1,))[dim] == 0
                    b.case(
                        symbol,
                        f"{dtype}.{layout}.{dim}",
                        x,
                        dim,
                        *more,
                        keepdim,
                        fails=wrong or ("call" if nothing else None),
                    )
        for dtype in FLOATS:
            b.case(symbol, f"{dtype}.special.1", special(dtype), 1, *more, False)
            b.case(symbol, f"{dtype}.special.0", special(dtype), 0, *more, True)
            b.case(symbol, f"{dtype}.middle", positive(dtype, 3, 5, 2), 1, *more, False)
        b.case(symbol, "zeros", T(f, [3, 2], [0, 0, 0, 1, -0.0, NAN]), 1, *more, False)
        b.case(symbol, "scalar_from_the_end", wave(f), -1, *more, True)
        b.case(symbol, "no_such_dim", wave(f, 2, 3), 2, *more, False, fails="call")
        b.case(symbol, "no_such_dim_below", wave(f, 2, 3), -3, *more, False, fails="call")
        b.case(symbol, "scalar_no_such_dim", wave(f), 1, *more, False, fails="call")
    for name in ("var_dim", "std_dim"):
        for unbiased in (False, True):
            b.case(TT + name, f"unbiased.{unbiased}", wave(f, 2, 3), 1, unbiased, False)
            b.case(TT + name, f"one.{unbiased}", wave(f, 2, 1), 1, unbiased, False)
    b.case(TT + "prod_dim", "i64.wraps", T("i64", [2, 2], [I64_MAX, 3, I64_MIN, -1]), 1, False)
    b.case(TT + "prod_dim", "i32.widens", T("i32", [1, 2], [I32_MAX, I32_MAX]), 1, False)
    b.case(TT + "prod_dim", "overflows", vec(f, 1e30, 1e30, 1e-30), 0, False)

    for name in ("prod", "any", "all", "count_nonzero", "nansum", "median"):
        symbol = TT + name
        for dtype in DTYPES:
            if dtype == "bool" and name == "nansum":
                continue
            for layout, x in layouts(wave, dtype).items():
                nothing = name == "median" and (x.torch().numel() == 0 or dtype == "bool")
                b.case(symbol, f"{dtype}.{layout}", x, fails="call" if nothing else None)
        for dtype in FLOATS:
            b.case(symbol, f"{dtype}.special", special(dtype))
            b.case(symbol, f"{dtype}.nans", vec(dtype, NAN, NAN))
            b.case(symbol, f"{dtype}.zeros", vec(dtype, 0, -0.0))
            b.case(symbol, f"{dtype}.ones", vec(dtype, 1, 1, 2))
            b.case(symbol, f"{dtype}.even", vec(dtype, 4, 1, 3, 2))
    symbol = TT + "count_nonzero_dims"
    for dtype in DTYPES:
        for layout, x in layouts(wave, dtype).items():
            b.case(symbol, f"{dtype}.{layout}", x, sizes(*range(x.torch().dim())[:2]))
    b.case(symbol, "special", special(f), sizes(0))
    b.case(symbol, "all", wave(f, 2, 3), sizes())
    b.case(symbol, "no_such_dim", wave(f, 2, 3), sizes(2), fails="call")
    b.case(symbol, "twice", wave(f, 2, 3), sizes(1, 1), fails="call")


def scans(b):
    b.open("reduction")
    names = ("cumprod", "logcumsumexp", "cummax", "cummax_indices", "cummin", "cummin_indices")
    for name in names:
        symbol = TT + name
        for dtype in DTYPES:
            wrong = "call" if name == "logcumsumexp" and dtype not in FLOATS else None
            for layout, x in layouts(wave, dtype).items():
                for dim in (0, -1) if x.torch().dim() > 1 else (0,):
                    b.case(symbol, f"{dtype}.{layout}.{dim}", x, dim, fails=wrong)
        for dtype in FLOATS:
            b.case(symbol, f"{dtype}.special.1", special(dtype), 1)
            b.case(symbol, f"{dtype}.special.0", special(dtype), 0)
            b.case(symbol, f"{dtype}.middle", positive(dtype, 3, 5, 2), 1)
            b.case(symbol, f"{dtype}.ties", vec(dtype, 2, 1, 2, 3, 3, 1, 1), 0)
            b.case(symbol, f"{dtype}.infinite", vec(dtype, -INF, -INF, 1, INF, INF, -INF), 0)
        b.case(symbol, "scalar_no_such_dim", wave(f), 1, fails="call")
        b.case(symbol, "no_such_dim", wave(f, 2, 3), -3, fails="call")
    b.case(TT + "cumprod", "i64.wraps", T("i64", [2, 2], [I64_MAX, 3, I64_MIN, -1]), 1)
    b.case(TT + "cumprod", "i32.widens", T("i32", [1, 2], [I32_MAX, I32_MAX]), 1)

    diff = TT + "diff"
    for dtype in DTYPES:
        for layout, x in layouts(wave, dtype).items():
            if layout != "scalar":
                b.case(diff, f"{dtype}.{layout}", x, 1, -1, NO_TENSOR, NO_TENSOR)
        x, more = wave(dtype, 3, 4), wave(dtype, 3, 2, start=5)
        b.case(diff, f"{dtype}.prepend", x, 1, 1, more, NO_TENSOR)
        b.case(diff, f"{dtype}.append", x, 2, -1, NO_TENSOR, more)
        b.case(diff, f"{dtype}.both", x, 1, 0, wave(dtype, 1, 4), wave(dtype, 2, 4))
    for n in (0, 1, 2, 3, 4, 9):
        b.case(diff, f"n.{n}", wave(f, 2, 4), n, 1, NO_TENSOR, NO_TENSOR)
    b.case(diff, "special", special(f), 1, 1, NO_TENSOR, NO_TENSOR)
    b.case(diff, "nothing_of_parts", wave(f, 2, 3), 0, 1, wave(f, 2, 1), NO_TENSOR)
    for left in ALL:
        b.case(diff, f"promotes.{left}", wave(left, 3), 1, 0, positive("i32", 2), positive(f, 1))
    for variant, args in (
        ("negative", (wave(f, 3), -1, 0, NO_TENSOR, NO_TENSOR)),
        ("scalar", (wave(f), 1, 0, NO_TENSOR, NO_TENSOR)),
        ("no_such_dim", (wave(f, 3), 1, 1, NO_TENSOR, NO_TENSOR)),
        ("other_rank", (wave(f, 2, 3), 1, 1, wave(f, 2), NO_TENSOR)),
        ("other_size", (wave(f, 2, 3), 1, 1, NO_TENSOR, wave(f, 3, 3))),
    ):
        b.case(diff, variant, *args, fails="call")


def order(b):
    b.open("reduction")
    for name in ("sort", "sort_indices", "argsort"):
        symbol = TT + name
        for dtype in DTYPES:
            for layout, x in layouts(wave, dtype).items():
                for dim in (0, -1) if x.torch().dim() > 1 else (0,):
                    b.case(symbol, f"{dtype}.{layout}.{dim}", x, True, dim, layout == "block")
            b.case(symbol, f"{dtype}.long", wave(dtype, 60), True, 0, False)
            b.case(symbol, f"{dtype}.down", wave(dtype, 60), True, 0, True)
        for dtype in FLOATS:
            for down in (False, True):
                b.case(symbol, f"{dtype}.special.{down}", special(dtype), True, 1, down)
                b.case(symbol, f"{dtype}.columns.{down}", special(dtype), True, 0, down)
        b.case(symbol, "free", vec(f, 3, 1, 2), False, 0, False)
        b.case(symbol, "no_such_dim", wave(f, 2, 3), True, 2, False, fails="call")
        b.case(symbol, "scalar_no_such_dim", wave(f), True, 1, False, fails="call")
    for name in ("topk", "topk_indices"):
        symbol = TT + name
        for dtype in ALL:
            for largest in (True, False):
                x = wave(dtype, 3, 6)
                for k in (0, 1, 3, 6):
                    b.case(symbol, f"{dtype}.{largest}.{k}", x, k, 1, largest, True)
                b.case(symbol, f"{dtype}.{largest}.rows", x, 2, 0, largest, True)
                turned = wave(dtype, 5, 3).then("t")
                b.case(symbol, f"{dtype}.{largest}.turned", turned, 2, -1, largest, True)
        for dtype in FLOATS:
            x = T(dtype, [2, 4], [1, NAN, INF, 2, -INF, 5, 3, NAN])
            b.case(symbol, f"{dtype}.largest", x, 2, 1, True, True)
            b.case(symbol, f"{dtype}.smallest", x, 3, 1, False, True)
        b.case(symbol, "unsorted", vec(f, 3, 1, 2), 1, 0, True, False)
        b.case(symbol, "scalar", wave(f), 1, 0, True, True)
        b.case(symbol, "nothing", empty(f, 0, 3), 2, 1, True, True)
        b.case(symbol, "bool", wave("bool", 4), 2, 0, True, True, fails="call")
        b.case(symbol, "too_many", wave(f, 3), 4, 0, True, True, fails="call")
        b.case(symbol, "negative", wave(f, 3), -1, 0, True, True, fails="call")
        b.case(symbol, "no_such_dim", wave(f, 3), 1, 1, True, True, fails="call")
    for name in ("median_dim", "mode"):
        for which in (name, name + "_indices"):
            symbol = TT + which
            for dtype in ALL:
                for layout, x in layouts(distinct, dtype).items():
                    for dim in (0, -1) if x.torch().dim() > 1 else (0,):
                        keepdim = layout in ("block", "scalar")
                        nothing = "call" if (x.torch().shape or (1,))[dim] == 0 else None
                        b.case(symbol, f"{dtype}.{layout}.{dim}", x, dim, keepdim, fails=nothing)
                b.case(symbol, f"{dtype}.even", vec(dtype, 4, 1, 3, 2), 0, False)
            b.case(symbol, "nan", T(f, [2, 4], [1, NAN, 3, NAN, -INF, 2, INF, 0]), 1, False)
            b.case(symbol, "no_such_dim", wave(f, 2, 3), 2, False, fails="call")
        if name == "mode":
            for which in (name, name + "_indices"):
                b.case(TT + which, "runs", T(f, [2, 5], [1, 3, 3, 1, 2, 2, 5, 2, 5, 5]), 1, False)
                b.case(TT + which, "bool", wave("bool", 2, 5), 1, True)
    for which in ("median_dim", "median_dim_indices", "kthvalue", "kthvalue_indices"):
        k = (1,) if which.startswith("k") else ()
        b.case(TT + which, "bool", wave("bool", 4), *k, 0, False, fails="call")
    for symbol in (TT + "kthvalue", TT + "kthvalue_indices"):
        for dtype in ALL:
            for k in (1, 2, 4):
                b.case(symbol, f"{dtype}.{k}", wave(dtype, 3, 4), k, 1, False)
            b.case(symbol, f"{dtype}.rows", wave(dtype, 3, 4), 2, 0, True)
            b.case(symbol, f"{dtype}.turned", wave(dtype, 5, 2).then("t"), 3, -1, False)
        b.case(symbol, "nan", vec(f, 1, NAN, -INF, INF), 4, 0, False)
        b.case(symbol, "numbers", vec(f, 1, NAN, -INF, INF), 2, 0, False)
        b.case(symbol, "scalar", wave(f), 1, 0, True)
        b.case(symbol, "no_rows", empty(f, 0, 3), 1, 1, False)
        b.case(symbol, "zero", wave(f, 3), 0, 0, False, fails="call")
        b.case(symbol, "too_large", wave(f, 3), 4, 0, False, fails="call")
        b.case(symbol, "no_such_dim", wave(f, 3), 1, 1, False, fails="call")
    quantile = TT + "quantile"
    for dtype in FLOATS:
        for q in (0.0, 0.1, 0.25, 0.5, 0.7, 1.0):
            b.case(quantile, f"{dtype}.{q}", wave(dtype, 3, 6), q, 1, False)
            b.case(quantile, f"{dtype}.rows.{q}", wave(dtype, 3, 6), q, 0, True)
        b.case(quantile, f"{dtype}.turned", wave(dtype, 5, 2).then("t"), 0.6, -1, False)
        b.case(quantile, f"{dtype}.scalar", wave(dtype), 0.3, 0, True)
        b.case(quantile, f"{dtype}.nan", T(dtype, [2, 3], [1, NAN, 2, 3, 1, 2]), 0.5, 1, False)
    b.case(quantile, "above", wave(f, 3), 1.5, 0, False, fails="call")
    b.case(quantile, "below", wave(f, 3), -0.5, 0, False, fails="call")
    b.case(quantile, "i64", wave("i64", 3), 0.5, 0, False, fails="call")
    b.case(quantile, "nothing", empty(f, 0), 0.5, 0, False, fails="call")
    b.case(quantile, "no_such_dim", wave(f, 3), 0.5, 1, False, fails="call")


CASES = (several, along, scans, order)


# ---- Gradients


def weighted(n, parts):
    """A sum of all elements of the parts with different weights."""
    joined = n.cat([n.flatten(part) for part in parts], 0)
    return n.sum_tensor(n.mul(joined, n.input("weights", *joined.value.shape)))


def reductions_of_several(n):
    x, y = n.parameter("x", 3, 4, 2), n.leaf(n.positive("y", 3, 4, 2))
    parts = [
        n.sum_dims(x, [0, 2], False),
        n.mean_dims(x, [1], True),
        n.var_dims(x, [0, 1], 1, False),
        n.std_dims(x, [2, 1], 0, True),
        n.var_dim(x, 1, True, False),
        n.std_dim(x, -1, False, True),
        n.amax(x, [0, 2], False),
        n.amin(x, [1], True),
        n.logsumexp(x, [0, 1], False),
        n.nansum_dims(x, [2], False),
        n.nansum(y),
        n.prod(n.slice(y, 0, 0, 1, 1)),
        n.prod_dim(y, 1, True),
    ]
    return weighted(n, parts)


def norms(n):
    x = n.parameter("x", 3, 4)
    parts = [
        n.norm_dims(x, order, [1], False)
        for order in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf"), -1.0)
    ]
    parts += [
        n.linalg_vector_norm(x, 2.5, [0], True),
        n.norm_scalar(x, 3.0),
        n.norm_dims(n.leaf(n.given("zeros", torch.zeros(2, 2))), 2.0, [1], False),
    ]
    return weighted(n, parts)


def running(n):
    x, y = n.parameter("x", 3, 4), n.leaf(n.positive("y", 3, 4))
    holes = n.leaf(n.given("holes", torch.tensor([2.0, 0, 3, 0, 4])))
    parts = [
        n.cumprod(y, 1),
        n.cumprod(y, 0),
        n.cumprod(holes, 0),
        n.prod(n.leaf(n.given("hole", torch.tensor([2.0, 0, 3])))),
        n.prod(n.leaf(n.given("two", torch.tensor([2.0, 0, 3, 0])))),
        n.logcumsumexp(x, 1),
        n.logcumsumexp(x, 0),
        n.cummax(x, 0),
        n.cummin(x, -1),
        n.diff(x, 2, 1, None, n.parameter("more", 3, 2)),
        n.diff(x, 1, 0, None, None),
    ]
    return weighted(n, parts)


def orders(n):
    x, y = n.parameter("x", 3, 5), n.parameter("y", 3, 5)
    parts = [
        n.sort(x, True, 1, False),
        n.sort(x, True, 0, True),
        n.topk(x, 2, 1, True, True),
        n.topk(x, 2, 0, False, True),
        n.median(y),
        n.median_dim(x, 1, False),
        n.kthvalue(x, 2, 1, True),
        n.mode(x, 1, False),
        n.quantile(x, 0.25, 1, False),
        n.quantile(x, 0.3, 0, True),
    ]
    return weighted(n, parts)


NETWORKS = (reductions_of_several, norms, running, orders)
