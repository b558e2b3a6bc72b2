"""Golden cases: convolutions and pools of other dimensions, resampling, windows as columns. Their
meaning in PyTorch is in golden_layers.py."""

import math

import torch

from golden_reference import NN
from golden_values import (
    FLOATS,
    INF,
    INTS,
    NAN,
    NO_TENSOR,
    T,
    Arg,
    empty,
    floats,
    positive,
    sizes,
    wave,
)

f = "f32"


def convolutions(b):
    b.open("nn")

    def case1(name, x, w, bias=NO_TENSOR, stride=1, padding=0, dilation=1, groups=1, **more):
        lists = [s if isinstance(s, Arg) else sizes(s) for s in (stride, padding, dilation)]
        b.case(NN + "conv1d", name, x, w, bias, *lists, groups, **more)

    def case3(name, x, w, bias=NO_TENSOR, stride=(1,), padding=(0,), dilation=(1,), groups=1, **m):
        lists = (sizes(*stride), sizes(*padding), sizes(*dilation))
        b.case(NN + "conv3d", name, x, w, bias, *lists, groups, **m)

    for dtype in ("f32", "f64", "i32", "i64"):
        x, w, bias = wave(dtype, 2, 4, 7), positive(dtype, 6, 4, 3), wave(dtype, 6)
        case1(f"{dtype}.plain", x, w)
        case1(f"{dtype}.bias", x, w, bias)
        case1(f"{dtype}.one_row", wave(dtype, 4, 7), w, bias)
        case1(f"{dtype}.stride", x, w, bias, 2)
        case1(f"{dtype}.padding", x, w, bias, 1, 2)
        case1(f"{dtype}.groups", x, positive(dtype, 6, 2, 3), bias, groups=2)
        if dtype != "i32":  # PyTorch has no such kernel
            case1(f"{dtype}.all", x, w, bias, 2, 3, 2)
        case1(f"{dtype}.no_batch", empty(dtype, 0, 4, 7), w, bias)
    case1("turned", wave(f, 2, 7, 4).then("transpose", 1, 2), positive(f, 6, 4, 3))
    case1("nan", T(f, [1, 1, 4], [1, NAN, 2, INF]), positive(f, 1, 1, 2))
    case1("strided_bias", wave(f, 1, 2, 3), wave(f, 2, 2, 2), wave(f, 4).then("slice", 0, 0, 4, 2))
    x, w = wave(f, 2, 4, 7), wave(f, 6, 4, 3)
    two, none = sizes(1, 1), sizes()
    for name, *args in (
        ("vector", wave(f, 7), w),
        ("picture", wave(f, 1, 2, 4, 7), w),
        ("weight_matrix", x, wave(f, 4, 3)),
        ("channels", wave(f, 2, 3, 7), w),
        ("bias_size", x, w, wave(f, 3)),
        ("bias_matrix", x, w, wave(f, 6, 1)),
        ("two_strides", x, w, NO_TENSOR, two),
        ("no_stride", x, w, NO_TENSOR, none),
        ("no_padding", x, w, NO_TENSOR, 1, none),
        ("no_dilation", x, w, NO_TENSOR, 1, 0, none),
        ("stride_0", x, w, NO_TENSOR, 0),
        ("padding_negative", x, w, NO_TENSOR, 1, -1),
        ("dilation_0", x, w, NO_TENSOR, 1, 0, 0),
        ("groups_0", x, w, NO_TENSOR, 1, 0, 1, 0),
        ("groups_3", x, w, NO_TENSOR, 1, 0, 1, 3),
        ("makes_nothing", x, empty(f, 0, 4, 3)),
        ("kernel_too_large", x, wave(f, 6, 4, 8)),
        ("no_window", x, empty(f, 6, 4, 0)),
        ("empty_row", empty(f, 2, 4, 0), w, NO_TENSOR, 1, 2),
        ("dtypes", wave("f64", 2, 4, 7), w),
        ("bias_dtype", x, w, wave("f64", 6)),
    ):
        case1(f"bad.{name}", *args, fails="call")

    for dtype in FLOATS:
        x, w, bias = wave(dtype, 2, 4, 4, 3, 5), positive(dtype, 6, 4, 2, 2, 3), wave(dtype, 6)
        case3(f"{dtype}.plain", x, w)
        case3(f"{dtype}.one_volume", wave(dtype, 4, 4, 3, 5), w, bias)
        case3(f"{dtype}.stride", x, w, bias, (2, 1, 3))
        case3(f"{dtype}.padding", x, w, bias, (1,), (1, 2, 0))
        case3(f"{dtype}.dilation", x, w, bias, (1,), (1,), (3, 1, 2))
        case3(f"{dtype}.all", x, w, bias, (2,), (2,), (2,))
        case3(f"{dtype}.groups", x, positive(dtype, 6, 2, 2, 2, 3), bias, groups=2)
        case3(f"{dtype}.no_batch", empty(dtype, 0, 4, 4, 3, 5), w, bias)
        turned = wave(dtype, 1, 2, 3, 2, 2).then("transpose", 2, 4)
        case3(f"{dtype}.turned", turned, wave(dtype, 2, 2, 1, 2, 2))
        special = T(dtype, [1, 1, 2, 1, 2], [1, NAN, 2, 4])
        case3(f"{dtype}.nan", special, positive(dtype, 1, 1, 1, 1, 1))
        special = T(dtype, [1, 1, 2, 1, 2], [1, INF, 2, 4])
        case3(f"{dtype}.inf", special, positive(dtype, 1, 1, 2, 1, 1))
    x, w = wave(f, 1, 2, 3, 3, 3), wave(f, 2, 2, 2, 2, 2)
    for name, *args in (
        ("picture", wave(f, 2, 3, 3), w),
        ("six", wave(f, 1, 1, 2, 3, 3, 3), w),
        ("weight", x, wave(f, 2, 2, 2, 2)),
        ("channels", wave(f, 1, 3, 3, 3, 3), w),
        ("bias_size", x, w, wave(f, 3)),
        ("two_strides", x, w, NO_TENSOR, (1, 1)),
        ("no_stride", x, w, NO_TENSOR, ()),
        ("no_padding", x, w, NO_TENSOR, (1,), ()),
        ("no_dilation", x, w, NO_TENSOR, (1,), (0,), ()),
        ("stride_0", x, w, NO_TENSOR, (1, 0, 1)),
        ("padding_negative", x, w, NO_TENSOR, (1,), (-1,)),
        ("dilation_0", x, w, NO_TENSOR, (1,), (0,), (0,)),
        ("groups_0", x, w, NO_TENSOR, (1,), (0,), (1,), 0),
        ("groups_2", x, w, NO_TENSOR, (1,), (0,), (1,), 2),
        ("kernel_too_deep", x, wave(f, 2, 2, 4, 2, 2)),
        ("kernel_too_wide", x, wave(f, 2, 2, 2, 2, 4)),
        ("dtypes", wave("f64", 1, 2, 3, 3, 3), w),
        ("bias_dtype", x, w, wave("f64", 2)),
        ("ints", wave("i64", 1, 2, 3, 3, 3), wave("i64", 2, 2, 2, 2, 2)),
    ):
        case3(f"bad.{name}", *args, fails="call")


