"""collect.py -- collects the messages that tests provoke, and compares them with messages.txt.

usage: collect.py [--update] FOLDER LIBRARY

FOLDER has the programs of the tests, LIBRARY is a librt_torch.so. The script runs programs that
make failing calls, wrong environment variables, damaged files and damaged dumps, each with its
messages printed. It replaces numbers that differ between runs and machines, and groups messages
that differ in numbers, sizes, dtypes and quoted texts alone. messages.txt keeps at most three
examples of a group, one a line, sorted by symbol. An example stays as long as a test provokes it.
"""
import ctypes
import difflib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
GOLDEN = HERE / "messages.txt"
EXAMPLES = 3  # of one group

# Suites left out take long, or their calls take arguments from random registers (Survival).
PROGRAMS = {
    "rt_test_abi": "-Growth.*:Scale.*:LongTraining.*:LongGraph.*:Survival.Of*",
    "rt_test_autograd": "-*Soak*:*StepMemory*:*Training*:Networks*:*Gradcheck*",
    "rt_test_ops": "*",
    "rt_test_overlap": "*",
    "rt_test_spl_exporting": "-Survival.*",
    "rt_test_spl_silent": "-Survival.*",
    "rt_test_spl_tagged": "*",
}

ENVIRONMENT = {"RT_TORCH_BACKEND": "reference", "RT_TORCH_THREADS": "1"}

# Each of them with a program that creates a tensor; FOLDER is empty and can be written.
VARIABLES = [
    ("RT_TORCH_POLICY", "lazy"), ("RT_TORCH_BACKEND", "tpu"), ("RT_TORCH_DEVICE", "gpu"),
    ("RT_TORCH_DEVICE", "cuda:9"), ("RT_TORCH_CUDA_FALLBACK", "1"), ("RT_TORCH_SEED", "1.5"),
    ("RT_TORCH_THREADS", "many"), ("RT_TORCH_THREADS", "5000"), ("RT_TORCH_COMPILE_AFTER", "-1"),
    ("RT_TORCH_CACHE_ENTRIES", "x"), ("RT_TORCH_CACHE_BYTES", "1G"),
    ("RT_TORCH_MAX_PENDING_NODES", "0"), ("RT_TORCH_MAX_PENDING_BYTES", "0"),
    ("RT_TORCH_FUSE", "yes"), ("RT_TORCH_REUSE", "2"), ("RT_TORCH_SIMD", "mmx"),
    ("RT_TORCH_ASYNC", "on"), ("RT_TORCH_FORBID", "0"), ("RT_TORCH_DEBUG", "5"),
    ("RT_TORCH_DEBUG", "1"), ("RT_TORCH_ON_ERROR", "throw"), ("RT_TORCH_DUMP_INPUTS", "all"),
    ("RT_TORCH_DUMP", "/dev/null/dumps"), ("RT_TORCH_TRACE", "/dev/null/trace.json"),
    ("RT_TORCH_TRACE", "FOLDER/trace.json"), ("RT_TORCH_HOLDS", "/dev/null/holds"),
]

# Their pickles, damaged, provoke nearly all messages about pickles.
PICKLES = ("attributes_5.pt", "complex.pt", "dict.pt", "meta.pt")

DUMPS = {
    "bad.txt": "%0: f32[2] = input\n%1: f32[2] = negg(%0)\nreturn %1\n",
    "gpu.txt": "%0: f32[2] @cuda:0 = input\n%1: f32[2] @cuda:0 = neg(%0)\nreturn %1\n",
    "slice.txt": "%0: f32[4] = input\n"
                 "%1: f32[2] = slice(%0, dim=0, start=<900>, end=<902>, step=1)\nreturn %1\n",
    "strides.txt": "%0: f32[2,2] = input(strides=[-1,7])\n%1: f32[2,2] = neg(%0)\nreturn %1\n",
    "empty.json": "",
}

HANDLE = re.compile(r"#[1-9][0-9]*")

