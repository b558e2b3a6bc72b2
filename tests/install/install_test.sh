#!/usr/bin/env bash
# install_test.sh -- installs or packs the library as users do, and builds a program with it.
# Run as `install_test.sh SCENARIO`, one of the functions at the end; CMakeLists.txt sets the
# variables in the first lines. Exits with 77 if a tool is missing.
set -euo pipefail
: "${BUILD:?}" "${CC:?}" "${CMAKE:?}" "${CPACK:?}" "${VERSION:?}" "${LIBRARIES:?}" "${CONFIG:?}"
: "${BINDIR:?}" "${LIBDIR:?}" "${INCLUDEDIR:?}" "${DATADIR:?}" "${DOCDIR:?}"
libtorch=${LIBTORCH:-} # empty in a build without libtorch
tool=${TOOL:-}         # empty in a build without rt_graph_dump
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=${here%/tests/install}
major=${VERSION%%.*}
plugin=librt_torch_torchscript.so
# The caller's environment must not affect the programs.
unset "${!RT_TORCH_@}" LIBTORCH TORCH_HOME LD_LIBRARY_PATH PKG_CONFIG_PATH DESTDIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
  echo "install_test: $*" >&2
  exit 1
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    echo "install_test: skipped, for $tool is not installed (see tools/setup.sh --test)"
    exit 77
  done
}

# same WHAT EXPECTED FOUND
same() {
  diff <(echo "$2") <(echo "$3") || die "$1 is not as expected (<), but has (>)"
}

# ---- an installation and users' programs

# An installed tree, moved after the installation: it must not depend on its path.
installed() {
  "$CMAKE" --install "$BUILD" --prefix "$work/before" >"$work/install.log" ||
    die "installing failed: $(tail -n 5 "$work/install.log")"
  mv "$work/before" "$work/after"
  prefix=$work/after
  # The plugin may name its libtorch, but no other folder of this machine.
  knows_nothing_of "$work/before"
  knows_nothing_of "$BUILD" "$libtorch/lib"
  knows_nothing_of "$source" "$libtorch/lib"
}

# knows_nothing_of FOLDER [BUT]: fails if a file in $prefix names FOLDER, except as BUT.
knows_nothing_of() {
  local file found
  while IFS= read -r file; do
    # In binary files a name ends at an unprintable byte.
    ! found=$(tr -c '[:print:]' '\n' <"$file" | grep -F "$1" | grep -vxF "${2:-}") ||
      die "$file names a folder of this machine: $found"
  done < <(find "$prefix" -type f)
}

# Only data stays writable after loading, and readers of files check their stack. Builds without
# optimisation do not ask for either.
hardened() {
  local file dynamic
  [ "$CONFIG" != Debug ] || return 0
  for file in "$prefix/$LIBDIR"/*.so ${tool:+"$prefix/$BINDIR/$tool"}; do
    dynamic=$(readelf -dlW "$file")
    [[ $dynamic == *GNU_RELRO* && $dynamic =~ BIND_NOW|FLAGS_1.*NOW ]] ||
      die "$file is not linked with full RELRO"
    [[ $file == */$plugin ]] || [[ $(readelf -W --dyn-syms "$file") == *__stack_chk_fail* ]] ||
      die "$file does not check its stack"
  done
}

