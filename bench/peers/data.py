"""data.py -- the workloads' data as numpy arrays: the numbers of bench/rt_bench/random.h.

Weights and images are laid out as PyTorch has them. Needs numpy.
"""
import functools
import math

import numpy as np

import workloads as w


class Random:
    """The numbers of bench/rt_bench/random.h, which are those of libstdc++'s distributions."""

    def __init__(self):
        self.engine = np.random.MT19937()
        self.engine._legacy_seeding(1)

    def raw(self, count):
        return self.engine.random_raw(count).astype(np.uint32)

    def unit(self, count):
        """From 0 to below 1, with 32 random bits before rounding."""
        values = self.raw(count).astype(np.float32) / np.float32(2**32)
        return np.minimum(values, np.nextafter(np.float32(1), np.float32(0)))

    def uniform(self, sizes, low, high):
        low, high = np.float32(low), np.float32(high)
        return (self.unit(math.prod(sizes)) * (high - low) + low).reshape(sizes)

    def normal(self, sizes, deviation=1.0):
        """Marsaglia's polar method, which uses up pairs until one lies in the unit circle."""
        count = math.prod(sizes)
        wanted = (count + 1) // 2
        state = self.engine.state
        tries = wanted * 2 + 100
        while True:
            pairs = self.unit(2 * tries).reshape(-1, 2) * np.float32(2) - np.float32(1)
            squares = pairs[:, 0] * pairs[:, 0] + pairs[:, 1] * pairs[:, 1]
            inside = np.flatnonzero((squares <= 1) & (squares != 0))[:wanted]
            self.engine.state = state
            if len(inside) == wanted:
                break
            tries *= 2
        self.raw(2 * (int(inside[-1]) + 1))
        squares = squares[inside]
        factor = np.sqrt(np.float32(-2) * np.log(squares) / squares)
        values = (pairs[inside, ::-1] * factor[:, None]).reshape(-1)[:count]
        return (values * np.float32(deviation)).reshape(sizes)

    def classes(self, count, end):
        return (self.raw(count) % end).astype(np.int64)


@functools.singledispatch
def fill(kind):
    """Gives the workload its data, as attributes."""
    raise TypeError(f"{type(kind).__name__} has no data")


def causal_mask(length):
    """Added to scores, so that no position sees a later one."""
    return np.triu(np.full((length, length), -1e9, np.float32), 1)


@fill.register
def _(kind: w.Chain):
    random = Random()
    kind.start = random.uniform(kind.sizes, 0, 1)
    kind.scale = random.uniform(kind.sizes, 0.1, 0.9)
    kind.shift = random.uniform(kind.sizes, -0.1, 0.1)


@fill.register
def _(kind: w.NewShapes):
    pass


@fill.register
def _(kind: w.Attention):
    random, width = Random(), kind.width
    kind.scale = 1 / math.sqrt(width)
    kind.input = random.normal((kind.batch, kind.length, width))
    # query, key, value, out: (weight, bias)
    kind.projections = [(random.normal((width, width), kind.scale), random.normal((width,), 0.1))
                        for _ in range(4)]
    kind.norm = random.uniform((width,), 0.5, 1.5), random.normal((width,), 0.1)


@fill.register
def _(kind: w.CausalAttention):
    random = Random()
    kind.query, kind.key, kind.value = (
        random.normal((kind.batch, kind.length, kind.width)) for _ in range(3))
    kind.mask = causal_mask(kind.length)


@fill.register
def _(kind: w.Mlp):
    random = Random()
    kind.parameters = []
    for inputs, outputs in zip(kind.widths, kind.widths[1:]):
        kind.parameters.append(random.normal((outputs, inputs), math.sqrt(2 / inputs)))
        kind.parameters.append(random.normal((outputs,), 0.01))
    kind.batches = [(random.normal((kind.batch, kind.widths[0])),
                     random.normal((kind.batch, kind.widths[-1]))) for _ in range(w.MINIBATCHES)]


@fill.register
def _(kind: w.ConvNet):
    random = Random()
    kind.parameters = []
    for sizes in ((16, 1, 3, 3), (32, 16, 3, 3), (10, 128)):
        fan_in = math.prod(sizes[1:])
        kind.parameters.append(random.normal(sizes, math.sqrt(2 / fan_in)))
        kind.parameters.append(random.normal(sizes[:1], 0.01))
    kind.batches = []
    for _ in range(w.MINIBATCHES):
        images = random.normal((kind.batch, 1, 8, 8))
        target = random.classes(kind.batch, 10)
        kind.batches.append((images, target))


@fill.register
def _(kind: w.Transformer):
    random, width = Random(), kind.width
    kind.mask = causal_mask(kind.length)
    # Two tables, then five linear layers, then three norms.
    kind.parameters = [random.normal((rows, width), 0.1)
                       for rows in (kind.vocabulary, kind.length)]
    for inputs, outputs in ((width, 3 * width), (width, width), (width, 4 * width),
                            (4 * width, width), (width, kind.vocabulary)):
        kind.parameters.append(random.normal((outputs, inputs), 1 / math.sqrt(inputs)))
        kind.parameters.append(random.normal((outputs,), 0.01))
    for _ in range(3):
        kind.parameters.append(random.uniform((width,), 0.9, 1.1))
        kind.parameters.append(random.normal((width,), 0.01))
    rows = kind.batch * kind.length
    kind.batches = []
    for _ in range(w.MINIBATCHES):
        characters = random.classes(rows, kind.vocabulary).reshape(kind.batch, kind.length)
        kind.batches.append((characters, random.classes(rows, kind.vocabulary)))


def digest(values):
    """Numbers to compare the results of systems by."""
    values = np.asarray(values, np.float32).reshape(-1)
    return [float(values.mean(dtype=np.float64)), float(values[0]),
            float(values[len(values) // 2]), float(values[-1])]