# Texts that differ between runs and machines: a pattern, and its replacement.
VARYING = [
    (HANDLE, "#N"),
    (re.compile(r"-nan"), "nan"),  # the processor decides
    (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "KEY"),
    (re.compile(r"batch-[^,]*(?=, which is not there)"), "batch-KEY.safetensors"),
    (re.compile(r"[0-9]+(\.[0-9]+)? (ns|us|ms|s)\b"), r"N \2"),
    (re.compile(r"(this machine has) [0-9]+"), r"\1 N"),
    (re.compile(r"(allowed is) .* (on this processor)"), r"\1 NAMES \2"),
    (re.compile(r"\[json\.exception.*"), "CAUSE"),  # the JSON library's words
]

# Texts that may differ within a group.
SHAPES = [
    (re.compile(r"^(?:[\w-]+/)*[\w-]+(?:\.\w+)?: (?!error)"), "PATH: "),
    (re.compile(r"(its pickle names|entry|the metadata|the attribute) .*?(?=,|: | has| of| is|$)"),
     r"\1 NAME"),
    (re.compile(r"(its pickle (?:has|calls|holds)) (?:None|an? [\w ]+?)"
                r"(?= in place of |, which| where )"), r"\1 WHAT"),
    (re.compile(r"expected (.*), found (.*?)(?=; )"), "expected WHAT, found WHAT"),
    (re.compile(r"\$[.\w\[\]]*"), "FIELD"),
    (re.compile(r"%[0-9]+ = \w+"), "NODE"),
    (re.compile(r"^\w+(?= is | are | has the | must hold |\[)"), "NAME"),  # a parameter's
    (re.compile(r'"(?:[^"\\]|\\.)*"'), "TEXT"),
    (re.compile(r"(?<![\w.])(?:/|FOLDER|SOURCE)[\w./-]*"), "PATH"),
    (re.compile(r"\brt_\w+"), "SYMBOL"),
    (re.compile(r"\b(?:f16|bf16|f32|f64|i32|i64|bool)\b"), "DTYPE"),
    (re.compile(r"\[[-0-9,]*\]"), "SIZES"),
    (re.compile(r"[-+]?\b(?:[0-9][0-9.e+-]*|inf|nan)\b"), "N"),
    (re.compile(r"N(?:, N)+"), "N"),
]

ERROR = re.compile(r"rt_torch: error(?: at .*?:-?[0-9]+)?: (?=\w+)")


def variables(**changed):
    """Returns the process's environment with this script's and the changed variables."""
    return os.environ | ENVIRONMENT | changed


def split(message):
    """Returns the symbol of a message and its sentence, without the call in front of it."""
    symbol = re.match(r"\w*", message)[0]
    at, depth = len(symbol), 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[()]', message):
        if depth == 0 and (token[0] != "(" or token.start() != at):
            break
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0:
            at = token.end()
            break
    return symbol, re.sub(r"^(?: at \S+:-?[0-9]+)?: ", "", message[at:])


def shape(message):
    sentence = split(message)[1]
    for pattern, word in SHAPES:
        sentence = pattern.sub(word, sentence)
    return sentence


