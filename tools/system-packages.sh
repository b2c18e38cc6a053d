#!/bin/sh
# What the tests need of the system: the PC/SC daemon with virtual readers, what compiles pyscard, tmux.
# Installs by apt-get when root; says what is missing otherwise.
set -eu
packages="pcscd vsmartcard-vpcd libpcsclite-dev opensc swig gcc pkg-config tmux util-linux"
missing=""
for package in $packages; do
    dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
# A Python from elsewhere brings its own headers; Debian's has them in a package.
if ! "${1:-python3}" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; then
    missing="$missing python3-dev"
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "The tests need these packages:$missing. Install them as root: apt-get install$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # one word a package is meant
apt-get install -qq --yes --no-install-recommends $missing >/dev/null
