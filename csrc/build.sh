#!/bin/sh
# Build everything that is compiled, for work in a checkout:
# pyrunc-init and both cffi modules into pyrunc/.
# $PYTHON: an interpreter with cffi.  $CC: compiler of the modules.  $INIT_CC: of pyrunc-init.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then
	PYTHON=python3
	for candidate in .venv/bin/python /tmp/v/bin/python; do
		[ -x "$candidate" ] && PYTHON=$candidate && break
	done
fi
make -s -C csrc PYTHON="$PYTHON"
"$PYTHON" csrc/native_build.py --output-dir pyrunc
"$PYTHON" csrc/seccomp_build.py --output-dir pyrunc
