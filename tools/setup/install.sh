#!/bin/sh
# Installs the Debian packages of the named groups (packages-GROUP.txt beside this file) that are missing.
# Fast when nothing is missing. On a system without apt it prints the list and stops.
# usage: install.sh GROUP...
set -eu

here=$(dirname "$0")
[ $# -gt 0 ] || { echo "usage: $0 GROUP..." >&2; exit 2; }

wanted=
for group in "$@"; do
  file="$here/packages-$group.txt"
  [ -f "$file" ] || { echo "$0: no such group: $group" >&2; exit 2; }
  wanted="$wanted $(grep -v '^#' "$file" | tr '\n' ' ')"
done

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
  # SETUP_SKIP=1 says: everything is here under other names.
  [ "${SETUP_SKIP:-}" = 1 ] && exit 0
  {
    echo "setup: this system has no apt; Degu installs packages on Debian 12 and its derivatives only."
    echo "Install what these Debian packages hold, then run make again with SETUP_SKIP=1:"
    printf '  %s\n' $wanted
  } >&2
  exit 1
fi

installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true)
missing=
for package in $wanted; do
  case "
$installed
" in
    *"
installed $package
"*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || {
    echo "setup: not root and no sudo; as root run: apt-get install$missing" >&2
    exit 1
  }
  as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q || echo "setup: apt-get update failed; trying with the lists at hand" >&2
if ! $as_root apt-get install -y -q --no-install-recommends $missing; then
  echo "setup: apt-get could not install:$missing" >&2
  exit 1
fi
