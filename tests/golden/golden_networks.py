"""Golden cases: small networks; each row of the table that has gradients is in one of them."""

import torch

from golden_calls import Net
import golden_choices
import golden_shapes
import golden_products
import golden_reductions
from golden_slopes import SLOPES
from golden_values import FLOATS, tensor_json

# ---- Fully connected: each loss, each activation

def mlp(n, activation, classes=3):
    x = n.parameter("x", 4, 3)
    w1, b1 = n.parameter("w1", 5, 3), n.parameter("b1", 5)
    w2, b2 = n.parameter("w2", classes, 5), n.parameter("b2", classes)
    hidden = getattr(n, activation)(n.linear(x, w1, b1))
    return n.linear(hidden, w2, b2)


def mlp_mse(n):
    return n.mse_loss_tensor(mlp(n, "relu"), n.input("target", 4, 3))


def mlp_mse_both_sides(n):
    return n.mse_loss_tensor(mlp(n, "gelu"), n.parameter("target", 4, 3))


def mlp_classes(n):
    return n.cross_entropy_tensor(mlp(n, "tanh"), n.ints("target", [2, -100, 0, 2]))


def mlp_probabilities(n):
    target = n.softmax(n.parameter("target", 4, 3), 1)
    return n.cross_entropy_tensor(mlp(n, "gelu"), target)


def mlp_binary(n):
    return n.binary_cross_entropy_tensor(n.sigmoid(mlp(n, "relu")), n.positive("target", 4, 3))


def mlp_nll(n):
    log_probabilities = n.log_softmax(mlp(n, "sigmoid"), 1)
    return n.nll_loss_tensor(log_probabilities, n.ints("target", [1, 1, -100, 0]))


def mlp_sum(n):
    return n.sum_tensor(n.leaky_relu(mlp(n, "tanh"), 0.25))


def mlp_mean(n):
    out = mlp(n, "gelu")
    return n.mean_tensor(n.mul(out, out))


def mlp_norm(n):
    return n.norm_tensor(mlp(n, "sigmoid"))


def mlp_written_out(n):
    """Without linear and without losses, as compiled programs compute."""
    x, y = n.input("x", 4, 3), n.input("y", 4, 2)
    w1, b1 = n.parameter("w1", 3, 5), n.parameter("b1", 5)
    w2, b2 = n.parameter("w2", 5, 2), n.parameter("b2", 1, 2)
    hidden = n.tanh(n.add(n.matmul(x, w1), b1))
    error = n.sub(n.add(n.matmul(hidden, w2), b2), y)
    return n.mean_tensor(n.pow(error, 2.0))


# ---- Images


def conv_training(n):
    x = n.parameter("x", 2, 2, 6, 6)
    w, b = n.parameter("w", 3, 2, 3, 3), n.parameter("b", 3)
    weight, bias = n.parameter("weight", 3), n.parameter("bias", 3)
    mean, var = n.input("mean", 3), n.positive("var", 3)
    out = n.conv2d(x, w, b, [1], [1], [1], 1)
    out = n.batch_norm(out, mean, var, weight, bias, True, 0.25, 1e-5)
    out = n.max_pool2d(n.relu(out), [2], [], [0])
    out = n.linear(n.reshape(out, [2, 27]), n.parameter("w2", 3, 27), n.parameter("b2", 3))
    return n.cross_entropy_tensor(out, n.ints("target", [2, 0]))


def conv_evaluation(n):
    x = n.parameter("x", 2, 2, 5, 6)
    w = n.parameter("w", 4, 2, 3, 2)
    weight, bias = n.parameter("weight", 4), n.parameter("bias", 4)
    mean, var = n.input("mean", 4), n.positive("var", 4)
    out = n.conv2d(x, w, None, [2, 1], [1, 0], [1], 1)
    out = n.batch_norm(out, mean, var, weight, bias, False, 0.25, 1e-3)
    out = n.avg_pool2d(n.gelu(out), [3, 2], [1, 2], [1])
    return n.mean_tensor(n.pow(out, 2.0))


