#!/usr/bin/env bash
# format.sh -- runs clang-format on our sources, but not on tables (*.def) and generated files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
  "") mode=(-i) ;;
  --check) mode=(--dry-run --Werror) ;;
  *)
    echo "usage: tools/format.sh [--check]" >&2
    exit 2
    ;;
esac

# Versions of clang-format give different results, so that one is prescribed.
wanted=14
tool=$(command -v "clang-format-$wanted" || command -v clang-format || true)
version=
[ -z "$tool" ] || version=$("$tool" --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
if [ "$version" != $wanted ]; then
  echo "format: clang-format $wanted is needed, here is ${version:-none}; nothing was done" >&2
  [ "${1:-}" = --check ] && exit 0
  exit 1
fi

mapfile -d '' sources < <(
  find bench elementwise examples executor fallback_cpu files frontend_abi graph tests tools \
    -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.c' \) ! -path 'frontend_abi/*_torch.h' -print0
)
"$tool" --style=file "${mode[@]}" "${sources[@]}"

# clang-format does not break long comments and strings.
wide=$(awk 'length > 100 { print FILENAME ":" FNR }' "${sources[@]}")
if [ -n "$wide" ]; then
  printf 'format: lines over 100 columns, to be broken by hand:\n%s\n' "$wide" >&2
  exit 1
fi
