"""Golden cases: convolution, pooling, normalization, dropout."""

from golden_reference import NN
from golden_values import (
    ALL,
    FLOATS,
    INF,
    INTS,
    NAN,
    NO_TENSOR,
    Seen,
    T,
    empty,
    positive,
    sizes,
    vec,
    wave,
)

F = "f32"


def conv(b):
    b.open("nn")
    symbol = NN + "conv2d"

    def case(
        name, x, w, bias=NO_TENSOR, stride=(1,), padding=(0,), dilation=(1,), groups=1, **more
    ):
        lists = (sizes(*stride), sizes(*padding), sizes(*dilation))
        b.case(symbol, name, x, w, bias, *lists, groups, **more)

    for dtype in ALL:
        x, w, bias = wave(dtype, 2, 3, 5, 6), positive(dtype, 4, 3, 3, 2), wave(dtype, 4)
        case(f"{dtype}.plain", x, w)
        case(f"{dtype}.bias", x, w, bias)
        case(f"{dtype}.one_image", wave(dtype, 3, 5, 6), w, bias)
        case(f"{dtype}.stride", x, w, bias, stride=(2, 3))
        case(f"{dtype}.padding", x, w, bias, padding=(2, 1))
        if dtype != "i32":  # PyTorch has no such kernel
            case(f"{dtype}.dilation", x, w, bias, dilation=(2, 3))
            case(f"{dtype}.all", x, w, bias, (2,), (3, 2), (2, 1))
        case(
            f"{dtype}.groups",
            wave(dtype, 2, 4, 4, 4),
            positive(dtype, 6, 2, 2, 2),
            wave(dtype, 6),
            groups=2,
        )
        case(
            f"{dtype}.depthwise",
            wave(dtype, 1, 3, 4, 4),
            positive(dtype, 6, 1, 3, 3),
            padding=(1,),
            groups=3,
        )
        case(f"{dtype}.pointwise", x, positive(dtype, 4, 3, 1, 1), bias)
        case(f"{dtype}.pointwise_stride", x, positive(dtype, 4, 3, 1, 1), stride=(2,))
        case(f"{dtype}.whole", x, positive(dtype, 2, 3, 5, 6))
        case(
            f"{dtype}.far_outside",
            wave(dtype, 1, 1, 2, 2),
            positive(dtype, 1, 1, 2, 2),
            padding=(4,),
        )
        case(f"{dtype}.long_stride", x, w, stride=(2**40,))
        case(f"{dtype}.no_batch", empty(dtype, 0, 3, 5, 6), w, bias)
        case(f"{dtype}.no_channels", empty(dtype, 2, 0, 5, 6), empty(dtype, 4, 0, 3, 2))
    for name, x, w in (
        ("turned", wave(F, 2, 3, 6, 5).then("transpose", 2, 3), positive(F, 4, 3, 3, 2)),
        ("channels_last", wave(F, 2, 5, 6, 3).then("permute", 0, 3, 1, 2), positive(F, 4, 3, 3, 2)),
        ("turned_weight", wave(F, 2, 3, 5, 6), positive(F, 4, 3, 2, 3).then("transpose", 2, 3)),
        ("cut", wave(F, 2, 3, 9, 6).then("slice", 2, 1, 9, 2), positive(F, 4, 3, 3, 2)),
        ("nan", T(F, [1, 1, 2, 3], [1, NAN, 2, INF, 3, 4]), positive(F, 1, 1, 1, 2)),
        ("wide", wave(F, 1, 2, 12, 40), positive(F, 1, 2, 3, 3)),
    ):
        case(name, x, w)
    case(
        "strided_bias",
        wave(F, 1, 2, 3, 3),
        wave(F, 2, 2, 2, 2),
        wave(F, 4).then("slice", 0, 0, 4, 2),
    )
    x, w = wave(F, 2, 3, 5, 6), positive(F, 4, 3, 3, 2)
    for name, *args in (
        ("matrix", wave(F, 5, 6), w),
        ("volume", wave(F, 1, 2, 3, 5, 6), w),
        ("weight_3d", x, wave(F, 3, 3, 2)),
        ("channels", wave(F, 2, 4, 5, 6), w),
        ("channels_no_batch", empty(F, 0, 4, 5, 6), w),
        ("bias_size", x, w, wave(F, 3)),
        ("bias_matrix", x, w, wave(F, 4, 1)),
        ("no_stride", x, w, NO_TENSOR, ()),
        ("no_padding", x, w, NO_TENSOR, (1,), ()),
        ("no_dilation", x, w, NO_TENSOR, (1,), (0,), ()),
        ("stride_of_three", x, w, NO_TENSOR, (1, 1, 1)),
        ("stride_0", x, w, NO_TENSOR, (0,)),
        ("stride_negative", x, w, NO_TENSOR, (1, -1)),
        ("padding_negative", x, w, NO_TENSOR, (1,), (-1,)),
        ("dilation_0", x, w, NO_TENSOR, (1,), (0,), (0,)),
        ("groups_0", x, w, NO_TENSOR, (1,), (0,), (1,), 0),
        ("groups_2", x, w, NO_TENSOR, (1,), (0,), (1,), 2),
        ("groups_made", x, wave(F, 4, 1, 3, 2), NO_TENSOR, (1,), (0,), (1,), 3),
        ("makes_nothing", x, empty(F, 0, 3, 3, 2)),
        ("kernel_too_large", x, wave(F, 4, 3, 6, 2)),
        ("dilation_too_large", x, w, NO_TENSOR, (1,), (0,), (3,)),
        ("no_window", x, empty(F, 4, 3, 0, 2)),
        ("no_rows", empty(F, 2, 3, 0, 6), w, NO_TENSOR, (1,), (2,)),
        ("dtypes", wave("f64", 2, 3, 5, 6), w),
        ("bias_dtype", x, w, wave("f64", 4)),
    ):
        case(f"bad.{name}", *args, fails="call")