def conv_groups(n):
    """Without weight, bias and statistics; one image without its batch dimension."""
    x = n.parameter("x", 2, 4, 5, 5)
    w, b = n.parameter("w", 4, 2, 2, 2), n.parameter("b", 4)
    out = n.batch_norm(n.conv2d(x, w, b, [1], [1], [2], 2), None, None, None, None, True, 0.1, 1e-5)
    depthwise = n.parameter("depthwise", 4, 1, 3, 3)
    first = n.squeeze_dim(n.slice(out, 0, 0, 1, 1), 0)
    out = n.conv2d(first, depthwise, None, [2], [1], [1], 4)
    return n.sum_tensor(n.mul(out, n.input("weights", 4, 3, 3)))


def pools(n):
    """Windows that overlap, windows that leave a border, and padding."""
    x = n.parameter("x", 1, 2, 5, 6)
    top = n.max_pool2d(x, [3, 2], [1], [1])
    mean = n.avg_pool2d(x, [2], [3, 2], [0])
    weighted = n.sum_tensor(n.mul(top, n.input("weights", *top.value.shape)))
    return n.add(weighted, n.norm_tensor(mean))


def batch_norm_of_vectors(n):
    x, weight = n.parameter("x", 5, 3), n.parameter("weight", 3)
    mean, var = n.input("mean", 3), n.positive("var", 3)
    out = n.batch_norm(x, mean, var, weight, None, True, 0.5, 1e-5)
    return n.sum_tensor(n.mul(out, n.input("weights", 5, 3)))


# ---- Sequences


def attention_block(n):
    """Pre-norm, two heads, a causal mask, a feed-forward part; 2 sequences of 3 by 4 features."""
    x = n.parameter("x", 2, 3, 4)
    mask = n.given("mask", torch.full((3, 3), -1e9, dtype=torch.float64).triu(1))
    normal = n.layer_norm(x, [4], n.parameter("g1", 4), n.parameter("h1", 4), 1e-5)

    def heads(name):
        flat = n.linear(normal, n.weight(name, 4, 4), None)
        return n.permute(n.reshape(flat, [2, 3, 2, 2]), [0, 2, 1, 3])

    q, k, v = heads("wq"), heads("wk"), heads("wv")
    scores = n.mul_scalar(n.matmul(q, n.transpose(k, 2, 3)), 0.5**0.5)
    mixed = n.matmul(n.softmax(n.add(scores, mask), 3), v)
    joined = n.reshape(n.permute(mixed, [0, 2, 1, 3]), [2, 3, 4])
    x = n.add(x, n.linear(joined, n.weight("wo", 4, 4), n.parameter("bo", 4)))
    normal = n.layer_norm(x, [4], n.parameter("g2", 4), n.parameter("h2", 4), 1e-5)
    wide = n.gelu(n.linear(normal, n.weight("w1", 6, 4), n.parameter("b1", 6)))
    out = n.add(x, n.linear(wide, n.weight("w2", 4, 6), n.parameter("b2", 4)))
    return n.mse_loss_tensor(out, n.input("target", 2, 3, 4))


def layer_norms(n):
    """Over two dimensions; without weight; without bias."""
    x = n.parameter("x", 2, 3, 4)
    out = n.layer_norm(x, [3, 4], n.parameter("weight", 3, 4), None, 1e-5)
    out = n.layer_norm(n.tanh(out), [4], None, None, 1e-2)
    return n.sum_tensor(n.mul(out, n.input("weights", 2, 3, 4)))


def embedding(n):
    table = n.parameter("table", 5, 3)
    found = n.embedding(n.ints("indices", [[1, 3, 1], [0, 1, 4]]), table)
    out = n.linear(n.mean_dim(found, 1, False), n.parameter("w", 2, 3), n.parameter("b", 2))
    return n.cross_entropy_tensor(out, n.ints("target", [1, 0]))


def tied_weights(n):
    """The table is also the output layer, so that one leaf is used twice."""
    table = n.parameter("table", 5, 3)
    found = n.tanh(n.embedding(n.ints("indices", [2, 2, 4]), table))
    return n.cross_entropy_tensor(n.matmul(found, n.t(table)), n.ints("target", [2, 4, 0]))


