#!/bin/sh
# Installs the Debian packages that are missing, says which, and asks nothing.
#   tools/setup.sh build|test|baseline ...      SETUP=skip installs nothing
# baseline: PostgreSQL, which `make bench` compares with when it is there; never installed unasked.
# `make` calls it by itself. With nothing missing it takes a few milliseconds: a stamp in the build
# folder that is newer than this script and than dpkg's own list says so.
set -eu

build_packages='gcc g++ make pkg-config libmicrohttpd-dev libsimdjson-dev librocksdb-dev
    libsqlite3-dev libgmp-dev libicu-dev libsodium-dev libxxhash-dev libzstd-dev zlib1g-dev
    libcurl4-openssl-dev libmariadb-dev libpango1.0-dev libcairo2-dev'
test_packages="$build_packages libcmocka-dev python3 python3-pytest python3-hypothesis
    python3-jsonschema python3-requests python3-zstandard clang-14 libclang-rt-14-dev tzdata procps
    mariadb-server-core mariadb-client-core python3-pymysql poppler-utils"
baseline_packages="postgresql libpq-dev"

dpkg_list=/var/lib/dpkg/status
stamps=${BUILD:-build}/setup

say() { echo "setup: $*" >&2; }

# The names among the arguments that dpkg does not have installed, in one call.
missing_of() {
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^installed //p')
    for package in "$@"; do
        case "
$installed
" in
            *"
$package
"*) ;;
            *) echo "$package" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# What apt says goes to a file; a failure shows its end.
apt() {
    mkdir -p "$stamps"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 \
        -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" </dev/null >>"$stamps/apt.log" 2>&1 || {
        say "apt-get $* failed; the end of $stamps/apt.log:"
        tail -n 20 "$stamps/apt.log" >&2
        return 1
    }
}

install_packages() {
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        say "these packages are missing, and installing them needs root: $*"
        say "run: sudo apt-get install -y --no-install-recommends $*"
        exit 1
    fi
    say "installing: $*"
    # A fresh machine has no package lists; an old one may have lists of files that are gone.
    if ! apt-get -s -qq install --no-install-recommends "$@" >/dev/null 2>&1 ||
        ! apt install -y --no-install-recommends "$@"; then
        say "reading the package lists first"
        apt update
        apt install -y --no-install-recommends "$@"
    fi
}

ready() {  # set, packages
    stamp=$stamps/$1
    shift
    if [ -e "$stamp" ] && [ "$stamp" -nt "$0" ] && [ "$stamp" -nt "$dpkg_list" ]; then
        return
    fi
    missing=$(missing_of "$@" | tr '\n' ' ')
    if [ -n "${missing% }" ]; then
        # shellcheck disable=SC2086  # names, one word each
        install_packages $missing
    fi
    mkdir -p "$stamps"
    touch "$stamp"
}

if [ "${SETUP:-}" = skip ]; then
    exit 0
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is no Debian system: install what corresponds to: $(echo $test_packages)"
    say "then call make with SETUP=skip"
    exit 1
fi
for set in "$@"; do
    case $set in
        build) ready build $build_packages ;;
        test) ready test $test_packages ;;
        baseline) ready baseline $baseline_packages ;;
        *) say "no such set: $set (build, test, baseline)"; exit 2 ;;
    esac
done
