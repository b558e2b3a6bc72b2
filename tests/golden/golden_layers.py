"""Golden cases: attention, normalizations, bags of embeddings, dropout of channels, recurrent
networks. golden_images.py has those of layers over images."""

import math

import torch
import torch.nn.functional as F

from golden_images import convolutions, pools, resampling, transposed, windows
from golden_reference import NN, REFERENCE, RETURNS, require
from golden_values import (
    FLOATS,
    INF,
    INTS,
    NAN,
    NO_TENSOR,
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


def attention(q, k, v, mask, dropout, causal, scale):
    require(q.is_floating_point(), "no floating point")
    require(0 <= dropout <= 1, "no probability")
    scale = None if math.isnan(scale) else scale
    return F.scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale=scale)


def multi_head(
    q, k, v, heads, w, b, w_out, b_out, padding, mask, dropout, training, weights, causal
):
    if causal:
        require(mask is None, "two masks")
        mask = torch.full((q.size(0), k.size(0)), -INF, dtype=q.dtype).triu(1)
    out, shares = F.multi_head_attention_forward(
        q, k, v, q.size(-1), heads, w, b, None, None, False, dropout, w_out, b_out, training,
        padding, weights, mask,
    )
    return [out, shares] if weights else [out]


def group_norm(x, groups, w, b, eps):
    require(groups > 0, "no groups")
    return F.group_norm(x, groups, w, b, eps)


def rms_norm(x, shape, w, eps):
    require(x.is_floating_point() and (w is None or w.dtype == x.dtype), "one floating dtype")
    return F.rms_norm(x, shape, w, None if math.isnan(eps) else eps)


def floating(function):
    def checked(x, *args):
        require(x.is_floating_point(), "no floating point")
        return function(x, *args)

    return checked


def both(size):
    """One number stands for height and width; in aten it must be two."""
    return size * 2 if len(size) == 1 else size


def adaptive_avg_pool2d(x, size):
    require(x.size(-3) > 0, "no channels, which PyTorch takes for means alone")
    return F.adaptive_avg_pool2d(x, both(size))


def normalize(x, p, dim, eps):
    require(p > 0, "no such norm")
    return F.normalize(x, p, dim, eps)


def interpolate(x, size, factors, mode, align):
    require(x.is_floating_point(), "no floating point")
    require(mode != "linear" or x.dim() == 3, "no line")
    corners = None if mode == "nearest" and not align else align
    one = lambda items: items[0] if len(items) == 1 else items
    return F.interpolate(
        x, one(size) if size else None, one(factors) if factors else None, mode, corners
    )


def recurrent(name):
    def run(x, hx, params, biases, layers, dropout, train, both, first):
        require(x.dim() == 3, "no batch")
        parts = layers * (2 if both else 1) * (4 if biases else 2)
        require(layers > 0 and len(params) == parts, "other weights")
        taken = x.size(2)
        for state in hx if name == "lstm" else [hx]:  # which PyTorch's oneDNN kernel does not check
            features = params[1].size(1)
            batch = x.size(0 if first else 1)
            require(state.shape == (layers * (2 if both else 1), batch, features), "other state")
        require(params[0].size(1) == taken, "other features")
        return list(getattr(torch, name)(x, hx, params, biases, layers, dropout, train, both, first))

    return run


def embedding_bag(weight, indices, offsets, mode, factors, last):
    require(0 <= mode < 3, "no such mode")
    require(offsets is None or mode != 2, "only of rows")
    require(offsets is not None or indices.dim() == 2, "no bags")
    mode = ("sum", "mean", "max")[mode]
    return F.embedding_bag(
        indices, weight, offsets, None, 2, False, mode, False, factors, last
    )


