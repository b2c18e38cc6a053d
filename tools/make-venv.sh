#!/bin/sh
# Makes .venv. Debian keeps what that needs in a package of its own: installs it when root, names it otherwise.
set -eu
python="${1:-python3}"
if ! command -v "$python" >/dev/null; then
    echo "There is no $python: install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$("$python" --version) is too old: Python 3.11 or newer is needed (make PYTHON=/path/to/python3)" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "Python's venv is missing. Install it as root: apt-get install python3-venv" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends python3-venv >/dev/null
fi
"$python" -m venv .venv
