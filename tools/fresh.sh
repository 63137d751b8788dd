#!/bin/sh
# The proof that a new machine is enough: a new Debian 12 with only git and make, nothing of this
# checkout but a clone, and there `make demo` and `make test`, untouched.
# Needs root and debootstrap; the packages come from where this machine's come from.
#   tools/fresh.sh            FRESH=dir keeps the machine there; MIRROR=url; GOALS="demo test"
set -eu
[ "$(id -u)" = 0 ] || { echo "fresh: making a machine needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "fresh: apt-get install debootstrap" >&2; exit 1; }

checkout=$(cd "$(dirname "$0")/.." && pwd)
room=${FRESH:-$(mktemp -d /var/tmp/toll-fresh-XXXXXX)}
# The package source of this machine, in either form of apt's list.
source_of() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -n 's/^URIs: *//p; s/^deb *\(\[.*\] *\)\{0,1\}\(http[^ ]*\).*/\2/p' | head -n 1
}
mirror=${MIRROR:-$(source_of)}
goals=${GOALS:-demo test}
machine=$room/machine

leave() {
    for place in dev/pts dev/shm dev proc; do
        ! mountpoint -q "$machine/$place" || umount "$machine/$place" || umount -l "$machine/$place"
    done
    [ -n "${FRESH:-}" ] || rm -rf --one-file-system "$room"
}
trap leave EXIT
trap 'exit 1' INT TERM

mkdir -p "$room"
[ -e "$machine/etc/debian_version" ] ||
    debootstrap --variant=minbase --include=git,make bookworm "$machine" "$mirror"

# How this machine reaches its packages: proxies and certificates, not its package sources.
for file in /etc/apt/apt.conf.d/*; do
    grep -qi 'proxy\|Acquire::' "$file" && cp "$file" "$machine/etc/apt/apt.conf.d/" || true
done
cp /etc/resolv.conf "$machine/etc/resolv.conf"
cp /etc/hosts "$machine/etc/hosts"
echo "deb $mirror bookworm main" >"$machine/etc/apt/sources.list"
rm -rf "$machine"/var/lib/apt/lists/*

mkdir -p "$machine/proc" "$machine/dev/pts" "$machine/dev/shm"
mount -t proc proc "$machine/proc"
mount -t tmpfs -o mode=755 tmpfs "$machine/dev"
mkdir "$machine/dev/pts" "$machine/dev/shm"
mount -t tmpfs tmpfs "$machine/dev/shm"
for device in null zero full random urandom tty; do
    cp -a /dev/$device "$machine/dev/$device"
done
ln -s /proc/self/fd "$machine/dev/fd"
ln -s /proc/self/fd/0 "$machine/dev/stdin"
ln -s /proc/self/fd/1 "$machine/dev/stdout"
ln -s /proc/self/fd/2 "$machine/dev/stderr"

rm -rf "$machine/srv/toll"
git clone -q "$checkout" "$machine/srv/toll"
echo "fresh: Debian $(cat "$machine/etc/debian_version")," \
    "$(chroot "$machine" dpkg-query -W | wc -l) packages;" \
    "commit $(git -C "$machine/srv/toll" rev-parse --short HEAD)"

for goal in $goals; do
    echo "fresh: make $goal"
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 CI=true ${http_proxy:+http_proxy="$http_proxy"} \
        ${https_proxy:+https_proxy="$https_proxy"} \
        chroot "$machine" sh -c "cd /srv/toll && make $goal" </dev/null
done
echo "fresh: $goals passed on the new machine"
