#!/bin/sh
# Build everything that is compiled, for work in a checkout:
# pyrunc-init and both cffi modules into pyrunc/.
# $PYTHON: an interpreter with cffi.  $CC: compiler of the modules.  $INIT_CC: of pyrunc-init.
set -eu
cd "$(dirname "$0")/.."
[ -n "${PYTHON:-}" ] || PYTHON="$PWD/.venv/bin/python"
[ -x "$PYTHON" ] || PYTHON=$(command -v "$PYTHON" || command -v python3)
make -s -C csrc PYTHON="$PYTHON"
"$PYTHON" csrc/native_build.py --output-dir pyrunc
"$PYTHON" csrc/seccomp_build.py --output-dir pyrunc
