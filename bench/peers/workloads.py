"""workloads.py -- the workloads of rt_bench that peers.py compares.

Shapes and order of ops are those of bench/rt_bench/workloads.h, training.h and table.h.
"""
import dataclasses

MINIBATCHES = 8
RATE, WEIGHT_DECAY = 1e-3, 0.01


# ---- kinds


@dataclasses.dataclass
class Chain:
    ops: int
    sizes: tuple
    costly: bool = False  # with exp and tanh, and its sum is read


@dataclasses.dataclass
class OneOp(Chain):
    """Op 1 of a chain, and a read of all elements."""

    ops: int = 1
    sizes: tuple = (16, 16)


@dataclasses.dataclass
class NewShapes:
    ops: int

    @staticmethod
    def sizes(step):
        return tuple(2 + step // 12**i % 12 for i in range(4))


@dataclasses.dataclass
class Attention:
    """One head with projections, residual and normalisation."""

    batch: int
    length: int
    width: int


@dataclasses.dataclass
class CausalAttention:
    """Query, key and value of several heads. `own_call`: by the system's own attention function."""

    batch: int
    length: int
    width: int
    heads: int
    own_call: bool = False


@dataclasses.dataclass
class Training:
    """A step: forward, loss, backward, the optimizer, and a read of the loss."""

    adamw: bool = False
    parameters: list = dataclasses.field(default_factory=list, init=False)
    batches: list = dataclasses.field(default_factory=list, init=False)  # (input, target)


@dataclasses.dataclass
class Mlp(Training):
    """Linear layers with relu between them, and the mean squared error."""

    widths: tuple = ()
    batch: int = 0


@dataclasses.dataclass
class ConvNet(Training):
    """Two times a 3x3 convolution, relu and 2x2 pooling, then a linear layer; images of 8x8."""

    batch: int = 32


@dataclasses.dataclass
class Transformer(Training):
    """The model of examples/char_transformer.c."""

    batch: int = 16
    length: int = 64
    width: int = 64
    heads: int = 4
    vocabulary: int = 80


# ---- the table


@dataclasses.dataclass
class Workload:
    letter: str
    title: str
    kind: object
    rt_bench: str  # its name there
    tolerance: float  # of results, relative to max(1, |value|), as in rt_bench

    @property
    def name(self):
        return self.rt_bench + "_own" * getattr(self.kind, "own_call", False)


SMALL, LARGE = (16, 16), (4 << 20,)
WIDTHS, WIDE = (64, 128, 128, 32), (512, 512, 512, 32)
WORKLOADS = [
    Workload("A", "100 elementwise ops, 16x16", Chain(100, SMALL), "chain_100_16x16", 1e-5),
    Workload("B", "1000 elementwise ops, 16x16", Chain(1000, SMALL), "chain_1000_16x16", 1e-5),
    Workload("C", "20 elementwise ops, 4 M floats", Chain(20, LARGE), "chain_20_4m", 1e-5),
    Workload("D", "20 ops with exp and tanh, then a sum, 4 M floats", Chain(20, LARGE, True),
             "exp_tanh_sum_4m", 1e-4),
    Workload("E", "MLP 64-128-128-32 step, batch 4, SGD", Mlp(False, WIDTHS, 4), "mlp_sgd", 1e-4),
    Workload("F", "MLP 64-128-128-32 step, batch 4, AdamW", Mlp(True, WIDTHS, 4), "mlp_adamw",
             1e-4),
    Workload("G", "MLP 512-512-512-32 step, batch 64, SGD", Mlp(False, WIDE, 64), "mlp_512", 1e-4),
    Workload("H", "attention block forward, batch 8, 64x64", Attention(8, 64, 64), "attention",
             1e-4),
    Workload("H2", "causal attention, 8 heads, 4x512x512", CausalAttention(4, 512, 512, 8),
             "attention_512", 1e-4),
    Workload("H3", "that, by the system's own attention call",
             CausalAttention(4, 512, 512, 8, True), "attention_512", 1e-4),
    Workload("I", "conv net step, 8x8, batch 32, SGD", ConvNet(), "conv_net", 1e-4),
    Workload("J", "char transformer step, batch 16, AdamW", Transformer(True), "transformer", 1e-4),
    Workload("K", "20 ops, a new shape each time", NewShapes(20), "changing_shapes", 1e-5),
    Workload("L", "one op, 16x16, read at once", OneOp(), "one_op", 1e-5),
]


# ---- ops that all systems write alike


def chain(start, scale, shift, ops, relu):
    """`ops` must be a multiple of 4."""
    x = start
    for _ in range(ops // 4):
        x = relu(x * scale + shift) + 0.01
    return x


def costly_chain(start, scale, shift, ops, relu, exp, tanh):
    """One op in ten is exp, one tanh."""
    x = start
    for i in range(ops):
        match i % 10, i % 4:
            case 4, _: x = tanh(x)
            case 8, _: x = exp(x)
            case 9, _: x = x + -1.0
            case _, 0: x = x * scale
            case _, 1: x = x + shift
            case _, 2: x = relu(x)
            case _, _: x = x + 0.01
    return x


def new_shapes(start, ops):
    x = start * 0.5
    for i in range(1, ops):
        x = x * 0.5 if i % 2 == 0 else x + start
    return x
