"""drjit_side.py -- the workloads in Dr.Jit on LLVM: frozen functions, which replay their kernels.

Dr.Jit has no convolutions and no products of batches of matrices.
"""
import contextlib

import drjit as dr
import drjit.opt
import numpy as np
from drjit.llvm.ad import TensorXf

import workloads as w

dr.set_thread_count(1)
TITLE = "Dr.Jit"


def version():
    llvm = ".".join(map(str, dr.detail.llvm_version()))
    return f"Dr.Jit {dr.__version__} with LLVM {llvm}"


def relu(x):
    # dr.maximum becomes an instruction that LLVM before 17 cannot select.
    return dr.select(x > 0, x, 0)


@dr.freeze
def chain(start, scale, shift, ops, costly):
    if costly:
        return dr.sum(w.costly_chain(start, scale, shift, ops, relu, dr.exp, dr.tanh))
    return w.chain(start, scale, shift, ops, relu)


def training_step(kind):
    make = dr.opt.AdamW if kind.adamw else dr.opt.SGD
    options = {"weight_decay": w.WEIGHT_DECAY} if kind.adamw else {}
    optimizer = make(lr=w.RATE, **options)
    count = len(kind.parameters)
    for i, values in enumerate(kind.parameters):
        # Weights are [inputs,outputs].
        optimizer[str(i)] = TensorXf(values.T.copy() if values.ndim == 2 else values[None])
    batches = [(TensorXf(x), TensorXf(y)) for x, y in kind.batches]

    @dr.freeze
    def update(optimizer, x, target):
        for i in range(0, count, 2):
            x = (x if i == 0 else relu(x)) @ optimizer[str(i)] + optimizer[str(i + 1)]
        loss = dr.mean(dr.square(x - target))
        dr.backward(loss)
        optimizer.step()
        return loss

    steps = iter(range(10**9))

    def step():
        loss = update(optimizer, *batches[next(steps) % len(batches)])
        return float(loss.array[0])
    return step


def make(kind):
    match kind:
        case w.OneOp():
            start, shift = (TensorXf(x) for x in (kind.start, kind.shift))
            return lambda: (start + shift).numpy()
        case w.Chain():
            start, scale, shift = (TensorXf(x) for x in (kind.start, kind.scale, kind.shift))
            if kind.costly:
                return lambda: float(chain(start, scale, shift, kind.ops, True).array[0])

            def step():
                result = chain(start, scale, shift, kind.ops, False)
                dr.eval(result)
                dr.sync_thread()
                return result
            return step
        case w.NewShapes():
            steps = iter(range(10**9))

            def new_shapes():
                result = w.new_shapes(dr.full(TensorXf, 0.5, kind.sizes(next(steps))), kind.ops)
                dr.eval(result)
                dr.sync_thread()
                return result
            return new_shapes
        case w.Mlp():
            return training_step(kind)


def around(kind):
    return contextlib.nullcontext()


def values(result):
    return np.asarray(result)