class Collection:
    def __init__(self, folder):
        self.folder = folder
        self.messages = set()

    def add(self, message):
        message = re.sub(r'[^"\s]+(?=/tests/files/)', "SOURCE", message)
        message = re.sub(re.escape(self.folder) + r'(?:/rt_[\w.-]*)?', "FOLDER", message)
        for pattern, word in VARYING:
            message = pattern.sub(word, message)
        self.messages.add(message)

    def run(self, command, must_pass=False, **options):
        """Runs a program and adds the messages on its standard error."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, errors="backslashreplace",
                                   **options)
        seen = set()  # saves most of the time, because most lines repeat
        with process:
            for line in process.stderr:
                line = HANDLE.sub("#N", line.rstrip("\n"))
                if line not in seen:
                    seen.add(line)
                    self.add_line(line)
        if must_pass and process.returncode != 0:
            sys.exit(f"{command[0]} ended with {process.returncode}; make its tests pass first")

    def add_line(self, line):
        if match := ERROR.match(line):
            self.add(line[match.end():])
        elif re.match(r"rt_\w+[:(]", line) and not line.startswith("rt_torch: batch "):
            self.add(line)  # without the batches, which RT_TORCH_DEBUG=1 prints



def call(collection, programs):
    for name, suites in PROGRAMS.items():
        collection.run([str(programs / name), f"--gtest_filter={suites}"], must_pass=True,
                       env=variables(RT_TORCH_ON_ERROR="print", TMPDIR=collection.folder))


def set_variables(collection, programs):
    work = os.path.join(collection.folder, "work")
    os.mkdir(work)
    for name, value in VARIABLES:
        changed = {name: value.replace("FOLDER", work)}
        collection.run([str(programs / "rt_test_leak")], env=variables(**changed), cwd=work)
    for content in ("device: cuda:9\n", "x" * (1 << 17)):
        with open(os.path.join(work, "dl.config.sdn"), "w", encoding="utf-8") as file:
            file.write(content)
        collection.run([str(programs / "rt_test_leak")], env=variables(RT_TORCH_DEBUG="1"),
                       cwd=work)
    os.remove(os.path.join(work, "dl.config.sdn"))
    collection.run([str(programs / "rt_test_fallback")], env=variables(RT_TORCH_DEBUG="1"))
    shutil.rmtree(work)


def zipped(name, entries):
    """Returns an archive of the entries, as torch.save writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for entry, content in entries:
            archive.writestr(f"{name}/{entry}", content)
    return out.getvalue()


def damaged(content, step):
    """Yields the bytes cut off, and with one byte changed, at every step."""
    for at in range(0, len(content), step):
        yield content[:at]
        for flip in (0x01, 0x13, 0x80):
            yield content[:at] + bytes([content[at] ^ flip]) + content[at + 1:]


