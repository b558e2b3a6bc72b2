"""peers_test.py -- checks bench/peers from given numbers, without the systems that it compares."""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
sys.path.insert(0, str(PEERS))
sys.dont_write_bytecode = True
import report
import workloads


def check_statistics():
    found = report.estimate(range(20, 0, -1))
    assert found == {"median": 10.5, "low": 6, "high": 15}, found
    found = report.estimate([3, 1, 2])
    assert found == {"median": 2, "low": 1, "high": 3}, found
    assert report.ratio([2, 4, 6], [1, 1, 2]) == {"median": 3, "low": 2, "high": 4}
    assert report.distance([1, 200], [1, 100]) == 1
    assert report.distance([0.5], [0.25]) == 0.25  # small numbers differ absolutely
    assert math.isinf(report.distance([1], [1, 2])) and math.isinf(report.distance([math.nan], [1]))
    assert [report.time_text(x) for x in (1.234, 56.78, 2345, 4.5e6)] == [
        "1.23 us", "56.8 us", "2.35 ms", "4.50 s"]


def check_workloads():
    table = (ROOT / "bench" / "rt_bench" / "table.h").read_text()
    for one in workloads.WORKLOADS:
        assert f'"{one.rt_bench}"' in table, f"rt_bench has no workload {one.rt_bench}"
    for names in ([x.letter for x in workloads.WORKLOADS], [x.name for x in workloads.WORKLOADS]):
        assert len(set(names)) == len(names), names
    shapes = {workloads.NewShapes.sizes(step) for step in range(20000)}
    assert len(shapes) == 20000 and min(map(min, shapes)) == 2
    assert workloads.chain(8, 0.5, -2, 4, lambda x: max(x, 0)) == 2.01
    assert workloads.new_shapes(0.5, 3) == 0.375


def check_data():
    """The first numbers of std::mt19937 with seed 1, if there is numpy."""
    try:
        import data
    except ModuleNotFoundError:
        return
    random = data.Random()
    assert list(random.raw(2)) == [1791095845, 4282876139]
    drawn = random.normal((100001,), 2)
    assert abs(drawn.mean()) < 0.03 and abs(drawn.std() - 2) < 0.02
    # Pairs leave the engine where drawing them one by one does.
    many, few = data.Random(), data.Random()
    many.normal((2,)), few.normal((1,))
    assert many.raw(1) == few.raw(1)
    for one in workloads.WORKLOADS:
        if isinstance(one.kind, workloads.Mlp):
            data.fill(one.kind)
            assert len(one.kind.batches) == workloads.MINIBATCHES


def estimate(low, median, high):
    return {"low": low, "median": median, "high": high}


def a_run():
    """A run of one workload with a noisy system and one that differs."""
    systems = {"libtorch": (1, 1, 1), "jax": (2.5, 3, 3.5), "torch": (0.99, 1, 1.01)}
    return {"date": "today", "processor": "a processor", "processors": 2, "rounds": 20,
            "quick": False, "versions": ["JAX 1"], "remarks": ["MLX is left out: a reason"],
            "results": [{"letter": "A", "title": "some ops", "other_load": 0, "systems": {
                name: {"us": estimate(9, 10, 11), "times_as_fast": estimate(*fast),
                       "agrees": name != "torch"} for name, fast in systems.items()}}]}


def run(*arguments):
    return subprocess.run([sys.executable, PEERS / "peers.py", *arguments], capture_output=True,
                          text=True, check=False)


def check_program(folder):
    path = folder / "run.json"
    path.write_text(json.dumps(a_run()))
    ran = run("--read", path, "--markdown", folder / "run.md")
    assert ran.returncode == 1, (ran.returncode, ran.stderr)  # one system differs
    for line in ("| workload | PyTorch eager | JAX |",
                 "| A some ops | 1.00, 0.99 to 1.01, DIFFERS | 3.00, 2.50 to 3.50? |",
                 "| A some ops | 10.0 us | 10.0 us | 10.0 us |", "- MLX is left out: a reason"):
        assert line + "\n" in ran.stdout, (line, ran.stdout)
    assert (folder / "run.md").read_text() == ran.stdout
    listed = run("--list")
    assert listed.returncode == 0 and listed.stdout.count("\n") == len(workloads.WORKLOADS)
    for arguments, said in (
            (["--only", "no such name"], "no workload's letter or name matches"),
            (["--only", "("], "not a regular expression"),
            (["--systems", "tpu"], "tpu is no system"),
            (["--rounds", "0"], "at least 1"),
            (["--read", folder / "none"], "No such file"),
            (["--build", folder], "rt_bench cannot be run")):
        ran = run(*arguments)
        assert ran.returncode == 2 and said in ran.stderr, (arguments, ran.returncode, ran.stderr)
        assert "Traceback" not in ran.stderr, ran.stderr


def main():
    check_statistics()
    check_workloads()
    check_data()
    with tempfile.TemporaryDirectory() as folder:
        check_program(pathlib.Path(folder))


main()
