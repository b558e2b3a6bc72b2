"""run_example.py -- checks and runs a Simple program that keeps to the part of the language below.

usage: run_example.py RT_TORCH_SPL PROGRAM [LIBRARY]

Every extern of the program must be declared as in RT_TORCH_SPL. Every call must be of an extern, of
the program's own functions or of the few below, with the right count of arguments. With LIBRARY, a
librt_torch.so, the program then runs on it: values must be of the declared types, and no tensor may
be left at the end.

The part of the language: use, extern fn, fn, val, var, assignment, print, if, for, while, return,
numbers, texts with {expressions}, lists, ranges in for. It resembles Python, so that each line is
translated to one of Python.
"""
import ast
import ctypes
import re
import sys

EXTERN = re.compile(r"extern fn (\w+)\((.*)\)(?: -> (.+))?$")
METHODS = {"len": 0, "push": 1, "split": 1}
FUNCTIONS = {"print": 1, "int": 1, "range": 2, "file_read": 1}


def read_externs(text):
    """Returns name -> (types of the parameters, type of the result or None)."""
    externs = {}
    for match in map(EXTERN.match, text.splitlines()):
        if match:
            name, params, result = match.groups()
            types = [param.split(": ")[1] for param in params.split(", ") if param]
            externs[name] = (types, result)
    return externs


def in_python_head(match):
    return f"def {match[1]}({re.sub(': [^,]+', '', match[2])}):"


def in_python(line):
    if re.match(r"(use|extern) ", line):
        return ""
    parts = re.split(r'("(?:[^"\\]|\\.)*"|#.*$)', line)  # odd parts are texts and comments
    for i in range(0, len(parts), 2):
        part = re.sub(r"\b(?:val|var) (\w+)(?:: [^=]+)? = ", r"\1 = ", parts[i])
        part = re.sub(r"\bfor (\w+) in (.+?)\.\.=(.+):", r"for \1 in range(\2, \3 + 1):", part)
        part = re.sub(r"\bfor (\w+) in (.+?)\.\.(.+):", r"for \1 in range(\2, \3):", part)
        part = re.sub(r"^fn (\w+)\((.*)\)(?: -> .+)?:$", in_python_head, part)
        part = re.sub(r"\belse if\b", "elif", part)
        part = re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", part))
        parts[i] = part
    for i in range(1, len(parts), 2):
        if parts[i].startswith('"'):
            parts[i] = "f" + parts[i]
    return re.sub(r"^(\s*)print (.*)$", r"\1print(\2)", "".join(parts))


class Methods(ast.NodeTransformer):
    """Translates methods of lists to Python's."""

    def visit_Call(self, call):
        self.generic_visit(call)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "len":
            return ast.Call(ast.Name("len_of", ast.Load()), [call.func.value], [])
        if isinstance(call.func, ast.Attribute) and call.func.attr == "push":
            call.func.attr = "append"
        return call


def complaints(source, tree, declared, externs):
    for line in source.splitlines():
        match = EXTERN.match(line)
        if match and line not in declared:
            yield f"{match[1]} is not declared as in rt_torch.spl"
    arities = {name: len(types) for name, (types, _) in externs.items()}
    arities |= {node.name: len(node.args.args) for node in tree.body
                if isinstance(node, ast.FunctionDef)}
    arities |= FUNCTIONS
    called = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute):
            name, arity = call.func.attr, METHODS.get(call.func.attr)
        else:
            name, arity = call.func.id, arities.get(call.func.id)
        called.add(name)
        if arity is None:
            yield f"line {call.lineno}: {name} is not declared"
        elif len(call.args) != arity:
            yield f"line {call.lineno}: {name} takes {arity} arguments, not {len(call.args)}"
    for name in sorted(set(externs) - called):
        yield f"{name} is declared and never called"


C_TYPES = {"i64": ctypes.c_int64, "i32": ctypes.c_int64, "bool": ctypes.c_int64,
           "f64": ctypes.c_double, "text": ctypes.c_char_p, None: None}
PYTHON_TYPES = {"i64": int, "i32": int, "bool": bool, "f64": float, "text": str}


def is_a(value, kind):
    if kind.startswith("["):
        return type(value) is list and all(is_a(item, kind[1:-1]) for item in value)
    return type(value) is PYTHON_TYPES[kind]


def bound(library, name, types, result):
    """Wraps a function of the library, for calls with Simple's values."""
    function = getattr(library, name)
    function.restype = C_TYPES["i64" if result == "[i64]" else result]

    def call(*values):
        arguments = []
        for value, kind in zip(values, types):
            if not is_a(value, kind):
                sys.exit(f"{name} is given {value!r}, which is no {kind}")
            if kind.startswith("["):
                item = C_TYPES[kind[1:-1]]
                arguments += [(item * len(value))(*value), ctypes.c_int64(len(value))]
            else:
                arguments.append(C_TYPES[kind](value.encode() if kind == "text" else value))
        if result == "[i64]":
            out = (ctypes.c_int64 * 64)()
            return list(out[:function(*arguments, out, ctypes.c_int64(64))])
        given = function(*arguments)
        if result == "text":
            return given.decode()
        return bool(given) if result == "bool" else given

    return call


def run(tree, externs, path):
    library = ctypes.CDLL(path)
    world = {name: bound(library, name, *types) for name, types in externs.items()}
    world |= {"len_of": len, "file_read": lambda name: open(name, encoding="utf-8").read()}
    exec(compile(ast.fix_missing_locations(Methods().visit(tree)), "program", "exec"), world)
    status = world["main"]()
    if status == 0 and library.rt_torch_live_handles() != 0:
        sys.exit(f"{library.rt_torch_live_handles()} tensors were never freed")
    return status


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        declared = set(file.read().splitlines())
    with open(sys.argv[2], encoding="utf-8") as file:
        source = file.read()
    externs = read_externs(source)
    tree = ast.parse("\n".join(in_python(line) for line in source.splitlines()), sys.argv[2])
    found = list(complaints(source, tree, declared, externs))
    if found:
        sys.exit("\n".join(f"{sys.argv[2]}: {complaint}" for complaint in found))
    return run(tree, externs, sys.argv[3]) if len(sys.argv) == 4 else 0


if __name__ == "__main__":
    sys.exit(main())
