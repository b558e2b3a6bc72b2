"""Golden cases: small networks of the losses and layers in golden_losses.py and golden_layers.py,
for their gradients."""

import torch

import golden_networks

INF = float("inf")


def weighed(n, name, parts):
    """One number of all elements, each with its own weight."""
    joined = n.cat([n.flatten(part) for part in parts], 0)
    return n.sum_tensor(n.mul(joined, n.input(name, *joined.value.shape)))


def pair_losses(n):
    x, y = n.parameter("x", 3, 4), n.parameter("y", 3, 4)
    row, some = n.parameter("row", 4), n.leaf(n.positive("some", 3, 4))
    logs, shares = n.log_softmax(x, 1), n.softmax(y, 1)
    w, w_row = n.positive("w", 3, 4), n.input("w_row", 4)
    parts = [
        n.mse_loss_reduction(x, row, 2),
        n.l1_loss(x, y, 1),
        n.smooth_l1_loss(x, y, 0, 0.5),
        n.smooth_l1_loss(x, y, 1, 0.0),
        n.huber_loss(x, y, 2, 0.75),
        n.kl_div(logs, shares, 1, False),
        n.kl_div(logs, n.log_softmax(y, 1), 0, True),
        n.binary_cross_entropy_with_logits(x, n.sigmoid(y), w, w_row, 1),
        n.binary_cross_entropy_with_logits(x, n.sigmoid(y), None, None, 0),
        n.binary_cross_entropy_reduction(n.sigmoid(x), n.positive("facts", 3, 4), w_row, 0),
        n.poisson_nll_loss(x, some, True, False, 1e-8, 1),
        n.poisson_nll_loss(some, n.positive("counts", 3, 4), False, True, 0.5, 0),
        n.gaussian_nll_loss(x, y, some, True, 1e-6, 1),
    ]
    return weighed(n, "weights", parts)


def label_losses(n):
    x, y, z = (n.parameter(name, 4, 3) for name in "xyz")
    labels, four = n.ints("labels", [[1], [-1], [-1], [1]]), n.ints("four", [1, -1, -1, 1])
    parts = [
        n.hinge_embedding_loss(x, labels, 0.75, 0),
        n.margin_ranking_loss(x, y, labels, 0.25, 1),
        n.cosine_similarity(x, y, 1, 1e-8),
        n.cosine_similarity(x, n.slice(y, 0, 0, 1, 1), 0, 1e-8),
        n.cosine_embedding_loss(x, y, four, 0.125, 0),
        n.triplet_margin_loss(x, y, z, 1.0, 2.0, 1e-6, True, 0),
        n.triplet_margin_loss(x, y, z, 2.0, 3.0, 1e-6, False, 1),
        n.normalize(x, 2.0, 1, 1e-12),
        n.normalize(y, 1.0, 0, 1e-12),
        n.normalize(z, INF, -1, 1e-12),
    ]
    return weighed(n, "weights", parts)


def class_losses(n):
    x, w = n.parameter("x", 3, 4), n.positive("w", 4)
    line, lines = n.parameter("line", 2, 4, 2), n.ints("lines", [[0, 3], [-100, 1]])
    target = n.ints("target", [1, 3, 0])
    shares = n.softmax(n.parameter("shares", 3, 4), 1)
    parts = []
    for reduction in (0, 1, 2):
        parts += [
            n.cross_entropy_loss(x, target, w, reduction, 3, 0.0),
            n.cross_entropy_loss(line, lines, None, reduction, -100, 0.25),
            n.cross_entropy_loss(x, target, w, reduction, 0, 0.125),
            n.cross_entropy_loss(x, shares, w, reduction, -100, 0.5),
            n.cross_entropy_loss(x, shares, None, reduction, -100, 0.0),
            n.nll_loss_nd(n.log_softmax(line, 1), lines, w, reduction, -100),
        ]
    return weighed(n, "weights", parts)


def steep_losses(n):
    """Points where a slope is discontinuous, and far from them."""
    x = n.leaf(n.given("x", torch.tensor([0.0, 0.5, -0.5, 1.0, 40.0, -40.0])))
    zero = n.given("zero", torch.zeros(6))
    minus = n.ints("minus", [-1] * 6)
    parts = [
        n.l1_loss(x, zero, 0),
        n.smooth_l1_loss(x, zero, 0, 0.5),
        n.smooth_l1_loss(x, zero, 0, 0.0),
        n.huber_loss(x, zero, 0, 0.5),
        n.hinge_embedding_loss(x, minus, 1.0, 0),
        n.margin_ranking_loss(x, zero, minus, 0.5, 0),
        n.binary_cross_entropy_with_logits(x, zero, None, None, 0),
    ]
    return weighed(n, "weights", parts)


