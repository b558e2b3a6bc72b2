"""mlx_side.py -- the workloads in MLX on the CPU: compiled functions, mlx.nn and mlx.optimizers.

Images are [N,H,W,C], as MLX has them.
"""
import contextlib
import functools
import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers
import numpy as np

import workloads as w

mx.set_default_device(mx.cpu)
TITLE = "MLX"


def version():
    return f"MLX {mx.__version__}"


def linear(x, weight, bias):
    return mx.addmm(bias, x, weight.T)


def attention(x, projections, norm, scale):
    query, key, value = (linear(x, weight, bias) for weight, bias in projections[:3])
    scores = query @ key.swapaxes(-2, -1) * scale
    mixed = mx.softmax(scores, -1) @ value
    return mx.fast.layer_norm(x + linear(mixed, *projections[3]), *norm, 1e-5)


def split_heads(x, heads):
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def join_heads(x):
    x = x.swapaxes(1, 2)
    return x.reshape(*x.shape[:2], -1)


def causal_attention(query, key, value, mask, heads):
    query, key, value = (split_heads(x, heads) for x in (query, key, value))
    scores = query @ key.swapaxes(2, 3) * (1 / math.sqrt(query.shape[-1]))
    return join_heads(mx.softmax(scores + mask, -1) @ value)


def own_causal_attention(query, key, value, mask, heads):
    query, key, value = (split_heads(x, heads) for x in (query, key, value))
    scale = 1 / math.sqrt(query.shape[-1])
    return join_heads(mx.fast.scaled_dot_product_attention(query, key, value, scale=scale,
                                                           mask="causal"))


# ---- models; `parameters` is found by nn.Module's walk


class Model(nn.Module):
    def __init__(self, kind, parameters):
        super().__init__()
        self.layers = [mx.array(x) for x in parameters]
        self._kind = kind
        if isinstance(kind, w.Transformer):
            self._mask = mx.array(kind.mask)
        if isinstance(kind, w.ConvNet):
            self._pool = nn.MaxPool2d(2, 2)


class MlpModel(Model):
    def __call__(self, x):
        layers = self.layers
        for i in range(0, len(layers), 2):
            x = linear(x if i == 0 else nn.relu(x), layers[i], layers[i + 1])
        return x


class ConvModel(Model):
    def __call__(self, x):
        for i in (0, 2):
            x = mx.conv2d(x, self.layers[i], padding=1) + self.layers[i + 1]
            x = self._pool(nn.relu(x))
        return linear(x.reshape(len(x), -1), self.layers[4], self.layers[5])


class TransformerModel(Model):
    def linear(self, i, x):
        return linear(x, self.layers[2 + 2 * i], self.layers[3 + 2 * i])

    def norm(self, i, x):
        return mx.fast.layer_norm(x, self.layers[12 + 2 * i], self.layers[13 + 2 * i], 1e-5)

    def __call__(self, characters):
        x = self.layers[0][characters] + self.layers[1]
        query, key, value = mx.split(self.linear(0, self.norm(0, x)), 3, 2)
        mixed = causal_attention(query, key, value, self._mask, self._kind.heads)
        x = x + self.linear(1, mixed)
        x = x + self.linear(3, nn.gelu(self.linear(2, self.norm(1, x))))
        return self.linear(4, self.norm(2, x).reshape(-1, self._kind.width))


MODELS = {w.Mlp: MlpModel, w.ConvNet: ConvModel, w.Transformer: TransformerModel}


def training_step(kind):
    parameters, images = kind.parameters, isinstance(kind, w.ConvNet)
    if images:
        dense = parameters[4].reshape(10, 32, 2, 2).transpose(0, 2, 3, 1).reshape(10, 128)
        convs = [x.transpose(0, 2, 3, 1) if x.ndim == 4 else x for x in parameters[:4]]
        parameters = [*convs, dense, parameters[5]]
    batches = [(mx.array(x.transpose(0, 2, 3, 1) if images else x), mx.array(y))
               for x, y in kind.batches]
    model = MODELS[type(kind)](kind, parameters)
    optimizer = (mlx.optimizers.AdamW(w.RATE, weight_decay=w.WEIGHT_DECAY, bias_correction=True)
                 if kind.adamw else mlx.optimizers.SGD(w.RATE))

    def loss_of(model, x, target):
        if isinstance(kind, w.Mlp):
            return nn.losses.mse_loss(model(x), target, reduction="mean")
        return nn.losses.cross_entropy(model(x), target, reduction="mean")

    loss_and_gradients = nn.value_and_grad(model, loss_of)
    optimizer.init(model.trainable_parameters())
    state = [model.state, optimizer.state]

    @functools.partial(mx.compile, inputs=state, outputs=state)
    def update(x, target):
        loss, gradients = loss_and_gradients(model, x, target)
        optimizer.update(model, gradients)
        return loss

    steps = iter(range(10**9))

    def step():
        loss = update(*batches[next(steps) % len(batches)])
        mx.eval(loss, state)
        return loss.item()
    return step


def make(kind):
    def evaluated(function, *arguments):
        def step():
            result = function(*arguments)
            mx.eval(result)
            return result
        return step

    match kind:
        case w.Training():
            return training_step(kind)
        case w.OneOp():
            start, shift = mx.array(kind.start), mx.array(kind.shift)
            return lambda: np.asarray(start + shift)
        case w.Chain():
            def chain(start, scale, shift):
                operands = start, scale, shift, kind.ops, nn.relu
                if kind.costly:
                    return w.costly_chain(*operands, mx.exp, mx.tanh).sum()
                return w.chain(*operands)
            operands = [mx.array(x) for x in (kind.start, kind.scale, kind.shift)]
            function = mx.compile(chain)
            if kind.costly:
                return lambda: function(*operands).item()
            return evaluated(function, *operands)
        case w.NewShapes():
            steps = iter(range(10**9))

            def new_shapes():
                result = w.new_shapes(mx.full(kind.sizes(next(steps)), 0.5), kind.ops)
                mx.eval(result)
                return result
            return new_shapes
        case w.Attention():
            projections = [(mx.array(a), mx.array(b)) for a, b in kind.projections]
            norm = [mx.array(x) for x in kind.norm]
            function = mx.compile(lambda x: attention(x, projections, norm, kind.scale))
            return evaluated(function, mx.array(kind.input))
        case w.CausalAttention():
            mask, heads = mx.array(kind.mask), kind.heads
            call = own_causal_attention if kind.own_call else causal_attention
            function = mx.compile(lambda query, key, value: call(query, key, value, mask, heads))
            return evaluated(function, *(mx.array(x) for x in (kind.query, kind.key, kind.value)))


def around(kind):
    return contextlib.nullcontext()


def values(result):
    return result