def transposed(b):
    b.open("nn")

    def case(
        name, x, w, bias=NO_TENSOR, stride=(1,), padding=(0,), more=(0,), groups=1, dilation=(1,),
        symbol="conv_transpose2d", **rest,
    ):
        lists = [sizes(*s) for s in (stride, padding, more)]
        b.case(NN + symbol, name, x, w, bias, *lists, groups, sizes(*dilation), **rest)

    for dtype in FLOATS:
        x, w, bias = wave(dtype, 2, 4, 3, 4), positive(dtype, 4, 3, 2, 3), wave(dtype, 3)
        case(f"{dtype}.plain", x, w)
        case(f"{dtype}.bias", x, w, bias)
        case(f"{dtype}.one_image", wave(dtype, 4, 3, 4), w, bias, (2,))
        case(f"{dtype}.stride", x, w, bias, (2, 3))
        case(f"{dtype}.padding", x, w, bias, (2,), (1, 0))
        case(f"{dtype}.more", x, w, bias, (2, 3), (1,), (1, 2))
        case(f"{dtype}.dilation", x, w, bias, (1,), (0,), (0,), 1, (2, 3))
        case(f"{dtype}.more_than_stride", x, w, bias, (1, 2), (0,), (2,), 1, (3,))
        case(f"{dtype}.groups", x, positive(dtype, 4, 2, 2, 3), wave(dtype, 4), (2,), groups=2)
        case(f"{dtype}.depthwise", x, positive(dtype, 4, 1, 2, 2), NO_TENSOR, (2,), groups=4)
        case(f"{dtype}.no_batch", empty(dtype, 0, 4, 3, 4), w, bias)
        case(f"{dtype}.turned", wave(dtype, 1, 4, 3, 2).then("transpose", 2, 3), w)
        special = T(dtype, [1, 1, 2, 2], [1, NAN, 2, 4])
        case(f"{dtype}.nan", special, positive(dtype, 1, 1, 1, 1))
        special = T(dtype, [1, 1, 2, 2], [1, INF, 2, -INF])
        case(f"{dtype}.inf", special, positive(dtype, 1, 1, 1, 1))

        def line(name, *args, dtype=dtype, **more):
            case(f"{dtype}.{name}", *args, symbol="conv_transpose1d", **more)

        x, w, bias = wave(dtype, 2, 4, 5), positive(dtype, 4, 3, 3), wave(dtype, 3)
        line("plain", x, w)
        line("one_row", wave(dtype, 4, 5), w, bias, (2,))
        line("all", x, w, bias, (3,), (1,), (1,), 1, (2,))
        line("groups", x, positive(dtype, 4, 2, 3), wave(dtype, 4), (2,), groups=2)
        line("more_than_stride", x, w, bias, (1,), (0,), (2,), 1, (3,))
        line("no_batch", empty(dtype, 0, 4, 5), w, bias)
        line("turned", wave(dtype, 2, 5, 4).then("transpose", 1, 2), w)
        line("nan", T(dtype, [1, 1, 2], [NAN, 1]), positive(dtype, 1, 1, 1))
        line("inf", T(dtype, [1, 1, 2], [INF, -INF]), positive(dtype, 1, 1, 1))
    for symbol, x, w, wide in (
        ("conv_transpose2d", wave(f, 2, 4, 3, 4), wave(f, 4, 3, 2, 3), wave(f, 1, 4, 1, 3, 3)),
        ("conv_transpose1d", wave(f, 2, 4, 3), wave(f, 4, 3, 2), wave(f, 1, 4, 3, 3)),
    ):
        rank = len(x.shape) - 2
        other = T(f, w.shape[:-1], w.data[: math.prod(w.shape[:-1])])
        many = (1,) * (rank + 1)
        for name, *args in (
            ("vector", wave(f, 3), w),
            ("wide", wide, w),
            ("weight", x, other),
            ("channels", x, wave(f, 3, 3, *w.shape[2:])),
            ("bias_size", x, w, wave(f, 4)),
            ("bias_matrix", x, w, wave(f, 3, 1)),
            ("strides", x, w, NO_TENSOR, many),
            ("no_stride", x, w, NO_TENSOR, ()),
            ("no_padding", x, w, NO_TENSOR, (1,), ()),
            ("no_more", x, w, NO_TENSOR, (1,), (0,), ()),
            ("no_dilation", x, w, NO_TENSOR, (1,), (0,), (0,), 1, ()),
            ("stride_0", x, w, NO_TENSOR, (0,)),
            ("padding_negative", x, w, NO_TENSOR, (1,), (-1,)),
            ("more_negative", x, w, NO_TENSOR, (1,), (0,), (-1,)),
            ("more_too_large", x, w, NO_TENSOR, (2,), (0,), (2,)),
            ("dilation_0", x, w, NO_TENSOR, (1,), (0,), (0,), 1, (0,)),
            ("groups_0", x, w, NO_TENSOR, (1,), (0,), (0,), 0),
            ("groups_3", x, w, NO_TENSOR, (1,), (0,), (0,), 3),
            ("padding_too_large", x, w, NO_TENSOR, (1,), (5,)),
            ("dtypes", T("f64", x.shape, x.data), w),
            ("bias_dtype", x, w, wave("f64", 3)),
            ("ints", wave("i64", *x.shape), wave("i64", *w.shape)),
        ):
            case(f"bad.{name}", *args, symbol=symbol, fails="call")


