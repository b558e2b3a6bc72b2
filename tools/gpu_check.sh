#!/usr/bin/env bash
# gpu_check.sh -- builds with python3's torch, tests and measures on a machine with an NVIDIA GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/gpu

usage() {
  cat <<'END'
usage: tools/gpu_check.sh [OPTION]... [GOOGLETEST [JSON]]
  GOOGLETEST       folder with the sources of GoogleTest, where it is not installed
  JSON             as --include JSON: the folder that has nlohmann/json.hpp
  --include DIR    also look in DIR for headers: Eigen, hwy, nlohmann/json.hpp, xxhash.h, zlib.h,
                   and CLI/CLI.hpp for rt_bench; may be repeated
  --library DIR    also look in DIR for the library z
  --benchmark DIR  folder with the sources of Google Benchmark; without it, and without one that is
                   installed, rt_microbench is not built
Builds in build/gpu, runs the tests labelled libtorch on the GPU, then rt_microbench on GPU and CPU
and rt_bench on the GPU, and writes bench/results/<device>-gpu_check.json and .md and
<device>-rt_bench.json. Fails unless all tests pass and all results of rt_bench agree.
END
}

die() {
  echo "gpu_check: $*" >&2
  exit 1
}

googletest=
benchmark=
includes=()
library=
while [ $# -gt 0 ]; do
  case "$1" in
    --include | --library | --benchmark)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      [ -d "$2" ] || die "$1 names $2, which is not a folder"
      case "$1" in
        --include) includes+=("$(realpath "$2")") ;;
        --library) library=$(realpath "$2") ;;
        --benchmark) benchmark=$(realpath "$2") ;;
      esac
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *)
      [ -d "$1" ] || die "$1 is not a folder"
      if [ -z "$googletest" ]; then googletest=$(realpath "$1"); else
        includes+=("$(realpath "$1")")
      fi
      ;;
  esac
  shift
done
for folder in "$googletest" "$benchmark"; do
  [ -z "$folder" ] || [ -e "$folder/CMakeLists.txt" ] ||
    die "$folder has no CMakeLists.txt, so that it cannot be the sources to build"
done

# ---- requirements; all that are missing are reported together
missing=()
for tool in nvidia-smi python3 cmake ctest c++; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
generator=Ninja
if ! command -v ninja >/dev/null; then
  generator="Unix Makefiles"
  command -v make >/dev/null || missing+=("ninja or make")
