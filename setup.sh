#!/usr/bin/env bash
# Makes .venv from Python 3.11 to 3.13 and installs the packages of requirements.lock, hashes checked.
set -euo pipefail
cd "$(dirname "$0")"

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

if [ ! -x .venv/bin/python ] || ! fits .venv/bin/python; then
  python=
  for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if fits "$candidate"; then python=$candidate; break; fi
  done
  if [ -z "$python" ]; then
    echo "setup: Python 3.11, 3.12 or 3.13 is needed; found: $("${PYTHON:-python3}" --version 2>&1 || echo none)." >&2
    echo "setup: name one with: make setup PYTHON=/path/to/python3" >&2
    exit 2
  fi
  rm -rf .venv
  if ! "$python" -m venv .venv; then
    echo "setup: $python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
    exit 2
  fi
fi

# uv installs the whole set in a fifth of the time. It knows no pip.conf: where it fails, pip does the work.
awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements.lock >.venv/uv.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
if ! .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock; then
  echo 'setup: uv could not install the packages; pip is tried' >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
fi
cp requirements.lock .venv/installed.lock