REFERENCE.update(
    {
        NN + "unfold": floating(torch.ops.aten.im2col),
        NN + "fold": floating(torch.ops.aten.col2im),
        NN + "embedding_bag": embedding_bag,
        NN + "scaled_dot_product_attention": attention,
        NN + "multi_head_attention": multi_head,
        NN + "group_norm": group_norm,
        NN + "instance_norm": lambda x, w, b, eps: F.instance_norm(x, None, None, w, b, True, 0, eps),
        NN + "rms_norm": rms_norm,
        NN + "conv1d": torch.conv1d,
        NN + "conv3d": floating(torch.conv3d),
        NN + "conv_transpose1d": floating(torch.conv_transpose1d),
        NN + "conv_transpose2d": floating(torch.conv_transpose2d),
        NN + "max_pool1d": floating(F.max_pool1d),
        NN + "avg_pool1d": floating(F.avg_pool1d),
        NN + "adaptive_avg_pool1d": floating(torch.adaptive_avg_pool1d),
        NN + "adaptive_avg_pool2d": floating(adaptive_avg_pool2d),
        NN + "adaptive_max_pool1d": floating(lambda x, n: torch.adaptive_max_pool1d(x, n)[0]),
        NN + "adaptive_max_pool2d": floating(lambda x, n: F.adaptive_max_pool2d(x, both(n))),
        NN + "upsample_nearest2d": floating(torch.ops.aten.upsample_nearest2d),
        NN + "upsample_bilinear2d": floating(torch.ops.aten.upsample_bilinear2d),
        NN + "pixel_shuffle": torch.pixel_shuffle,
        NN + "pixel_unshuffle": torch.pixel_unshuffle,
        NN + "glu": F.glu,
        NN + "normalize": normalize,
        NN + "dropout1d": F.dropout1d,
        NN + "dropout2d": torch.feature_dropout,
        NN + "dropout3d": F.dropout3d,
        NN + "alpha_dropout": F.alpha_dropout,
        NN + "interpolate": interpolate,
        NN + "lstm": recurrent("lstm"),
        NN + "gru": recurrent("gru"),
        NN + "rnn_tanh": recurrent("rnn_tanh"),
        NN + "rnn_relu": recurrent("rnn_relu"),
        NN + "lstm_cell": lambda *args: list(torch.lstm_cell(*args)),
        NN + "gru_cell": torch.gru_cell,
        NN + "rnn_tanh_cell": torch.rnn_tanh_cell,
        NN + "rnn_relu_cell": torch.rnn_relu_cell,
    }
)
RETURNS.update(
    {
        NN + name: "handles"
        for name in (
            "multi_head_attention",
            "lstm",
            "gru",
            "rnn_tanh",
            "rnn_relu",
            "lstm_cell",
        )
    }
)


