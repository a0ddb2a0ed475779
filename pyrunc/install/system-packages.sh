#!/bin/sh
# Install the system packages pyrunc is built from (with "test": also those its tests use,
# with "bench": what times are compared with and measured by, with "engines": also the container engines and what they want).
# Says what it does; does nothing where nothing is missing.
set -eu

packages="gcc libc6-dev linux-libc-dev musl-tools libseccomp-dev libffi-dev python3-dev python3-venv busybox-static"
case "${1:-}" in
test) packages="$packages runc crun procps iproute2 strace mmdebstrap gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
bench) packages="$packages runc crun hyperfine" ;;
engines) packages="$packages runc crun procps iproute2 containerd docker.io podman conmon uidmap slirp4netns tini bsdutils" ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	missing=
	for program in gcc busybox; do
		command -v "$program" >/dev/null || missing="$missing $program"
	done
	[ -z "$missing" ] || {
		echo "pyrunc: this is no Debian or Ubuntu; install what corresponds to: $packages" >&2
		exit 1
	}
	exit 0
fi

missing=
for package in $packages; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

run=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "pyrunc: root is needed once, to install:$missing (apt-get install$missing)" >&2
		exit 1
	}
	run=sudo
fi
echo "pyrunc: installing system packages:$missing"
$run apt-get update -qq || echo "pyrunc: apt-get update failed, going on with the lists there are" >&2
# shellcheck disable=SC2086
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