def pool(b):
    b.open("nn")
    for kind in ("max_pool2d", "avg_pool2d"):
        symbol = NN + kind

        def case(name, x, kernel, stride=(), padding=(0,), symbol=symbol, **more):
            b.case(symbol, name, x, sizes(*kernel), sizes(*stride), sizes(*padding), **more)

        for dtype in ALL:
            if kind == "avg_pool2d" and dtype == "i32":
                case(dtype, wave(dtype, 1, 4, 4), (2,), fails="call")
                continue
            x = wave(dtype, 2, 3, 5, 7)
            case(f"{dtype}.plain", x, (2,))
            case(f"{dtype}.stride", x, (2, 3), (1, 2))
            case(f"{dtype}.stride_3", x, (2,), (3,))
            case(f"{dtype}.padding", x, (3, 4), (2, 1), (1, 2))
            case(f"{dtype}.one_image", wave(dtype, 3, 5, 7), (2, 3))
            case(f"{dtype}.whole", x, (5, 7))
            case(f"{dtype}.one", x, (1,))
            case(f"{dtype}.long_stride", x, (2,), (2**31 - 1,))
            case(f"{dtype}.padded_larger", x, (7, 9), (1,), (3, 4))
            case(f"{dtype}.no_batch", empty(dtype, 0, 3, 5, 7), (2,))
            case(f"{dtype}.turned", wave(dtype, 2, 7, 5).then("transpose", 1, 2), (2,))
        special = [NAN, 1, 2, -INF, -INF, -INF, INF, 0, -INF, -INF, 5, NAN]
        case("special", T(F, [1, 3, 4], special), (2,), (1,))
        case("minus_inf", T(F, [1, 2, 2], [-INF] * 4), (2,))
        case("i64.wraps", T("i64", [1, 2, 2], [2**62] * 4), (2,))
        case("i64.negative", T("i64", [1, 2, 2], [-1, -3, -4, -1]), (2,))
        case("i64.lowest", T("i64", [1, 2, 2], [-(2**63)] * 4), (2,), (1,), (1,))
        x = wave(F, 2, 3, 5, 7)
        for name, *args in (
            ("matrix", wave(F, 5, 7), (2,)),
            ("volume", wave(F, 1, 2, 3, 5, 7), (2,)),
            ("no_kernel", x, ()),
            ("kernel_of_three", x, (2, 2, 2)),
            ("stride_of_three", x, (2,), (1, 1, 1)),
            ("no_padding", x, (2,), (1,), ()),
            ("kernel_0", x, (0,), (1,)),
            ("kernel_negative", x, (-1,), (1,)),
            ("kernel_beyond_32_bits", x, (2**40,), (1,)),
            ("stride_0", x, (2,), (0,)),
            ("stride_negative", x, (2,), (-1,)),
            ("stride_beyond_32_bits", x, (2,), (2**31,)),
            ("padding_negative", x, (2,), (1,), (-1,)),
            ("padding_too_large", x, (3,), (1,), (2,)),
            ("padding_too_wide", x, (3, 1), (1,), (1,)),
            ("kernel_too_large", x, (6,)),
            ("no_channels", empty(F, 2, 0, 5, 7), (2,)),
            ("no_rows", empty(F, 2, 3, 0, 7), (2,), (1,), (1,)),
            ("no_rows_no_batch", empty(F, 0, 3, 0, 7), (2,), (1,), (1,)),
        ):
            case(f"bad.{name}", *args, fails="call")


