#!/usr/bin/env bash
# setup.sh -- makes build/deps/peers, the Python with the systems that peers.py compares.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deps=$(cd "$here/../.." && pwd)/build/deps

die() {
  echo "setup: $*" >&2
  exit 1
}

[ $# -eq 0 ] || die "usage: bench/peers/setup.sh"
[ -e "$deps/python/bin/python3" ] ||
  die "PyTorch is missing; run: tools/setup.sh --python-torch"
torch=$(cat "$deps/python/unpacked_by_setup")
folder=$deps/peers
mark=$folder/made_by_setup
work=$(mktemp -d "$deps/.peers.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The Python that build/deps/python was made from, which may be another than the first in the path.
base=$("$deps/python/bin/python3" -c 'import sys; print(sys._base_executable)')
"$base" -m venv "$folder" || die "$base could not make a venv"
pip=("$folder/bin/python3" -m pip --disable-pip-version-check --no-cache-dir)
"${pip[@]}" install --quiet --progress-bar off --upgrade -r "$here/requirements.txt" ||
  die "pip could not install $here/requirements.txt"

# PyTorch's libraries are those of build/deps/python. torch.compile also needs the headers and
# templates of PyTorch's wheel, which that Python lacks. It looks for them beside the resolved path
# of its modules, so that these are copied.
if [ "$(cat "$mark" 2>/dev/null)" != "$torch" ]; then
  site=$(echo "$folder"/lib/python*/site-packages)
  from=$(echo "$deps"/python/lib/python*/site-packages)
  rm -rf "$site/torch"
  mkdir "$site/torch"
  for entry in "$from"/torch/*; do
    [ "$(basename "$entry")" = lib ] || cp -r "$entry" "$site/torch/"
  done
  ln -s "$from/torch/lib" "$site/torch/lib"
  ln -sfn "$from/nvidia" "$site/nvidia"
  echo "$from" >"$site/pytorch.pth"
  echo "setup: fetching the wheel of torch $torch for its headers"
  "${pip[@]}" download --quiet --progress-bar off --no-deps --only-binary=:all: --dest "$work" \
    "torch==$torch" || die "pip could not download torch $torch"
  "$base" - "$work"/torch-*.whl "$site" <<'END' || die "the wheel of torch could not be unpacked"
import fnmatch, sys, zipfile
PATTERNS = "torch/include/*", "torch/*.jinja", "torch/*.json"
wheel, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as file:
    for name in file.namelist():
        if any(fnmatch.fnmatchcase(name, p) for p in PATTERNS):
            file.extract(name, folder)
END
  "$folder/bin/python3" -c 'import torch' || die "PyTorch does not load in $folder"
  echo "$torch" >"$mark"
fi
echo "setup: the systems are in build/deps/peers, $(du -sm "$folder" | cut -f 1) MB"
