"""program_test.py -- runs rt_bench on workloads that take little time and reads what it writes.

usage: program_test.py RT_BENCH 0|1 (whether it was built with libtorch)

Results must agree and counts must be exact; times need only be numbers.
"""
import html.parser
import json
import pathlib
import subprocess
import sys
import tempfile

# Counts of a step of the lazy way: batches, cache hits, nodes.
COUNTS = {
    "chain_100_16x16": (1, 1, 100),
    "mlp_sgd": (1, 1, None),
    "mlp_adamw": (1, 1, None),
    "mlp_cross_entropy": (1, 1, None),
    "digits": (1, 1, None),
    "attention": (1, 1, None),
    "shape_every_10": (10, 10, 100),
    "shape_every_op": (20, None, 20),
    "one_op": (1, None, 1),
    "changing_scalars": (1, 1, 100),
    "changing_shapes": (1, 0, 21),
    "batch_10": (1, 1, 10),
}
VOID = {"meta"}


class Page(html.parser.HTMLParser):
    """Records open elements, charts and resources that the page would load."""

    def __init__(self, text):
        super().__init__()
        self.open, self.charts, self.text = [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img"), f"<{tag}> in a page that stands alone"
        if tag not in VOID:
            self.open.append(tag)
        if "aria-label" in dict(attributes):
            self.charts.append(dict(attributes)["aria-label"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.text.append(data)


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def check_estimate(value, positive=True):
    assert value["low"] <= value["median"] <= value["high"], value
    assert not positive or value["low"] > 0, value


def check_result(result, ways):
    name = result["name"]
    assert list(result["ways"]) == ways, (name, list(result["ways"]))
    assert result["baseline"] == ways[-1], name
    assert result["agrees"] is True, f"{name}: results differ, {result['ways']}"
    for way in result["ways"].values():
        check_estimate(way["us"])
        check_estimate(way["times_as_fast"])
        assert 0 <= way["apart"] <= result["tolerance"], (name, way)
    assert result["ways"][ways[-1]]["times_as_fast"]["median"] == 1, name
    if "above_us" in result:
        check_estimate(result["above_us"], positive=False)
    step = result["per_step"]
    for count, wanted in zip(("batches", "cache_hits", "nodes"), COUNTS[name]):
        assert wanted is None or step[count] == wanted, (name, count, step[count], wanted)
    assert step["bytes"] > 0 and result["rounds"] > 0, (name, step)


def check_run(program, libtorch, folder):
    json_path, html_path = folder / "run.json", folder / "run.html"
    names = "^(" + "|".join(COUNTS) + ")$"
    ran = run(program, "--quick", "--only", names, "--json", json_path, "--html", html_path)
    assert ran.returncode == 0, (ran.returncode, ran.stdout, ran.stderr)
    assert ran.stderr == "", ran.stderr  # progress is for terminals only
    found = json.loads(json_path.read_text())
    assert found["format"] == 1 and found["quick"] and found["threads"] == 1, found
    assert (found["libtorch"] is not None) == libtorch
    backends = ["libtorch", "reference"] if libtorch else ["reference"]
    expected = {(b, n) for b in backends for n in COUNTS
                if b == "libtorch" or not n.startswith("batch_")}
    assert {(r["backend"], r["name"]) for r in found["results"]} == expected
    assert len(found["results"]) == len(expected)
    page = Page(html_path.read_text())
    assert len(page.charts) == 2 * len(backends), page.charts
    for result in found["results"]:
        ways = ["lazy", "eager"] + ["libtorch"] * libtorch
        check_result(result, [w for w in ways if w != "eager" or "above_us" not in result])
        assert f"| {result['title']} " in ran.stdout, (result["title"], ran.stdout)
        assert result["title"] in page.text, result["title"]
    assert f"lazily against {'libtorch' if libtorch else 'policy eager'}:" in ran.stdout
    bars = {r["name"]: r["bar"] for r in found["results"] if r["backend"] == "libtorch"}
    if libtorch:
        assert bars["chain_100_16x16"]["times_as_fast"] == 10, bars
        assert isinstance(bars["chain_100_16x16"]["met"], bool), bars
        assert bars["changing_shapes"] is None, bars
    else:
        assert all(r["bar"] is None for r in found["results"])


def check_messages(program, folder):
    listed = run(program, "--list")
    assert listed.returncode == 0 and set(COUNTS) <= {l.split()[0] for l in listed.stdout.splitlines()}
    for arguments, said in (
            (["--only", "no such name"], "no workload's name matches"),
            (["--only", "("], "not a regular expression"),
            (["--quick", "--only", "^batch_1$", "--backend", "reference"], "on libtorch alone"),
            (["--quick", "--only", "^one_op$", "--json", folder / "none" / "x"], "cannot write")):
        ran = run(program, *arguments)
        assert ran.returncode == 2 and said in ran.stderr, (arguments, ran.returncode, ran.stderr)
    assert run(program, "--device", "tpu").returncode not in (0, 1)


def main():
    program, libtorch = sys.argv[1], sys.argv[2] == "1"
    with tempfile.TemporaryDirectory() as folder:
        check_run(program, libtorch, pathlib.Path(folder))
        check_messages(program, pathlib.Path(folder))


main()