def norm(b):
    b.open("nn")
    layer, batch = NN + "layer_norm", NN + "batch_norm"
    for dtype in FLOATS:
        x = wave(dtype, 2, 3, 4)
        w, bias = positive(dtype, 4), wave(dtype, 4, start=3)
        for name, x_, shape, w_, bias_, eps in (
            ("plain", x, (4,), NO_TENSOR, NO_TENSOR, 1e-5),
            ("both", x, (4,), w, bias, 1e-5),
            ("weight", x, (4,), w, NO_TENSOR, 1e-5),
            ("bias", x, (4,), NO_TENSOR, bias, 1e-5),
            ("two_dims", x, (3, 4), positive(dtype, 3, 4), wave(dtype, 3, 4, start=1), 1e-5),
            ("all_dims", x, (2, 3, 4), NO_TENSOR, NO_TENSOR, 1e-5),
            ("large_eps", x, (4,), w, bias, 2.5),
            ("negative_eps", x, (4,), w, bias, -100.0),
            ("same_numbers", T(dtype, [2, 3], [1] * 6), (3,), NO_TENSOR, NO_TENSOR, 0.0),
            ("one", wave(dtype, 3, 1), (1,), NO_TENSOR, NO_TENSOR, 1e-5),
            ("wide", wave(dtype, 2, 700), (700,), NO_TENSOR, NO_TENSOR, 1e-5),
            ("special", T(dtype, [3, 2], [1, NAN, 1, INF, 1, 2]), (2,), NO_TENSOR, NO_TENSOR, 1e-5),
            ("no_rows", empty(dtype, 0, 4), (4,), w, bias, 1e-5),
            ("no_numbers", empty(dtype, 2, 0), (0,), NO_TENSOR, NO_TENSOR, 1e-5),
            ("turned", wave(dtype, 4, 3).then("t"), (4,), w, bias, 1e-5),
            ("strided", wave(dtype, 3, 8).then("slice", 1, 0, 8, 2), (4,), w, bias, 1e-5),
            ("strided_weight", x, (4,), positive(dtype, 8).then("slice", 0, 0, 8, 2), bias, 1e-5),
        ):
            b.case(layer, f"{dtype}.{name}", x_, sizes(*shape), w_, bias_, eps)
    x = wave(F, 2, 3, 4)
    for name, x_, shape, w, bias in (
        ("no_shape", x, (), NO_TENSOR, NO_TENSOR),
        ("other_shape", x, (3,), NO_TENSOR, NO_TENSOR),
        ("longer_shape", x, (1, 2, 3, 4), NO_TENSOR, NO_TENSOR),
        ("negative_shape", x, (-1,), NO_TENSOR, NO_TENSOR),
        ("scalar", wave(F), (1,), NO_TENSOR, NO_TENSOR),
        ("weight", x, (4,), wave(F, 3), NO_TENSOR),
        ("weight_matrix", x, (4,), wave(F, 1, 4), NO_TENSOR),
        ("bias", x, (4,), NO_TENSOR, wave(F, 3)),
        ("dtypes", x, (4,), wave("f64", 4), NO_TENSOR),
        ("bias_dtype", x, (4,), wave(F, 4), wave("f64", 4)),
        ("ints", wave("i64", 4), (4,), NO_TENSOR, NO_TENSOR),
    ):
        b.case(layer, f"bad.{name}", x_, sizes(*shape), w, bias, 1e-5, fails="call")

    none4 = (NO_TENSOR,) * 4
    running = (Seen(1), Seen(2))
    for dtype in FLOATS:
        x = wave(dtype, 2, 3, 2, 2)
        stats = (wave(dtype, 3), positive(dtype, 3))
        params = (positive(dtype, 3), wave(dtype, 3, start=5))
        for training in (False, True):
            for name, x_, tensors in (
                ("picture", x, (*stats, *params)),
                ("no_weight", x, (*stats, NO_TENSOR, params[1])),
                ("no_bias", x, (*stats, params[0], NO_TENSOR)),
                ("bare", x, (*stats, NO_TENSOR, NO_TENSOR)),
                ("matrix", wave(dtype, 4, 3), (*stats, *params)),
                ("line", wave(dtype, 2, 3, 5), (*stats, *params)),
                ("volume", wave(dtype, 2, 3, 2, 1, 2), (*stats, *params)),
                ("weight_in_other_shape", x, (*stats, positive(dtype, 1, 3), params[1])),
                ("no_batch", empty(dtype, 0, 3), (*stats, *params)),
                ("no_elements", empty(dtype, 2, 3, 0), (*stats, *params)),
                (
                    "no_channels",
                    empty(dtype, 2, 0),
                    (empty(dtype, 0), empty(dtype, 0), NO_TENSOR, NO_TENSOR),
                ),
                ("turned", wave(dtype, 3, 4).then("t"), (*stats, *params)),
                (
                    "channels_last",
                    wave(dtype, 2, 2, 2, 3).then("permute", 0, 3, 1, 2),
                    (*stats, *params),
                ),
                (
                    "strided_weight",
                    x,
                    (*stats, positive(dtype, 6).then("slice", 0, 0, 6, 2), params[1]),
                ),
                (
                    "one_channel",
                    wave(dtype, 4, 1),
                    (wave(dtype, 1), positive(dtype, 1), NO_TENSOR, NO_TENSOR),
                ),
            ):
                mode = "training" if training else "eval"
                b.case(
                    batch,
                    f"{dtype}.{mode}.{name}",
                    x_,
                    *tensors,
                    training,
                    0.1,
                    1e-5,
                    after=running,
                )
            b.case(
                batch,
                f"{dtype}.{mode}.large_eps",
                x,
                *stats,
                *params,
                training,
                0.5,
                3.0,
                after=running,
            )
            b.case(
                batch,
                f"{dtype}.{mode}.nan",
                T(dtype, [3, 2], [1, 2, NAN, 3, INF, 4]),
                wave(dtype, 2),
                positive(dtype, 2),
                NO_TENSOR,
                NO_TENSOR,
                training,
                0.1,
                1e-5,
                after=running,
            )
        for name, x_ in (
            ("no_statistics", x),
            ("no_statistics_turned", wave(dtype, 3, 4).then("t")),
        ):
            b.case(batch, f"{dtype}.training.{name}", x_, *none4, True, 0.1, 1e-5)
        b.case(batch, f"{dtype}.training.no_statistics_large_eps", x, *none4, True, 0.1, 3.0)
        b.case(
            batch,
            f"{dtype}.training.no_statistics_weight",
            x,
            NO_TENSOR,
            NO_TENSOR,
            *params,
            True,
            0.1,
            1e-5,
        )
        b.case(
            batch, f"{dtype}.training.nothing_at_all", empty(dtype, 0, 3), *none4, True, 0.1, 1e-5
        )
        b.case(
            batch, f"{dtype}.eval.one_value", wave(dtype, 1, 3), *stats, *params, False, 0.1, 1e-5
        )
    x, stats = wave(F, 2, 3), (wave(F, 3), positive(F, 3))
    for name, x_, mean, var, w, bias, training, eps in (
        ("eval_no_statistics", x, *none4, False, 1e-5),
        ("only_mean", x, stats[0], NO_TENSOR, NO_TENSOR, NO_TENSOR, False, 1e-5),
        ("only_var", x, NO_TENSOR, stats[1], NO_TENSOR, NO_TENSOR, True, 1e-5),
        ("one_value", wave(F, 1, 3), *stats, NO_TENSOR, NO_TENSOR, True, 1e-5),
        ("one_value_no_statistics", wave(F, 1, 3, 1, 1), *none4, True, 1e-5),
        ("vector", wave(F, 3), *stats, NO_TENSOR, NO_TENSOR, False, 1e-5),
        ("scalar", wave(F), *stats, NO_TENSOR, NO_TENSOR, False, 1e-5),
        ("mean_size", x, wave(F, 4), stats[1], NO_TENSOR, NO_TENSOR, False, 1e-5),
        ("mean_matrix", x, wave(F, 3, 1), stats[1], NO_TENSOR, NO_TENSOR, False, 1e-5),
        ("var_size", x, stats[0], wave(F, 4), NO_TENSOR, NO_TENSOR, True, 1e-5),
        ("weight_size", x, *stats, wave(F, 4), NO_TENSOR, False, 1e-5),
        ("bias_size", x, *stats, NO_TENSOR, wave(F, 4), True, 1e-5),
        ("dtypes", wave("f64", 2, 3), *stats, NO_TENSOR, NO_TENSOR, False, 1e-5),
        ("weight_dtype", x, *stats, wave("f64", 3), NO_TENSOR, True, 1e-5),
        ("ints", wave("i64", 2, 3), *none4, True, 1e-5),
        ("eps_0", x, *stats, NO_TENSOR, NO_TENSOR, False, 0.0),
        ("eps_negative", x, *stats, NO_TENSOR, NO_TENSOR, True, -1.0),
    ):
        after = [Seen(i) for i, y in ((1, mean), (2, var)) if y is not NO_TENSOR]
        b.case(
            batch,
            f"bad.{name}",
            x_,
            mean,
            var,
            w,
            bias,
            training,
            0.1,
            eps,
            fails="call",
            after=after,
        )