def attentions(b):
    b.open("nn")
    symbol = NN + "scaled_dot_product_attention"

    def case(name, q, k, v, mask=NO_TENSOR, dropout=0.0, causal=False, scale=NAN, **more):
        b.case(symbol, name, q, k, v, mask, dropout, causal, scale, **more)

    for dtype in FLOATS:
        q, k = wave(dtype, 2, 3, 4), wave(dtype, 2, 5, 4, start=7)
        v, mask = wave(dtype, 2, 5, 6, start=3), wave(dtype, 3, 5, start=2)
        case(f"{dtype}.plain", q, k, v)
        case(f"{dtype}.scale", q, k, v, scale=0.25)
        case(f"{dtype}.causal", q, k, v, causal=True)
        case(f"{dtype}.more_queries_causal", wave(dtype, 2, 7, 4), k, v, causal=True)
        case(f"{dtype}.mask", q, k, v, mask)
        case(f"{dtype}.f32_mask", q, k, v, wave(f, 3, 5, start=2))
        case(f"{dtype}.mask_of_keys", q, k, v, vec(dtype, 0, -INF, 1, 2, -INF))
        case(f"{dtype}.mask_of_queries", q, k, v, wave(dtype, 3, 1))
        case(f"{dtype}.scalar_mask", q, k, v, scalar(dtype, 3))
        case(f"{dtype}.masks", q, k, v, wave(dtype, 2, 3, 5, start=4))
        dead = T(dtype, [3, 5], [-INF] * 5 + [0, -INF, 0, 0, -INF] + [1, 2, 3, 4, 5])
        case(f"{dtype}.dead_query", q, k, v, dead)
        case(f"{dtype}.all_dead", q, k, v, T(dtype, [3, 5], [-INF] * 15))
        heads = wave(dtype, 2, 2, 3, 4), wave(dtype, 2, 2, 3, 4, start=5)
        case(f"{dtype}.heads", *heads, wave(dtype, 2, 2, 3, 4, start=9), causal=True)
        turned = wave(dtype, 3, 2, 4).then("transpose", 0, 1)
        case(f"{dtype}.turned", turned, k, v)
        case(f"{dtype}.matrices", wave(dtype, 3, 4), wave(dtype, 3, 4, start=2), wave(dtype, 3, 2))
        case(f"{dtype}.one_query_set", wave(dtype, 3, 4), k, v)
        case(f"{dtype}.no_keys", q, empty(dtype, 2, 0, 4), empty(dtype, 2, 0, 6))
        case(f"{dtype}.no_queries", empty(dtype, 2, 0, 4), k, v)
        case(f"{dtype}.no_features", empty(dtype, 2, 3, 0), empty(dtype, 2, 5, 0), v)
        special = T(dtype, [1, 2, 2], [NAN, 1, 2, 3])
        case(f"{dtype}.nan", special, wave(dtype, 1, 2, 2), wave(dtype, 1, 2, 2))
        case(f"{dtype}.nan_value", wave(dtype, 1, 2, 2), wave(dtype, 1, 2, 2), special)
        infinite = T(dtype, [1, 2, 2], [INF, 1, 2, -INF])
        case(f"{dtype}.inf_value", wave(dtype, 1, 2, 2), wave(dtype, 1, 2, 2), infinite)
        case(f"{dtype}.dropped", q, k, v, dropout=1.0)
    q, k, v = wave(f, 2, 3, 4), wave(f, 2, 5, 4), wave(f, 2, 5, 6)
    for name, *args in (
        ("vector", wave(f, 4), k, v),
        ("key_vector", q, wave(f, 4), v),
        ("value_vector", q, k, wave(f, 5)),
        ("features", wave(f, 2, 3, 3), k, v),
        ("rows", q, k, wave(f, 2, 4, 6)),
        ("batch", wave(f, 3, 3, 4), k, v),
        ("value_batch", q, k, wave(f, 3, 5, 6)),
        ("dtypes", wave("f64", 2, 3, 4), k, v),
        ("ints", wave("i64", 2, 3, 4), wave("i64", 2, 5, 4), wave("i64", 2, 5, 6)),
        ("mask_sizes", q, k, v, wave(f, 3, 4)),
        ("mask_batch", q, k, v, wave(f, 3, 3, 5)),
        ("mask_larger", q, k, v, wave(f, 2, 2, 3, 5)),
        ("mask_dtype", q, k, v, wave("f64", 3, 5)),
        ("mask_ints", q, k, v, wave("i64", 3, 5)),
        ("two_masks", q, k, v, wave(f, 3, 5), 0.0, True),
        ("dropout", q, k, v, NO_TENSOR, 1.5),
        ("dropout_nan", q, k, v, NO_TENSOR, NAN),
    ):
        case(f"bad.{name}", *args, fails="call")

    symbol = NN + "multi_head_attention"

    def heads(
        name, q, k, v, w, bias, w_out, b_out, count=2, padding=NO_TENSOR, mask=NO_TENSOR,
        weights=True, causal=False, **more,
    ):
        b.case(
            symbol, name, q, k, v, count, w, bias, w_out, b_out, padding, mask, 0.0, True, weights,
            causal, **more,
        )

    for dtype in FLOATS:
        def small(*shape, start=0):
            made = wave(dtype, *shape, start=start)
            return T(dtype, made.shape, [x / 4 for x in made.data])

        q, k = small(3, 2, 4), small(5, 2, 4, start=7)
        v, w, bias = small(5, 2, 4, start=3), small(12, 4, start=5), small(12, start=2)
        w_out, b_out = small(4, 4, start=8), small(4, start=1)
        rest = (w, bias, w_out, b_out)
        for weights in (False, True):
            for count in (1, 2, 4):
                heads(f"{dtype}.{count}.{weights}", q, k, v, *rest, count, weights=weights)
            heads(f"{dtype}.causal.{weights}", q, q, q, *rest, causal=True, weights=weights)
            heads(f"{dtype}.mask.{weights}", q, k, v, *rest, mask=small(3, 5), weights=weights)
            heads(f"{dtype}.masks.{weights}", q, k, v, *rest, mask=small(4, 3, 5), weights=weights)
            padding = T(dtype, [2, 5], [0, 0, -INF, 0, 0, 0, 0, 0, -INF, -INF])
            heads(f"{dtype}.padding.{weights}", q, k, v, *rest, padding=padding, weights=weights)
            heads(
                f"{dtype}.both.{weights}", q, k, v, *rest, padding=padding, mask=small(3, 5),
                weights=weights,
            )
        heads(f"{dtype}.no_bias", q, k, v, w, NO_TENSOR, w_out, NO_TENSOR)
        heads(f"{dtype}.sequence", small(3, 4), small(5, 4), small(5, 4, start=3), *rest)
        heads(f"{dtype}.sequence_out", small(3, 4), small(5, 4), small(5, 4), *rest, weights=False)
    q, w, w_out = wave(f, 3, 2, 4), wave(f, 12, 4), wave(f, 4, 4)
    for name, *args in (
        ("heads", q, q, q, w, NO_TENSOR, w_out, NO_TENSOR, 3),
        ("no_heads", q, q, q, w, NO_TENSOR, w_out, NO_TENSOR, 0),
        ("weight", q, q, q, wave(f, 8, 4), NO_TENSOR, w_out, NO_TENSOR),
        ("rank", wave(f, 4), q, q, w, NO_TENSOR, w_out, NO_TENSOR),
        ("features", q, wave(f, 3, 2, 3), wave(f, 3, 2, 3), w, NO_TENSOR, w_out, NO_TENSOR),
        ("value", q, q, wave(f, 5, 2, 4), w, NO_TENSOR, w_out, NO_TENSOR),
        ("batch", q, wave(f, 3, 3, 4), wave(f, 3, 3, 4), w, NO_TENSOR, w_out, NO_TENSOR),
        ("out", q, q, q, w, NO_TENSOR, wave(f, 4, 3), NO_TENSOR),
    ):
        heads(f"bad.{name}", *args, fails="call")


