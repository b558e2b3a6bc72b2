#!/usr/bin/env bash
# setup.sh -- installs missing packages of Debian or Ubuntu, and libtorch, for a build.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps

torch=2.11.0
cuda=13.0 # the CUDA version of that libtorch; even its CPU side loads two CUDA libraries

usage() {
  cat <<END
usage: tools/setup.sh [--demo | --test] [--libtorch] [--python-torch]
  --demo      what building the library and the examples needs (default)
  --test      that, and what tests, benchmarks and formatting need
  --libtorch  also libtorch $torch for the CPU, where none is found: fetches 540 MB of PyPI's
              wheels and unpacks 500 MB under build/deps
  --python-torch
              also a Python with PyTorch $torch for the CPU, build/deps/python/bin/python3, which
              the test files.against_torch and tests/golden/make_golden.py run with: fetches
              550 MB and unpacks 1.1 GB
END
}

die() {
  echo "setup: $*" >&2
  exit 1
}

# Everything that cmake/dependencies.cmake looks for; no package is trusted to install another.
packages=(cmake ninja-build g++ libeigen3-dev libhwy-dev libxxhash-dev nlohmann-json3-dev
          zlib1g-dev libcli11-dev)
level=demo
libtorch=0
python_torch=0
while [ $# -gt 0 ]; do
  case "$1" in
    --demo) ;;
    --test) level='test' ;;
    --libtorch) libtorch=1 ;;
    --python-torch) python_torch=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
[ $level = demo ] ||
  packages+=(libgtest-dev libgmock-dev libbenchmark-dev clang-format dpkg-dev file
    pkg-config python3)
# For the tests of pages. Only Debian has it as a package; Ubuntu's is a snap.
[ $level = demo ] || ! grep -qs '^ID=debian' /etc/os-release || packages+=(chromium)

mark=unpacked_by_setup
scratch=()
# An interrupted run must leave nothing incomplete behind.
cleanup() { [ ${#scratch[@]} -eq 0 ] || rm -rf "${scratch[@]}"; }
trap cleanup EXIT

# ---- libtorch: finding one, in the order of cmake/libtorch.cmake

# torch_version FOLDER: prints the version of the libtorch in it; fails if there is none.
torch_version() {
  [ -e "$1/lib/libtorch_cpu.so" ] && [ -e "$1/lib/libc10.so" ] || return 1
  local header
  for header in headeronly/version.h version.h; do
    header=$1/include/torch/$header
    [ -e "$header" ] || continue
    sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\|PATCH\)  *//p' "$header" |
      paste -sd . | grep '[0-9]' && return
  done
  return 1
}

torch_of_python3() {
  (cd / && python3 -c "import importlib.util as u; s = u.find_spec('torch')
print(s and s.origin and s.origin.rpartition('/')[0] or '')") 2>/dev/null
}

# libtorch_found: names the libtorch that a build will use; fails if one must be fetched.
libtorch_found() {
  local name folder version
  for name in RT_TORCH_LIBTORCH LIBTORCH TORCH_HOME; do
    folder=${!name:-}
    [ -n "$folder" ] || continue
    if version=$(torch_version "$folder"); then
      # The environment names it, so that it is used whatever its version.
      echo "setup: libtorch $version of $name is taken (tested is $torch)"
      return
    fi
    [ $name != RT_TORCH_LIBTORCH ] ||
      die "RT_TORCH_LIBTORCH names $folder, which is not a libtorch with lib/ and include/"
  done
  for folder in "$deps/torch" "$(torch_of_python3)"; do
    if [ -n "$folder" ] && [ "$(torch_version "$folder")" = $torch ]; then
      echo "setup: libtorch $torch is there"
      return
    fi
  done
  return 1
}

# The first python3 in the path may have no pip.
pip_python() {
  local python
  for python in python3 /usr/bin/python3; do
    ! "$python" -m pip --version >/dev/null 2>&1 || { echo "$python"; return; }
  done
  return 1
}

# ---- packages

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# there TOOL: true if the tool is installed, also by other means than its package.
there() {
  case "$1" in
    cmake | chromium) command -v "$1" >/dev/null ;;
    ninja-build) command -v ninja >/dev/null ;;
    pkg-config | python3) command -v "$1" >/dev/null ;;
    python3-pip) pip_python >/dev/null ;;
    *) installed "$1" ;;
  esac
}

fetch=0
if [ $libtorch -eq 1 ] && ! libtorch_found; then
  fetch=1
  packages+=(python3-pip)
fi

python_folder=$deps/python
if [ $python_torch -eq 1 ]; then
  if [ "$(cat "$python_folder/$mark" 2>/dev/null)" = $torch ]; then
    echo "setup: a Python with PyTorch $torch is there"
    python_torch=0
  else
    packages+=(python3 python3-pip gcc)
  fi
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  die "this system has no apt; install the equivalents of: ${packages[*]}"
fi

missing=()
for package in "${packages[@]}"; do
  there "$package" || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all packages are there"
else
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "run as root, or with sudo installed, to install: ${missing[*]}"
    as_root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
  log=$(mktemp)
  scratch+=("$log")
  if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "apt could not install: ${missing[*]}"
  fi
  echo "setup: packages are installed"
fi

version=$(cmake --version | sed -n '1s/[^0-9]*//p')
[ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ] ||
  die "CMake 3.25 or newer is needed, here is $version"

# ---- libtorch and Python's torch: fetching

[ $((fetch + python_torch)) -gt 0 ] || exit 0
[ "$(uname -sm)" = "Linux x86_64" ] ||
  die "libtorch is fetched for Linux on x86_64 only; name the folder of another by" \
    "RT_TORCH_LIBTORCH"