def pools(b):
    b.open("nn")
    for kind in ("max_pool1d", "avg_pool1d"):

        def case(name, x, kernel, stride=(), padding=(0,), kind=kind, **more):
            b.case(NN + kind, name, x, sizes(*kernel), sizes(*stride), sizes(*padding), **more)

        for dtype in FLOATS:
            x = wave(dtype, 2, 3, 7)
            case(f"{dtype}.plain", x, (2,))
            case(f"{dtype}.stride", x, (3,), (1,))
            case(f"{dtype}.padding", x, (3,), (2,), (1,))
            case(f"{dtype}.one_row", wave(dtype, 3, 7), (2,))
            case(f"{dtype}.whole", x, (7,))
            case(f"{dtype}.no_batch", empty(dtype, 0, 3, 7), (2,))
            case(f"{dtype}.turned", wave(dtype, 2, 7, 3).then("transpose", 1, 2), (2,))
            case(f"{dtype}.special", T(dtype, [1, 8], [NAN, 1, 2, INF, -INF, -INF, 3, 4]), (2,))
        x = wave(f, 2, 3, 7)
        for name, *args in (
            ("vector", wave(f, 7), (2,)),
            ("picture", wave(f, 1, 2, 3, 7), (2,)),
            ("no_kernel", x, ()),
            ("two_kernels", x, (2, 2)),
            ("two_strides", x, (2,), (1, 1)),
            ("no_padding", x, (2,), (1,), ()),
            ("kernel_0", x, (0,), (1,)),
            ("stride_0", x, (2,), (0,)),
            ("padding_negative", x, (2,), (1,), (-1,)),
            ("padding_too_large", x, (3,), (1,), (2,)),
            ("kernel_too_large", x, (8,)),
            ("no_channels", empty(f, 2, 0, 7), (2,)),
            ("ints", wave("i64", 2, 3, 7), (2,)),
        ):
            case(f"bad.{name}", *args, fails="call")
    for kind in ("avg", "max"):
        line, plane = NN + f"adaptive_{kind}_pool1d", NN + f"adaptive_{kind}_pool2d"
        for dtype in FLOATS:
            for count in (1, 2, 3, 4, 5, 6, 9, 17):
                b.case(line, f"{dtype}.{count}", wave(dtype, 2, 3, 6), sizes(count))
            x = wave(dtype, 2, 3, 6, 4)
            for count in ((1,), (2,), (3, 2), (4, 3), (6, 4), (5, 1), (7, 9), (11, 3)):
                b.case(plane, f"{dtype}.{count}", x, sizes(*count))
            special = [NAN, 1, 2, INF, -INF, -INF]
            b.case(line, f"{dtype}.special.4", T(dtype, [1, 1, 6], special), sizes(4))
            turned = wave(dtype, 2, 6, 3).then("transpose", 1, 2)
            b.case(line, f"{dtype}.turned_rows", turned, sizes(4))
            for symbol, shape in ((line, [1, 6]), (plane, [1, 2, 3])):
                count = sizes(*[2] * (len(shape) - 1))
                b.case(symbol, f"{dtype}.special", T(dtype, shape, special), count)
                none = empty(dtype, 0, *(shape if symbol == line else [1, 4, 6]))
                b.case(symbol, f"{dtype}.no_batch", none, count)
                one = T(dtype, [1, *shape], [1, 2, 3, 4, 5, 6]).then("transpose", -1, -2)
                b.case(symbol, f"{dtype}.turned", one, sizes(1))
        x = wave(f, 2, 3, 6, 4)
        for name, x_, count in (
            ("volume", wave(f, 1, 2, 3, 6, 4), (2,)),
            ("matrix", wave(f, 6, 4), (2,)),
            ("three", x, (1, 1, 1)),
            ("none", x, ()),
            ("negative", x, (-1, 2)),
            ("no_rows", empty(f, 2, 3, 0, 4), (2,)),
            ("no_channels", empty(f, 2, 0, 6, 4), (2,)),
            ("ints", wave("i64", 2, 3, 6, 4), (2,)),
        ):
            b.case(plane, f"bad.{name}", x_, sizes(*count), fails="call")
        x = wave(f, 2, 3, 6)
        for name, x_, count in (
            ("picture", wave(f, 1, 2, 3, 6), (2,)),
            ("vector", wave(f, 6), (2,)),
            ("two", x, (1, 1)),
            ("negative", x, (-1,)),
            ("no_elements", empty(f, 2, 3, 0), (2,)),
            ("ints", wave("i64", 2, 3, 6), (2,)),
        ):
            b.case(line, f"bad.{name}", x_, sizes(*count), fails="call")
    plane = sizes(0, 2)
    b.case(NN + "adaptive_avg_pool2d", "no_result", wave(f, 2, 3, 6, 4), plane)


