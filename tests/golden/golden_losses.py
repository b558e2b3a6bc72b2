"""Golden cases: losses with a reduction."""

import torch
import torch.nn.functional as F

from golden_reference import NN, REFERENCE, require
from golden_values import (
    FLOATS,
    INF,
    NAN,
    NO_TENSOR,
    T,
    empty,
    positive,
    scalar,
    vec,
    wave,
)

f = "f32"
NAMES = ("none", "mean", "sum")


def name_of(reduction):
    require(0 <= reduction < 3, "no such reduction")
    return NAMES[reduction]


def same_float(*tensors):
    """Where PyTorch computes with operands of several dtypes, these calls want one."""
    kinds = {t.dtype for t in tensors if t is not None}
    require(len(kinds) == 1 and kinds.pop().is_floating_point, "one floating point dtype")


def huber_loss(x, y, reduction, delta):
    same_float(x, y)
    return F.huber_loss(x, y, reduction=name_of(reduction), delta=delta)


def l1_loss(x, y, reduction):
    require(x.is_floating_point() or y.is_floating_point(), "no floating point")
    return F.l1_loss(x, y, reduction=name_of(reduction))


def with_logits(x, y, weight, pos_weight, reduction):
    same_float(x, y, weight, pos_weight)
    return F.binary_cross_entropy_with_logits(
        x, y, weight, reduction=name_of(reduction), pos_weight=pos_weight
    )


def binary_cross_entropy(x, y, weight, reduction):
    same_float(x, y, weight)
    return F.binary_cross_entropy(x, y, weight, reduction=name_of(reduction))


def hinge_embedding_loss(x, y, margin, reduction):
    same_float(x)
    return F.hinge_embedding_loss(x, y, margin, reduction=name_of(reduction))


def some_float(function):
    def checked(*args):
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        require(any(t.is_floating_point() for t in tensors), "no floating point")
        return function(*args)

    return checked


def cross_entropy_loss(x, y, weight, reduction, ignore_index, smoothing):
    require(0 <= smoothing <= 1, "no share")
    return F.cross_entropy(x, y, weight, None, ignore_index, None, name_of(reduction), smoothing)


def gaussian_nll_loss(x, y, var, full, eps, reduction):
    return F.gaussian_nll_loss(x, y, var, full=full, eps=eps, reduction=name_of(reduction))


def ctc_loss(x, y, inputs, targets, blank, reduction, zero_infinity):
    require(x.dim() == 3 and y.dim() == 2, "one form")
    return F.ctc_loss(x, y, inputs, targets, blank, name_of(reduction), zero_infinity)


REFERENCE.update(
    {
        NN + "mse_loss_reduction": lambda x, y, r: F.mse_loss(x, y, reduction=name_of(r)),
        NN + "l1_loss": l1_loss,
        NN + "smooth_l1_loss": lambda x, y, r, beta: F.smooth_l1_loss(
            x, y, reduction=name_of(r), beta=beta
        ),
        NN + "huber_loss": huber_loss,
        NN + "kl_div": lambda x, y, r, log: F.kl_div(x, y, reduction=name_of(r), log_target=log),
        NN + "binary_cross_entropy_reduction": binary_cross_entropy,
        NN + "binary_cross_entropy_with_logits": with_logits,
        NN + "nll_loss_nd": lambda x, y, w, r, ignored: F.nll_loss(
            x, y, w, None, ignored, None, name_of(r)
        ),
        NN + "cross_entropy_loss": cross_entropy_loss,
        NN + "hinge_embedding_loss": hinge_embedding_loss,
        NN + "margin_ranking_loss": some_float(
            lambda a, b, y, margin, r: F.margin_ranking_loss(a, b, y, margin, reduction=name_of(r))
        ),
        NN + "cosine_similarity": F.cosine_similarity,
        NN + "cosine_embedding_loss": some_float(
            lambda a, b, y, margin, r: F.cosine_embedding_loss(
                a, b, y, margin, reduction=name_of(r)
            )
        ),
        NN + "triplet_margin_loss": lambda a, p, n, margin, order, eps, swap, r: (
            F.triplet_margin_loss(a, p, n, margin, order, eps, swap, reduction=name_of(r))
        ),
        NN + "poisson_nll_loss": some_float(
            lambda x, y, log, full, eps, r: F.poisson_nll_loss(
                x, y, log, full, eps=eps, reduction=name_of(r)
            )
        ),
        NN + "ctc_loss": ctc_loss,
        NN + "gaussian_nll_loss": gaussian_nll_loss,
    }
)


