#!/bin/sh
# A short form of the tests on the newest Python that is installed and the newest Django and other
# packages that the registry has, beside the locked ones: `scripts/newest.sh [pytest options]`.
# PYTHON=/path/to/python3 chooses an interpreter. Exit code 3: there is no Python newer than 3.11.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-newest

candidates() {
    [ -z "${PYTHON:-}" ] || { echo "$PYTHON"; return; }
    if command -v pyenv >/dev/null 2>&1; then
        pyenv versions --bare 2>/dev/null | sort -rV | while read -r version; do
            echo "$(pyenv prefix "$version" 2>/dev/null)/bin/python"
        done
    fi
    printf 'python3.%s\n' 15 14 13 12
}

python=
for candidate in $(candidates); do
    if "$candidate" -c 'import sys, venv, ensurepip; raise SystemExit(sys.version_info < (3, 12))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "There is no Python 3.12 or newer here. Install one, or set PYTHON=/path/to/python3."
    exit 3
fi

rm -rf "$venv"
"$python" -m venv "$venv"
# The upper bounds of pyproject.toml hold for what is locked; here they are left out.
"$venv/bin/python" - >"$venv/packages" <<'PYTHON'
import re
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
for package in project["dependencies"] + project["optional-dependencies"]["dev"]:
    print(re.sub(r",<.*", "", package))
PYTHON
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade -r "$venv/packages"
"$venv/bin/python" -c '
import django, sys
print(f"Python {sys.version.split()[0]}, Django {django.__version__}")'
# Warnings of a Django that does not exist here cannot be named, so only ours are errors.
exec "$venv/bin/python" -m pytest -p no:cacheprovider -o "filterwarnings=error::DeprecationWarning:(coc_admin|orders|reconciliation|tests)" "$@"
