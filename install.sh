#!/bin/sh
# Make the virtual environment: find a fitting Python, install the pinned versions, say what is happening.
# Usage: install.sh FOLDER     PYTHON=/path/to/python chooses the interpreter.
set -eu
venv=$1

fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

python=
# pyenv's versions are tried by path: its shims refuse a version that is installed but not chosen.
for candidate in ${PYTHON:-} python3.12 python3.13 python3 python \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python \
    /opt/homebrew/bin/python3.12 /usr/local/bin/python3.12; do
    if fits "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    seen=$(python3 --version 2>/dev/null || echo "no python3")
    echo "demodeck needs Python 3.12 or 3.13 with venv; found: $seen." >&2
    echo "Install one ('apt install python3.12 python3.12-venv', 'brew install python@3.12' or 'pyenv install 3.12')," >&2
    echo "or name it: make PYTHON=/path/to/python3.12 demo" >&2
    exit 1
fi

echo "== demodeck: making $venv with $("$python" --version) ..."
[ -x "$venv/bin/python" ] && fits "$venv/bin/python" || "$python" -m venv --clear "$venv"
echo "== demodeck: installing the pinned versions (about 6 GB on disk; half a minute to a few minutes) ..."
# uv is several times faster than pip; without it pip does the same.
if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null; then
    install="$venv/bin/uv pip install --quiet --python $venv/bin/python"
else
    install="$venv/bin/python -m pip install --quiet --disable-pip-version-check"
fi
$install --constraint constraints.txt --editable '.[dev]'
# Without its dependencies: it asks for opencv-python, which would overwrite the headless one that lerobot uses.
$install --constraint constraints.txt --no-deps gym-pusht
# Without compiled bytecode every command would spend seconds more on its imports.
echo "== demodeck: compiling ..."
env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || true
echo "== demodeck: ready. Its command is $venv/bin/demodeck"