def pairs(dtype):
    """Operands of equal sizes in every layout, and special values."""
    return {
        "row": (wave(dtype, 19), wave(dtype, 19, start=7)),
        "block": (wave(dtype, 2, 3, 4), wave(dtype, 2, 3, 4, start=5)),
        "scalars": (scalar(dtype, 2.5), scalar(dtype, -1)),
        "empty": (empty(dtype, 0), empty(dtype, 0)),
        "empty_rows": (empty(dtype, 2, 0), empty(dtype, 2, 0)),
        "turned": (wave(dtype, 3, 2).then("t"), wave(dtype, 2, 3, start=4)),
        "cut": (wave(dtype, 8).then("slice", 0, 0, 8, 2), wave(dtype, 4, start=2)),
        "nan": (vec(dtype, 1, NAN, 2), vec(dtype, 1, 2, NAN)),
        "inf": (vec(dtype, INF, -INF, 2), vec(dtype, 1, 2, INF)),
    }


def elementwise_losses(b):
    """Losses of two operands that broadcast, with each reduction."""
    b.open("loss")
    promoting = ("mse_loss_reduction", "l1_loss", "smooth_l1_loss")
    for name, *more in (
        ("mse_loss_reduction",),
        ("l1_loss",),
        ("smooth_l1_loss", 1.0),
        ("huber_loss", 1.0),
        ("kl_div", False),
    ):
        symbol = NN + name
        for dtype in FLOATS:
            for case, (x, y) in pairs(dtype).items():
                if name == "kl_div":
                    y = T(dtype, y.shape, [abs(v) for v in y.data], y.views)
                for reduction in (0, 1, 2):
                    b.case(symbol, f"{dtype}.{case}.{reduction}", x, y, reduction, *more)
        x, y = wave(f, 2, 3), wave(f, 2, 3, start=5)
        small = positive(f, 3)
        b.case(symbol, "row_of_other", x, small, 0, *more)
        b.case(symbol, "column_and_row", positive(f, 2, 1), small, 0, *more)
        b.case(symbol, "scalar_of_other", x, scalar(f, 1), 1, *more)
        if name in promoting or name == "kl_div":
            b.case(symbol, "f32_f64", x, positive("f64", 2, 3), 0, *more)
            b.case(symbol, "f64_f32", wave("f64", 2, 3), positive(f, 2, 3), 1, *more)
        else:
            b.case(symbol, "bad.dtypes", x, wave("f64", 2, 3), 0, *more, fails="call")
        if name in promoting:
            b.case(symbol, "i64_f32", wave("i64", 2, 3), y, 0, *more)
        b.case(symbol, "bad.ints", wave("i64", 2, 3), wave("i64", 2, 3), 0, *more, fails="call")
        b.case(symbol, "bad.sizes", x, wave(f, 2), 0, *more, fails="call")
        for reduction in (-1, 3):
            b.case(symbol, f"bad.reduction.{reduction}", x, y, reduction, *more, fails="call")
    for symbol, least in ((NN + "smooth_l1_loss", 0.0), (NN + "huber_loss", 0.25)):
        for dtype in FLOATS:
            x, y = wave(dtype, 19), wave(dtype, 19, start=7)
            for number in (least, 0.5, 2.25, 30.0, INF):
                b.case(symbol, f"{dtype}.from.{number}", x, y, 0, number)
        x, y = wave(f, 3), wave(f, 3, start=5)
        for number in (-1.0, NAN):
            b.case(symbol, f"bad.from.{number}", x, y, 0, number, fails="call")
    b.case(NN + "huber_loss", "bad.from.0", x, y, 0, 0.0, fails="call")
    for dtype in FLOATS:
        for reduction in (0, 1, 2):
            x, y = wave(dtype, 2, 3), wave(dtype, 2, 3, start=5)
            b.case(NN + "kl_div", f"{dtype}.logs.{reduction}", x, y, reduction, True)
    special = vec(f, 0, 0, 1, NAN, INF, -1)
    b.case(NN + "kl_div", "special_target", vec(f, 1, -INF, -INF, 1, 1, 1), special, 0, False)


