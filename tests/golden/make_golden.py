#!/usr/bin/env python3
"""Makes the golden cases: the results of PyTorch 2.11.0 on the CPU for calls of rt_torch.h.

    tools/setup.sh --python-torch
    build/deps/python/bin/python3 tests/golden/make_golden.py [--check | --refresh]

writes the *.json beside this file. Existing cases stay, because processors differ in the last
bits; cases that are new or changed are added as computed here. --refresh writes all as computed.
--check writes nothing. It fails if a case would be added or dropped, or if PyTorch differs from a
case by more than the tests allow, on any kind of processor that this one can emulate.

A case is a symbol of the C ABI, its arguments, and the expected result; for a call in place also
the contents of operands and of their aliases after it. golden_reference.py has the symbols'
meaning in PyTorch; golden_elementwise.py, golden_structured.py, golden_linalg.py,
golden_matrix.py, golden_nn.py, golden_layers.py, golden_images.py and golden_losses.py list the
cases. Errors are declared (`fails`) rather than recorded: this script stops if PyTorch fails in
another case, or does not fail in one of these.

There are no accidents of one PyTorch kernel: NaN or too large a number converted to an integer (undefined in C++), dtype checks
that an empty tensor evades, arange with an infinite step. Results that depend on the processor, as
the gelu of an infinity does, are compared by tests/torchscript with the libtorch of the process.

golden_gaps.py has cases for mutations that rt_mutation found unnoticed.

training/ has cases of many calls: networks with their gradients (golden_networks.py,
golden_layer_networks.py), and optimizers with the parameters that they compute
(golden_optimizers.py). Their tensors have names; `gives` names a call's result.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import warnings

import torch

import golden_choices as choices
import golden_elementwise as elementwise
import golden_gaps as gaps
import golden_layers as layers
import golden_linalg as linalg
import golden_losses as losses
import golden_matrix as matrix
import golden_layer_networks as of_layers
import golden_networks as networks
import golden_nn as nn
import golden_optimizers as optimizers
import golden_products as products
import golden_reductions as reductions
import golden_shapes as shapes
import golden_structured as structured
from golden_reference import CASES_PER_ALIAS, COMPARED, REFERENCE, RETURNS, SAME_AS, SIGNED_ZERO
from golden_values import NAME_OF, arg_json, arg_steps, arg_torch, number, tensor_json

HERE = pathlib.Path(__file__).resolve().parent
TORCH_VERSION = "2.11.0"
TABLES = (
    elementwise.create,
    elementwise.random,
    elementwise.create_int,
    elementwise.arithmetic,
    elementwise.scalar_arithmetic,
    elementwise.trigonometry,
    elementwise.activation,
    choices.comparison,
    choices.arithmetic,
    choices.activation,
    shapes.moved,
    shapes.parts,
    shapes.matrices,
    shapes.lists,
    shapes.padded,
    structured.reduction,
    structured.shape,
    structured.index,
    elementwise.dtype,
    linalg.linalg,
    matrix.matrix,
    matrix.solve,
    nn.conv,
    nn.pool,
    nn.norm,
    nn.running,
    nn.dropout,
    linalg.loss,
    elementwise.loader,
    gaps.gaps,
    *losses.CASES,
    *layers.CASES,
    *reductions.CASES,
    *products.CASES,
)
# Cases of many calls, which have no symbol.
PROGRAMS = (networks.networks, of_layers.networks, optimizers.optimizers)


class Book:
    """All cases, by group, in the order in which they were added."""

    def __init__(self):
        self.groups, self.names = {}, set()

    def open(self, group):
        self.cases = self.groups.setdefault(group, [])

    def case(self, symbol, name, *args, seed=None, before=(), fails=None, after=()):
        """before: calls made first, whose results are not used; after: the operands to read (Seen)
                after the call."""
        full_name = f"{symbol}/{name}"
        assert full_name not in self.names, full_name
        self.names.add(full_name)
        if seed is not None:
            torch.manual_seed(seed)
        for earlier, *earlier_args in before:
            REFERENCE[earlier](*map(arg_torch, earlier_args))
        row = {"symbol": symbol, "name": name}
        if seed is not None:
            row["seed"] = seed
        if before:
            row["before"] = [{"symbol": s, "args": [arg_json(a) for a in b]} for s, *b in before]
        row["args"] = [arg_json(a) for a in args]
        made = [arg_steps(a) for a in args]
        seen = [(one, one.torch(made)) for one in after]
        row["expect"] = outcome(full_name, symbol, [steps[-1] for steps in made], fails)
        if seen:
            row["after"] = [one.json(value) for one, value in seen]
        self.cases.append(row)

    def add_pending(self, group, symbols):
        """Repeats calls that compute at once if possible, with operands that are still pending.
                A copy of a contiguous base has its values and strides, so the outcome is the same.
                """
        every = [row for rows in self.groups.values() for row in rows]
        self.open(group)
        for row in every:
            if row["symbol"] not in symbols:
                continue
            self_json, *others = row["args"]
            base = self_json["tensor"]
            views = [["clone"], *base.get("views", [])]
            args = [{"tensor": {**base, "views": views}}, *others]
            self.cases.append({**row, "name": row["name"] + ".pending", "args": args})

    def add_aliases(self, group, aliases):
        self.open(group)
        every = [row for rows in self.groups.values() for row in rows]
        for alias, original in aliases.items():
            rows = [row for row in every if row["symbol"] == original][:CASES_PER_ALIAS]
            self.cases += [
                {
                    "symbol": alias,
                    "same_as": original,
                    **{k: v for k, v in row.items() if k != "symbol"},
                }
                for row in rows
            ]


SURPRISES = []


def outcome(full_name, symbol, values, fails):
    """fails: None, "call" (due to shapes or dtypes) or "run" (due to data)."""
    try:
        result = REFERENCE[symbol](*values)
    except Exception as error:  # PyTorch raises various kinds
        if not fails:
            SURPRISES.append(f"{full_name} raises: {error}")
        return {"error": fails, "returns": RETURNS.get(symbol, "handle")}
    if fails:
        SURPRISES.append(f"{full_name} does not raise: {result}")
    if symbol == "rt_torch_tensor_empty":
        return {"dtype": NAME_OF[result.dtype], "shape": list(result.shape)}
    returns = RETURNS.get(symbol, "handle")
    if returns == "double":
        dtype = NAME_OF[result.dtype]
        return {"double": number(result.item(), dtype), "dtype": dtype}
    if returns == "handles":
        return {"handles": [tensor_json(x) for x in result]}
    if returns != "handle":
        return {returns: result}
    expect = tensor_json(result)
    if symbol in COMPARED:
        expect["compare"] = COMPARED[symbol]
    if symbol in SIGNED_ZERO and result.is_floating_point() and (result == 0).any():
        expect["signed_zero"] = True
    return expect


def render(cases):
    """One case a line, so that a diff shows the changed cases."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    return f"[\n{lines}\n]\n"


