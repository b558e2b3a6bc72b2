"""jax_side.py -- the workloads in JAX: a compiled function a step, with Optax's optimizers.

Images are [N,H,W,C] and weights [inputs,outputs], as JAX's libraries have them.
"""
import contextlib
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

import workloads as w

TITLE = "JAX"


def version():
    return f"JAX {jax.__version__}, Optax {optax.__version__}"


def chain(start, scale, shift, ops, costly):
    if costly:
        return w.costly_chain(start, scale, shift, ops, jax.nn.relu, jnp.exp, jnp.tanh).sum()
    return w.chain(start, scale, shift, ops, jax.nn.relu)


def layer_norm(x, weight, bias):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * weight + bias


def attention(x, projections, norm, scale):
    query, key, value = (x @ weight + bias for weight, bias in projections[:3])
    scores = query @ key.swapaxes(-2, -1) * scale
    mixed = jax.nn.softmax(scores, -1) @ value
    return layer_norm(x + mixed @ projections[3][0] + projections[3][1], *norm)


def split_heads(x, heads):
    return x.reshape(*x.shape[:2], heads, -1)


def causal_attention(query, key, value, mask, heads):
    query, key, value = (split_heads(x, heads) for x in (query, key, value))
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(query.shape[-1])
    weights = jax.nn.softmax(scores + mask, -1)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, value)
    return mixed.reshape(*mixed.shape[:2], -1)


def own_causal_attention(query, key, value, mask, heads):
    query, key, value = (split_heads(x, heads) for x in (query, key, value))
    mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
    return mixed.reshape(*mixed.shape[:2], -1)


# ---- losses


def mlp_loss(parameters, x, target, kind):
    for i in range(0, len(parameters), 2):
        x = (x if i == 0 else jax.nn.relu(x)) @ parameters[i] + parameters[i + 1]
    return optax.squared_error(x, target).mean()


def cross_entropy(logits, target):
    return optax.softmax_cross_entropy_with_integer_labels(logits, target).mean()


def conv_loss(parameters, x, target, kind):
    for i in (0, 2):
        x = jax.lax.conv_general_dilated(x, parameters[i], (1, 1), "SAME",
                                         dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + parameters[i + 1])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return cross_entropy(x.reshape(len(x), -1) @ parameters[4] + parameters[5], target)


def transformer_loss(parameters, characters, target, kind):
    def linear(i, x):
        return x @ parameters[2 + 2 * i] + parameters[3 + 2 * i]

    def norm(i, x):
        return layer_norm(x, parameters[12 + 2 * i], parameters[13 + 2 * i])

    x = parameters[0][characters] + parameters[1]
    query, key, value = jnp.split(linear(0, norm(0, x)), 3, 2)
    x = x + linear(1, causal_attention(query, key, value, kind.mask, kind.heads))
    x = x + linear(3, jax.nn.gelu(linear(2, norm(1, x)), approximate=False))
    return cross_entropy(linear(4, norm(2, x).reshape(-1, kind.width)), target)


LOSSES = {w.Mlp: mlp_loss, w.ConvNet: conv_loss, w.Transformer: transformer_loss}


def turned(kind):
    """Parameters in JAX's layout."""
    if isinstance(kind, w.ConvNet):
        convs = [x.transpose(2, 3, 1, 0) if x.ndim == 4 else x for x in kind.parameters[:4]]
        dense = kind.parameters[4].reshape(10, 32, 2, 2).transpose(2, 3, 1, 0).reshape(128, 10)
        return [*convs, dense, kind.parameters[5]]
    tables = 2 if isinstance(kind, w.Transformer) else 0
    return [x.T if x.ndim == 2 and i >= tables else x for i, x in enumerate(kind.parameters)]


def training_step(kind):
    parameters = [jnp.array(x) for x in turned(kind)]
    if isinstance(kind, w.ConvNet):
        kind.batches = [(x.transpose(0, 2, 3, 1), y) for x, y in kind.batches]
    batches = [(jnp.array(x), jnp.array(y)) for x, y in kind.batches]
    if isinstance(kind, w.Transformer):
        kind.mask = jnp.array(kind.mask)
    optimizer = (optax.adamw(w.RATE, weight_decay=w.WEIGHT_DECAY) if kind.adamw
                 else optax.sgd(w.RATE))
    state = optimizer.init(parameters)
    loss_of = LOSSES[type(kind)]

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters, state, x, target):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, target, kind)
        changes, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, changes), state, loss

    steps = 0

    def step():
        nonlocal parameters, state, steps
        parameters, state, loss = update(parameters, state, *batches[steps % len(batches)])
        steps += 1
        return float(loss)
    return step


def make(kind):
    match kind:
        case w.Training():
            return training_step(kind)
        case w.OneOp():
            start, shift = jnp.array(kind.start), jnp.array(kind.shift)
            add = jax.jit(lambda x, y: x + y)
            return lambda: np.asarray(add(start, shift))
        case w.Chain():
            function = jax.jit(chain, static_argnums=(3, 4))
            start, scale, shift = map(jnp.array, (kind.start, kind.scale, kind.shift))
            if kind.costly:
                return lambda: float(function(start, scale, shift, kind.ops, True))
            return lambda: function(start, scale, shift, kind.ops, False).block_until_ready()
        case w.NewShapes():
            function = jax.jit(w.new_shapes, static_argnums=1)
            steps = iter(range(10**9))
            return lambda: function(jnp.full(kind.sizes(next(steps)), 0.5, jnp.float32),
                                    kind.ops).block_until_ready()
        case w.Attention():
            projections = [(jnp.array(a.T), jnp.array(b)) for a, b in kind.projections]
            norm = [jnp.array(x) for x in kind.norm]
            x, function = jnp.array(kind.input), jax.jit(attention)
            return lambda: function(x, projections, norm, kind.scale).block_until_ready()
        case w.CausalAttention():
            function = jax.jit(own_causal_attention if kind.own_call else causal_attention,
                               static_argnums=4)
            operands = [jnp.array(x) for x in (kind.query, kind.key, kind.value, kind.mask)]
            return lambda: function(*operands, kind.heads).block_until_ready()


def around(kind):
    return contextlib.nullcontext()


def values(result):
    return result