def binary(b):
    b.open("loss")
    symbol = NN + "binary_cross_entropy_with_logits"
    none = (NO_TENSOR, NO_TENSOR)
    for dtype in FLOATS:
        for case, (x, y) in pairs(dtype).items():
            for reduction in (0, 1, 2):
                b.case(symbol, f"{dtype}.{case}.{reduction}", x, y, *none, reduction)
        x, y = wave(dtype, 2, 3), wave(dtype, 2, 3, start=5)
        w, p = positive(dtype, 2, 3), wave(dtype, 3, start=2)
        for reduction in (0, 1, 2):
            b.case(symbol, f"{dtype}.weight.{reduction}", x, y, w, NO_TENSOR, reduction)
            b.case(symbol, f"{dtype}.pos_weight.{reduction}", x, y, NO_TENSOR, p, reduction)
            b.case(symbol, f"{dtype}.both.{reduction}", x, y, positive(dtype, 2, 1), p, reduction)
        far = vec(dtype, 30, -30, 120, -120, 0, -0.0)
        b.case(symbol, f"{dtype}.far", far, vec(dtype, 1, 0, 0, 1, 0.5, 1), *none, 0)
        b.case(symbol, f"{dtype}.scalar_weight", x, y, scalar(dtype, 2), scalar(dtype, 3), 0)
    x, y = wave(f, 2, 3), wave(f, 2, 3, start=5)
    for case, args in {
        "other_sizes": (wave(f, 3), y, *none, 0),
        "dtypes": (x, wave("f64", 2, 3), *none, 0),
        "ints": (wave("i64", 2), wave("i64", 2), *none, 0),
        "weight_sizes": (x, y, wave(f, 2), NO_TENSOR, 0),
        "weight_larger": (x, y, wave(f, 4, 2, 3), NO_TENSOR, 0),
        "weight_dtype": (x, y, wave("f64", 3), NO_TENSOR, 0),
        "pos_weight_sizes": (x, y, NO_TENSOR, wave(f, 2), 0),
        "pos_weight_larger": (x, y, NO_TENSOR, wave(f, 4, 2, 3), 0),
        "pos_weight_dtype": (x, y, NO_TENSOR, wave("f64", 3), 0),
        "reduction": (x, y, *none, 3),
        "reduction_negative": (x, y, *none, -1),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")

    symbol = NN + "binary_cross_entropy_reduction"
    shares = [0.1, 0.9, 0.5, 0.01, 0.99, 0.3]
    facts = [0, 1, 0.25, 1, 0, 0.5]
    for dtype in FLOATS:
        x, y = T(dtype, [2, 3], shares), T(dtype, [2, 3], facts)
        for reduction in (0, 1, 2):
            b.case(symbol, f"{dtype}.plain.{reduction}", x, y, NO_TENSOR, reduction)
            b.case(symbol, f"{dtype}.weight.{reduction}", x, y, wave(dtype, 3), reduction)
            none = empty(dtype, 0)
            b.case(symbol, f"{dtype}.empty.{reduction}", none, none, NO_TENSOR, reduction)
        many = T(dtype, [18], shares * 3), T(dtype, [18], facts * 3)
        b.case(symbol, f"{dtype}.long", *many, positive(dtype, 18), 0)
        certain = vec(dtype, 0, 1, 0, 1), vec(dtype, 0, 1, 1, 0)
        b.case(symbol, f"{dtype}.certain", *certain, NO_TENSOR, 0)
        turned = T(dtype, [3, 2], shares).then("t"), T(dtype, [2, 3], facts)
        b.case(symbol, f"{dtype}.turned", *turned, NO_TENSOR, 0)
        one = scalar(dtype, 0.25), scalar(dtype, 1)
        b.case(symbol, f"{dtype}.scalars", *one, NO_TENSOR, 0)
        weights = vec(dtype, NAN, INF, -INF)
        b.case(symbol, f"{dtype}.special_weight", x, y, weights, 0)
    x, y = T(f, [2, 3], shares), T(f, [2, 3], facts)
    for case, args in {
        "sizes": (vec(f, 0.5), y, NO_TENSOR, 0),
        "dtypes": (x, T("f64", [2, 3], facts), NO_TENSOR, 0),
        "ints": (vec("i64", 1), vec("i64", 1), NO_TENSOR, 0),
        "weight_sizes": (x, y, wave(f, 2), 0),
        "weight_larger": (x, y, wave(f, 4, 2, 3), 0),
        "weight_dtype": (x, y, wave("f64", 3), 0),
        "reduction": (x, y, NO_TENSOR, 3),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")
    for case, p, t in (("above_one", 1.5, 1), ("nan", NAN, 1), ("target", 0.5, 2)):
        b.case(symbol, f"bad.{case}", vec(f, 0.5, p), vec(f, 0, t), NO_TENSOR, 0, fails="run")


def classes(b):
    b.open("loss")
    nll, ce = NN + "nll_loss_nd", NN + "cross_entropy_loss"
    for symbol, more in ((nll, ()), (ce, (0.0,)), (ce, (0.25,))):
        label = "smooth." if more == (0.25,) else ""
        for dtype in FLOATS:
            w = positive(dtype, 3)
            for case, x, y, ignored in (
                ("batch", wave(dtype, 4, 3), vec("i64", 2, 0, 1, 2), -100),
                ("ignored", wave(dtype, 4, 3), vec("i64", 2, -100, 1, -100), -100),
                ("other_ignored", wave(dtype, 4, 3), vec("i64", 2, 1, 0, 1), 1),
                ("far_ignored", wave(dtype, 4, 3), vec("i64", 2, 9, 0, 1), 9),
                ("all_ignored", wave(dtype, 2, 3), vec("i64", -100, -100), -100),
                ("one", wave(dtype, 3), scalar("i64", 1), -100),
                ("one_ignored", wave(dtype, 3), scalar("i64", -1), -1),
                ("no_batch", empty(dtype, 0, 3), empty("i64", 0), -100),
                ("line", wave(dtype, 2, 3, 2), T("i64", [2, 2], [0, 2, 1, -100]), -100),
                ("picture", wave(dtype, 1, 3, 2, 3), T("i64", [1, 2, 3], [0, 1, 2, 0, 1, 2]), -100),
                ("empty_line", empty(dtype, 2, 3, 0), empty("i64", 2, 0), -100),
                ("turned", wave(dtype, 3, 4).then("t"), vec("i64", 2, 0, 1, 2), -100),
                ("many", wave(dtype, 20, 3), vec("i64", *[0, 1, 2, 1] * 5), -100),
                ("nan", T(dtype, [2, 3], [NAN, 0, 1, 1, 2, 3]), vec("i64", 0, 1), -100),
                ("nan_ignored", T(dtype, [2, 3], [NAN, 0, 1, 1, 2, 3]), vec("i64", 5, 1), 5),
                ("inf", T(dtype, [2, 3], [-INF, 0, 1, 2, -INF, 1]), vec("i64", 2, 0), -100),
                ("inf_picked", T(dtype, [2, 3], [-INF, 0, 1, 2, -INF, 1]), vec("i64", 0, 1), -100),
            ):
                for reduction in (0, 1, 2):
                    for weight, suffix in ((NO_TENSOR, ""), (w, ".weight")):
                        name = f"{label}{dtype}.{case}.{reduction}{suffix}"
                        b.case(symbol, name, x, y, weight, reduction, ignored, *more)
        x, y = wave(f, 2, 3), vec("i64", 0, 1)
        strided = positive(f, 6).then("slice", 0, 0, 6, 2)
        b.case(symbol, label + "strided_weight", x, y, strided, 1, -100, *more)
        if not label:
            b.case(symbol, "one_in_list", wave(f, 3), vec("i64", 1), NO_TENSOR, 1, -100, *more)
            b.case(symbol, "one_in_list.none", wave(f, 3), vec("i64", 1), NO_TENSOR, 0, -100, *more)
        else:
            args = (wave(f, 3), vec("i64", 1), NO_TENSOR, 1, -100, *more)
            b.case(symbol, label + "bad.one_in_list", *args, fails="call")
        for case, args in {
            "i32_target": (x, vec("i32", 0, 1), NO_TENSOR, 1, -100),
            "float_target": (x, vec(f, 0, 1), NO_TENSOR, 1, -100),
            "other_batch": (x, vec("i64", 1), NO_TENSOR, 1, -100),
            "int_input": (wave("i64", 2, 3), y, NO_TENSOR, 1, -100),
            "scalars": (wave(f), scalar("i64", 0), NO_TENSOR, 1, -100),
            "other_line": (wave(f, 2, 3, 2), T("i64", [2, 3], [0] * 6), NO_TENSOR, 1, -100),
            "two_for_one": (wave(f, 3), y, NO_TENSOR, 1, -100),
            "weight_sizes": (x, y, wave(f, 2), 1, -100),
            "weight_matrix": (x, y, wave(f, 1, 3), 1, -100),
            "weight_dtype": (x, y, wave("f64", 3), 1, -100),
            "no_classes": (empty(f, 2, 0), y, NO_TENSOR, 1, -100),
            "reduction": (x, y, NO_TENSOR, 3, -100),
            "reduction_negative": (x, y, NO_TENSOR, -1, -100),
        }.items():
            b.case(symbol, f"{label}bad.{case}", *args, *more, fails="call")
        for bad in (3, -1):
            for reduction in (0, 1):
                name = f"{label}bad.class.{bad}.{reduction}"
                b.case(
                    symbol, name, x, vec("i64", 0, bad), NO_TENSOR, reduction, -100, *more,
                    fails="run",
                )
        b.case(
            symbol, label + "bad.class_ignored_before", x, vec("i64", 0, -100), NO_TENSOR, 0, 5,
            *more, fails="run",
        )
    shares = [0.25, 0.25, 0.5, 1, 0, 0]
    for smoothing in (0.0, 0.25, 1.0):
        for left in FLOATS:
            for right in FLOATS:
                for reduction in (0, 1, 2):
                    x, y = wave(left, 2, 3), T(right, [2, 3], shares)
                    name = f"shares.{left}_{right}.{reduction}.{smoothing}"
                    b.case(ce, name, x, y, NO_TENSOR, reduction, -100, smoothing)
        for reduction in (0, 1, 2):
            for case, x, y in (
                ("weight", wave(f, 2, 3), T(f, [2, 3], shares)),
                ("line", wave(f, 1, 3, 2), T(f, [1, 3, 2], shares)),
                ("one", wave(f, 3), vec(f, 0.2, 0.3, 0.5)),
                ("empty", empty(f, 0, 3), empty(f, 0, 3)),
            ):
                w = NO_TENSOR if case == "empty" else positive(f, 3)
                name = f"shares.{case}.{reduction}.{smoothing}"
                b.case(ce, name, x, y, w, reduction, -100, smoothing)
    x, y = wave(f, 2, 3), vec("i64", 0, 1)
    for smoothing in (-0.5, 1.5, NAN):
        b.case(ce, f"bad.smoothing.{smoothing}", x, y, NO_TENSOR, 1, -100, smoothing, fails="call")
    args = (wave("i64", 2, 3), T(f, [2, 3], shares), NO_TENSOR, 1, -100, 0.0)
    b.case(ce, "bad.shares_of_ints", *args, fails="call")


def labelled(b):
    """Losses of pairs that are labelled as alike, 1, or different, -1."""
    b.open("loss")
    symbol = NN + "hinge_embedding_loss"
    for dtype in FLOATS:
        x = wave(dtype, 19)
        for kind in (dtype, "i64", "i32"):
            y = T(kind, [19], [(1, -1, 0, 1, 2)[i % 5] for i in range(19)])
            for reduction in (0, 1, 2):
                b.case(symbol, f"{dtype}_{kind}.{reduction}", x, y, 1.0, reduction)
        b.case(symbol, f"{dtype}.margin", x, T(dtype, [19], [-1] * 19), 2.5, 0)
        special = vec(dtype, NAN, NAN, INF, INF, -INF, -INF)
        b.case(symbol, f"{dtype}.special", special, vec(dtype, 1, -1, 1, -1, 1, -1), 1.0, 0)
        b.case(symbol, f"{dtype}.empty", empty(dtype, 0), empty(dtype, 0), 1.0, 0)
        b.case(symbol, f"{dtype}.empty.mean", empty(dtype, 0), empty(dtype, 0), 1.0, 1)
        b.case(symbol, f"{dtype}.scalars", scalar(dtype, 0.5), scalar(dtype, -1), 1.0, 0)
        turned = wave(dtype, 3, 2).then("t"), T(dtype, [2, 3], [1, -1] * 3)
        b.case(symbol, f"{dtype}.turned", *turned, 1.0, 0)
        b.case(symbol, f"{dtype}.broadcast", wave(dtype, 2, 1), vec(dtype, 1, -1, 1), 1.0, 0)
    b.case(symbol, "nan_label", vec(f, 1, 2), vec(f, NAN, 1), 1.0, 0)
    x, y = wave(f, 3), vec(f, 1, -1, 1)
    b.case(symbol, "bad.ints", wave("i64", 3), y, 1.0, 0, fails="call")
    b.case(symbol, "bad.sizes", x, vec(f, 1, 1), 1.0, 0, fails="call")
    b.case(symbol, "bad.reduction", x, y, 1.0, 3, fails="call")

    symbol = NN + "margin_ranking_loss"
    for dtype in FLOATS:
        for case, (x, y) in pairs(dtype).items():
            count = len(x.torch().flatten())
            label = T(dtype, x.torch().shape, [(1, -1, 1)[i % 3] for i in range(count)])
            for reduction in (0, 1, 2):
                b.case(symbol, f"{dtype}.{case}.{reduction}", x, y, label, 0.0, reduction)
            b.case(symbol, f"{dtype}.{case}.margin", x, y, label, 0.75, 0)
        x, y = wave(dtype, 2, 3), wave(dtype, 1, 3, start=4)
        b.case(symbol, f"{dtype}.int_labels", x, y, T("i64", [2, 1], [1, -1]), 0.5, 0)
    b.case(symbol, "f32_f64", wave(f, 3), wave("f64", 3, start=3), vec(f, 1, -1, 1), 0.5, 0)
    b.case(symbol, "f64_label", wave(f, 3), wave(f, 3, start=3), vec("f64", 1, -1, 1), 0.5, 0)
    x, y = wave(f, 3), wave(f, 3, start=5)
    ints = wave("i64", 3)
    for case, args in {
        "ints": (ints, ints, vec("i64", 1, 1, 1), 0.0, 0),
        "ranks": (x, wave(f, 1, 3), y, 0.0, 0),
        "label_rank": (x, y, scalar(f, 1), 0.0, 0),
        "sizes": (x, wave(f, 2), y, 0.0, 0),
        "reduction": (x, y, y, 0.0, 3),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")


def directions(b):
    b.open("loss")
    symbol = NN + "cosine_similarity"
    for dtype in FLOATS:
        x, y = wave(dtype, 2, 3, 4), wave(dtype, 2, 3, 4, start=5)
        for dim in (0, 1, -1):
            b.case(symbol, f"{dtype}.{dim}", x, y, dim, 1e-8)
        for case, x_, y_, dim in (
            ("vectors", wave(dtype, 19), wave(dtype, 19, start=7), 0),
            ("scalars", scalar(dtype, 2), scalar(dtype, -3), 0),
            ("row", wave(dtype, 2, 3), wave(dtype, 3, start=2), -1),
            ("column", wave(dtype, 2, 1), wave(dtype, 1, 3, start=2), 1),
            ("no_length", T(dtype, [2, 2], [0, 0, 1, 2]), T(dtype, [2, 2], [1, 2, 0, 0]), 1),
            ("empty", empty(dtype, 0, 3), empty(dtype, 0, 3), 1),
            ("empty_vectors", empty(dtype, 2, 0), empty(dtype, 2, 0), 1),
            ("turned", wave(dtype, 3, 2).then("t"), wave(dtype, 2, 3, start=3), 1),
            ("nan", T(dtype, [2, 2], [NAN, 1, 1, 2]), wave(dtype, 2, 2), 1),
            ("many", wave(dtype, 20, 3), wave(dtype, 20, 3, start=4), 1),
        ):
            b.case(symbol, f"{dtype}.{case}", x_, y_, dim, 1e-8)
        b.case(symbol, f"{dtype}.large_eps", x, y, 1, 30.0)
        b.case(symbol, f"{dtype}.no_eps", x, y, 1, 0.0)
    b.case(symbol, "f32_f64", wave(f, 2, 3), wave("f64", 2, 3, start=2), 1, 1e-8)
    b.case(symbol, "i64_f32", wave("i64", 2, 3), wave(f, 2, 3, start=2), 1, 1e-8)
    x = wave(f, 2, 3)
    for case, args in {
        "ints": (wave("i64", 2, 3), wave("i64", 2, 3), 1, 1e-8),
        "dim": (x, x, 2, 1e-8),
        "dim_negative": (x, x, -3, 1e-8),
        "sizes": (x, wave(f, 2), 1, 1e-8),
        "eps": (x, x, 1, -1.0),
        "eps_nan": (x, x, 1, NAN),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")

    symbol = NN + "cosine_embedding_loss"
    for dtype in FLOATS:
        x, y = wave(dtype, 4, 3), wave(dtype, 4, 3, start=5)
        for kind in (dtype, "i64"):
            label = vec(kind, 1, -1, -1, 0)
            for reduction in (0, 1, 2):
                b.case(symbol, f"{dtype}_{kind}.{reduction}", x, y, label, 0.0, reduction)
        b.case(symbol, f"{dtype}.margin", x, x, vec(dtype, -1, -1, 1, -1), 0.25, 0)
        b.case(symbol, f"{dtype}.vectors", wave(dtype, 3), positive(dtype, 3), scalar(dtype, 1), 0.0, 0)
        none = empty(dtype, 0, 3), empty(dtype, 0, 3), empty(dtype, 0)
        for reduction in (0, 1):
            b.case(symbol, f"{dtype}.empty.{reduction}", *none, 0.0, reduction)
        b.case(symbol, f"{dtype}.no_features", empty(dtype, 2, 0), empty(dtype, 2, 0), vec(dtype, 1, -1), 0.0, 0)
        turned = wave(dtype, 3, 4).then("t")
        b.case(symbol, f"{dtype}.turned", turned, y, vec(dtype, 1, -1, -1, 0), 0.0, 0)
        special = T(dtype, [2, 2], [NAN, 1, INF, 1])
        b.case(symbol, f"{dtype}.special", special, wave(dtype, 2, 2), vec(dtype, 1, 1), 0.0, 0)
        b.case(symbol, f"{dtype}.broadcast", x, wave(dtype, 1, 3), vec(dtype, 1), 0.0, 0)
        labels = [(1, -1)[i % 2] for i in range(20)]
        many = wave(dtype, 20, 3), wave(dtype, 20, 3, start=4), T(dtype, [20], labels)
        b.case(symbol, f"{dtype}.many", *many, 0.0, 0)
    b.case(symbol, "f32_f64", wave(f, 2, 3), wave("f64", 2, 3, start=2), vec(f, 1, -1), 0.0, 0)
    x, label = wave(f, 2, 3), vec(f, 1, -1)
    for case, args in {
        "ints": (wave("i64", 2, 3), wave("i64", 2, 3), vec("i64", 1, 1), 0.0, 0),
        "ranks": (x, wave(f, 3), label, 0.0, 0),
        "one_label": (x, x, scalar(f, 1), 0.0, 0),
        "label_matrix": (x, x, T(f, [2, 1], [1, 1]), 0.0, 0),
        "label_count": (x, x, vec(f, 1, 1, 1), 0.0, 0),
        "sizes": (x, wave(f, 2, 2), label, 0.0, 0),
        "reduction": (x, x, label, 0.0, 3),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")

    symbol = NN + "triplet_margin_loss"
    for dtype in FLOATS:
        a, p, n = (wave(dtype, 4, 3, start=s) for s in (0, 5, 11))
        for order in (2.0, 1.0, 3.0, 0.5, INF):
            for swap in (False, True):
                for reduction in (0, 1, 2):
                    name = f"{dtype}.{order}.{swap}.{reduction}"
                    b.case(symbol, name, a, p, n, 1.5, order, 1e-6, swap, reduction)
        one = [wave(dtype, 3, start=s) for s in (0, 5, 11)]
        b.case(symbol, f"{dtype}.vectors", *one, 1.0, 2.0, 1e-6, False, 0)
        b.case(symbol, f"{dtype}.equal", a, a, n, 1.0, 2.0, 0.0, False, 0)
    x = wave(f, 2, 3)
    for case, args in {
        "ranks": (x, wave(f, 3), x, 1.0, 2.0, 1e-6, False, 0),
        "sizes": (x, wave(f, 3, 3), x, 1.0, 2.0, 1e-6, False, 0),
        "margin": (x, x, x, 0.0, 2.0, 1e-6, False, 0),
        "reduction": (x, x, x, 1.0, 2.0, 1e-6, False, 3),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")


def counts(b):
    """Losses of distributions."""
    b.open("loss")
    symbol = NN + "poisson_nll_loss"
    for dtype in FLOATS:
        for case, (x, y) in pairs(dtype).items():
            y = T(dtype, y.shape, [abs(v) for v in y.data], y.views)
            for reduction in (0, 1, 2):
                b.case(symbol, f"{dtype}.{case}.{reduction}", x, y, True, False, 1e-8, reduction)
        x, y = positive(dtype, 19), wave(dtype, 19, start=4)
        for log in (False, True):
            for full in (False, True):
                b.case(symbol, f"{dtype}.{log}.{full}", x, y, log, full, 1e-8, 0)
        b.case(symbol, f"{dtype}.eps", x, y, False, False, 0.5, 0)
        b.case(symbol, f"{dtype}.int_target", x, wave("i64", 19), True, False, 1e-8, 0)
    b.case(symbol, "f32_f64", wave(f, 3), positive("f64", 3), True, False, 1e-8, 0)
    b.case(symbol, "broadcast", wave(f, 2, 1), positive(f, 3), True, False, 1e-8, 0)
    x = wave(f, 3)
    for case, args in {
        "ints": (wave("i64", 3), wave("i64", 3), True, False, 1e-8, 0),
        "sizes": (x, wave(f, 2), True, False, 1e-8, 0),
        "reduction": (x, x, True, False, 1e-8, 3),
        "reduction_negative": (x, x, True, False, 1e-8, -1),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")

    symbol = NN + "gaussian_nll_loss"
    for dtype in FLOATS:
        x, y = wave(dtype, 2, 3), wave(dtype, 2, 3, start=5)
        for full in (False, True):
            for reduction in (0, 1, 2):
                for case, var in {
                    "each": positive(dtype, 2, 3),
                    "rows": positive(dtype, 2),
                    "rows_1": positive(dtype, 2, 1),
                    "small": T(dtype, [2, 1], [0, 1e-9]),
                }.items():
                    name = f"{dtype}.{case}.{full}.{reduction}"
                    b.case(symbol, name, x, y, var, full, 1e-6, reduction)
        none = empty(dtype, 0)
        b.case(symbol, f"{dtype}.empty", none, none, none, False, 1e-6, 0)
    x = wave(f, 2, 3)
    for case, args in {
        "one_var": (x, x, scalar(f, 1), False, 1e-6, 0),
        "var_sizes": (x, x, positive(f, 3), False, 1e-6, 0),
        "reduction": (x, x, positive(f, 2, 3), False, 1e-6, 3),
    }.items():
        b.case(symbol, f"bad.{case}", *args, fails="call")


def alignments(b):
    b.open("loss")
    symbol = NN + "ctc_loss"
    for dtype in FLOATS:
        numbers = wave(dtype, 6, 3, 4).torch().log_softmax(2)
        x = T(dtype, [6, 3, 4], numbers.flatten().tolist())
        y = T("i64", [3, 3], [1, 2, 3, 1, 1, 2, 3, 2, 9])
        full, some = vec("i64", 6, 6, 6), vec("i64", 6, 4, 2)
        for case, inputs, targets in (
            ("full", full, vec("i64", 3, 3, 2)),
            ("lengths", some, vec("i64", 2, 3, 1)),
            ("short", vec("i64", 6, 2, 1), vec("i64", 3, 3, 2)),
            ("no_targets", some, vec("i64", 0, 1, 0)),
        ):
            for reduction in (0, 1, 2):
                for zero in (False, True):
                    name = f"{dtype}.{case}.{reduction}.{zero}"
                    b.case(symbol, name, x, y, inputs, targets, 0, reduction, zero)
        y32 = T("i32", [3, 3], [0, 2, 3, 0, 0, 2, 3, 2, 1])
        kinds = vec("i32", 6, 6, 6), vec("i32", 3, 3, 2)
        b.case(symbol, f"{dtype}.i32", x, y32, *kinds, 1, 0, False)
        one = T(dtype, [1, 3, 4], numbers[:1].flatten().tolist())
        lengths = vec("i64", 1, 1, 1)
        b.case(symbol, f"{dtype}.one_step", one, T("i64", [3, 1], [1, 2, 3]), lengths, lengths, 0, 0, False)
        never = T(dtype, [2, 1, 3], [-INF, 0, -INF, 0, -INF, -INF])
        for y_ in (1, 2):
            b.case(
                symbol, f"{dtype}.never.{y_}", never, T("i64", [1, 1], [y_]), vec("i64", 2),
                vec("i64", 1), 0, 0, False,
            )
    x, y, lengths = wave(f, 6, 3, 4), T("i64", [3, 2], [1, 2, 3, 1, 1, 2]), vec("i64", 2, 2, 2)
    for name, *args in (
        ("matrix", wave(f, 6, 4), y, lengths, lengths, 0, 0),
        ("vector", x, vec("i64", 1, 2, 3), lengths, lengths, 0, 0),
        ("batch", x, T("i64", [2, 2], [1, 2, 3, 1]), lengths, lengths, 0, 0),
        ("inputs", x, y, vec("i64", 2, 2), lengths, 0, 0),
        ("lengths", x, y, lengths, vec("i64", 2, 2), 0, 0),
        ("blank", x, y, lengths, lengths, 4, 0),
        ("blank_negative", x, y, lengths, lengths, -1, 0),
        ("ints", wave("i64", 6, 3, 4), y, lengths, lengths, 0, 0),
        ("float_lengths", x, y, wave(f, 3), lengths, 0, 0),
        ("reduction", x, y, lengths, lengths, 0, 3),
    ):
        b.case(symbol, f"bad.{name}", *args, False, fails="call")


CASES = (alignments, elementwise_losses, binary, classes, labelled, directions, counts)