def question(row):
    """A case without PyTorch's results: the call and the declared kind of result."""
    asked = {key: value for key, value in row.items() if key not in ("expect", "after")}
    expect = row["expect"]
    if isinstance(expect, dict):
        kinds = ("error", "returns", "compare", "signed_zero")
        asked["kind"] = sorted(expect), [expect.get(kind) for kind in kinds]
    computed = ("dtype", "shape", "data")
    asked["after"] = [
        {key: value for key, value in look.items() if key not in computed}
        for look in row.get("after", ())
    ]
    return json.dumps(asked, sort_keys=True)


# Those of torch.testing.assert_close, which tests/support/golden.cpp has too.
TOLERANCES = {
    "f32": (1.3e-6, 1e-5),
    "f64": (1e-7, 1e-7),
    "f16": (1e-3, 1e-5),
    "bf16": (1.6e-2, 1e-5),
}


def agree(old, new, dtype):
    """True if the tests accept both outcomes as equal. dtype: that of numbers without their own."""
    if isinstance(old, dict) and isinstance(new, dict):
        dtype = new.get("dtype", dtype)
        return old.keys() == new.keys() and all(agree(old[k], new[k], dtype) for k in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(agree(a, b, dtype) for a, b in zip(old, new))
    if isinstance(old, (int, float)) and isinstance(new, (int, float)) and dtype in TOLERANCES:
        relative, absolute = TOLERANCES[dtype]
        return abs(old - new) <= absolute + relative * abs(new)
    return old == new


def merged(old_rows, rows):
    """The cases to write: an existing case stays if its question does. Also returns the names of
        new cases, and of those to which PyTorch gives another answer here."""
    kept = {question(row): row for row in old_rows}
    result, added, differing = [], [], []
    for row in rows:
        name = f"{row.get('symbol', row.get('optimizer', ''))}/{row['name']}"
        dtype = row["name"].rsplit("_", 1)[-1]  # the suffix of a program's name
        old = kept.get(question(row))
        result.append(old or row)
        if old is None:
            added.append(name)
        elif "compare" not in str(old["expect"]) and not (
            agree(old["expect"], row["expect"], dtype)
            and agree(old.get("after"), row.get("after"), dtype)
        ):
            differing.append(name)
    return result, added, differing


def lesser_processors():
    """Environments in which PyTorch computes as on processors with fewer instructions."""
    here = torch.backends.cpu.get_cpu_capability()
    all_levels = {
        "DEFAULT": ("default", "SSE41", "SSE4_2"),
        "AVX2": ("avx2", "AVX2", "AVX2"),
        "AVX512": ("avx512", "AVX512_CORE", "AVX512"),
    }
    names = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
    for level, values in all_levels.items():
        if level == here:
            return
        yield dict(zip(names, values))


def all_cases():
    book = Book()
    for table in TABLES:
        table(book)
    book.add_pending("pending", gaps.VIEWS)
    book.add_aliases("core", SAME_AS)
    for program in PROGRAMS:
        program(book)
    if SURPRISES:
        sys.exit("\n".join(SURPRISES))
    return book.groups


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--check", action="store_true", help="write nothing, say what differs")
    arguments.add_argument("--refresh", action="store_true", help="write all as computed here")
    options = arguments.parse_args()
    version = torch.__version__.split("+")[0]
    if version != TORCH_VERSION:
        sys.exit(f"golden cases are made with PyTorch {TORCH_VERSION}, this is {version}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    count, wrong = 0, []
    for group, cases in all_cases().items():
        path = HERE / f"{group}.json"
        old = json.loads(path.read_text()) if path.exists() and not options.refresh else []
        cases, added, differing = merged(old, cases)
        count += len(cases)
        wrong += [f"PyTorch differs here: {group}: {name}" for name in differing]
        if not options.check:
            path.write_text(render(cases))
        elif cases != old:
            wrong += [f"not there: {group}: {name}" for name in added] or [f"other cases: {group}"]
    print(f"{count} cases on {torch.backends.cpu.get_cpu_capability()}")
    if options.check and "ATEN_CPU_CAPABILITY" not in os.environ:
        for level in lesser_processors():
            again = subprocess.run([sys.executable, *sys.argv], env={**os.environ, **level})
            wrong += [f"as with {level}: see above"] if again.returncode else []
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
