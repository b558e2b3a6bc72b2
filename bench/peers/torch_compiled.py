"""torch_compiled.py -- the workloads in PyTorch with torch.compile, one of two ways.

loss: the function of the result or loss is compiled, and its backward with it; torch.optim is as
without compiling. step: the optimizer is in the compiled function, too.
"""
import torch
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

import torch_eager as eager
import workloads as w

TITLE = None
version, around, values = eager.version, eager.around, eager.values


def choose(way):
    global TITLE
    TITLE = f"torch.compile of the {way}"


def compiled_step(kind):
    """One graph, by torch.func and the functions that torch.optim's classes call.

    A compiled function that calls backward and an optimizer's step breaks into several graphs and
    takes up to twice as long.
    """
    eager.move_training(kind)
    parameters = [x.detach() for x in kind.parameters]
    loss_of, batches = eager.LOSSES[type(kind)], eager.minibatches(kind)
    gradients_and_loss = torch.func.grad_and_value(lambda *arguments: loss_of(*arguments, kind))
    state = [[torch.zeros_like(x) for x in parameters] for _ in range(2)]
    steps = [torch.zeros(()) for _ in parameters]

    @torch.compile
    def update(parameters, x, target):
        gradients, loss = gradients_and_loss(parameters, x, target)
        if kind.adamw:
            adamw(parameters, list(gradients), *state, [], steps, amsgrad=False, beta1=0.9,
                  beta2=0.999, lr=w.RATE, weight_decay=w.WEIGHT_DECAY, eps=1e-8, maximize=False)
        else:
            sgd(parameters, list(gradients), [None] * len(parameters), weight_decay=0, momentum=0,
                lr=w.RATE, dampening=0, nesterov=False, maximize=False)
        return loss

    return lambda: update(parameters, *next(batches)).item()


def make(kind):
    torch.compiler.reset()
    if isinstance(kind, w.Training):
        if "step" in TITLE:
            return compiled_step(kind)
        return eager.training_step(kind, torch.compile)
    if "step" in TITLE:
        return None  # as the other way
    return eager.forward_step(kind, torch.compile)