def resampling(b):
    b.open("nn")
    near, between = NN + "upsample_nearest2d", NN + "upsample_bilinear2d"
    for dtype in FLOATS:
        x = wave(dtype, 1, 2, 3, 4)
        for count in ((6, 8), (3, 4), (5, 7), (2, 3), (1, 1), (9, 2), (7, 12)):
            b.case(near, f"{dtype}.{count}", x, sizes(*count))
            for align in (False, True):
                b.case(between, f"{dtype}.{count}.{align}", x, sizes(*count), align)
        special = T(dtype, [1, 1, 2, 2], [NAN, 1, INF, 2])
        turned = wave(dtype, 1, 2, 4, 3).then("transpose", 2, 3)
        for name, x_ in (
            ("special", special),
            ("turned", turned),
            ("no_batch", empty(dtype, 0, 2, 3, 4)),
            ("one_pixel", wave(dtype, 1, 2, 1, 1)),
        ):
            for count in ((4, 4), (3, 5)):
                b.case(near, f"{dtype}.{name}.{count}", x_, sizes(*count))
                b.case(between, f"{dtype}.{name}.{count}", x_, sizes(*count), False)
    x = wave(f, 1, 2, 3, 4)
    for name, x_, count in (
        ("image", wave(f, 2, 3, 4), (6, 8)),
        ("volume", wave(f, 1, 1, 2, 3, 4), (6, 8)),
        ("one", x, (6,)),
        ("three", x, (6, 8, 1)),
        ("zero", x, (0, 8)),
        ("negative", x, (6, -8)),
        ("no_rows", empty(f, 1, 2, 0, 4), (6, 8)),
        ("no_channels", empty(f, 1, 0, 3, 4), (6, 8)),
        ("ints", wave("i64", 1, 2, 3, 4), (6, 8)),
    ):
        b.case(near, f"bad.{name}", x_, sizes(*count), fails="call")
        b.case(between, f"bad.{name}", x_, sizes(*count), False, fails="call")

    symbol = NN + "interpolate"

    def case(name, x, size, factors, mode, align=False, **more):
        b.case(symbol, name, x, sizes(*size), floats(*factors), Arg("text", mode), align, **more)

    for dtype in FLOATS:
        row, picture = wave(dtype, 2, 3, 5), wave(dtype, 1, 2, 3, 4)
        for size, factors in (((7,), ()), ((), (2.0,)), ((), (1.3,)), ((), (0.5,))):
            case(f"{dtype}.row.{size}.{factors}", row, size, factors, "nearest")
            case(f"{dtype}.line.{size}.{factors}", row, size, factors, "linear")
            case(f"{dtype}.line.{size}.{factors}.corners", row, size, factors, "linear", True)
        for size, factors in (
            ((7, 5), ()), ((6,), ()), ((), (2.0,)), ((), (1.5, 2.5)), ((), (0.7,))
        ):
            case(f"{dtype}.picture.{size}.{factors}", picture, size, factors, "nearest")
            case(f"{dtype}.plane.{size}.{factors}", picture, size, factors, "bilinear")
            case(f"{dtype}.plane.{size}.{factors}.corners", picture, size, factors, "bilinear", True)
        case(f"{dtype}.volume", wave(dtype, 1, 1, 2, 3, 2), (), (2.0,), "nearest")
        case(f"{dtype}.volume.size", wave(dtype, 1, 1, 2, 3, 2), (3, 4, 3), (), "nearest")
    x = wave(f, 1, 2, 3, 4)
    for name, *args in (
        ("matrix", wave(f, 3, 4), (6,), (), "nearest"),
        ("linear_picture", x, (6,), (), "linear"),
        ("bilinear_row", wave(f, 1, 2, 3), (6,), (), "bilinear"),
        ("both", x, (6, 8), (2.0,), "nearest"),
        ("neither", x, (), (), "nearest"),
        ("three", x, (6, 8, 1), (), "nearest"),
        ("zero", x, (0, 8), (), "nearest"),
        ("corners", x, (6, 8), (), "nearest", True),
        ("mode", x, (6, 8), (), "cubist"),
        ("ints", wave("i64", 1, 2, 3, 4), (6, 8), (), "nearest"),
    ):
        case(f"bad.{name}", *args, fails="call")

    for symbol, make in (
        (NN + "pixel_shuffle", lambda d: wave(d, 2, 8, 3, 2)),
        (NN + "pixel_unshuffle", lambda d: wave(d, 2, 2, 6, 4)),
    ):
        for dtype in FLOATS + INTS:
            x = make(dtype)
            b.case(symbol, f"{dtype}.2", x, 2)
            b.case(symbol, f"{dtype}.1", x, 1)
            b.case(symbol, f"{dtype}.image", wave(dtype, *x.shape[1:]), 2)
            b.case(symbol, f"{dtype}.many", wave(dtype, 1, *x.shape), 2)
            b.case(symbol, f"{dtype}.no_batch", empty(dtype, 0, *x.shape[1:]), 2)
            turned = wave(dtype, *x.shape[:2], x.shape[3], x.shape[2]).then("transpose", 2, 3)
            b.case(symbol, f"{dtype}.turned", turned, 2)
        special = T(f, [1, 4, 2, 2], [NAN, INF, -INF, 0] * 4)
        b.case(symbol, "special", special, 2)
        for name, x, factor in (
            ("matrix", wave(f, 4, 4), 2),
            ("zero", make(f), 0),
            ("negative", make(f), -2),
            ("other", make(f), 5),
        ):
            b.case(symbol, f"bad.{name}", x, factor, fails="call")
    b.case(NN + "pixel_unshuffle", "bad.width", wave(f, 2, 2, 6, 5), 2, fails="call")


