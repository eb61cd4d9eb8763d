#!/usr/bin/env bash
# The set-up behind `make setup`: a virtual environment in .venv with what requirements.txt lists and
# the project itself, editable, and the system's OpenGL. Nothing is compiled. Installs Debian or
# Ubuntu packages where that takes no password, else names the one line to run. Leaves .venv/ready,
# newer than requirements.txt, when all is well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
    echo "setup: $*" >&2
    exit 1
}

# apt_install REASON PACKAGE...
apt_install() {
    local reason=$1 as_root=
    shift
    command -v apt-get >/dev/null || fail "$reason; install what Debian calls: $*"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null ||
            fail "$reason; run: sudo apt-get update && sudo apt-get install -y $*"
        as_root=sudo
    fi

    echo "setup: $reason; installing $*"
    $as_root apt-get -qq update || echo "setup: apt-get update failed, going on without" >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >/dev/null || fail "$reason; apt-get cannot install $*"
}

is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

make_venv() {
    local python found
    for python in ${PYTHON:-python3 python3.12 python3.11}; do
        is_supported "$python" || continue
        found=$("$python" -c 'import sys; print("python3.%d" % sys.version_info[1])')
        "$python" -c 'import ensurepip' 2>/dev/null ||
            apt_install "$python lacks its venv module" "$found-venv"
        echo "setup: making .venv with $found"
        "$python" -m venv --clear .venv
        return
    done
    found=$("${PYTHON:-python3}" -V 2>/dev/null) || found=missing
    fail "needs Python 3.11 or 3.12, but ${PYTHON:-python3} is $found;" \
        "install one and name it: make setup PYTHON=/path/to/python3.12"
}

opengl_works() {
    fault=$(.venv/bin/python -c 'import moderngl
moderngl.create_context(standalone=True, backend="egl", require=330)' 2>&1)
}

# One set-up at a time, however many `make` were started; the later ones find it done.
exec 9<setup.sh
flock 9
if [ .venv/ready -nt requirements.txt ] && [ .venv/ready -nt pyproject.toml ] &&
    [ .venv/ready -nt setup.sh ]; then
    exit
fi

if ! is_supported .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    make_venv
fi
# pyrender 0.1.45 works with today's PyOpenGL, which comes as a wheel, but demands an older one, which
# does not; so it comes last, and without what it demands.
install=".venv/bin/python -m pip install --disable-pip-version-check --only-binary :all:"
$install -r <(grep -v '^pyrender==' requirements.txt)
$install --no-deps -r <(grep '^pyrender==' requirements.txt)
# The project itself: the command feature-mapping, and imports from any folder.
$install --no-deps --no-build-isolation --editable .

if ! opengl_works; then
    apt_install "no OpenGL 3.3 without a display" libegl1 libgl1 libgl1-mesa-dri
    opengl_works || fail "no OpenGL 3.3 without a display: ${fault##*$'\n'}"
fi
touch .venv/ready