# ---- Shapes, indexing, joining


def shapes(n):
    x, y = n.parameter("x", 3, 4), n.parameter("y", 2, 4)
    both = n.cat([x, y, x], 0)
    cut = n.slice(n.transpose(both, 0, 1), 1, 1, 8, 3)
    boxed = n.unsqueeze(n.permute(n.reshape(cut, [2, 2, 3]), [2, 0, 1]), 1)
    stacked = n.stack([n.squeeze(boxed), n.contiguous(n.reshape(cut, [3, 2, 2]))], 1)
    flat = n.clone(n.flatten(n.squeeze_dim(n.unsqueeze(stacked, 0), 0)))
    return n.sum_tensor(n.mul(flat, n.input("weights", 24)))


def picks(n):
    x = n.parameter("x", 4, 3)
    rows = n.index_select(x, 0, n.ints("rows", [2, 0, 2, 3]))
    columns = n.index_select(rows, 1, n.ints("columns", [1, 1]))
    gathered = n.gather(x, 1, n.ints("where", [[0, 2], [2, 2], [1, 0]]))
    joined = n.cat([columns, gathered, n.view(n.slice(x, 0, 0, 2, 1), [3, 2])], 0)
    return n.mean_tensor(n.mul(joined, n.input("weights", 10, 2)))


def reductions(n):
    x = n.parameter("x", 3, 4)
    parts = [
        n.sum_dim(x, 0, True),
        n.mean_dim(x, -2, True),
        n.max_dim(x, 0, True),
        n.unsqueeze(n.min_dim(x, 0, False), 0),
    ]
    rows = n.sum_dim(n.mul(n.cat(parts, 0), n.input("weights", 4, 4)), 1, False)
    everything = n.mul(n.mean_tensor(x), n.norm_tensor(n.max_dim(x, 1, False)))
    return n.add(n.dot(rows, n.input("last", 4)), everything)


def ties(n):
    """Equal maxima, and points where a slope is discontinuous."""
    x = n.leaf(n.given("x", torch.tensor([[1.0, 2, 2, 0], [0, -1, 2, -1], [2, 2, 0, -1]])))
    image = n.unsqueeze(x, 0)
    parts = [
        n.flatten(n.max_dim(x, 1, False)),
        n.flatten(n.min_dim(x, 0, False)),
        n.flatten(n.max_pool2d(image, [2], [1], [0])),
        n.flatten(n.relu(x)),
        n.flatten(n.abs(x)),
        n.flatten(n.leaky_relu(x, 0.5)),
    ]
    joined = n.cat(parts, 0)
    return n.sum_tensor(n.mul(joined, n.input("weights", *joined.value.shape)))


# ---- Elementwise


def functions(n):
    x, y = n.leaf(n.positive("x", 7)), n.leaf(n.positive("y", 7))
    parts = [
        n.sin(x),
        n.cos(y),
        n.tan(x),
        n.asin(y),
        n.acos(x),
        n.atan2(x, y),
        n.exp(n.neg(x)),
        n.log(y),
        n.sqrt(x),
        n.pow(y, -1.5),
        n.abs(n.sub_scalar(x, 0.5)),
        n.div_scalar(n.add_scalar(y, 0.25), 3.0),
        n.div(x, y),
        n.sigmoid(n.mul(x, y)),
        n.log_softmax(n.sub(x, y), 0),
    ]
    out = n.stack(parts, 0)
    return n.sum_tensor(n.mul(out, n.input("weights", len(parts), 7)))


def broadcasts(n):
    """Each operand is once smaller than the result; some are 0-d."""
    x, row, column = n.parameter("x", 2, 3, 4), n.parameter("row", 4), n.parameter("column", 3, 1)
    one, scalar = n.leaf(n.positive("one", 2, 1, 1)), n.parameter("scalar")
    out = n.div(n.sub(n.mul(x, row), column), n.add_scalar(one, 1.0))
    out = n.add(n.atan2(row, n.add(out, scalar)), n.mul(scalar, column))
    return n.mean_tensor(n.mul(out, out))