python=$(pip_python) || die "there is no python3 with pip"
pip=("$python" -m pip --disable-pip-version-check --no-cache-dir)

# fetch_wheel VERSION REQUIREMENT PATTERN...: downloads the wheel for that version of Python, and
# unpacks the files that match a pattern into $work.
fetch_wheel() {
  local version=$1 requirement=$2 started=$SECONDS wheel size
  local platforms=(manylinux_2_{17..28}_x86_64)
  shift 2
  echo "setup: fetching $requirement"
  # Without pip's cache, since older versions of pip hold the whole wheel in memory for it.
  "${pip[@]}" download --quiet --progress-bar off --no-deps --only-binary=:all: \
    --implementation cp --python-version "$version" \
    --platform manylinux2014_x86_64 "${platforms[@]/#/--platform=}" \
    --dest "$work/wheel" "$requirement" || die "pip could not download $requirement"
  wheel=$(echo "$work"/wheel/*.whl)
  size=$(($(stat -c %s "$wheel") / 1000000))
  "$python" - "$wheel" "$work" "$@" <<'END' || die "$(basename "$wheel") could not be unpacked"
import fnmatch, sys, zipfile
wheel, folder, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as file:
    names = [n for n in file.namelist() if any(fnmatch.fnmatchcase(n, p) for p in patterns)]
    file.extractall(folder, names)
sys.exit(not names)
END
  rm -r "$work/wheel"
  echo "setup: unpacked $(basename "$wheel"), $size MB, $((SECONDS - started)) s"
}

# CUDA libraries that even the CPU side of torch loads.
fetch_cuda() {
  fetch_wheel 3.12 "nvidia-cuda-runtime==$cuda.*" 'nvidia/*/lib/libcudart.so.*'
  fetch_wheel 3.12 "nvidia-cuda-cupti==$cuda.*" 'nvidia/*/lib/libcupti.so.*'
}

# begin: creates an empty $work on the disk of its destination.
begin() {
  mkdir -p "$deps"
  work=$(mktemp -d "$deps/.torch.XXXXXX")
  scratch+=("$work")
}

fetch_libtorch() {
  [ ! -e "$deps/torch" ] || [ -e "$deps/torch/$mark" ] ||
    die "build/deps/torch is there, but is not libtorch $torch and not from this script; remove it"
  begin
  # Any python3 will do, because the wheel's version is given and no Python of it is used. CUDA's
  # kernels, more than half of the wheel, stay out: the owner of a GPU brings a torch.
  fetch_wheel 3.12 "torch==$torch" 'torch/include/*' torch/version.py \
    torch/lib/lib{c10,torch,torch_cpu,torch_global_deps,shm}.so 'torch/lib/libgomp*.so*'
  fetch_cuda
  [ "$(torch_version "$work/torch")" = $torch ] || die "the wheel of torch is not as expected"
  echo "$torch" >"$work/torch/$mark"

  # The folder marks a complete libtorch, so that it is moved last.
  rm -rf "$deps/torch" "$deps/nvidia"
  mv "$work/nvidia" "$deps/nvidia"
  mv "$work/torch" "$deps/torch"
  echo "setup: libtorch $torch is in build/deps," \
    "$(du -csm "$deps/torch" "$deps/nvidia" | sed -n '$s/\s.*//p') MB"
  [ ! -e /dev/nvidia0 ] ||
    echo "setup: it is for the CPU; for the GPU name the folder of a whole torch by RT_TORCH_LIBTORCH"
}

fetch_python_torch() {
  local version site folder needed library
  begin
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  fetch_wheel "$version" "torch==$torch" 'torch/*.py' 'torch/_C*.so' torch/bin/torch_shm_manager \
    torch/lib/lib{c10,c10_cuda,torch,torch_cpu,torch_cuda,torch_nvshmem,torch_python}.so \
    torch/lib/lib{torch_global_deps,shm}.so 'torch/lib/libgomp*.so*' 'torchgen/*' 'functorch/*'
  fetch_cuda
  # Its CUDA part is loaded but never called. Empty libraries replace the gigabytes that it links,
  # where missing symbols are looked up at the call.
  folder=$(dirname "$work"/nvidia/*/lib/libcudart.so.*)
  needed=$(readelf -d "$work"/torch/lib/*.so |
    sed -nE 's/.*NEEDED.*\[(lib(cu|nccl|nvshmem)[^]]*)\]/\1/p' | sort -u)
  for library in $needed; do
    [ -e "$folder/$library" ] ||
      gcc -shared -x c /dev/null -Wl,-soname,"$library" -o "$folder/$library"
  done
  "$python" -m venv --without-pip "$work/python" || die "$python could not make a venv"
  site=$(echo "$work"/python/lib/python*/site-packages)
  printf 'import os\nimport sys\n\nsys.setdlopenflags(os.RTLD_LAZY)\n' >"$site/sitecustomize.py"
  mv "$work"/{torch,torchgen,functorch,nvidia} "$site"
  "${pip[@]}" install --quiet --progress-bar off --root-user-action=ignore --only-binary=:all: \
    --target "$site" typing-extensions filelock sympy networkx jinja2 fsspec numpy safetensors ||
    die "pip could not install what PyTorch needs"
  "$work/python/bin/python3" -c "import torch; assert torch.__version__.startswith('$torch')" ||
    die "PyTorch does not load"
  echo "$torch" >"$work/python/$mark"
  rm -rf "$python_folder"
  mv "$work/python" "$python_folder"
  echo "setup: PyTorch $torch is in build/deps/python, $(du -sm "$python_folder" | cut -f 1) MB"
}

[ $fetch -eq 0 ] || fetch_libtorch
[ $python_torch -eq 0 ] || fetch_python_torch