def running(b):
    """Statistics of a batch_norm that are parts of larger tensors, whose aliases change too."""
    b.open("nn")

    def case(name, x, mean, var, *after):
        b.case(
            NN + "batch_norm", f"running.{name}", x, mean, var, *none2, True, 0.3, 1e-5, after=after
        )

    none2 = (NO_TENSOR,) * 2
    for dtype in FLOATS:
        x, mean, var = wave(dtype, 2, 3, 4), wave(dtype, 3, start=4), positive(dtype, 3)
        first_two = ["slice", 0, 0, 2, 1]
        for state, pending in (("there", ()), ("pending", (["clone"],))):

            def made(t, *views, pending=pending):
                return T(t.dtype, t.shape, t.data, (*pending, *views))

            own, k = f"{dtype}.{state}", len(pending)
            case(
                f"{own}.views_of_them",
                x,
                made(mean),
                made(var),
                Seen(1),
                Seen(2),
                Seen(1, views=[first_two]),
                Seen(2, views=[["slice", 0, 1, 3, 1], ["unsqueeze", 0]]),
                Seen(2, views=[["slice", 0, 0, 3, 2]]),
            )
            case(
                f"{own}.rows",
                x,
                made(wave(dtype, 4, 3), ["slice", 0, 1, 2, 1], ["squeeze_dim", 0]),
                made(positive(dtype, 4, 3), ["slice", 0, 2, 3, 1], ["squeeze_dim", 0]),
                Seen(1),
                Seen(2),
                Seen(1, k),
                Seen(1, k + 1),
                Seen(2, k),
                Seen(2, k, [["slice", 0, 3, 4, 1]]),
                Seen(2, k, [["t"]]),
            )
            case(
                f"{own}.columns",
                x,
                made(wave(dtype, 3, 4), ["slice", 1, 2, 3, 1], ["squeeze_dim", 1]),
                made(positive(dtype, 3, 4), ["slice", 1, 3, 4, 1], ["squeeze_dim", 1]),
                Seen(1),
                Seen(2),
                Seen(1, k),
                Seen(1, k, [["transpose", 0, 1], ["slice", 0, 1, 4, 2]]),
                Seen(2, k),
                Seen(2, k, [["slice", 0, 1, 2, 1], ["slice", 1, 0, 4, 3]]),
            )
            case(
                f"{own}.every_other",
                x,
                made(wave(dtype, 7), ["slice", 0, 1, 7, 2]),
                made(positive(dtype, 23), ["slice", 0, 2, 23, 8]),
                Seen(1),
                Seen(2),
                Seen(1, k),
                Seen(1, k, [["slice", 0, 2, 6, 1]]),
                Seen(2, k),
                Seen(2, k, [["slice", 0, 1, 23, 3]]),
            )
            case(
                f"{own}.long",
                wave(dtype, 4, 20),
                made(wave(dtype, 20)),
                made(positive(dtype, 40), ["slice", 0, 0, 40, 2]),
                Seen(1),
                Seen(2),
                Seen(1, views=[["slice", 0, 1, 20, 3]]),
                Seen(2, k),
                Seen(2, views=[["slice", 0, 3, 20, 5]]),
            )


