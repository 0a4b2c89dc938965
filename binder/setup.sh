#!/bin/sh
# `make setup` runs this: it installs the system packages of binder/apt.txt, then the virtual
# environment. It installs only what is missing, and prints nothing if nothing is.
# $1: the virtual environment's directory. $2: "dev" for the tests' packages too.
set -eu
venv=$1
extras=${2:-}
here=$(dirname "$0")

say() { printf '%s\n' "$*" >&2; }

# -- system packages ----------------------------------------------------------------------

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo

may_install() {
    [ -z "$as_root" ] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || [ -t 0 ] # at a terminal sudo can ask for the password
}

required_packages() {
    cat "$here/apt.txt"
    # The browser tests use an installed Chrome.
    [ -z "$extras" ] || command -v google-chrome >/dev/null || cat "$here/../tests/browser/apt.txt"
}

if command -v apt-get >/dev/null; then
    missing=
    for package in $(required_packages); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        line="apt-get install --yes --no-install-recommends$missing"
        if may_install; then
            say "Installing system packages:$missing"
            log=$(mktemp)
            # shellcheck disable=SC2086
            if ! { $as_root apt-get update && DEBIAN_FRONTEND=noninteractive $as_root $line; } >"$log" 2>&1; then
                tail -n 5 "$log" >&2
                say "setup: apt-get did not install them; the whole log is $log. Next: $line"
                exit 1
            fi
            rm -f "$log"
        else
            say "setup: some system packages are missing, and this account may not install them."
            say "Next: sudo $line"
            exit 1
        fi
    fi
else
    # Without apt no image can be built, but an imported one runs.
    for program in qemu-system-aarch64 qemu-img ssh; do
        command -v $program >/dev/null || missing="${missing:-} $program"
    done
    if [ -n "${missing:-}" ]; then
        say "setup: this system has no apt-get, and these programs are missing:$missing"
        say "Next: install QEMU 7.2 or newer and OpenSSH 8.5 or newer (brew install qemu openssh)"
        exit 1
    fi
fi

# -- Python -------------------------------------------------------------------------------

# An editable install, too, holds a copy of the JupyterLab extension.
checksum=$(cd "$here/.." && cat requirements*.txt pyproject.toml \
    labkit/labextension/*.json labkit/labextension/static/* | cksum)
stamp="$venv/.installed-$extras"
[ "$(cat "$stamp" 2>/dev/null)" = "$checksum" ] && exit 0

python=
for name in python3 python3.13 python3.12 python3.11; do
    if command -v $name >/dev/null && $name -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    found=$(python3 --version 2>/dev/null) || found="no Python"
    say "setup: found $found; expected Python 3.11 or newer."
    exit 1
fi
say "Installing Python packages into $venv (this takes a minute)"
[ -x "$venv/bin/python" ] || $python -m venv "$venv"
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --editable "$here/..${extras:+[$extras]}" >"$venv/pip.log" 2>&1; then
    tail -n 5 "$venv/pip.log" >&2
    say "setup: pip did not install them; the whole log is $venv/pip.log. Next: make setup"
    exit 1
fi
echo "$checksum" >"$stamp"