def damaged_files():
    """Yields (end of the name, bytes) of files that are damaged or hold what is not supported."""
    for path in sorted((SOURCE / "tests/files/data").iterdir()):
        content = path.read_bytes()
        yield path.suffix, content
        if path.name == "f32.pt" or path.suffix == ".safetensors":
            yield from ((path.suffix, one) for one in damaged(content, 1 + len(content) // 400))
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [(name.split("/", 1)[1], archive.read(name))
                           for name in archive.namelist()]
        except zipfile.BadZipFile:
            continue
        for at, (name, inner) in enumerate(entries):
            rest = entries[:at] + entries[at + 1:]
            yield ".pt", zipped("a", rest)
            ways = [b"", b"x", inner + inner, b"9" * 20]
            if name == "data.pkl":
                ways = damaged(inner, 1) if path.name in PICKLES else []
            for one in ways:
                yield ".pt", zipped("a", [*rest, (name, one)])


def open_files(collection, library):
    os.environ.update(ENVIRONMENT)
    torch = ctypes.CDLL(str(library))
    torch.rt_torch_tensor_load.restype = ctypes.c_int64
    torch.rt_torch_last_error.restype = ctypes.c_char_p
    for end, content in [*damaged_files(), ("", None)]:
        path = os.path.join(collection.folder, "damaged" + end)
        if os.path.exists(path):
            os.remove(path)  # faster than to overwrite it
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        tensor = torch.rt_torch_tensor_load(path.encode())
        if tensor > 0:
            torch.rt_torch_torchtensor_free(ctypes.c_int64(tensor))
        else:
            collection.add(torch.rt_torch_last_error().decode(errors="backslashreplace"))


def inspect_dumps(collection, programs):
    work = pathlib.Path(collection.folder, "dumps")
    work.mkdir()
    tool = str(programs / "rt_graph_dump")
    options = {"cwd": work, "env": variables()}
    for what in ("work", "fail"):
        collection.run([str(programs / "rt_dump_client"), what], cwd=work,
                       env=variables(RT_TORCH_DUMP=what, RT_TORCH_DUMP_INPUTS="1"))
    for name, content in DUMPS.items():
        (work / name).write_text(content)
    commands = [[], ["absent.json"], ["work"], ["run", "gpu.txt"], ["--format", "torchscript"]]
    commands += [[command, name] for command in ("run", "stats") for name in DUMPS]
    failed = sorted(path for path in work.glob("fail/failure-1/*-failed.json"))
    commands += [["run", str(path.relative_to(work))] for path in failed]
    for command in commands:
        collection.run([tool, *command], **options)
    collection.run([tool, "bad.txt"], cwd=work, env=variables(RT_TORCH_THREADS="many"))

    dump = next(iter(sorted((work / "work").glob("*.json"))))
    inputs = next(iter(sorted((work / "work").glob("*.safetensors"))))
    text = subprocess.run([tool, dump], capture_output=True, check=True, **options).stdout
    (work / "dump").mkdir()
    shutil.copy(inputs, work / "dump")
    for content in (dump.read_bytes(), text):
        for one in damaged(content, 1 + len(content) // 40):
            (work / "dump" / "damaged").write_bytes(one)
            collection.run([tool, "run", "dump/damaged"], **options)
    shutil.copy(dump, work / "dump" / dump.name)
    content = inputs.read_bytes()
    for one in damaged(content, 1 + len(content) // 10):
        (work / "dump" / inputs.name).write_bytes(one)
        collection.run([tool, "run", f"dump/{dump.name}"], **options)


def collect(programs, library):
    with tempfile.TemporaryDirectory(prefix="rt_messages_") as folder:
        collection = Collection(os.path.realpath(folder))
        call(collection, programs)
        set_variables(collection, programs)
        open_files(collection, library)
        if (programs / "rt_graph_dump").exists():
            inspect_dumps(collection, programs)
        return collection.messages


def choose(messages, golden):
    """Returns the examples of each group: those that were, and more where one of them is gone."""
    groups = {}
    for message in sorted(messages, key=lambda one: (split(one)[0], len(one), one)):
        groups.setdefault(shape(message), []).append(message)
    before = {}
    for message in golden:
        before.setdefault(shape(message), set()).add(message)
    chosen = []
    for name, group in groups.items():
        kept = [message for message in group if message in before.get(name, ())]
        if not kept or len(kept) < len(before[name]):
            symbols = {split(message)[0] for message in kept}
            for message in group:  # of different symbols first
                if len(kept) < EXAMPLES and split(message)[0] not in symbols:
                    kept.append(message)
                    symbols.add(split(message)[0])
            kept += [message for message in group if message not in kept][:EXAMPLES - len(kept)]
        chosen += kept
    return sorted(chosen)


def main():
    arguments = sys.argv[1:]
    update = "--update" in arguments
    if update:
        arguments.remove("--update")
    if len(arguments) != 2:
        sys.exit(__doc__)
    programs, library = (pathlib.Path(argument).resolve() for argument in arguments)
    golden = GOLDEN.read_text(encoding="utf-8").splitlines() if GOLDEN.exists() else []
    chosen = choose(collect(programs, library), golden)
    if not (programs / "rt_graph_dump").exists():
        chosen = sorted(chosen + [one for one in golden if one.startswith("rt_graph_dump")])
    if update:
        GOLDEN.write_text("".join(one + "\n" for one in chosen), encoding="utf-8")
    elif chosen != golden:
        print(*difflib.unified_diff(golden, chosen, "messages.txt", "provoked now", n=0,
                                    lineterm=""), sep="\n")
        sys.exit("\nThe messages of errors are part of the interface: if each change above is "
                 f"meant, run {__file__} --update {programs} {library} and commit messages.txt.")


if __name__ == "__main__":
    main()
