#!/usr/bin/env python3
"""Compares rt_torch with PyTorch, JAX, MLX and Dr.Jit on the workloads of rt_bench.

Needs build/release/bin/rt_bench and, once, bench/peers/setup.sh. docs/performance.md says how each
system is used. Exit status: 0 all results agree, 1 some differ, 2 something failed.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import report
import workloads

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BACKENDS = "libtorch", "reference"
OURS = {f"ours-{backend}": backend for backend in BACKENDS}  # measured by rt_bench
WORKERS = [name for name in report.HEADS if name not in OURS]
FAILS = "fails at"  # in remarks
COMPARED = 6  # steps before results are compared, as in rt_bench
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "RT_TORCH_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    # No process beside the measured one, and no GPU.
    "TORCHINDUCTOR_COMPILE_THREADS": "1", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "",
    # Freed blocks stay with the process, as in rt_bench.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}


class Failure(Exception):
    """A sentence for the user."""


class Missing(Failure):
    """The system is not installed."""


class Worker:
    """A process that runs one system."""

    def __init__(self, name, options, folder):
        self.name = name
        self.messages = folder / f"{name}.log"
        with open(self.messages, "wb") as messages:
            self.process = subprocess.Popen(
                [options.python, HERE / "worker.py", name], text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=messages, env=environment(options))
        try:
            self.version = self.answer()["version"]
        except Failure:
            self.close()
            raise

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            lines = self.messages.read_text(errors="replace").split("\n")
            last = [x for x in lines if x.strip()][-6:]
            raise Failure("\n  ".join([f"its process ended with status {status}", *last]))
        answer = json.loads(line)
        error = answer.get("error")
        if error:
            raise (Missing if error.startswith("ModuleNotFoundError") else Failure)(error)
        return answer

    def ask(self, request, argument):
        try:
            print(json.dumps({request: argument}), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # answer() says why
        return self.answer()["value"]

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def environment(options):
    return os.environ | ONE_THREAD | {
        "PEERS_BUILD": str(options.build), "PYTHONDONTWRITEBYTECODE": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(ROOT / "build" / "deps" / "peers" / "inductor")}


def call_rt_bench(options, *arguments):
    program = options.build / "bin" / "rt_bench"
    try:
        ran = subprocess.run([program, *arguments], capture_output=True, text=True, check=False,
                             env=environment(options))
    except OSError as error:
        raise Failure(f"{program} cannot be run ({error.strerror}); build the preset release, or "
                      "name its folder by --build") from None
    if ran.returncode not in (0, 1):
        raise Failure(f"status {ran.returncode}, {ran.stderr.strip()}")
    return ran


def run_rt_bench(workload, options, folder):
    """One run of rt_bench: its results by backend."""
    path = folder / "rt_bench.json"
    path.unlink(missing_ok=True)
    call_rt_bench(options, "--only", f"^{workload.rt_bench}$", "--rounds",
                  "1" if options.quick else "3", "--json", path)
    found = {x["backend"]: x for x in json.loads(path.read_text())["results"]}
    if any("libtorch" not in found.get(x, {"ways": ()})["ways"] for x in BACKENDS):
        raise Failure("rt_bench was built without libtorch, which is the yardstick")
    return found


# ---- a workload


class Measurement:
    def __init__(self, workload, workers, options, folder, note):
        self.workload, self.options, self.folder, self.note = workload, options, folder, note
        self.workers = workers
        self.steps, self.apart, self.us, self.yardstick = {}, {}, {}, {}
        self.loads, self.disagrees = [], set()

    def run(self):
        self.attempt_each(self.prepare)
        self.compare()
        self.attempt_each(self.calibrate)
        for number in range(self.options.rounds):
            self.round(number)
        return self.result()

    def attempt_each(self, action):
        for name in list(self.workers):
            self.attempt(name, action)

    def attempt(self, name, action):
        """A system that fails is left out of the workload, and of the run if its process ended."""
        worker = self.workers.get(name)
        if worker is None:
            return
        try:
            action(worker)
        except Failure as failure:
            self.note(f"{report.HEADS[name]} {FAILS} {self.workload.letter}: {failure}")
            for data in (self.steps, self.apart, self.us):
                data.pop(name, None)
            if worker.process.poll() is not None:
                worker.close()
                del self.workers[name]

    def prepare(self, worker):
        if worker.ask("workload", self.workload.name):
            self.apart[worker.name] = worker.ask("compare", COMPARED)

    def compare(self):
        """Distances from PyTorch's results, or from the first system's."""
        found = self.apart
        base = found.get("torch") or next(iter(found.values()), [])
        self.apart = {name: max(map(report.distance, numbers, base))
                      for name, numbers in found.items()}

    def calibrate(self, worker):
        if worker.name not in self.apart:
            return
        us = max(worker.ask("run", 1), 0.1)
        # The second time is of steps that are no longer the first.
        us = max(worker.ask("run", max(1, int(self.options.round_us / us / 4))), 0.1)
        self.steps[worker.name] = max(1, round(self.options.round_us / us))
        self.us[worker.name] = []

    def round(self, number):
        # Rounds start with each system in turn, because one leaves data in the caches for the next.
        names = ["rt_bench", *self.steps]
        for i in range(len(names)):
            name = names[(i + number) % len(names)]
            if name == "rt_bench":
                self.run_rt_bench()
            else:
                self.attempt(name, lambda worker: self.us[worker.name].append(
                    worker.ask("run", self.steps[worker.name])))

    def run_rt_bench(self):
        found = run_rt_bench(self.workload, self.options, self.folder)
        self.loads.append(max(x["other_load"] for x in found.values()))
        theirs = {backend: found[backend]["ways"]["libtorch"]["us"]["median"]
                  for backend in BACKENDS}
        self.add(report.YARDSTICK, sum(theirs.values()) / len(theirs), None)
        # rt_bench does not have H3, because the engine has no such call.
        if self.workload.name != self.workload.rt_bench:
            return
        for system, backend in OURS.items():
            if system not in self.options.systems:
                continue
            ways = found[backend]["ways"]
            self.add(system, ways["lazy"]["us"]["median"], theirs[backend])
            # JSON's null stands for results that cannot be compared.
            apart = ways["lazy"]["apart"]
            self.apart[system] = (max(apart, self.apart.get(system, 0)) if apart is not None
                                  else float("inf"))
            if not found[backend]["agrees"]:
                self.disagrees.add(system)

    def add(self, name, us, yardstick):
        self.us.setdefault(name, []).append(us)
        if yardstick is not None:
            self.yardstick.setdefault(name, []).append(yardstick)

    def agrees(self, name):
        # rt_bench has judged its own.
        if name in OURS:
            return name not in self.disagrees
        return self.apart.get(name, 0) <= self.workload.tolerance

    def result(self):
        systems = {}
        for name, us in self.us.items():
            against = self.yardstick.get(name, self.us[report.YARDSTICK])
            systems[name] = {"us": report.estimate(us), "times_as_fast": report.ratio(against, us),
                             "agrees": self.agrees(name)}
            if name in self.apart:
                apart = self.apart[name]
                systems[name]["apart"] = apart if apart < float("inf") else None
            if not systems[name]["agrees"]:
                self.note(f"{report.HEADS[name]} differs at {self.workload.letter} by "
                          f"{self.apart[name]:.1e}, allowed is {self.workload.tolerance:.0e}")
        return {"letter": self.workload.letter, "name": self.workload.name,
                "title": self.workload.title, "tolerance": self.workload.tolerance,
                "other_load": report.estimate(self.loads)["median"], "systems": systems}


# ---- the run


def processor_name():
    with contextlib.suppress(OSError):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.partition(": ")[2].strip()
    return "unknown"


def start_workers(options, folder, remarks):
    workers = {}
    for name in options.systems:
        if name in OURS:
            continue
        try:
            workers[name] = Worker(name, options, folder)
        except Missing as missing:
            if options.named:
                raise Failure(f"{name}: {missing}; bench/peers/setup.sh installs it") from None
            remarks.append(f"{report.HEADS[name]} is left out: {missing}")
        except OSError as error:
            raise Failure(f"{options.python} cannot be run ({error.strerror}); run "
                          "bench/peers/setup.sh, or name a Python by --python") from None
        except Failure as failure:
            raise Failure(f"{name}: {failure}") from None
    return workers


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure(options):
    # At once, since the systems take long.
    listed = call_rt_bench(options, "--list").stdout
    for one in options.workloads:
        if one.rt_bench not in [line.split()[0] for line in listed.splitlines()]:
            raise Failure(f"rt_bench has no workload {one.rt_bench}; build it anew")
    run = {"format": 1, "processor": processor_name(), "processors": os.cpu_count(),
           "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
           "quick": options.quick, "rounds": options.rounds, "results": [], "remarks": []}
    # Threads that a system starts in spite of its settings share the one processor.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        workers = start_workers(options, folder, run["remarks"])
        run["versions"] = list(dict.fromkeys(x.version for x in workers.values()))
        try:
            for number, workload in enumerate(options.workloads, 1):
                progress(f"[{number}/{len(options.workloads)}] {workload.title}")
                measurement = Measurement(workload, workers, options, folder,
                                          run["remarks"].append)
                try:
                    run["results"].append(measurement.run())
                except Failure as failure:
                    run["remarks"].append(f"rt_bench {FAILS} {workload.letter}: {failure}")
        finally:
            progress("")
            for worker in workers.values():
                worker.close()
    return run


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds of each workload (default 20)")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="only workloads whose letter or name matches")
    parser.add_argument("--systems", metavar="NAMES",
                        help=f"with commas; all are {','.join(report.HEADS)}")
    parser.add_argument("--quick", action="store_true",
                        help="few and short rounds: does it work, do results agree")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to this file")
    parser.add_argument("--markdown", metavar="FILE", help="also write the tables to this file")
    parser.add_argument("--read", metavar="FILE",
                        help="measure nothing, show the numbers of this file that --json wrote")
    parser.add_argument("--list", action="store_true", help="print the workloads' names")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release",
                        metavar="FOLDER", help="the build that is measured (build/release)")
    parser.add_argument("--python", default=ROOT / "build" / "deps" / "peers" / "bin" / "python3",
                        metavar="FILE", help="the Python with the systems (build/deps/peers)")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.named = options.systems is not None
    options.systems = options.systems.split(",") if options.named else list(report.HEADS)
    for name in options.systems:
        if name not in report.HEADS:
            parser.error(f"{name} is no system; there are {', '.join(report.HEADS)}")
    try:
        pattern = re.compile(options.only)
    except re.error as error:
        parser.error(f"--only {options.only} is not a regular expression: {error}")
    options.workloads = [x for x in workloads.WORKLOADS
                         if pattern.fullmatch(x.letter) or pattern.search(x.name)]
    if not options.workloads:
        parser.error("no workload's letter or name matches --only; --list shows them")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.rounds = options.rounds or (3 if options.quick else 20)
    options.round_us = 2e3 if options.quick else 2e4
    return options


def main():
    options = parse()
    if options.list:
        for one in options.workloads:
            print(f"{one.letter:3} {one.name}  {one.title}")
        return 0
    try:
        run = (json.loads(pathlib.Path(options.read).read_text()) if options.read
               else measure(options))
        text = report.tables(run)
        for path, content in ((options.json, json.dumps(run, indent=2) + "\n"),
                              (options.markdown, text)):
            if path:
                pathlib.Path(path).write_text(content)
    except (Failure, OSError, ValueError) as error:
        print(f"peers: {error}", file=sys.stderr)
        return 2
    print(text, end="")
    if any(FAILS in line for line in run["remarks"]):
        return 2
    agree = all(x["agrees"] for result in run["results"] for x in result["systems"].values())
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