def powers(n):
    """At 0 the slope of a square is 0, that of a square root infinite; x to the 0 has none."""
    x = n.leaf(n.given("x", torch.tensor([-1.5, 0.0, 2.0])))
    parts = [n.pow(x, 2.0), n.pow(x, 3.0), n.pow(x, 0.0), n.pow(x, 1.0)]
    return n.sum_tensor(n.mul(n.stack(parts, 0), n.input("weights", 4, 3)))


def products(n):
    """matmul of every pair of ranks, with leading dimensions broadcast."""
    many, some = n.parameter("many", 2, 1, 3, 2), n.parameter("some", 3, 2, 4)
    matrix, four, three = n.parameter("matrix", 2, 3), n.parameter("four", 4), n.parameter("three", 3)
    out = n.matmul(n.matmul(matrix, many), some)  # [2, 3, 2, 4]
    out = n.matmul(four, n.transpose(out, 2, 3))  # [2, 3, 2]
    out = n.matmul(three, n.matmul(out, matrix))  # [2, 3]
    return n.dot(n.matmul(out, three), n.matmul(matrix, three))


def solves(n):
    a = n.parameter("a", 2, 2)
    base = n.add(n.matmul(a, n.t(a)), n.given("eye", 2 * torch.eye(2)))
    x = n.linalg_solve(base, n.parameter("b", 2, 3))
    y = n.linalg_solve(base, n.parameter("c", 2))
    out = n.matmul(n.inverse(base), x)
    return n.add(n.norm_tensor(out), n.sum_tensor(n.mul(y, n.input("weights", 2))))


def mixed_dtypes(n):
    """A gradient has its leaf's dtype, whatever the dtypes between them."""
    other = "f32" if n.dtype == "f64" else "f64"
    x, y = n.parameter("x", 2, 3), n.parameter("y", 3, dtype=other)
    counts = n.ints("counts", [1, 2, 3])
    sum64 = n.add(n.mul(x, y), counts)
    low = n.to_float32(n.div(sum64, counts))
    back = n.mul(n.to_float(n.to_float32(low)), x)
    return n.mean_tensor(n.mul(back, n.to_float(n.tanh(low))))


# ---- Infinite and missing slopes


def edges(n):
    """Each call has its own leaf, so that a NaN stays in one gradient."""
    inf = float("inf")

    def leaf(*values):
        return n.leaf(n.given(f"x{len(n.leaves)}", torch.tensor(values)))

    parts = [
        n.sqrt(leaf(0.0, 4.0, -1.0)),
        n.log(leaf(0.0, 2.0, -1.0)),
        n.asin(leaf(1.0, -1.0, 2.0)),
        n.acos(leaf(1.0, -1.0, 2.0)),
        n.pow(leaf(0.0, 4.0, -1.0), 0.5),
        n.pow(leaf(0.0, 2.0, -2.0), -1.0),
        n.div(leaf(1.0, 0.0, -1.0), leaf(0.0, 0.0, 2.0)),
        n.atan2(leaf(0.0, 1.0, 0.0), leaf(0.0, 0.0, -1.0)),
        n.relu(leaf(inf, -inf, 0.0)),
        n.leaky_relu(leaf(inf, -inf, 0.0), 0.25),
        n.gelu(leaf(30.0, -30.0, 0.0)),
        n.softplus(leaf(30.0, -300.0, 0.0)),
        n.cumsum(leaf(1.0, 2.0, -3.0), 0),
        n.sigmoid(leaf(200.0, -200.0, 0.0)),
        n.tanh(leaf(200.0, -200.0, 0.0)),
        n.exp(leaf(-inf, -200.0, 0.0)),
        n.softmax(leaf(-inf, 1.0, 300.0), 0),
        n.log_softmax(leaf(-300.0, 1.0, 300.0), 0),
        n.mul(leaf(0.0, 1.0, 2.0), n.given("factors", torch.tensor([inf, inf, 0.0]))),
    ]
    zero_norm = n.norm_tensor(leaf(0.0, 0.0, 0.0))
    sure = n.leaf(n.given("sure", torch.tensor([0.0, 1.0, 1.0, 0.0])))
    losses = n.binary_cross_entropy_tensor(sure, n.given("facts", torch.tensor([0.0, 1, 0, 1])))
    all_ignored = n.cross_entropy_tensor(n.parameter("logits", 2, 3), n.ints("none", [-100, -100]))
    kept = n.mul_scalar(n.stack([zero_norm, losses, all_ignored], 0), 2.0)
    parts.append(kept)
    return n.sum_tensor(n.mul(n.stack(parts, 0), n.input("weights", len(parts), 3)))


