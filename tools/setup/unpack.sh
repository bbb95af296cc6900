#!/bin/sh
# Unpacks Debian packages under a folder, for programs whose installation would start a service. Nothing is installed. Fast
# when they are there already. usage: unpack.sh FOLDER PACKAGE...
set -eu

[ $# -gt 1 ] || { echo "usage: $0 FOLDER PACKAGE..." >&2; exit 2; }
folder=$1
shift
stamp="$folder/.unpacked"
[ "$(cat "$stamp" 2>/dev/null || true)" = "$*" ] && exit 0
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User= download "$@")
for package in "$work"/*.deb; do
  dpkg-deb -x "$package" "$folder"
done
echo "$*" >"$stamp"
