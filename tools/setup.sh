#!/usr/bin/env bash
# setup.sh -- installs what building needs and is missing, from Debian or Ubuntu packages.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: tools/setup.sh [--demo | --test]
  --demo  what building the library and the examples needs (default)
  --test  that, and what tests, benchmarks and formatting need
EOF
}

die() {
  echo "setup: $*" >&2
  exit 1
}

packages=(cmake ninja-build g++ libeigen3-dev libhwy-dev libxxhash-dev nlohmann-json3-dev)
case "${1:---demo}" in
  --demo) ;;
  --test) packages+=(libgtest-dev libgmock-dev libbenchmark-dev clang-format) ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A tool that was installed by other means serves as well as its package.
there() {
  case "$1" in
    cmake) command -v cmake >/dev/null ;;
    ninja-build) command -v ninja >/dev/null ;;
    *) installed "$1" ;;
  esac
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  die "this system has no apt; install the equivalents of: ${packages[*]}"
fi

missing=()
for package in "${packages[@]}"; do
  there "$package" || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: everything is there"
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
  trap 'rm -f "$log"' EXIT
  if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "apt could not install: ${missing[*]}"
  fi
  echo "setup: done"
fi

version=$(cmake --version | sed -n '1s/[^0-9]*//p')
[ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ] ||
  die "CMake 3.25 or newer is needed, here is $version"