def empties(n):
    """Leaves without elements have gradients without elements."""
    rows, x = n.parameter("rows", 0, 3), n.parameter("x", 2, 3)
    product = n.matmul(n.parameter("left", 2, 0), n.parameter("right", 0, 3))
    joined = n.cat([rows, x, n.slice(x, 0, 1, 1, 1), product], 0)
    sums = n.add(n.sum_dim(rows, 0, False), n.sum_dim(n.mul(joined, joined), 0, False))
    return n.sum_tensor(n.mul(sums, n.input("weights", 3)))


def odd_shapes(n):
    """Vectors and numbers where matrices are usual."""
    vector, matrix, scalar = n.parameter("v", 3), n.parameter("m", 2, 3), n.parameter("s")
    cube = n.parameter("c", 2, 2, 3)
    parts = [
        n.flatten(n.linear(vector, matrix, n.parameter("b", 2))),
        n.flatten(n.linear(cube, matrix, None)),
        n.flatten(n.linear(matrix, vector, None)),
        n.flatten(n.softmax(scalar, -1)),
        n.flatten(n.log_softmax(n.unsqueeze(vector, -1), -1)),
        n.flatten(n.sum_dim(scalar, 0, False)),
        n.flatten(n.max_dim(scalar, -1, True)),
        n.flatten(n.embedding(n.ints("one", 1), matrix)),
        n.flatten(n.gather(matrix, -1, n.ints("few", [[2, 2]]))),
        n.flatten(n.index_select(scalar, 0, n.ints("zero", [0]))),
        n.flatten(n.slice(cube, -1, -2, 9, 1)),
        n.flatten(n.permute(cube, [-1, 0, 1])),
        n.flatten(n.stack([scalar, scalar], -1)),
        n.flatten(n.t(vector)),
        n.flatten(n.layer_norm(cube, [2, 3], None, n.parameter("h", 2, 3), 1e-5)),
        n.flatten(n.batch_norm(cube, None, None, n.parameter("g", 2), None, True, 0.1, 1e-5)),
        n.flatten(n.mul(n.reshape(scalar, [1, 1]), vector)),
    ]
    joined = n.cat(parts, 0)
    return n.sum_tensor(n.mul(joined, n.input("weights", *joined.value.shape)))


def odd_losses(n):
    """One sample, samples with further dimensions, a target that broadcasts."""
    x = n.parameter("x", 2, 3, 2)
    classes = n.ints("classes", [[2, -100], [0, 1]])
    one = n.slice(n.flatten(x), 0, 0, 3, 1)
    parts = [
        n.cross_entropy_tensor(x, classes),
        n.nll_loss_tensor(n.log_softmax(x, 1), classes),
        n.cross_entropy_tensor(one, n.ints("class", 2)),
        n.nll_loss_tensor(n.log_softmax(one, 0), n.ints("other", 0)),
        n.cross_entropy_tensor(x, n.softmax(n.parameter("p", 2, 3, 2), 1)),
        n.mse_loss_tensor(x, n.parameter("row", 2)),
        n.mse_loss_tensor(x, n.mul(x, x)),
    ]
    return n.dot(n.stack(parts, 0), n.input("weights", len(parts)))


def promotions(n):
    """cat and stack of two dtypes: each part's gradient has that part's dtype."""
    other = "f32" if n.dtype == "f64" else "f64"
    x, y = n.parameter("x", 2, 2), n.parameter("y", 2, 2, dtype=other)
    counts = n.ints("counts", [[1, 2], [3, 4]])
    joined = n.cat([x, y, counts], 0)
    return n.sum_tensor(n.mul(n.stack([joined, n.mul(joined, joined)], 0), n.input("w", 2, 6, 2)))


