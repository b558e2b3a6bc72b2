"""torch_eager.py -- the workloads in PyTorch without compiling: ops, autograd and torch.optim."""
import math

import torch
import torch.nn.functional as F

import workloads as w

torch.set_num_threads(1)
TITLE = "PyTorch eager"


def version():
    return f"PyTorch {torch.__version__.partition('+')[0]}"


def tensor(values):
    return torch.from_numpy(values.copy())


def move(kind, names):
    """Makes tensors of the data that the names stand for."""
    for name in names.split():
        setattr(kind, name, tensor(getattr(kind, name)))
    return kind


# ---- functions, which torch_compiled.py compiles


def chain(start, scale, shift, ops, costly):
    if costly:
        return w.costly_chain(start, scale, shift, ops, torch.relu, torch.exp, torch.tanh).sum()
    return w.chain(start, scale, shift, ops, torch.relu)


def attention(x, projections, norm, scale):
    query, key, value = (F.linear(x, weight, bias) for weight, bias in projections[:3])
    scores = query @ key.transpose(-2, -1) * scale
    mixed = torch.softmax(scores, -1) @ value
    return F.layer_norm(x + F.linear(mixed, *projections[3]), x.shape[-1:], *norm)


def split_heads(x, heads):
    batch, length, width = x.shape
    return x.reshape(batch, length, heads, width // heads).transpose(1, 2)


def join_heads(x):
    batch, heads, length, width = x.shape
    return x.transpose(1, 2).reshape(batch, length, heads * width)


def causal_attention(query, key, value, mask, heads):
    query, key, value = (split_heads(x, heads) for x in (query, key, value))
    scores = query @ key.transpose(2, 3) * (1 / math.sqrt(query.shape[-1]))
    return join_heads(torch.softmax(scores + mask, 3) @ value)


def own_causal_attention(query, key, value, mask, heads):
    query, key, value = (split_heads(x, heads) for x in (query, key, value))
    return join_heads(F.scaled_dot_product_attention(query, key, value, is_causal=True))


def mlp_loss(parameters, x, target, kind):
    for i in range(0, len(parameters), 2):
        x = F.linear(x if i == 0 else torch.relu(x), parameters[i], parameters[i + 1])
    return F.mse_loss(x, target)


def conv_loss(parameters, x, target, kind):
    for i in (0, 2):
        x = F.conv2d(x, parameters[i], parameters[i + 1], padding=1)
        x = F.max_pool2d(torch.relu(x), 2)
    return F.cross_entropy(F.linear(x.flatten(1), parameters[4], parameters[5]), target)


def transformer_loss(parameters, characters, target, kind):
    def linear(i, x):
        return F.linear(x, parameters[2 + 2 * i], parameters[3 + 2 * i])

    def norm(i, x):
        return F.layer_norm(x, (kind.width,), parameters[12 + 2 * i], parameters[13 + 2 * i])

    x = F.embedding(characters, parameters[0]) + parameters[1]
    query, key, value = linear(0, norm(0, x)).chunk(3, 2)
    x = x + linear(1, causal_attention(query, key, value, kind.mask, kind.heads))
    x = x + linear(3, F.gelu(linear(2, norm(1, x))))
    logits = linear(4, norm(2, x).reshape(-1, kind.width))
    return F.cross_entropy(logits, target)


LOSSES = {w.Mlp: mlp_loss, w.ConvNet: conv_loss, w.Transformer: transformer_loss}


def forward_step(kind, compiled=lambda function: function):
    """A step of a workload without gradients."""
    match kind:
        case w.OneOp():
            move(kind, "start shift")
            add = compiled(lambda x, y: x + y)
            return lambda: add(kind.start, kind.shift).numpy()
        case w.Chain():
            move(kind, "start scale shift")
            function = compiled(chain)
            arguments = kind.start, kind.scale, kind.shift, kind.ops, kind.costly
            if kind.costly:
                return lambda: function(*arguments).item()
            return lambda: function(*arguments)
        case w.NewShapes():
            function, steps = compiled(w.new_shapes), iter(range(10**9))
            return lambda: function(torch.full(kind.sizes(next(steps)), 0.5), kind.ops)
        case w.Attention():
            move(kind, "input")
            projections = [(tensor(a), tensor(b)) for a, b in kind.projections]
            norm = [tensor(x) for x in kind.norm]
            function = compiled(attention)
            return lambda: function(kind.input, projections, norm, kind.scale)
        case w.CausalAttention():
            move(kind, "query key value mask")
            function = compiled(own_causal_attention if kind.own_call else causal_attention)
            return lambda: function(kind.query, kind.key, kind.value, kind.mask, kind.heads)


def make_optimizer(kind, parameters):
    if kind.adamw:
        return torch.optim.AdamW(parameters, w.RATE, weight_decay=w.WEIGHT_DECAY)
    return torch.optim.SGD(parameters, w.RATE)


def move_training(kind):
    kind.parameters = [tensor(x).requires_grad_() for x in kind.parameters]
    kind.batches = [(tensor(x), tensor(y)) for x, y in kind.batches]
    if isinstance(kind, w.Transformer):
        move(kind, "mask")


def minibatches(kind):
    while True:
        yield from kind.batches


def training_step(kind, compiled=lambda function: function):
    move_training(kind)
    optimizer = make_optimizer(kind, kind.parameters)
    function, batches = compiled(LOSSES[type(kind)]), minibatches(kind)

    def step():
        optimizer.zero_grad()
        loss = function(kind.parameters, *next(batches), kind)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def make(kind):
    return training_step(kind) if isinstance(kind, w.Training) else forward_step(kind)


def around(kind):
    """The context of a row of steps."""
    return torch.inference_mode(not isinstance(kind, w.Training))


def values(result):
    return result
