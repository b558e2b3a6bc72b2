"""worker.py -- runs the workloads on one system, as peers.py says on standard input.

A line of JSON each: the request {"workload": NAME}, {"compare": STEPS} or {"run": STEPS}, and the
answer, which is {"error": TEXT} if the request failed.
"""
import contextlib
import copy
import gc
import importlib
import json
import os
import sys
import time
import traceback

import workloads as w

# The module of each system, and the way that its function `choose` takes, if it has one.
MODULES = {"python-libtorch": ("ours", "libtorch"), "python-reference": ("ours", "reference"),
           "torch": ("torch_eager", None), "compile-loss": ("torch_compiled", "loss"),
           "compile-step": ("torch_compiled", "step"), "jax": ("jax_side", None),
           "mlx": ("mlx_side", None), "drjit": ("drjit_side", None)}


class Worker:
    def __init__(self, name):
        self.data = importlib.import_module("data")  # reports that numpy is missing
        module, way = MODULES[name]
        self.system = importlib.import_module(module)
        if way:
            self.system.choose(way)
        self.step = self.kind = None

    def workload(self, name):
        """Whether the system has the workload."""
        self.step = self.kind = None
        gc.collect()
        # A copy, since systems put their tensors into it.
        self.kind = copy.deepcopy(next(x for x in w.WORKLOADS if x.name == name).kind)
        self.data.fill(self.kind)
        self.step = self.system.make(self.kind)
        return self.step is not None

    def compare(self, steps):
        """Numbers of the results of the first steps."""
        with self.system.around(self.kind):
            return [self.data.digest(self.system.values(self.step())) for _ in range(steps)]

    def run(self, steps):
        """Microseconds of processor time of a step."""
        step = self.step
        began = time.process_time()
        with self.system.around(self.kind):
            for _ in range(steps):
                step()
        return (time.process_time() - began) / steps * 1e6


def main():
    # What a system prints must not be read as an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    try:
        worker = Worker(sys.argv[1])
        answer({"title": worker.system.TITLE, "version": worker.system.version()})
    except Exception as error:
        traceback.print_exc()
        answer({"error": f"{type(error).__name__}: {error}"})
        return
    for line in sys.stdin:
        (request, argument), = json.loads(line).items()
        try:
            answer({"value": getattr(worker, request)(argument)})
        except Exception as error:
            traceback.print_exc()
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
