#!/bin/sh
# Makes .venv in the project's root and installs one lock into it: `scripts/setup.sh run` or `dev`.
# Does nothing when that lock is installed already. PYTHON=/path/to/python3 chooses an interpreter.
set -eu
cd "$(dirname "$0")/.."

case "${1:-}" in
    run) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) echo "usage: scripts/setup.sh run|dev" >&2; exit 2 ;;
esac
venv=.venv
stamp="$venv/installed-$lock"
new_enough='import sys; raise SystemExit(sys.version_info < (3, 11))'

say() { echo "[set-up] $*"; }
fail() { echo "[set-up] $*" >&2; exit 1; }

# A version manager's stand-in may be found and refuse to run, so each candidate is run.
find_python() {
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3 python}; do
        if "$candidate" -c "$new_enough" >/dev/null 2>&1; then
            found_old_venv=$candidate
            if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
                echo "$candidate"
                return
            fi
        fi
    done
    if [ -n "${found_old_venv:-}" ]; then
        fail "$found_old_venv has no venv module. Install it (Debian and Ubuntu: apt-get install python3-venv) and try again."
    fi
    fail "No Python 3.11 or newer found${PYTHON:+ as $PYTHON}. Install one (Debian and Ubuntu: apt-get install python3 python3-venv) and try again."
}

if ! "$venv/bin/python" -c "$new_enough" >/dev/null 2>&1; then
    python=$(find_python)
    say "making $venv with $python"
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail "$python could not make $venv; see the lines above."
fi

if cmp -s "$lock" "$stamp"; then
    exit 0
fi
say "installing $lock (once; a minute or so)"
rm -f "$stamp"
if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$lock" \
        || fail "The packages in $lock could not be installed; see the lines above."
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" \
        || fail "The packages in $lock could not be installed; see the lines above."
fi
cp "$lock" "$stamp"