def norms(b):
    b.open("nn")
    group, instance, rms = NN + "group_norm", NN + "instance_norm", NN + "rms_norm"
    for dtype in FLOATS:
        x = wave(dtype, 2, 4, 3)
        w, bias = positive(dtype, 4), wave(dtype, 4, start=3)
        for name, x_, groups, w_, bias_, eps in (
            ("plain", x, 2, NO_TENSOR, NO_TENSOR, 1e-5),
            ("both", x, 2, w, bias, 1e-5),
            ("weight", x, 4, w, NO_TENSOR, 1e-5),
            ("bias", x, 1, NO_TENSOR, bias, 1e-5),
            ("large_eps", x, 2, w, bias, 2.5),
            ("rows", wave(dtype, 3, 4), 2, w, bias, 1e-5),
            ("picture", wave(dtype, 1, 4, 3, 2), 2, w, bias, 1e-5),
            ("few_numbers", wave(dtype, 3, 8), 4, *(positive(dtype, 8), NO_TENSOR), 1e-5),
            ("turned", wave(dtype, 2, 3, 4).then("transpose", 1, 2), 2, w, bias, 1e-5),
            ("strided_weight", x, 2, positive(dtype, 8).then("slice", 0, 0, 8, 2), bias, 1e-5),
            ("no_batch", empty(dtype, 0, 4, 3), 2, w, bias, 1e-5),
            ("nan", T(dtype, [1, 2, 2], [NAN, 1, 2, 4]), 2, NO_TENSOR, NO_TENSOR, 1e-5),
            ("inf", T(dtype, [1, 2, 2], [INF, 1, 2, 4]), 2, NO_TENSOR, NO_TENSOR, 1e-5),
            ("inf_bias", wave(dtype, 1, 2, 2), 2, NO_TENSOR, vec(dtype, INF, -INF), 1e-5),
        ):
            b.case(group, f"{dtype}.{name}", x_, groups, w_, bias_, eps)
        for name, x_, w_, bias_, eps in (
            ("plain", x, NO_TENSOR, NO_TENSOR, 1e-5),
            ("both", x, w, bias, 1e-5),
            ("weight", x, w, NO_TENSOR, 1e-5),
            ("bias", x, NO_TENSOR, bias, 1e-5),
            ("large_eps", x, w, bias, 2.5),
            ("picture", wave(dtype, 1, 4, 3, 2), w, bias, 1e-5),
            ("turned", wave(dtype, 2, 3, 4).then("transpose", 1, 2), w, bias, 1e-5),
            ("strided_weight", x, positive(dtype, 8).then("slice", 0, 0, 8, 2), bias, 1e-5),
            ("nan", T(dtype, [1, 2, 2], [NAN, 1, 2, 4]), NO_TENSOR, NO_TENSOR, 1e-5),
            ("inf", T(dtype, [1, 2, 2], [INF, 1, 2, 4]), NO_TENSOR, NO_TENSOR, 1e-5),
            ("inf_bias", wave(dtype, 1, 2, 2), NO_TENSOR, vec(dtype, INF, -INF), 1e-5),
            ("no_batch", empty(dtype, 0, 4, 3), NO_TENSOR, NO_TENSOR, 1e-5),
            ("no_numbers", empty(dtype, 3, 4, 0), w, bias, 1e-5),
        ):
            b.case(instance, f"{dtype}.{name}", x_, w_, bias_, eps)
        x, w = wave(dtype, 2, 3, 4), positive(dtype, 4)
        for name, x_, shape, w_, eps in (
            ("plain", x, (4,), NO_TENSOR, 1e-5),
            ("weight", x, (4,), w, 1e-5),
            ("own_eps", T(dtype, [2, 2], [1e-4, 1e-3, 0, 0]), (2,), NO_TENSOR, NAN),
            ("two_dims", x, (3, 4), positive(dtype, 3, 4), 1e-5),
            ("all_dims", x, (2, 3, 4), NO_TENSOR, 1e-5),
            ("large_eps", x, (4,), w, 2.5),
            ("vector", wave(dtype, 5), (5,), NO_TENSOR, 1e-5),
            ("one", wave(dtype, 3, 1), (1,), NO_TENSOR, 1e-5),
            ("no_rows", empty(dtype, 0, 4), (4,), w, 1e-5),
            ("turned", wave(dtype, 4, 3).then("t"), (4,), w, 1e-5),
            ("strided_weight", x, (4,), positive(dtype, 8).then("slice", 0, 0, 8, 2), 1e-5),
            ("nan", T(dtype, [2, 2], [NAN, 1, 2, 3]), (2,), NO_TENSOR, 1e-5),
            ("inf", T(dtype, [2, 2], [INF, 1, 2, 3]), (2,), NO_TENSOR, 1e-5),
            ("inf_weight", wave(dtype, 2, 2), (2,), vec(dtype, INF, -INF), 1e-5),
        ):
            b.case(rms, f"{dtype}.{name}", x_, sizes(*shape), w_, eps)
    x = wave(f, 2, 4, 3)
    for name, *args in (
        ("vector", wave(f, 4), 2, NO_TENSOR, NO_TENSOR, 1e-5),
        ("groups", x, 3, NO_TENSOR, NO_TENSOR, 1e-5),
        ("no_groups", x, 0, NO_TENSOR, NO_TENSOR, 1e-5),
        ("negative_groups", x, -2, NO_TENSOR, NO_TENSOR, 1e-5),
        ("weight", x, 2, wave(f, 3), NO_TENSOR, 1e-5),
        ("weight_matrix", x, 2, wave(f, 1, 4), NO_TENSOR, 1e-5),
        ("bias", x, 2, NO_TENSOR, wave(f, 3), 1e-5),
        ("dtypes", x, 2, wave("f64", 4), NO_TENSOR, 1e-5),
        ("bias_dtype", x, 2, wave(f, 4), wave("f64", 4), 1e-5),
        ("ints", wave("i64", 2, 4, 3), 2, NO_TENSOR, NO_TENSOR, 1e-5),
    ):
        b.case(group, f"bad.{name}", *args, fails="call")
    for name, *args in (
        ("matrix", wave(f, 2, 4), NO_TENSOR, NO_TENSOR, 1e-5),
        ("no_batch", empty(f, 0, 4, 3), wave(f, 4), NO_TENSOR, 1e-5),
        ("no_channels", empty(f, 3, 0, 4), NO_TENSOR, empty(f, 0), 1e-5),
        ("one_number", wave(f, 2, 4, 1), NO_TENSOR, NO_TENSOR, 1e-5),
        ("weight", x, wave(f, 3), NO_TENSOR, 1e-5),
        ("bias", x, NO_TENSOR, wave(f, 3), 1e-5),
        ("dtypes", x, wave("f64", 4), NO_TENSOR, 1e-5),
        ("bias_dtype", x, wave(f, 4), wave("f64", 4), 1e-5),
        ("ints", wave("i64", 2, 4, 3), NO_TENSOR, NO_TENSOR, 1e-5),
    ):
        b.case(instance, f"bad.{name}", *args, fails="call")
    x = wave(f, 2, 3, 4)
    for name, x_, shape, w in (
        ("no_shape", x, (), NO_TENSOR),
        ("other_shape", x, (3,), NO_TENSOR),
        ("longer_shape", x, (1, 2, 3, 4), NO_TENSOR),
        ("scalar", wave(f), (1,), NO_TENSOR),
        ("weight", x, (4,), wave(f, 3)),
        ("weight_matrix", x, (4,), wave(f, 1, 4)),
        ("dtypes", x, (4,), wave("f64", 4)),
        ("ints", wave("i64", 4), (4,), NO_TENSOR),
    ):
        b.case(rms, f"bad.{name}", x_, sizes(*shape), w, 1e-5, fails="call")

    symbol = NN + "normalize"
    for dtype in FLOATS:
        x = wave(dtype, 2, 3, 4)
        for p in (2.0, 1.0, 3.0, INF):
            for dim in (0, -1):
                b.case(symbol, f"{dtype}.{p}.{dim}", x, p, dim, 1e-12)
        b.case(symbol, f"{dtype}.zeros", T(dtype, [2, 2], [0, 0, 3, 4]), 2.0, 1, 1e-12)
        b.case(symbol, f"{dtype}.eps", x, 2.0, 1, 30.0)
        b.case(symbol, f"{dtype}.empty", empty(dtype, 0, 3), 2.0, 1, 1e-12)
        b.case(symbol, f"{dtype}.turned", wave(dtype, 3, 2).then("t"), 2.0, 1, 1e-12)
        b.case(symbol, f"{dtype}.nan", T(dtype, [2, 2], [NAN, 1, 3, 4]), 2.0, 1, 1e-12)
    x = wave(f, 2, 3)
    b.case(symbol, "bad.dim", x, 2.0, 2, 1e-12, fails="call")
    b.case(symbol, "bad.p", x, 0.0, 1, 1e-12, fails="call")
    b.case(symbol, "bad.ints", wave("i64", 2), 2.0, 0, 1e-12, fails="call")

    symbol = NN + "glu"
    for dtype in FLOATS:
        for name, x, dim in (
            ("last", wave(dtype, 2, 4), -1),
            ("first", wave(dtype, 4, 3), 0),
            ("middle", wave(dtype, 2, 6, 5), 1),
            ("vector", wave(dtype, 2), 0),
            ("empty", empty(dtype, 0, 4), 1),
            ("empty_dim", empty(dtype, 3, 0), 1),
            ("turned", wave(dtype, 4, 3).then("t"), 1),
            ("nan", vec(dtype, NAN, 1, 2, NAN), 0),
            ("inf", vec(dtype, INF, -INF, 2, 3), 0),
        ):
            b.case(symbol, f"{dtype}.{name}", x, dim)
    for name, x, dim in (
        ("odd", wave(f, 3), 0),
        ("scalar", wave(f), 0),
        ("dim", wave(f, 2, 2), 2),
        ("dim_negative", wave(f, 2, 2), -3),
        ("ints", wave("i64", 2), 0),
    ):
        b.case(symbol, f"bad.{name}", x, dim, fails="call")


