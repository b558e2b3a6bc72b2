"""Golden cases: gradients of zeros, which are not missing ones, and gradients without elements."""

import torch

from golden_calls import Net
from golden_values import FLOATS


class Parts:
    """Calls with leaves of their own, whose results are summed to one loss."""

    def __init__(self, net):
        self.net, self.sums = net, []

    def leaf(self, *shape):
        return self.net.parameter(f"x{len(self.net.leaves)}", *shape)

    def ints(self, *shape):
        name = f"i{len(self.net.tensors)}"
        return self.net.given(name, torch.zeros(shape, dtype=torch.int64), "i64")

    def add(self, result):
        self.sums.append(self.net.sum_tensor(result))

    def loss(self):
        return self.net.sum_tensor(self.net.stack(self.sums, 0))


def flat(n):
    """The result is constant or a step function of the operand."""
    p = Parts(n)
    p.add(n.pow(p.leaf(3), 0.0))
    p.add(n.pow(n.leaf(n.given("edges", torch.tensor([0.0, float("inf"), float("nan")]))), -0.0))
    p.add(n.mul_scalar(p.leaf(3), 0.0))
    p.add(n.leaky_relu(n.leaf(n.given("below", torch.tensor([-2.0, -0.5]))), 0.0))
    p.add(n.relu(n.leaf(n.given("cut", torch.tensor([-2.0, 0.0])))))
    p.add(n.dropout(p.leaf(4), 1.0, True))
    p.add(n.softmax(p.leaf(2, 1), 1))
    p.add(n.log_softmax(p.leaf(2, 1), 1))
    p.add(n.layer_norm(p.leaf(2, 1), [1], p.leaf(1), p.leaf(1), 1e-5))
    p.add(n.norm_tensor(n.leaf(n.given("zeros", torch.zeros(2)))))
    p.add(n.cross_entropy_tensor(p.leaf(2, 3), n.ints("ignored", [-100, 1])))
    return p.loss()


def picked(n):
    """The result has no element of the operand."""
    p = Parts(n)
    p.add(n.slice(p.leaf(5), 0, 3, 3, 1))
    p.add(n.slice(p.leaf(2, 3), 1, 2, 1, 1))
    p.add(n.slice(p.leaf(2, 3), 0, 9, 12, 1))
    p.add(n.index_select(p.leaf(3, 2), 0, p.ints(0)))
    p.add(n.gather(p.leaf(3, 2), 0, p.ints(0, 2)))
    p.add(n.embedding(p.ints(2, 0), p.leaf(3, 2)))
    p.add(n.mul(p.leaf(3, 1), p.leaf(0)))
    p.add(n.div(p.leaf(1), p.leaf(0, 3)))
    p.add(n.matmul(p.leaf(0, 3), p.leaf(3, 2)))
    p.add(n.matmul(p.leaf(2, 3), p.leaf(3, 0)))
    p.add(n.matmul(p.leaf(0, 2, 3), p.leaf(3)))
    p.add(n.mse_loss_tensor(p.leaf(3, 2), p.leaf(3, 2)))
    return p.loss()


def joined(n):
    """Parts without elements: cat ignores those of one dimension."""
    p = Parts(n)
    p.add(n.cat([p.leaf(2), p.leaf(0), p.leaf(3)], 0))
    p.add(n.cat([p.leaf(0), p.leaf(2, 2), p.leaf(0)], -1))
    p.add(n.cat([p.leaf(0, 2), p.leaf(1, 2)], 0))
    p.add(n.cat([p.leaf(0), p.leaf(0)], 0))
    p.add(n.stack([p.leaf(0), p.leaf(0)], 1))
    return p.loss()


def sliced(n):
    """Slices of one tensor: neighbours in any order, with gaps, over each other, along other
    dimensions, with a step, and beside another use."""
    p = Parts(n)
    rows = [p.leaf(7, 4) for _ in range(6)]
    pieces = {
        0: [(0, 0, 3, 1), (0, 3, 7, 1)],
        1: [(0, 5, 7, 1), (0, 0, 2, 1), (0, 2, 5, 1)],
        2: [(1, 1, 2, 1), (1, 3, 4, 1)],
        3: [(0, 0, 4, 1), (0, 2, 7, 1)],
        4: [(0, 0, 3, 1), (1, 0, 3, 1)],
        5: [(0, 0, 3, 1), (0, 3, 7, 2), (0, 4, 4, 1), (0, 4, 6, 1)],
    }
    for i, row in enumerate(rows):
        for k, piece in enumerate(pieces[i]):
            p.add(n.mul_scalar(n.exp(n.slice(row, *piece)), k + 1.0))
    p.add(n.mul(rows[0], rows[5]))
    return p.loss()


def no_batch(n):
    """Layers on a batch without elements: their weights have gradients of zeros."""
    p = Parts(n)
    p.add(n.linear(p.leaf(0, 3), p.leaf(4, 3), p.leaf(4)))
    p.add(n.linear(p.leaf(2, 0, 3), p.leaf(4, 3), None))
    p.add(n.linear(p.leaf(2, 0), p.leaf(4, 0), p.leaf(4)))
    conv = ([1], [0], [1])
    p.add(n.conv2d(p.leaf(0, 2, 4, 4), p.leaf(3, 2, 3, 2), p.leaf(3), *conv, 1))
    p.add(n.conv2d(p.leaf(0, 4, 3, 3), p.leaf(4, 2, 2, 2), None, *conv, 2))
    p.add(n.conv2d(p.leaf(2, 0, 4, 4), p.leaf(3, 0, 3, 2), p.leaf(3), *conv, 1))
    p.add(n.max_pool2d(p.leaf(0, 2, 4, 4), [2], [1], [1]))
    p.add(n.avg_pool2d(p.leaf(0, 2, 4, 4), [2], [1], [1]))
    p.add(n.layer_norm(p.leaf(0, 3), [3], p.leaf(3), p.leaf(3), 1e-5))
    one = torch.ones(3, dtype=torch.float64)
    mean, var = n.given("mean", one), n.given("var", one)
    for training in (True, False):
        p.add(n.batch_norm(p.leaf(0, 3), mean, var, p.leaf(3), p.leaf(3), training, 0.1, 1e-5))
    p.add(n.batch_norm(p.leaf(2, 3, 0), None, None, p.leaf(3), p.leaf(3), True, 0.1, 1e-5))
    p.add(n.batch_norm(p.leaf(0, 3), None, None, None, p.leaf(3), True, 0.1, 1e-5))
    return p.loss()


def sure(n):
    """Binary cross entropy of probabilities so small that their reciprocals overflow."""
    least = n.given("least", torch.tensor([1e-40, 1e-30, 0.5], dtype=torch.float64))
    return n.binary_cross_entropy_tensor(least, n.leaf(n.given("facts", torch.ones(3))))


SLOPES = (flat, picked, joined, sliced, no_batch, sure)