by_hand() { # LIBRARY [COMPILER'S ARGUMENT...]: builds client with these or with -I and -L
  local library=$1
  shift
  [ $# -gt 0 ] || set -- -I"$prefix/$INCLUDEDIR" -L"$prefix/$LIBDIR" -l"$library"
  "$CC" -std=c99 -pedantic -Wall -Wextra -Werror -DCLIENT_HEADER="\"$library.h\"" "$here/project/client.c" \
    -o "$work/client" "$@" -lm || die "the program does not build against $library"
}

by_pkg_config() { # LIBRARY
  local words
  export PKG_CONFIG_PATH=$prefix/$LIBDIR/pkgconfig
  same "the version that pkg-config tells" "$VERSION" "$(pkg-config --modversion "$1")"
  read -ra words <<<"$(pkg-config --cflags --libs "$1")"
  by_hand "$1" "${words[@]}"
}

# run BACKEND [NAME=VALUE...]: requires this backend; auto must give the reference backend.
run() {
  local wanted=$1
  [ "$1" != auto ] || wanted=reference
  env LD_LIBRARY_PATH="$prefix/$LIBDIR" RT_TORCH_BACKEND="$1" RT_TORCH_THREADS=1 "${@:2}" \
    "$work/client" "$wanted"
}

run_on_all_backends() {
  run reference
  [ -z "$libtorch" ] || run libtorch "$@"
}

refused() { # WORDS [NAME=VALUE...]: libtorch is not available, and the error says WORDS
  local told
  ! told=$(run libtorch "${@:2}" 2>&1) || die "libtorch was not to be found, but ran"
  [[ $told == *"$1"* ]] || die "it is not told: $1, but: $told"
}

# ---- packages

pack() { # GENERATOR: makes the package, whose path is then in $package
  "$CPACK" -G "$1" --config "$BUILD/CPackConfig.cmake" -B "$work/packed" >"$work/cpack.log" 2>&1 ||
    die "cpack failed: $(tail -n 20 "$work/cpack.log")"
  package=$(find "$work/packed" -maxdepth 1 -type f ! -name '*.sha256')
  [ -f "$package" ] || die "cpack made no package"
}

expected_files() {
  local library
  for library in $LIBRARIES; do
    echo "$INCLUDEDIR/$library.h"
    echo "$LIBDIR/lib$library.so"{,".$major",".$VERSION"}
    echo "$LIBDIR/pkgconfig/$library.pc"
  done | tr ' ' '\n'
  [ -z "$libtorch" ] || echo "$LIBDIR/$plugin"
  [ -z "$tool" ] || echo "$BINDIR/$tool"
  printf "$LIBDIR/cmake/rt_torch/rt_torchConfig%s.cmake\n" "" "-${CONFIG,,}" Version
  printf "$DATADIR/rt_torch/%s\n" rt_torch.json rt_torch.schema.json rt_torch.spl
  printf "$DOCDIR/%s\n" CHANGELOG.md LICENSE OPS.md THIRD_PARTY_NOTICES.md backends.md debugging.md \
    eager.md environment.md files.md simple.md timeline.md
}

# contains LISTING TOP: the listing below TOP has exactly the expected files.
contains() {
  same "what is in $(basename "$package")" "$(expected_files | LC_ALL=C sort)" \
    "$(sed -n "s|^$2||p" <<<"$1" | LC_ALL=C sort)"
}

# The unpacked tree in $prefix names no folder of this machine, and works.
works_anywhere() {
  local file library found
  for file in "$prefix/$LIBDIR"/*.so; do
    ! found=$(readelf -d "$file" | grep -E 'R(UN)?PATH') || die "$file has a run path: $found"
  done
  for found in "$BUILD" "$source" ${libtorch:+"$libtorch"}; do
    knows_nothing_of "$found"
  done
  hardened
  for library in $LIBRARIES; do
    by_pkg_config "$library"
    run_on_all_backends RT_TORCH_LIBTORCH="$libtorch"
    run auto
  done
  [ -z "$libtorch" ] || refused "set RT_TORCH_LIBTORCH to the folder of a libtorch"
  tool_works
}

# The tool finds the plugin where it is installed, however the tool is called.
tool_works() {
  local printed path="$prefix/$BINDIR:$PATH" batch='%0: f32[2] = full(fill_value=<1>)
%1: f32[2] = exp(%0)
return %1'
  [ -n "$tool" ] || return 0
  printed=$(echo "$batch" | "$prefix/$BINDIR/$tool" run - --backend reference --repeats 0)
  [[ $printed == *"2 nodes on reference"*"2.71828"* ]] || die "$tool prints: $printed"
  [ -n "$libtorch" ] || return 0
  printed=$(
    export PATH=$path RT_TORCH_LIBTORCH=$libtorch
    echo "$batch" | "$prefix/$BINDIR/$tool" - --format torchscript
    cd / && echo "$batch" | "$tool" - --format torchscript
    echo "$batch" | (exec -a "another name" "$tool" - --format torchscript)
  )
  [[ $printed == *aten::exp*aten::exp*aten::exp* ]] || die "$tool prints: $printed"
}

# ---- scenarios

find_package() {
  local library
  installed
  for library in $LIBRARIES; do
    {
      "$CMAKE" -S "$here/project" -B "$work/$library" -DCMAKE_C_COMPILER="$CC" -DLIBRARY="$library" \
        -DCMAKE_PREFIX_PATH="$prefix" -DWANTED="${VERSION%.*}" &&
        "$CMAKE" --build "$work/$library"
    } >"$work/cmake.log" 2>&1 || die "$(cat "$work/cmake.log")"
    mv "$work/$library/client" "$work/client"
    run_on_all_backends
  done
  ! "$CMAKE" -S "$here/project" -B "$work/$library" -DWANTED=$((major + 1)) >"$work/cmake.log" 2>&1 ||
    die "a project that wants version $((major + 1)) is given $VERSION"
}

pkg_config() {
  local library
  need pkg-config
  installed
  for library in $LIBRARIES; do
    by_pkg_config "$library"
    run_on_all_backends
  done
}

compiler_alone() {
  local library
  installed
  for library in $LIBRARIES; do
    by_hand "$library"
    run_on_all_backends
    readelf -d "$work/client" | grep -qF "[lib$library.so.$major]" ||
      die "the program does not ask for lib$library.so.$major"
  done
}

# One program, not rebuilt, with the library alone: no plugin and nothing to build with.
without_plugin() {
  local library
  installed
  for library in $LIBRARIES; do
    by_hand "$library"
    run_on_all_backends
    rm -r "${prefix:?}/$INCLUDEDIR" "$prefix/$LIBDIR/lib$library.so"
    [ -z "$libtorch" ] || mv "$prefix/$LIBDIR/$plugin" "$work"
    run reference
    run auto
    refused "there is no $plugin beside this library"
    rm -rf "$work/after"
    installed
  done
}

tarball() {
  local top
  pack TGZ
  top=$(basename "$package" .tar.gz)
  [[ $top == rt_torch-$VERSION-* ]] || die "the package is called $package"
  (cd "$work/packed" && sha256sum --check --quiet -- *.sha256)
  contains "$(tar -tf "$package" | grep -v '/$')" "$top/"
  tar -xf "$package" -C "$work"
  prefix=$work/$top
  works_anywhere
}

deb() {
  local depends
  need dpkg-deb dpkg-shlibdeps file pkg-config
  pack DEB
  [[ $package == */rt-torch_"$VERSION"_*.deb ]] || die "the package is called $package"
  contains "$(dpkg-deb -c "$package" | awk '!/^d/ { print $6 }')" ./usr/
  same "its name, version and section" "rt-torch $VERSION libdevel" \
    "$(for name in Package Version Section; do dpkg-deb -f "$package" $name; done | paste -sd ' ')"
  depends=$(dpkg-deb -f "$package" Depends)
  [[ $depends == *libc6*libstdc++6* ]] || die "it depends on $depends"
  [[ $depends != *torch* ]] || die "it depends on $depends, but libtorch is no package's"
  dpkg-deb -x "$package" "$work/root"
  prefix=$work/root/usr
  works_anywhere
}

"$1"
