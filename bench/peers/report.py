"""report.py -- medians and intervals of peers.py, and its tables as Markdown."""
import math

# Systems in the order of the tables, with their heads.
HEADS = {"ours-libtorch": "rt_torch, libtorch", "ours-reference": "rt_torch, reference",
         "torch": "PyTorch eager", "compile-loss": "torch.compile, loss",
         "compile-step": "torch.compile, step", "jax": "JAX", "mlx": "MLX", "drjit": "Dr.Jit",
         "python-libtorch": "from Python, libtorch", "python-reference": "from Python, reference"}
YARDSTICK = "libtorch"


def estimate(values):
    """The median and its 95 % interval from ranks, as bench/rt_bench/statistics.cpp has them."""
    values = sorted(values)
    count = len(values)

    def at(rank):
        return values[min(max(rank, 0), count - 1)]

    # The count of values below the true median is binomial, about normal with this deviation.
    reach = 1.96 * math.sqrt(count) / 2
    middle = (count - 1) / 2
    return {"median": (at(math.floor(middle)) + at(math.ceil(middle))) / 2,
            "low": at(math.floor(middle - reach)), "high": at(math.ceil(middle + reach))}


def ratio(above, below):
    """The estimate of the ratios of each round."""
    return estimate([a / b for a, b in zip(above, below, strict=True)])


def distance(a, b):
    """The greatest difference of results, relative to max(1, |b|); infinite if not comparable."""
    if len(a) != len(b):
        return math.inf
    apart = [abs(x - y) / max(1, abs(y)) for x, y in zip(a, b)]
    return max(apart, default=0) if all(map(math.isfinite, apart)) else math.inf


def three_digits(value):
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def time_text(us):
    for factor, unit in ((1, "us"), (1e3, "ms")):
        if us < factor * 1e3:
            return f"{three_digits(us / factor)} {unit}"
    return f"{three_digits(us / 1e6)} s"


def is_noisy(result, system):
    fast = result["systems"][system]["times_as_fast"]
    return fast["high"] - fast["low"] > 0.1 * fast["median"] or result["other_load"] > 0.25


def fast_cell(result, system):
    found = result["systems"].get(system)
    if found is None or found["times_as_fast"] is None:
        return ""
    low, middle, high = (three_digits(found["times_as_fast"][x]) for x in ("low", "median", "high"))
    differs = "" if found["agrees"] else ", DIFFERS"
    return f"{middle}, {low} to {high}{'?' * is_noisy(result, system)}{differs}"


def time_cell(result, system):
    found = result["systems"].get(system)
    return time_text(found["us"]["median"]) if found else ""


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |").replace("|  |", "| |")
                   for line in lines)


def tables(run):
    """Ratios, times, and what is to be said about the run."""
    shown = {x for result in run["results"] for x in result["systems"]}
    systems = [x for x in HEADS if x in shown]
    heads = [HEADS[x] for x in systems]

    def title(result):
        return f"{result['letter']} {result['title']}"

    fast = [[title(r), *(fast_cell(r, x) for x in systems)] for r in run["results"]]
    times = [[title(r), *(time_cell(r, x) for x in (YARDSTICK, *systems))]
             for r in run["results"]]
    about = (f"{run['date']}, {run['processor']} ({run['processors']} processors), one thread, "
             f"{run['rounds']} rounds{', quick' * run['quick']}. {', '.join(run['versions'])}.")
    return (f"{about}\n\nTimes as fast as libtorch's C++, and the 95 % interval:\n\n"
            f"{table(['workload', *heads], fast)}\nThe processor time of a step:\n\n"
            f"{table(['workload', 'libtorch, C++', *heads], times)}"
            + "".join(f"\n- {line}" for line in run["remarks"]) + "\n" * bool(run["remarks"]))
