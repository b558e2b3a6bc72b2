#!/usr/bin/env bash
# test.sh -- builds and tests: everything in release, then the core suites under sanitizers.
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

doing=starting
# shellcheck disable=SC2154  # status is set in the trap itself
trap 'status=$?; [ $status -eq 0 ] || echo "test: FAILED while $doing ($SECONDS s)" >&2' EXIT

step() {
  doing=$1
  echo
  echo "== $SECONDS s: $doing"
}

if [ $setup -eq 1 ]; then
  step "installing what is missing"
  tools/setup.sh --test --libtorch
fi
step "checking the format"
tools/format.sh --check
for preset in "${presets[@]}"; do
  step "configuring $preset"
  cmake --preset "$preset" --log-level=WARNING
  step "building $preset"
  cmake --build --preset "$preset"
  step "testing $preset"
  ctest --preset "$preset" --parallel "$(nproc)" "${filter[@]}"
done
echo
echo "test: PASSED (${presets[*]}) in $SECONDS s"