def dropout(b):
    """Made where libtorch draws by its own generator; on Intel processors it uses MKL's."""
    b.open("nn")
    symbol = NN + "dropout"
    for dtype in FLOATS:
        for p in (0.1, 0.5, 0.9, 1 / 3):
            for count in (1, 5, 17, 100) if p != 0.5 else (16, 1000):
                b.case(
                    symbol, f"{dtype}.{count}.{p}", positive(dtype, count), p, True, seed=count + 3
                )
        for name, x in (
            ("scalar", positive(dtype)),
            ("block", wave(dtype, 2, 3, 4)),
            ("turned", positive(dtype, 3, 4).then("t")),
            ("permuted", positive(dtype, 2, 3, 4).then("permute", 2, 0, 1)),
            ("strided", positive(dtype, 4, 6).then("slice", 1, 0, 6, 2)),
            ("turned_and_cut", positive(dtype, 6, 4).then("t").then("slice", 1, 0, 6, 2)),
            ("special", vec(dtype, NAN, INF, -INF, 0.0, -0.0, 1)),
        ):
            b.case(symbol, f"{dtype}.{name}", x, 0.5, True, seed=11)
        b.case(symbol, f"{dtype}.all", vec(dtype, 1, -1, NAN, INF), 1.0, True, seed=1)
        b.case(
            symbol,
            f"{dtype}.after_randn",
            positive(dtype, 5),
            0.5,
            True,
            seed=2,
            before=[("rt_torch_tensor_randn", sizes(3))],
        )
        b.case(
            symbol,
            f"{dtype}.after_dropout",
            positive(dtype, 5),
            0.5,
            True,
            seed=2,
            before=[(symbol, positive(dtype, 3), 0.5, True)],
        )
        b.case(
            symbol,
            f"{dtype}.nothing_drawn_before",
            positive(dtype, 5),
            0.5,
            True,
            seed=2,
            before=[
                (symbol, positive(dtype, 3), p, on)
                for p, on in ((0.0, True), (1.0, True), (0.5, False))
            ],
        )
    for dtype in ALL:
        b.case(symbol, f"{dtype}.empty", empty(dtype, 0), 0.5, True, seed=1)
        b.case(symbol, f"{dtype}.not_training", wave(dtype, 4), 0.5, False, seed=1)
        b.case(symbol, f"{dtype}.never", wave(dtype, 4), 0.0, True, seed=1)
        b.case(symbol, f"{dtype}.always", wave(dtype, 4), 1.0, True, seed=1)
    for dtype in INTS:
        b.case(symbol, f"bad.{dtype}", wave(dtype, 4), 0.5, True, fails="call")
    for name, p in (("above_one", 1.5), ("negative", -0.1), ("nan", NAN)):
        for training in (True, False):
            b.case(symbol, f"bad.{name}.{training}", wave(F, 4), p, training, fails="call")