def attentions(n):
    q, k, v = n.parameter("q", 2, 3, 4), n.parameter("k", 2, 5, 4), n.parameter("v", 2, 5, 3)
    mask = n.parameter("mask", 3, 5)
    none = torch.tensor([[-INF] * 5, [0, -INF, 0, 0, -INF], [0] * 5])
    dead = n.given("dead", none)
    nan = float("nan")
    parts = [
        n.scaled_dot_product_attention(q, k, v, None, 0.0, False, nan),
        n.scaled_dot_product_attention(q, k, v, None, 0.0, True, 0.25),
        n.scaled_dot_product_attention(q, k, v, mask, 0.0, False, nan),
        n.scaled_dot_product_attention(q, k, v, dead, 0.0, False, nan),
    ]
    return weighed(n, "weights", parts)


def normalizations(n):
    x = n.parameter("x", 2, 4, 3)
    four = [n.parameter(f"four{i}", 4) for i in range(4)]
    parts = [
        n.group_norm(x, 2, four[0], four[1], 1e-5),
        n.group_norm(n.tanh(x), 4, None, None, 1e-3),
        n.instance_norm(x, four[2], four[3], 1e-5),
        n.rms_norm(x, [3], n.parameter("three", 3), 1e-5),
        n.rms_norm(n.exp(x), [4, 3], None, float("nan")),
        n.glu(x, 1),
    ]
    return weighed(n, "weights", parts)


def other_convolutions(n):
    row, picture = n.parameter("row", 2, 4, 5), n.parameter("picture", 1, 4, 3, 4)
    volume = n.parameter("volume", 1, 2, 3, 4, 3)
    bias = n.parameter("bias", 2)
    parts = [
        n.conv1d(row, n.parameter("w1", 2, 2, 3), bias, [2], [1], [1], 2),
        n.conv3d(volume, n.parameter("w3", 2, 1, 2, 2, 2), bias, [1, 2, 1], [1, 0, 1], [2, 1, 1], 2),
        n.conv_transpose1d(row, n.parameter("t1", 4, 1, 3), bias, [2], [1], [1], 2, [1]),
        n.conv_transpose2d(
            picture, n.parameter("t2", 4, 2, 2, 3), bias, [1, 2], [1, 0], [2, 1], 1, [3, 1]
        ),
        n.conv_transpose2d(picture, n.parameter("u2", 4, 1, 2, 2), bias, [2], [0], [0], 2, [1]),
        n.max_pool1d(row, [2], [], [1]),
        n.avg_pool1d(row, [3], [1], [1]),
    ]
    return weighed(n, "weights", parts)


def resampled(n):
    row, picture = n.parameter("row", 2, 3, 5), n.parameter("picture", 1, 4, 3, 4)
    parts = [
        n.adaptive_avg_pool1d(row, [3]),
        n.adaptive_max_pool1d(row, [2]),
        n.adaptive_avg_pool2d(picture, [2, 3]),
        n.adaptive_avg_pool1d(row, [7]),
        n.adaptive_max_pool1d(row, [4]),
        n.adaptive_max_pool1d(row, [8]),
        n.adaptive_avg_pool2d(picture, [1, 1]),
        n.adaptive_max_pool2d(picture, [3, 2]),
        n.adaptive_max_pool2d(picture, [2, 3]),
        n.upsample_nearest2d(picture, [6, 8]),
        n.upsample_nearest2d(picture, [4, 3]),
        n.upsample_bilinear2d(picture, [5, 6], False),
        n.upsample_bilinear2d(picture, [5, 3], True),
        n.unfold(picture, [2, 2], [2, 1], [1, 0], [1, 2]),
        n.fold(n.reshape(picture, [1, 8, 6]), [3, 4], [2, 2], [1, 1], [0, 0], [1, 1]),
        n.pixel_shuffle(picture, 2),
        n.pixel_unshuffle(n.slice(picture, 2, 0, 2, 1), 2),
    ]
    return weighed(n, "weights", parts)


def bags(n):
    table = n.parameter("table", 5, 3)
    rows, flat = n.ints("rows", [[1, 3, 1], [0, 1, 4]]), n.ints("flat", [1, 3, 1, 4])
    begins, factors = n.ints("begins", [0, 3, 3]), n.parameter("factors", 2, 3)
    parts = [n.embedding_bag(table, rows, None, mode, None, False) for mode in (0, 1, 2)]
    parts += [n.embedding_bag(table, flat, begins, mode, None, False) for mode in (0, 1)]
    parts.append(n.embedding_bag(table, rows, None, 0, factors, False))
    return weighed(n, "weights", parts)


def alignments(n):
    logs = n.log_softmax(n.parameter("x", 5, 2, 3), 2)
    targets = n.ints("targets", [[1, 1, 2], [2, 1, 0]])
    inputs, lengths = n.ints("inputs", [5, 4]), n.ints("lengths", [3, 2])
    parts = [n.ctc_loss(logs, targets, inputs, lengths, 0, r, False) for r in (0, 1)]
    return weighed(n, "weights", parts)


BODIES = (
    alignments,
    bags,
    pair_losses,
    label_losses,
    class_losses,
    steep_losses,
    attentions,
    normalizations,
    other_convolutions,
    resampled,
)


def networks(book):
    golden_networks.networks(book, BODIES)
