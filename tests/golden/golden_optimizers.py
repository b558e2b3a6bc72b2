"""Golden cases: parameters during 100 steps of torch.optim."""

import torch

from golden_calls import Net
from golden_values import FLOATS, numbers

# Arguments of each entry point after the parameters, by torch.optim's names.
OPTIMIZERS = {
    "rt_torch_sgd_new": (torch.optim.SGD, ("lr", "momentum", "weight_decay")),
    "rt_torch_adam_new": (torch.optim.Adam, ("lr", "beta1", "beta2", "eps", "weight_decay")),
    "rt_torch_adamw_new": (torch.optim.AdamW, ("lr", "beta1", "beta2", "eps", "weight_decay")),
}
SAVED_EVERY = 10


def model(n, late):
    """tanh(x w + b), scaled; `late` takes part from a certain step on. `unused` has no gradient."""
    p = n.tensors
    out = n.mul(n.tanh(n.add(n.matmul(p["x"], p["w"]), p["b"])), p["scale"])
    if late:
        out = n.add(out, n.mul(n.slice(p["x"], 1, 0, 2, 1), p["late"]))
    return n.mse_loss_tensor(out, p["y"])


def still(n, moves):
    """A gradient of zeros unless it moves: momentum and weight decay continue."""
    p = n.tensors
    return n.sum_tensor(n.pow(p["w"], 2.0 if moves else 0.0))


def new_net(dtype):
    n = Net("optimizers", dtype)
    n.input("x", 6, 3)
    n.input("y", 6, 2)
    n.parameter("w", 3, 2)
    n.parameter("b", 2)
    n.parameter("scale")
    n.parameter("late", 2)
    n.parameter("unused", 2)
    return n


def torch_settings(names, values):
    settings = dict(zip(names, values))
    if "beta1" in settings:
        settings["betas"] = (settings.pop("beta1"), settings.pop("beta2"))
    return settings


def trajectory(symbol, name, dtype, values, phases, model=model):
    """phases: (steps, learning rate or None for no change, if `late` takes part or `w` moves)."""
    n = new_net(dtype)
    make, names = OPTIMIZERS[symbol]
    optimizer = make([leaf.value for leaf in n.leaves], **torch_settings(names, values))
    done, saved, listed = 0, [], []
    for steps, rate, late in phases:
        if rate is not None:
            optimizer.param_groups[0]["lr"] = rate
        for _ in range(steps):
            n.calls = []
            optimizer.zero_grad(set_to_none=False)
            loss = model(n, late)
            loss.value.backward()
            optimizer.step()
            done += 1
            if done % SAVED_EVERY == 0:
                lists = {p.name: numbers(p.value.flatten().tolist(), dtype) for p in n.leaves}
                saved.append({"step": done, **lists})
        listed.append({"steps": steps, "calls": n.calls, "loss": loss.name})
        if rate is not None:
            listed[-1]["learning_rate"] = rate
    return {
        "name": f"{name}_{dtype}",
        "optimizer": symbol,
        "settings": list(values),
        "tensors": n.given_json(),
        "leaves": [leaf.name for leaf in n.leaves],
        "phases": listed,
        "expect": saved,
    }


STEADY = ((100, None, True),)
# A learning rate per phase; `late` has its first gradient at step 31 and zeros from step 71 on.
CHANGING = ((30, None, False), (40, 0.02, True), (30, 0.005, False))

TRAJECTORIES = (
    ("rt_torch_sgd_new", "sgd", (0.1, 0.0, 0.0), STEADY),
    ("rt_torch_sgd_new", "sgd_momentum", (0.05, 0.9, 0.0), STEADY),
    ("rt_torch_sgd_new", "sgd_weight_decay", (0.1, 0.0, 0.05), CHANGING),
    ("rt_torch_sgd_new", "sgd_momentum_weight_decay", (0.05, 0.8, 0.01), CHANGING),
    ("rt_torch_adam_new", "adam", (0.02, 0.9, 0.999, 1e-8, 0.0), STEADY),
    ("rt_torch_adam_new", "adam_weight_decay", (0.05, 0.8, 0.99, 1e-6, 0.1), CHANGING),
    ("rt_torch_adamw_new", "adamw", (0.02, 0.9, 0.999, 1e-8, 0.0), CHANGING),
    ("rt_torch_adamw_new", "adamw_weight_decay", (0.05, 0.8, 0.99, 1e-6, 0.1), STEADY),
    ("rt_torch_adamw_new", "adamw_changing", (0.03, 0.9, 0.95, 1e-7, 0.02), CHANGING),
    ("rt_torch_sgd_new", "sgd_weight_decay_still", (0.1, 0.0, 0.05), CHANGING, still),
    ("rt_torch_sgd_new", "sgd_momentum_still", (0.05, 0.9, 0.0), CHANGING, still),
    ("rt_torch_adam_new", "adam_still", (0.02, 0.9, 0.99, 1e-8, 0.1), CHANGING, still),
    ("rt_torch_adamw_new", "adamw_still", (0.02, 0.9, 0.99, 1e-8, 0.1), CHANGING, still),
)


def optimizers(book):
    book.open("training/optimizers")
    for symbol, name, values, phases, *other_model in TRAJECTORIES:
        for dtype in FLOATS:
            book.cases.append(trajectory(symbol, name, dtype, values, phases, *other_model))
