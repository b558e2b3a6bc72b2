#!/usr/bin/env bash
# run.sh -- builds the fuzzers of the file readers with clang, and runs each for a given time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-600}

cmake --preset fuzz --log-level=WARNING
cmake --build --preset fuzz
for reader in pickle torch_file safetensors; do
  case $reader in
    pickle) seeds=tests/fuzz_files/pickles longest=4096 ;;
    *) seeds=tests/files/data longest=8192 ;;
  esac
  corpus=build/fuzz/corpus/$reader
  mkdir -p "$corpus"
  # The limits are low because a reader's memory is bounded by the size of its file.
  build/fuzz/bin/rt_fuzz_$reader -max_total_time="$seconds" -max_len=$longest -timeout=10 \
    -rss_limit_mb=1024 -malloc_limit_mb=256 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$reader-" "$corpus" $seeds
done
