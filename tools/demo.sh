#!/usr/bin/env bash
# demo.sh -- installs what is missing, builds, and trains the classifier examples/digits.c.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'EOF'
usage: tools/demo.sh
  Installs what is missing, builds into build/reference, and trains a classifier of digits.
EOF
}

case "${1-}" in
  "") ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

doing=starting
# shellcheck disable=SC2154  # status is set in the trap itself
trap 'status=$?; [ $status -eq 0 ] || echo "demo: failed while $doing, see above" >&2' EXIT

step() {
  doing=$1
  echo
  echo "== $SECONDS s: $doing"
}

echo "demo: trains a 64-64-10 network on 8x8 images of digits, from C, without libtorch."

step "installing what is missing"
tools/setup.sh --demo

step "configuring into build/reference"
cmake --preset reference --log-level=WARNING

step "building the library and the example"
cmake --build --preset reference --target digits

step "training"
build/reference/bin/digits

echo
echo "demo: done in $SECONDS s. The program is examples/digits.c; run it again with"
echo "      build/reference/bin/digits"