fi
[ ${#missing[@]} -eq 0 ] ||
  die "this machine lacks: $(printf '%s, ' "${missing[@]}" | sed 's/, $//')"

version=$(cmake --version | sed -n '1s/[^0-9]*//p')
[ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ] ||
  die "CMake 3.25 or newer is needed, here is $version"
gpu=$(nvidia-smi -i 0 --query-gpu=name,driver_version --format=csv,noheader) ||
  die "nvidia-smi finds no GPU"
device=${gpu%,*}
driver=${gpu##*, }
torch=$(cd / && python3 -c 'import os, torch
print(os.path.dirname(torch.__file__), torch.__version__, torch.cuda.is_available(), sep="\n")') ||
  die "python3 cannot import torch"
{ read -r torch_folder && read -r torch_version && read -r sees_gpu; } <<<"$torch"
[ "$sees_gpu" = True ] || die "python3's torch $torch_version sees no GPU it can use"
echo "gpu_check: $device, driver $driver, torch $torch_version"

# ---- building
mkdir -p $build bench/results

# quietly FILE COMMAND...: writes the command's output to $build/FILE; on failure shows its end.
quietly() {
  local log=$build/$1
  shift
  "$@" >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    return 1
  }
}

# The environment must not choose another torch.
unset RT_TORCH_LIBTORCH LIBTORCH
SECONDS=0
quietly configure.log cmake -S . -B $build -G "$generator" -DCMAKE_BUILD_TYPE=Release \
  -DRT_TORCHSCRIPT=ON -DRT_LIBTORCH="$torch_folder" -DRT_TESTS=ON -DRT_BENCH=ON \
  -DRT_GOOGLETEST_SOURCE="$googletest" -DRT_BENCHMARK_SOURCE="$benchmark" \
  -DCMAKE_INCLUDE_PATH="$(IFS=';' && echo "${includes[*]}")" -DCMAKE_LIBRARY_PATH="$library" ||
  die "configuring failed; --include and --library name folders of what is not installed"
! grep 'GoogleTest was not found' $build/configure.log ||
  die "GoogleTest is not installed: name the folder of its sources"
quietly build.log cmake --build $build --parallel "$(nproc)" || die "building failed"
echo "gpu_check: built in $SECONDS s"

# ---- tests. Each process has a CUDA context, so that a GPU has no memory for one per core.
jobs=$(($(nproc) < 8 ? $(nproc) : 8))
rm -f $build/tests.xml
SECONDS=0
RT_TORCH_DEVICE=cuda RT_TORCH_BACKEND=libtorch ctest --test-dir $build \
  --label-regex '^libtorch$' --no-tests=error --parallel "$jobs" --output-on-failure \
  --output-junit tests.xml >$build/tests.log 2>&1 || tail -n 100 $build/tests.log
if [ ! -e $build/tests.xml ] || grep -q '^No tests were found' $build/tests.log; then
  die "no test ran: none is labelled libtorch, or ctest failed"
fi
test_seconds=$SECONDS

# ---- measurements
bench_failed=0
rm -f $build/bench_*.json $build/rt_bench.*
if [ -x $build/bin/rt_microbench ]; then
  for kind in cuda cpu; do
    echo "gpu_check: measuring on $kind"
    RT_TORCH_DEVICE=$kind RT_TORCH_BACKEND=libtorch timeout 300 $build/bin/rt_microbench \
      --benchmark_format=json --benchmark_repetitions=5 --benchmark_report_aggregates_only=true \
      >$build/bench_$kind.json 2>$build/bench_$kind.log || {
      bench_failed=1
      rm -f $build/bench_$kind.json
      tail -n 15 $build/bench_$kind.log >&2
      echo "gpu_check: rt_microbench failed on $kind" >&2
    }
  done
else
  echo "gpu_check: Google Benchmark is not there (--benchmark): no rt_microbench"
fi
if [ -x $build/bin/rt_bench ]; then
  echo "gpu_check: measuring workloads beside libtorch"
  timeout 900 $build/bin/rt_bench --device cuda --json $build/rt_bench.json \
    >$build/rt_bench.md 2>$build/rt_bench.log || {
    bench_failed=1
    tail -n 15 $build/rt_bench.md $build/rt_bench.log >&2
    echo "gpu_check: rt_bench failed, or results differ" >&2
  }
else
  echo "gpu_check: CLI11 is not there (--include): no rt_bench"
fi

# ---- results
export device driver torch_version test_seconds build
python3 - <<'END' || die "not all is well: see above, and build/gpu/tests.log"
import datetime, json, os, pathlib, re, shutil, sys
import xml.etree.ElementTree as xml

env = os.environ
build = pathlib.Path(env["build"])
names = {"passed": [], "failed": [], "skipped": []}
for case in xml.parse(build / "tests.xml").iter("testcase"):
    # A test whose program is missing counts as "skipped" too, but it did not ask for that.
    skipped = case.find("skipped")
    why = skipped.get("message", "") if skipped is not None else ""
    if case.get("status") == "run":
        kind = "passed"
    elif case.get("status") == "disabled" or why.startswith("SKIP_"):
        kind = "skipped"
    else:
        kind = "failed"
    names[kind].append(case.get("name"))

benchmarks = {}
for kind in ("cuda", "cpu"):
    path = build / f"bench_{kind}.json"
    for run in json.loads(path.read_text())["benchmarks"] if path.exists() else ():
        name = run.get("run_name", run["name"])
        # The name of this field depends on the version of the benchmark library.
        gave_up = run.get("error_occurred") or run.get("skipped")
        if gave_up:
            benchmarks.setdefault(name, {})[kind] = {"error": run.get("error_message", "gave up")}
        elif run.get("aggregate_name") == "median":
            benchmarks.setdefault(name, {})[kind] = {
                "median": run["real_time"], "unit": run["time_unit"]}

result = {
    "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    "device": env["device"],
    "driver": env["driver"],
    "torch": env["torch_version"],
    "tests": {
        "passed": len(names["passed"]),
        "failed": len(names["failed"]),
        "skipped": len(names["skipped"]),
        "seconds": int(env["test_seconds"]),
        "failures": sorted(names["failed"]),
        "skips": sorted(names["skipped"]),
    },
    "benchmarks": benchmarks,
}
safe = re.sub("[^a-z0-9]+", "-", env["device"].lower()).strip("-")
stem = f"bench/results/{safe}-gpu_check"
pathlib.Path(stem + ".json").write_text(json.dumps(result, indent=2) + "\n")

tests = result["tests"]
lines = [
    f"# {env['device']}", "",
    "Written by `tools/gpu_check.sh`: the tests labelled `libtorch` with `RT_TORCH_DEVICE=cuda`,",
    "`rt_microbench` on both devices (medians of 5), and `rt_bench --device cuda`.", "",
    "| what | |", "|---|---|",
    f"| date | {result['date']} |",
    f"| torch | {result['torch']} |",
    f"| driver | {result['driver']} |",
    f"| tests passed | {tests['passed']} |",
    f"| tests failed | {tests['failed']} |",
    f"| tests skipped | {tests['skipped']} |",
    f"| seconds | {tests['seconds']} |",
]
for kind in ("failures", "skips"):
    if tests[kind]:
        lines += ["", f"## {kind.capitalize()}", ""] + [f"- `{name}`" for name in tests[kind]]
if benchmarks:
    def cell(value):
        if not value:
            return "none"
        return value.get("error") or f"{value['median']:.4g} {value['unit']}"
    lines += ["", "| benchmark | cuda | cpu |", "|---|---|---|"]
    lines += [f"| {n} | {cell(b.get('cuda'))} | {cell(b.get('cpu'))} |"
              for n, b in benchmarks.items()]
if (build / "rt_bench.json").exists():
    lines += ["", "## rt_bench", "", (build / "rt_bench.md").read_text().rstrip()]
    shutil.copy(build / "rt_bench.json", f"bench/results/{safe}-rt_bench.json")
text = "\n".join(lines) + "\n"
pathlib.Path(stem + ".md").write_text(text)
print(text + f"\ngpu_check: written to {stem}.json and .md")
counts = ", ".join(f"{tests[kind]} {kind}" for kind in ("passed", "failed", "skipped"))
print(f"gpu_check: {counts}")
sys.exit(tests["failed"] > 0 or tests["passed"] == 0)
END
[ $bench_failed -eq 0 ] || die "the tests passed, but measuring failed, see above"
