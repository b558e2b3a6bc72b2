#!/usr/bin/env bash
# fresh_check.sh -- runs demo.sh and test.sh as the README says, on minimal systems.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/fresh_check

usage() {
  cat <<'EOT'
usage: tools/fresh_check.sh [OPTION]...     (as root)
  --system NAME   debian (12) or ubuntu (24.04); may be repeated (default: both)
  --user NAME     user (a plain one, with sudo) or root; may be repeated (default: both)
  --command NAME  demo or test; may be repeated (default: both)
  --folder DIR    where the systems are made (default: a new folder in /var/tmp)
  --keep          leaves them there; a later run with the same --folder starts from them
Makes minimal systems with debootstrap. Each command runs in a fresh copy of one, from a clone of
HEAD: changes that are not committed are not seen. Needs 1 GB of disk for demo, 6 GB for test.
Of this machine the copies get the configuration of its network alone: names, certificates that
were added, and where apt and pip look. What the commands print goes to build/fresh_check.
EOT
}

die() {
  echo "fresh_check: $*" >&2
  exit 1
}

systems=()
users=()
commands=()
folder=
keep=0

# one_of VALUE CHOICE...: fails with the usage unless VALUE is one of the choices.
one_of() {
  local choice
  for choice in "${@:2}"; do
    [ "$1" != "$choice" ] || return 0
  done
  usage >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case "$1" in
    --system | --user | --command | --folder)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      case "$1" in
        --system) one_of "$2" debian ubuntu; systems+=("$2") ;;
        --user) one_of "$2" user root; users+=("$2") ;;
        --command) one_of "$2" demo 'test'; commands+=("$2") ;;
        --folder) folder=$2 ;;
      esac
      shift
      ;;
    --keep) keep=1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