def channel_dropout(b):
    b.open("nn")
    for name, shapes in (
        ("dropout1d", ((3, 4, 2), (4, 3))),
        ("dropout2d", ((3, 4, 2, 2), (2, 3, 2))),
        ("dropout3d", ((2, 5, 2, 1, 2), (5, 2, 1, 2))),
        ("alpha_dropout", ((20,), (3, 4), ())),
    ):
        symbol = NN + name
        for dtype in FLOATS:
            for shape in shapes:
                x = wave(dtype, *shape)
                for p in (0.0, 0.25, 0.5, 1.0):
                    b.case(symbol, f"{dtype}.{shape}.{p}", x, p, True, seed=5)
                b.case(symbol, f"{dtype}.{shape}.not_training", x, 0.5, False, seed=5)
            none = empty(dtype, 0, *shapes[0][1:])
            b.case(symbol, f"{dtype}.empty", none, 0.5, True, seed=5)
        for p in (-0.5, 1.5):
            b.case(symbol, f"bad.p.{p}", wave(f, *shapes[0]), p, True, fails="call")
        ints = wave("i64", *shapes[0])
        b.case(symbol, "bad.ints", ints, 0.5, True, fails="call")


def recurrences(b):
    b.open("nn")
    gates = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}

    def small(dtype, *shape, start=0):
        made = wave(dtype, *shape, start=start)
        return T(dtype, made.shape, [x / 4 for x in made.data])

    def state(name, dtype, *shape):
        if name != "lstm":
            return small(dtype, *shape, start=3)
        return tensors(small(dtype, *shape, start=3), small(dtype, *shape, start=8))

    def weights(dtype, rows, features, taken, biases, layers, both):
        made = []
        for part in range(layers * (2 if both else 1)):
            first = part < (2 if both else 1)
            size = taken if first else features * (2 if both else 1)
            made.append(small(dtype, rows, size, start=part))
            made.append(small(dtype, rows, features, start=part + 5))
            if biases:
                made.append(small(dtype, rows, start=part + 2))
                made.append(small(dtype, rows, start=part + 9))
        return tensors(*made)

    for name, count in gates.items():
        symbol = NN + name
        for dtype in FLOATS:
            for case, biases, layers, both, first in (
                ("plain", True, 1, False, False),
                ("no_bias", False, 1, False, False),
                ("layers", True, 2, False, False),
                ("both", True, 1, True, False),
                ("batch_first", True, 1, False, True),
                ("all", True, 2, True, True),
            ):
                x = small(dtype, 2, 5, 3) if first else small(dtype, 5, 2, 3)
                h = state(name, dtype, layers * (2 if both else 1), 2, 4)
                w = weights(dtype, 4 * count, 4, 3, biases, layers, both)
                b.case(
                    symbol, f"{dtype}.{case}", x, h, w, biases, layers, 0.0, True, both, first
                )
            w = weights(dtype, 4 * count, 4, 3, True, 2, False)
            h = state(name, dtype, 2, 2, 4)
            x = small(dtype, 5, 2, 3)
            b.case(symbol, f"{dtype}.not_training", x, h, w, True, 2, 0.5, False, False, False)
            one = small(dtype, 1, 2, 3)
            b.case(symbol, f"{dtype}.one_step", one, h, w, True, 2, 0.0, True, False, False)
            turned = small(dtype, 2, 5, 3).then("transpose", 0, 1)
            b.case(symbol, f"{dtype}.turned", turned, h, w, True, 2, 0.0, True, False, False)
            special = T(dtype, [1, 2, 3], [NAN, 1, 2, 3, 4, 5])
            b.case(symbol, f"{dtype}.nan", special, h, w, True, 2, 0.0, True, False, False)
        w, h = weights(f, 4 * count, 4, 3, True, 1, False), state(name, f, 1, 2, 4)
        x = small(f, 5, 2, 3)
        rest = (True, 1, 0.0, True, False, False)
        for case, args in {
            "matrix": (small(f, 5, 3), h, w, *rest),
            "features": (small(f, 5, 2, 4), h, w, *rest),
            "no_steps": (empty(f, 0, 2, 3), h, w, *rest),
            "state_batch": (x, state(name, f, 1, 3, 4), w, *rest),
            "state_layers": (x, state(name, f, 2, 2, 4), w, *rest),
            "state_features": (x, state(name, f, 1, 2, 5), w, *rest),
            "weights": (x, h, w, True, 2, 0.0, True, False, False),
            "no_biases": (x, h, w, False, 1, 0.0, True, False, False),
            "no_layers": (x, h, w, True, 0, 0.0, True, False, False),
            "dtypes": (small("f64", 5, 2, 3), h, w, *rest),
        }.items():
            b.case(symbol, f"bad.{case}", *args, fails="call")

    for name, count in gates.items():
        symbol = NN + name + "_cell"
        for dtype in FLOATS:
            x, h = small(dtype, 2, 3), state(name, dtype, 2, 4)
            w_ih, w_hh = small(dtype, 4 * count, 3, start=2), small(dtype, 4 * count, 4, start=7)
            b_ih, b_hh = small(dtype, 4 * count, start=4), small(dtype, 4 * count, start=1)
            b.case(symbol, f"{dtype}.plain", x, h, w_ih, w_hh, b_ih, b_hh)
            b.case(symbol, f"{dtype}.no_bias", x, h, w_ih, w_hh, NO_TENSOR, NO_TENSOR)
            turned = small(dtype, 3, 2).then("t")
            b.case(symbol, f"{dtype}.turned", turned, h, w_ih, w_hh, b_ih, b_hh)
            special = T(dtype, [2, 3], [NAN, 1, 2, 3, 4, 5])
            b.case(symbol, f"{dtype}.nan", special, h, w_ih, w_hh, b_ih, b_hh)
        x, h = small(f, 2, 3), state(name, f, 2, 4)
        w_ih, w_hh = small(f, 4 * count, 3), small(f, 4 * count, 4)
        for case, args in {
            "features": (small(f, 2, 4), h, w_ih, w_hh, NO_TENSOR, NO_TENSOR),
            "batch": (small(f, 3, 3), h, w_ih, w_hh, NO_TENSOR, NO_TENSOR),
            "state": (x, state(name, f, 2, 5), w_ih, w_hh, NO_TENSOR, NO_TENSOR),
            "weight": (x, h, small(f, 3, 3), w_hh, NO_TENSOR, NO_TENSOR),
            "bias": (x, h, w_ih, w_hh, small(f, 3), small(f, 3)),
            "dtypes": (small("f64", 2, 3), h, w_ih, w_hh, NO_TENSOR, NO_TENSOR),
        }.items():
            b.case(symbol, f"bad.{case}", *args, fails="call")


