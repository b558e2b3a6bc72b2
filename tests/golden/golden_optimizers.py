"""Golden cases: parameters during 100 steps of torch.optim."""

import torch

from golden_calls import Net
from golden_values import FLOATS, numbers

class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al., "Symbolic Discovery of Optimization Algorithms"."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                v = self.state[p].setdefault("v", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(torch.sign(v * beta1 + p.grad * (1 - beta1)), alpha=-group["lr"])
                v.mul_(beta2).add_(p.grad, alpha=1 - beta2)


# Arguments of each entry point after the parameters, by torch.optim's names.
OPTIMIZERS = {
    "rt_torch_sgd_new": (torch.optim.SGD, ("lr", "momentum", "weight_decay")),
    "rt_torch_adam_new": (torch.optim.Adam, ("lr", "beta1", "beta2", "eps", "weight_decay")),
    "rt_torch_adamw_new": (torch.optim.AdamW, ("lr", "beta1", "beta2", "eps", "weight_decay")),
    "rt_torch_rmsprop_new": (
        torch.optim.RMSprop,
        ("lr", "alpha", "eps", "weight_decay", "momentum"),
    ),
    "rt_torch_adagrad_new": (
        torch.optim.Adagrad,
        ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"),
    ),
    "rt_torch_adamax_new": (torch.optim.Adamax, ("lr", "beta1", "beta2", "eps", "weight_decay")),
    "rt_torch_lion_new": (Lion, ("lr", "beta1", "beta2", "weight_decay")),
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


def trajectory(symbol, name, dtype, values, phases, model=model, options={}):
    """phases: (steps, learning rate or None for no change, if `late` takes part or `w` moves).
        options: those that are set after the optimizer was made."""
    n = new_net(dtype)
    make, names = OPTIMIZERS[symbol]
    settings = torch_settings(names, values)
    settings.update({k: v if k == "dampening" else bool(v) for k, v in options.items()})
    optimizer = make([leaf.value for leaf in n.leaves], **settings)
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
        **({"options": options} if options else {}),
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
    ("rt_torch_rmsprop_new", "rmsprop", (0.01, 0.9, 1e-3, 0.0, 0.0), STEADY),
    ("rt_torch_rmsprop_new", "rmsprop_momentum", (0.005, 0.95, 1e-5, 0.01, 0.8), CHANGING),
    ("rt_torch_adagrad_new", "adagrad", (0.1, 0.0, 0.0, 0.0, 1e-6), STEADY),
    ("rt_torch_adagrad_new", "adagrad_decay", (0.1, 0.01, 0.02, 0.1, 1e-5), CHANGING),
    ("rt_torch_adamax_new", "adamax", (0.02, 0.9, 0.99, 1e-6, 0.0), STEADY),
    ("rt_torch_adamax_new", "adamax_decay", (0.03, 0.8, 0.95, 1e-5, 0.02), CHANGING),
    ("rt_torch_lion_new", "lion", (0.01, 0.9, 0.99, 0.0), STEADY),
    ("rt_torch_lion_new", "lion_decay", (0.01, 0.8, 0.95, 0.05), CHANGING),
)


# Trajectories with options; a rest of 1e-3 keeps slopes at 0 apart from rounding.
OPTIONS = (
    ("rt_torch_sgd_new", "sgd_dampening", (0.05, 0.9, 0.01), CHANGING, {"dampening": 0.25}),
    ("rt_torch_sgd_new", "sgd_nesterov", (0.05, 0.8, 0.01), CHANGING, {"nesterov": 1.0}),
    ("rt_torch_adam_new", "adam_amsgrad", (0.05, 0.8, 0.9, 1e-3, 0.0), CHANGING, {"amsgrad": 1.0}),
    ("rt_torch_adamw_new", "adamw_amsgrad", (0.05, 0.8, 0.9, 1e-3, 0.1), STEADY, {"amsgrad": 1.0}),
    ("rt_torch_rmsprop_new", "rmsprop_centered", (0.005, 0.9, 1e-3, 0.0, 0.0), STEADY, {"centered": 1.0}),
    (
        "rt_torch_rmsprop_new",
        "rmsprop_centered_momentum",
        (0.005, 0.9, 1e-3, 0.01, 0.8),
        CHANGING,
        {"centered": 1.0},
    ),
)


def optimizers(book):
    book.open("training/optimizers")
    for symbol, name, values, phases, options in OPTIONS:
        for dtype in FLOATS:
            book.cases.append(trajectory(symbol, name, dtype, values, phases, options=options))
    for symbol, name, values, phases, *other_model in TRAJECTORIES:
        for dtype in FLOATS:
            book.cases.append(trajectory(symbol, name, dtype, values, phases, *other_model))
