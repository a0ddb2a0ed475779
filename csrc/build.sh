#!/bin/sh
# Build everything that is compiled, for work in a checkout:
# pyrunc-init (when its sources are complete) and both cffi modules into pyrunc/.
# $PYTHON: an interpreter with cffi.  $CC: compiler of the modules.  $INIT_CC: of pyrunc-init.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then
	PYTHON=python3
	for candidate in .venv/bin/python /tmp/v/bin/python; do
		[ -x "$candidate" ] && PYTHON=$candidate && break
	done
fi
mkdir -p build
sources="csrc/init.c csrc/plan.c csrc/reply.c csrc/path.c $(ls csrc/op_*.c)"
for source in $sources; do
	[ -e "$source" ] || { echo "build.sh: $source is not there yet" >&2; exit 1; }
done
INIT_CC=${INIT_CC:-$(command -v musl-gcc || echo "${CC:-cc}")}
# shellcheck disable=SC2086
$INIT_CC -std=gnu11 -Os -static -s -Wall -Wextra -Werror -Wshadow -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables -fno-stack-protector -Wl,--gc-sections -Wl,-z,noseparate-code \
	$sources -o build/pyrunc-init.new
mv build/pyrunc-init.new build/pyrunc-init
"$PYTHON" csrc/native_build.py --output-dir pyrunc
"$PYTHON" csrc/seccomp_build.py --output-dir pyrunc