def bags(b):
    b.open("nn")
    symbol = NN + "embedding_bag"
    for dtype in FLOATS:
        table = wave(dtype, 6, 3)
        for kind in INTS:
            rows = T(kind, [2, 4], [0, 5, 2, 2, 1, 0, 3, 4])
            flat = T(kind, [7], [0, 5, 2, 2, 1, 0, 3])
            begins = T(kind, [4], [0, 3, 3, 5])
            for mode in (0, 1, 2):
                name = f"{dtype}.{kind}.{mode}"
                b.case(symbol, name + ".rows", table, rows, NO_TENSOR, mode, NO_TENSOR, False)
                if mode < 2:
                    b.case(symbol, name + ".cut", table, flat, begins, mode, NO_TENSOR, False)
                    last = T(kind, [5], [0, 3, 3, 5, 7])
                    b.case(symbol, name + ".last", table, flat, last, mode, NO_TENSOR, True)
            w = positive(dtype, 2, 4)
            b.case(symbol, f"{dtype}.{kind}.weighted", table, rows, NO_TENSOR, 0, w, False)
            w = positive(dtype, 7)
            b.case(symbol, f"{dtype}.{kind}.weighted_cut", table, flat, begins, 0, w, False)
        turned = wave(dtype, 3, 6).then("t")
        rows = T("i64", [2, 2], [0, 5, 2, 2])
        b.case(symbol, f"{dtype}.turned", turned, rows, NO_TENSOR, 1, NO_TENSOR, False)
    table, rows = wave(f, 6, 3), T("i64", [2, 2], [0, 5, 2, 2])
    flat = vec("i64", 0, 5, 2)
    for name, *args in (
        ("mode", table, rows, NO_TENSOR, 3, NO_TENSOR, False),
        ("flat", table, flat, NO_TENSOR, 0, NO_TENSOR, False),
        ("rows_cut", table, rows, vec("i64", 0, 1), 0, NO_TENSOR, False),
        ("max_cut", table, flat, vec("i64", 0, 1), 2, NO_TENSOR, False),
        ("weighted_mean", table, rows, NO_TENSOR, 1, positive(f, 2, 2), False),
        ("weights", table, rows, NO_TENSOR, 0, positive(f, 2), False),
        ("weight_dtype", table, rows, NO_TENSOR, 0, positive("f64", 2, 2), False),
        ("float_indices", table, wave(f, 2, 2), NO_TENSOR, 0, NO_TENSOR, False),
    ):
        b.case(symbol, f"bad.{name}", *args, fails="call")
    bad = T("i64", [2, 2], [0, 6, 2, 2])
    b.case(symbol, "bad.index", table, bad, NO_TENSOR, 0, NO_TENSOR, False, fails="run")


CASES = (
    windows,
    bags,
    attentions,
    norms,
    convolutions,
    transposed,
    pools,
    resampling,
    channel_dropout,
    recurrences,
)
