#!/bin/sh
# Unpacks packages of Debian's backports under a folder, without touching the system: no apt source is added, nothing
# is installed. The source is the machine's own one of the main archive, with its suite replaced; proxies and keys are
# those of the machine. Fast when they are there already. usage: backports.sh FOLDER PACKAGE...
set -eu

[ $# -gt 1 ] || { echo "usage: $0 FOLDER PACKAGE..." >&2; exit 2; }
folder=$1
shift
stamp="$folder/.unpacked"
[ "$(cat "$stamp" 2>/dev/null || true)" = "$*" ] && exit 0
for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null 2>&1 || { echo "backports: no $tool here" >&2; exit 1; }
done

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
site=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 2>/dev/null | sed -n "s/^$codename //p" | head -n 1)
[ -n "$codename" ] && [ -n "$site" ] || { echo "backports: apt knows no archive with $codename" >&2; exit 1; }

mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keys ] && signed=" [signed-by=$keys]" || signed=
echo "deb$signed $site $codename-backports main" >"$work/sources.list"
mkdir -p "$work/parts" "$work/state/lists/partial" "$work/cache/archives/partial"

private() {
  apt-get -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/parts" \
    -o Dir::State="$work/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$work/cache" \
    -o APT::Sandbox::User= "$@"
}
private update
(cd "$work" && private download "$@")
for package in "$work"/*.deb; do
  dpkg-deb -x "$package" "$folder"
done
echo "$*" >"$stamp"
