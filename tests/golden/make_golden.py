#!/usr/bin/env python3
"""Makes the golden cases: what PyTorch 2.11.0 on the CPU answers to the calls of rt_torch.h.

    pip install torch==2.11.0 numpy
    python make_golden.py            # rewrites the *.json beside this file
    python make_golden.py --check    # fails when they would change

A case is a symbol of the C ABI, its arguments, and what must come out; where the call works in
place, also what operands, and tensors that share their memory, hold afterwards. What a symbol
means in PyTorch is said in golden_reference.py; the cases are listed by golden_elementwise.py,
golden_structured.py, golden_linalg.py, golden_matrix.py and golden_nn.py. Errors are declared
(`fails`) rather than recorded: a case that is expected to work must work in PyTorch and one that is
expected to fail must raise, or this script stops.

Bool tensors are missing on purpose: no creation call of the ABI makes one. Outcomes that are
accidents of one PyTorch kernel are left out: NaN or too large a number converted to an integer
(undefined in C++), dtype checks that an empty tensor slips past, arange with an infinite step.

What rt_mutation finds that no case would notice is added in golden_gaps.py.

training/ has cases of many calls each: networks with their gradients (golden_networks.py) and
optimizers with the parameters that they lead to (golden_optimizers.py). Their tensors have names,
and a call's result gets the one that it `gives`.
"""

import json
import pathlib
import sys
import warnings

import torch

import golden_elementwise as elementwise
import golden_gaps as gaps
import golden_linalg as linalg
import golden_matrix as matrix
import golden_networks as networks
import golden_nn as nn
import golden_optimizers as optimizers
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
)
# Cases of many calls each, not listed by a symbol.
PROGRAMS = (networks.networks, optimizers.optimizers)


class Book:
    """All cases, by group, in the order in which they were written down."""

    def __init__(self):
        self.groups, self.names = {}, set()

    def open(self, group):
        self.cases = self.groups.setdefault(group, [])

    def case(self, symbol, name, *args, seed=None, before=(), fails=None, after=()):
        """before: calls made first, their results unused; after: what is Seen of the operands once
        the call is made."""
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
        """Calls that do their work at once where they can, again with operands yet to be run.

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
    """fails: None, "call" (shapes and dtypes settle it) or "run" (the data do)."""
    try:
        result = REFERENCE[symbol](*values)
    except Exception as error:  # PyTorch raises half a dozen kinds
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
    """One case a line, so that a change shows as the lines it changes."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    return f"[\n{lines}\n]\n"


def main():
    version = torch.__version__.split("+")[0]
    if version != TORCH_VERSION:
        sys.exit(f"golden cases are made with PyTorch {TORCH_VERSION}, this is {version}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    book = Book()
    for table in TABLES:
        table(book)
    book.add_pending("pending", gaps.VIEWS)
    book.add_aliases("core", SAME_AS)
    for program in PROGRAMS:
        program(book)
    if SURPRISES:
        sys.exit("\n".join(SURPRISES))
    stale, total, count = [], 0, 0
    for group, cases in book.groups.items():
        path, text = HERE / f"{group}.json", render(cases)
        total, count = total + len(text), count + len(cases)
        if "--check" in sys.argv[1:]:
            stale += [] if path.exists() and path.read_text() == text else [path.name]
        else:
            path.write_text(text)
    print(f"{count} cases, {total} bytes")
    if stale:
        sys.exit("out of date: " + ", ".join(stale))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
