#!/usr/bin/env bash
# test.sh -- builds and tests: everything in release, then the core under sanitizers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'EOF'
usage: tools/test.sh [--preset NAME]... [--no-setup] [--filter REGEX]
  --preset NAME   release, debug, asan, tsan or reference; may be repeated (default: release asan)
  --no-setup      install nothing
  --filter REGEX  only the tests whose name matches
EOF
}

presets=()
setup=1
filter=()
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) [ $# -ge 2 ] || { usage >&2; exit 2; }; presets+=("$2"); shift ;;
    --no-setup) setup=0 ;;
    --filter) [ $# -ge 2 ] || { usage >&2; exit 2; }; filter=(--tests-regex "$2"); shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
[ ${#presets[@]} -gt 0 ] || presets=(release asan)

step() {
  echo
  echo "== $SECONDS s: $1"
}

# attempt DOING COMMAND...: keeps a failure for the end, so that one does not hide others.
failures=()
attempt() {
  step "$1"
  "${@:2}" && return
  failures+=("$1")
  return 1
}

if [ $setup -eq 1 ]; then
  step "installing what is missing"
  tools/setup.sh --test --libtorch || {
    echo "test: FAILED, for what is missing could not be installed" >&2
    exit 1
  }
fi
attempt "checking the format" tools/format.sh --check || true
for preset in "${presets[@]}"; do
  attempt "configuring $preset" cmake --preset "$preset" --log-level=WARNING || continue
  # -k 0: a target that does not build must not keep others from being tested.
  attempt "building $preset" cmake --build --preset "$preset" -- -k 0 || true
  list=build/$preset/Testing/Temporary/LastTestsFailed.log
  rm -f "$list"
  attempt "testing $preset" ctest --preset "$preset" --parallel "$(nproc)" "${filter[@]}" ||
    [ ! -e "$list" ] || mapfile -t -O ${#failures[@]} failures < <(sed 's/^[0-9]*:/  /' "$list")
done
echo
if [ ${#failures[@]} -gt 0 ]; then
  echo "test: FAILED (${presets[*]}) in $SECONDS s:" >&2
  printf '  %s\n' "${failures[@]}" >&2
  exit 1
fi
echo "test: PASSED (${presets[*]}) in $SECONDS s"
