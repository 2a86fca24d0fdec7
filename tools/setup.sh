#!/bin/sh
# Makes the virtual environment that the Makefile's targets use: tools/setup.sh site|test
# Installs the Debian packages that this needs, where it may (root and apt); otherwise says what is missing.
set -eu

want=$1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv
stamp=$venv/ready-$want
started=$(date +%s)

say() { printf '[setup %3s s] %s\n' "$(($(date +%s) - started))" "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

[ "$(uname -s)" = Linux ] || die "this is $(uname -s): the lab and its tests need Linux. Where Ansible is installed, \
\`ansible-playbook site.yml -l gpu_hosts -i INVENTORY\` converges your own hosts from here."

digest=$(cd "$root/tools" && cat setup.sh requirements-site.txt requirements-test.txt | sha256sum | cut -d' ' -f1)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ] && exit 0

debian_packages() {
    command -v apt-get > /dev/null || die "$* missing, and there is no apt-get here: install them by hand, then try again."
    [ "$(id -u)" = 0 ] || die "$* missing: run \`apt-get install $*\` as root, then try again."
    say "installing Debian packages: $*"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" > /dev/null
}

# The newest Python that really starts (a version manager's shim may be there without its Python) and can make environments.
find_python() {
    for version in 3.14 3.13 3.12 3.11; do
        for folder in $(printf %s "$PATH" | tr : ' ') "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin; do
            candidate=$folder/python$version
            if [ -x "$candidate" ] && "$candidate" -c 'import ensurepip, venv' 2> /dev/null; then
                printf '%s\n' "$candidate"
                return
            fi
        done
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    debian_packages python3 python3-venv python3-pip
    python=$(find_python)
    [ -n "$python" ] || die "no Python 3.11 or newer was found: install one (Debian 12 and newer have it), then try again."
fi

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' 2> /dev/null; then
    say "making the virtual environment with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
# The tests ask the real mokutil and the real openssl, on plain files.
if [ "$want" = test ]; then
    for program in mokutil openssl; do
        command -v "$program" > /dev/null || debian_packages "$program"
    done
fi
set -- -r "$root/tools/requirements-site.txt"
[ "$want" = test ] && set -- "$@" -r "$root/tools/requirements-test.txt"
say "installing Python packages for \`make $want\`"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check "$@"
say "compiling them, so that every start is twice as fast"
env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m compileall -q "$venv/lib" > /dev/null || true
printf '%s' "$digest" > "$stamp"
[ "$want" = test ] && cp "$stamp" "$venv/ready-site"
say "ready: ansible-core $("$venv/bin/python" -c "from ansible.release import __version__; print(__version__)")"