# ---- Leaves that are used twice or not at all


def used_twice(n):
    x, w = n.parameter("x", 3), n.parameter("w", 3, 3)
    first = n.tanh(n.matmul(w, x))
    second = n.tanh(n.matmul(w, first))
    return n.dot(n.add(first, n.mul(x, x)), n.add(second, x))


def in_vain(n):
    """Leaves without influence on the loss, and one that enters it as a read number."""
    x = n.parameter("x", 3)
    n.parameter("unused", 2)
    n.exp(n.parameter("unseen", 2))
    best = n.argmax(n.parameter("judged", 3), 0, False)
    return n.sum_tensor(n.index_select(n.mul(x, x), 0, n.reshape(best, [1])))


def shared_trunk(n):
    """Two losses over one trunk; one of them does not depend on the other's head."""
    trunk = n.tanh(n.linear(n.input("x", 4, 3), n.parameter("w", 5, 3), n.parameter("b", 5)))
    numbers = n.linear(trunk, n.parameter("w1", 2, 5), n.parameter("b1", 2))
    classes = n.linear(trunk, n.parameter("w2", 3, 5), None)
    return [
        n.mse_loss_tensor(numbers, n.input("target1", 4, 2)),
        n.cross_entropy_tensor(classes, n.ints("target2", [0, 2, 1, 1])),
    ]


NETWORKS = (
    mlp_mse,
    mlp_mse_both_sides,
    mlp_classes,
    mlp_probabilities,
    mlp_binary,
    mlp_nll,
    mlp_sum,
    mlp_mean,
    mlp_norm,
    mlp_written_out,
    conv_training,
    conv_evaluation,
    conv_groups,
    pools,
    batch_norm_of_vectors,
    attention_block,
    layer_norms,
    embedding,
    tied_weights,
    shapes,
    picks,
    reductions,
    ties,
    functions,
    broadcasts,
    powers,
    products,
    solves,
    mixed_dtypes,
    edges,
    empties,
    odd_shapes,
    odd_losses,
    promotions,
    used_twice,
    in_vain,
    shared_trunk,
    *SLOPES,
    *golden_choices.NETWORKS,
    *golden_shapes.NETWORKS,
    *golden_reductions.NETWORKS,
    *golden_products.NETWORKS,
)


def networks(book, bodies=NETWORKS):
    """losses: gradients are those of their sum. after: tensors that calls changed in place."""
    book.open("training/networks")
    for body in bodies:
        gradients = {}
        for dtype in FLOATS:
            n = Net(body.__name__, dtype)
            losses = body(n)
            losses = losses if isinstance(losses, list) else [losses]
            sum(loss.value for loss in losses).backward()
            gradients[dtype] = [leaf.value.grad for leaf in n.leaves]
            expect = {
                "losses": [tensor_json(loss.value) for loss in losses],
                "gradients": {leaf.name: gradient_json(leaf.value.grad) for leaf in n.leaves},
            }
            after = {name: tensor_json(ref.value) for name, ref in n.tensors.items()}
            expect["after"] = {k: v for k, v in after.items() if v != n.tensors[k].given}
            book.cases.append(
                {
                    "name": f"{body.__name__}_{dtype}",
                    "tensors": n.given_json(),
                    "leaves": [leaf.name for leaf in n.leaves],
                    "calls": n.calls,
                    "losses": [loss.name for loss in losses],
                    "expect": expect,
                }
            )
        for single, double in zip(*gradients.values()):
            assert single is None or well_conditioned(single, double), body.__name__


def well_conditioned(single, double):
    """True if PyTorch's rounding error takes less than half of the tolerance."""
    bounds = {"rtol": 0.65e-6, "atol": 0.5e-5, "equal_nan": True}
    return torch.allclose(single.double(), double.double(), **bounds)


def gradient_json(gradient):
    return None if gradient is None else tensor_json(gradient)