optional= # a system without a mirror fails the check only if it was asked for
[ ${#systems[@]} -gt 0 ] || { systems=(debian ubuntu); optional=ubuntu; }
[ ${#users[@]} -gt 0 ] || users=(user root)
[ ${#commands[@]} -gt 0 ] || commands=(demo 'test')

[ "$(id -u)" -eq 0 ] || die "run as root: it makes systems and runs them by chroot"
for tool in debootstrap unshare git; do
  command -v $tool >/dev/null || die "$tool is missing; its package is called $tool or util-linux"
done
mkdir -p "$logs"
if [ -n "$folder" ]; then
  mkdir -p "$folder"
  folder=$(realpath "$folder")
else
  folder=$(mktemp -d /var/tmp/fresh_check.XXXXXX)
fi

# Mounts of a system exist only in the mount namespace of its run, so that this removes no others.
cleanup() {
  rm -rf --one-file-system "$folder"/*.new
  [ $keep -eq 1 ] || rm -rf --one-file-system "$folder"/{debian,ubuntu}{,.run}
  rmdir --ignore-fail-on-non-empty "$folder"
}
trap cleanup EXIT

# ---- creating systems

# mirror_of SYSTEM SUITE SCRIPT: this machine's mirror if it runs the system, else the default of
# debootstrap's script, which debootstrap ignores where it lacks the system's keys.
mirror_of() {
  if grep -qsx "ID=$1" /etc/os-release; then
    # shellcheck disable=SC2016  # a placeholder of apt
    apt-get indextargets --no-release-info --format '$(REPO_URI)' 2>/dev/null | head -n 1
    return
  fi
  # shellcheck disable=SC2034,SC2317  # the script reads and calls them
  (
    set +eu
    ARCH=$(dpkg --print-architecture) SUITE=$2
    default_mirror() { echo "$1" && exit; } # the script's first choice
    # shellcheck disable=SC1090
    . "$3"
  )
}

# network TREE: gives the system this machine's resolver, proxies and certificates.
network() {
  local tree=$1 name value
  cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
  printf '127.0.0.1 localhost fresh\n::1 localhost\n' >"$tree/etc/hosts"
  # Installing the package ca-certificates adds these.
  mkdir -p "$tree/usr/local/share/ca-certificates"
  find /usr/local/share/ca-certificates -name '*.crt' \
    -exec cp -L {} "$tree/usr/local/share/ca-certificates" \; 2>/dev/null || true
  {
    apt-config dump | grep -E '^Acquire::((http|https)::Proxy|Retries|Check-)' || true
    for name in http https; do
      value=${name}_proxy
      [ -z "${!value:-}" ] || echo "Acquire::$name::Proxy \"${!value}\";"
    done
  } >"$tree/etc/apt/apt.conf.d/90network"
  if command -v pip >/dev/null; then
    { # the user's own settings and those of the environment, for all users of the system
      echo '[global]'
      pip config list 2>/dev/null |
        sed -nE "s/^[^=]*\.(index-url|extra-index-url|trusted-host|proxy|default-timeout)='(.*)'$/\1 = \2/p"
    } >"$tree/etc/pip.conf"
  fi
}

# make_system NAME: creates its tree in $folder/NAME; returns 3 where no mirror answers.
make_system() {
  local name=$1 tree=$folder/$1.new suite script components=main log=$logs/$1.log
  [ ! -d "$folder/$name" ] || return 0
  case $name in
    debian) suite=bookworm ;;
    ubuntu) suite=noble components=main,universe ;;
  esac
  script=/usr/share/debootstrap/scripts/$suite
  # One script covers all releases of Ubuntu, and an older debootstrap lacks the newer names.
  [ -e $script ] || script=${script%/*}/gutsy
  echo "fresh_check: making a minimal $name ($suite)"
  if ! debootstrap --variant=minbase --components=$components $suite "$tree" \
    "$(mirror_of "$name" $suite $script)" $script >"$log" 2>&1; then
    ! grep -q 'Failed getting release file' "$log" || return 3
    tail -n 15 "$log" >&2
    return 1
  fi
  network "$tree"
  # As in containers: each run has terminals of its own.
  mkdir -p "$tree/dev/shm" "$tree/dev/pts"
  ln -sf pts/ptmx "$tree/dev/ptmx"
  # A plain user needs sudo; the commands install everything else.
  chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -c '
    apt-get -q update && apt-get -q install -y --no-install-recommends sudo &&
    apt-get clean && useradd --create-home --shell /bin/bash fresh &&
    echo "fresh ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/fresh' >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    return 1
  }
  mv "$tree" "$folder/$name"
}

# ---- running commands

# enter TREE USER COMMAND...: runs the command as that user in its own namespaces and environment.
enter() {
  local tree=$1 user=$2 home=/root proxy=()
  shift 2
  [ "$user" = root ] || home=/home/$user
  mapfile -t proxy < <(env | grep -E '^(https?|no)_proxy=' || true)
  # shellcheck disable=SC2016  # expanded in there
  unshare --mount --propagation private --pid --fork --kill-child --uts --ipc \
    sh -c 'set -e
      tree=$1 user=$2
      shift 2
      mount -t proc proc "$tree/proc"
      mount -t tmpfs -o nosuid,nodev shm "$tree/dev/shm"
      mount -t devpts -o newinstance,ptmxmode=0666 devpts "$tree/dev/pts"
      hostname fresh
      exec chroot "$tree" setpriv --reuid="$user" --regid="$user" --init-groups "$@"' \
    enter "$tree" "$user" env -i "${proxy[@]}" HOME=$home USER="$user" LOGNAME="$user" \
    SHELL=/bin/bash TERM=dumb LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
}

# run_command SYSTEM USER COMMAND: runs it in a fresh copy of the system.
run_command() {
  local tree=$folder/$1.run user=$2 home=/root log=$logs/$1-$2-$3.log status=0
  [ "$user" = root ] || { user=fresh; home=/home/fresh; }
  rm -rf --one-file-system "$tree"
  {
    cp -a --reflink=auto "$folder/$1" "$tree" &&
      git clone --quiet --no-hardlinks "$root" "$tree$home/clone" &&
      git -C "$tree$home/clone" checkout --quiet --detach "$head" &&
      chroot "$tree" chown -R "$user:$user" "$home/clone" &&
      enter "$tree" "$user" sh -c "cd $home/clone && exec tools/$3.sh"
  } >"$log" 2>&1 || status=$?
  [ $status -eq 0 ] || tail -n 25 "$log" >&2
  [ $keep -eq 1 ] || rm -rf --one-file-system "$tree"
  return $status
}

head=$(git -C "$root" rev-parse HEAD)
echo "fresh_check: $(git -C "$root" log -1 --format='%h %s')"
table=()
failed=0

row() {
  table+=("$(printf '%-8s %-6s %-8s %-10s %s' "$@")")
}

for system in "${systems[@]}"; do
  status=0
  make_system "$system" || status=$?
  if [ $status -ne 0 ]; then
    what=FAILED
    [ $status -ne 3 ] || what="no mirror"
    row "$system" - - "$what" -
    [ "$status $system" = "3 $optional" ] || failed=1
    continue
  fi
  for user in "${users[@]}"; do
    for command in "${commands[@]}"; do
      echo "fresh_check: $system, $user: tools/$command.sh"
      SECONDS=0
      what=passed
      run_command "$system" "$user" "$command" || { what=FAILED; failed=1; }
      row "$system" "$user" "$command" "$what" $SECONDS
    done
  done
done

echo
printf '%-8s %-6s %-8s %-10s %s\n' system user command result seconds
printf '%s\n' "${table[@]}"
exit $failed
