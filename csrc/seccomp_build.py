"""Build pyrunc/_seccomp.abi3.so: libseccomp for pyrunc/execute/seccomp.py.

python csrc/seccomp_build.py --output-dir pyrunc
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from module_build import BuildError, build_module, compiler, main


def check_library() -> None:
    """BuildError unless libseccomp's header and library are there."""
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "ask.c")
        Path(source).write_text("#include <seccomp.h>\nint main(void) { return seccomp_version() == 0; }\n")
        command = [*compiler(), source, "-lseccomp", "-o", os.path.join(scratch, "ask")]
        try:
            found = subprocess.run(command, check=False, capture_output=True).returncode == 0
        except FileNotFoundError:
            raise BuildError(
                f"no C compiler: {command[0]!r} was not found (Debian: apt install gcc)"
            ) from None
        if not found:
            raise BuildError("libseccomp's header is missing (Debian: apt install libseccomp-dev)")


def build(output_dir: str) -> Path:
    """Compile the module into `output_dir`; returns the file."""
    check_library()
    return build_module(
        "_seccomp", "seccomp_filter.h", ["seccomp_filter.c", "seccomp_unknown.c"], output_dir, ["-lseccomp"]
    )


if __name__ == "__main__":
    sys.exit(main(build, sys.argv[1:]))