def windows(b):
    b.open("nn")

    def two(values):
        return values * 2 if len(values) == 1 else values

    def unfold(name, x, kernel, dilation=(1,), padding=(0,), stride=(1,), **more):
        lists = [sizes(*two(items)) for items in (kernel, dilation, padding, stride)]
        b.case(NN + "unfold", name, x, *lists, **more)

    def fold(name, x, size, kernel, dilation=(1,), padding=(0,), stride=(1,), **more):
        lists = [sizes(*two(items)) for items in (size, kernel, dilation, padding, stride)]
        b.case(NN + "fold", name, x, *lists, **more)

    forms = {
        "plain": ((2, 3),),
        "dilation": ((2,), (2, 1)),
        "padding": ((3, 2), (1,), (2, 1)),
        "stride": ((2,), (1,), (0,), (1, 2)),
        "all": ((2, 3), (2, 1), (1, 2), (2, 3)),
    }
    for dtype in FLOATS:
        for name, form in forms.items():
            x = wave(dtype, 2, 2, 4, 5)
            unfold(f"{dtype}.{name}", x, *form)
            lists = [two(items) for items in form]
            while len(lists) < 4:
                lists.append(((1, 1), (1, 1), (0, 0), (1, 1))[len(lists)])
            columns = torch.ops.aten.im2col(x.torch(), *lists).shape
            fold(f"{dtype}.{name}", wave(dtype, *columns), (4, 5), *form)
        unfold(f"{dtype}.one_image", wave(dtype, 2, 4, 5), (2, 3))
        unfold(f"{dtype}.turned", wave(dtype, 1, 2, 5, 4).then("transpose", 2, 3), (2, 3))
        unfold(f"{dtype}.no_batch", empty(dtype, 0, 2, 4, 5), (2, 3))
        unfold(f"{dtype}.special", T(dtype, [1, 1, 2, 2], [NAN, 1, INF, -INF]), (1, 2))
        fold(f"{dtype}.no_batch", empty(dtype, 0, 12, 9), (4, 5), (2, 3))
        fold(f"{dtype}.one_image", wave(dtype, 12, 9), (4, 5), (2, 3))
        fold(f"{dtype}.turned", wave(dtype, 9, 12).then("t"), (4, 5), (2, 3))
        fold(f"{dtype}.special", T(dtype, [1, 2, 2], [NAN, 1, INF, -INF]), (2, 2), (1, 2))
    x, columns = wave(f, 2, 2, 4, 5), wave(f, 2, 12, 9)
    for name, *args in (
        ("matrix", wave(f, 4, 5), (2, 3)),
        ("volume", wave(f, 1, 2, 2, 4, 5), (2, 3)),
        ("kernel_0", x, (0, 3)),
        ("kernel_of_three", x, (1, 1, 1)),
        ("kernel_too_large", x, (5, 3)),
        ("dilation_0", x, (2, 3), (0,)),
        ("padding_negative", x, (2, 3), (1,), (-1,)),
        ("stride_0", x, (2, 3), (1,), (0,), (0,)),
        ("no_channels", empty(f, 2, 0, 4, 5), (2, 3)),
        ("ints", wave("i64", 2, 2, 4, 5), (2, 3)),
    ):
        unfold(f"bad.{name}", *args, fails="call")
    for name, *args in (
        ("vector", wave(f, 12), (4, 5), (2, 3)),
        ("picture", wave(f, 1, 2, 12, 9), (4, 5), (2, 3)),
        ("size_of_three", columns, (4, 5, 1), (2, 3)),
        ("size_0", columns, (0, 5), (2, 3)),
        ("kernel_0", columns, (4, 5), (0, 3)),
        ("rows", wave(f, 2, 11, 9), (4, 5), (2, 3)),
        ("columns", wave(f, 2, 12, 8), (4, 5), (2, 3)),
        ("dilation_0", columns, (4, 5), (2, 3), (0,)),
        ("padding_negative", columns, (4, 5), (2, 3), (1,), (-1,)),
        ("stride_0", columns, (4, 5), (2, 3), (1,), (0,), (0,)),
        ("no_rows", empty(f, 2, 0, 9), (4, 5), (2, 3)),
        ("ints", wave("i64", 2, 12, 9), (4, 5), (2, 3)),
    ):
        fold(f"bad.{name}", *args, fails="call")
