#!/usr/bin/env python3
"""kernels.py -- times the kernels of bench/kernels.cpp in PyTorch too, on one thread.

usage: bench/kernels.py [PATH OF rt_microbench] [--rounds N] [--filter REGEX]
Needs PyTorch. The sides alternate for several rounds, and the least processor time of each counts,
because other programs can only add to a time.
"""
import argparse
import json
import os
import re
import subprocess
import time

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", RT_TORCH_THREADS="1",
                  RT_TORCH_BACKEND="reference")
import torch
import torch.nn.functional as F
from torch.utils.benchmark import Timer

torch.set_num_threads(1)

# As in kernels.cpp: a in [-4, 4), b in [0, 1).
CALLS = {
    "add": "torch.add(a, b)",
    "mul": "torch.mul(a, b)",
    "relu": "torch.relu(a)",
    "exp": "torch.exp(a)",
    "log": "torch.log(b)",
    "tanh": "torch.tanh(a)",
    "sigmoid": "torch.sigmoid(a)",
    "gelu": "F.gelu(a)",
    "sqrt": "torch.sqrt(b)",
    "pow": "torch.pow(b, 1.7)",
    "matmul": "torch.matmul(a, b)",
    "softmax": "torch.softmax(a, 1)",
    "softmax_0": "torch.softmax(a, 0)",
    "log_softmax": "torch.log_softmax(a, 1)",
    "layer_norm": "F.layer_norm(a, (1024,))",
    "conv2d": "F.conv2d(a, b)",
    "sum_0": "torch.sum(a, 0)",
    "sum_1": "torch.sum(a, 1)",
    "max_0": "torch.amax(a, 0)",
    "max_1": "torch.amax(a, 1)",
    "argmax_0": "torch.argmax(a, 0)",
    "argmax_1": "torch.argmax(a, 1)",
}
MILLION = "add mul relu exp log tanh sigmoid gelu sqrt pow".split()


SIZES = {"matmul": ((512, 512),) * 2, "conv2d": ((32, 16, 32, 32), (32, 16, 3, 3))}


def sizes_of(name):
    if name in MILLION:
        return ((1 << 20,),) * 2
    return SIZES.get(name, ((64, 1024),) * 2)


def ours(program, name):
    command = [program, f"--benchmark_filter=^{name}$", "--benchmark_format=json",
               "--benchmark_min_time=0.05", "--benchmark_repetitions=6"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    runs = json.loads(output)["benchmarks"]
    return min(run["cpu_time"] for run in runs if run["run_type"] == "iteration")


def theirs(call, sizes, dtype):
    names = {"torch": torch, "F": F, "a": torch.rand(sizes[0], dtype=dtype) * 8 - 4,
             "b": torch.rand(sizes[1], dtype=dtype)}
    with torch.inference_mode():
        timer = Timer(call, globals=names, num_threads=1, timer=time.thread_time)
        return min(timer.blocked_autorange(min_run_time=0.05).mean for _ in range(6)) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", nargs="?", default="build/release/bin/rt_microbench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    print(f"{'us':18}{'ours':>10}{'PyTorch':>10}{'ratio':>8}")
    for prefix, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        for name, call in CALLS.items():
            full = f"{prefix}/{name}"
            if not re.search(options.filter, full):
                continue
            times = [(ours(options.program, full), theirs(call, sizes_of(name), dtype))
                     for _ in range(options.rounds)]
            our, their = (min(column) for column in zip(*times))
            print(f"{full:18}{our:10.1f}{their:10.1f}{our / their:8.2f}", flush=True)


main()
