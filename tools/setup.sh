#!/usr/bin/env bash
# setup.sh -- installs what building needs and is missing: Debian or Ubuntu packages, and libtorch.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps

torch=2.11.0
cuda=13.0 # what that libtorch was built with; even its CPU side loads two libraries of it

usage() {
  cat <<END
usage: tools/setup.sh [--demo | --test] [--libtorch]
  --demo      what building the library and the examples needs (default)
  --test      that, and what tests, benchmarks and formatting need
  --libtorch  also libtorch $torch for the CPU, where none is found: fetches 540 MB of PyPI's
              wheels and unpacks 500 MB under build/deps
END
}

die() {
  echo "setup: $*" >&2
  exit 1
}

# All that cmake/dependencies.cmake looks for by name: no package here is counted on to bring others.
packages=(cmake ninja-build g++ libeigen3-dev libhwy-dev libxxhash-dev nlohmann-json3-dev
          zlib1g-dev libcli11-dev)
level=demo
libtorch=0
while [ $# -gt 0 ]; do
  case "$1" in
    --demo) ;;
    --test) level='test' ;;
    --libtorch) libtorch=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
[ $level = demo ] ||
  packages+=(libgtest-dev libgmock-dev libbenchmark-dev clang-format dpkg-dev file
    pkg-config python3)
# For the tests of pages, where it is a package: Ubuntu's is a snap.
[ $level = demo ] || ! grep -qs '^ID=debian' /etc/os-release || packages+=(chromium)

scratch=()
# An interrupted run leaves nothing half done behind.
cleanup() { [ ${#scratch[@]} -eq 0 ] || rm -rf "${scratch[@]}"; }
trap cleanup EXIT

# ---- libtorch: what is there. The order is that of cmake/libtorch.cmake.

# torch_version FOLDER: prints the version of the libtorch there; fails where there is none.
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

python_torch() {
  (cd / && python3 -c "import importlib.util as u; s = u.find_spec('torch')
print(s and s.origin and s.origin.rpartition('/')[0] or '')") 2>/dev/null
}

# libtorch_found: says which libtorch a build will take; fails where one is to be fetched.
libtorch_found() {
  local name folder version
  for name in RT_TORCH_LIBTORCH LIBTORCH TORCH_HOME; do
    folder=${!name:-}
    [ -n "$folder" ] || continue
    if version=$(torch_version "$folder"); then
      # Named by the environment is wanted, whatever the version.
      echo "setup: libtorch $version of $name is taken (tested is $torch)"
      return
    fi
    [ $name != RT_TORCH_LIBTORCH ] ||
      die "RT_TORCH_LIBTORCH names $folder, which is not a libtorch with lib/ and include/"
  done
  for folder in "$deps/torch" "$(python_torch)"; do
    if [ -n "$folder" ] && [ "$(torch_version "$folder")" = $torch ]; then
      echo "setup: libtorch $torch is there"
      return
    fi
  done
  return 1
}

# The python3 that comes first may be one without pip.
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

# A tool that was installed by other means serves as well as its package.
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

# ---- libtorch: fetching it

# fetch_wheel REQUIREMENT PATTERN...: the wheel's files that match one of the patterns, into $work.
fetch_wheel() {
  local requirement=$1 started=$SECONDS wheel size
  local platforms=(manylinux_2_{17..28}_x86_64)
  shift
  echo "setup: fetching $requirement"
  # The tags are given, so that any python3 serves: nothing of Python's own is taken from a wheel.
  # Not through pip's cache, where older versions of pip hold the whole wheel in memory.
  "$python" -m pip --disable-pip-version-check --no-cache-dir download --quiet \
    --progress-bar off --no-deps --only-binary=:all: --implementation cp --python-version 3.12 \
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

[ $fetch -eq 1 ] || exit 0
[ "$(uname -sm)" = "Linux x86_64" ] ||
  die "libtorch is fetched for Linux on x86_64 only; name the folder of another by" \
    "RT_TORCH_LIBTORCH"
mark=unpacked_by_setup
[ ! -e "$deps/torch" ] || [ -e "$deps/torch/$mark" ] ||
  die "build/deps/torch is there, but is not libtorch $torch and not from this script; remove it"
python=$(pip_python) || die "there is no python3 with pip"

mkdir -p "$deps"
work=$(mktemp -d "$deps/.libtorch.XXXXXX")
scratch+=("$work")
# Without CUDA's kernels, which are more than half of it: a GPU is served by its owner's own torch.
fetch_wheel "torch==$torch" 'torch/include/*' torch/version.py \
  torch/lib/lib{c10,torch,torch_cpu,torch_global_deps,shm}.so 'torch/lib/libgomp*.so*'
fetch_wheel "nvidia-cuda-runtime==$cuda.*" 'nvidia/*/lib/libcudart.so.*'
fetch_wheel "nvidia-cuda-cupti==$cuda.*" 'nvidia/*/lib/libcupti.so.*'
[ "$(torch_version "$work/torch")" = $torch ] || die "the wheel of torch is not as expected"
echo "$torch" >"$work/torch/$mark"

# The mark of a whole libtorch is its folder, so that it is moved last.
rm -rf "$deps/torch" "$deps/nvidia"
mv "$work/nvidia" "$deps/nvidia"
mv "$work/torch" "$deps/torch"
echo "setup: libtorch $torch is in build/deps," \
  "$(du -csm "$deps/torch" "$deps/nvidia" | sed -n '$s/\s.*//p') MB"
[ ! -e /dev/nvidia0 ] ||
  echo "setup: it is for the CPU; for the GPU name the folder of a whole torch by RT_TORCH_LIBTORCH"
