"""Build pyrunc/_native.abi3.so: the C helper of pyrunc/native.py.

    python csrc/native_build.py --output-dir pyrunc

pyrunc-init must have been built before (build/pyrunc-init, or the file that
$PYRUNC_INIT names): its bytes are linked into the module.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from module_build import CSRC, BuildError, build_module, main

SOURCES = ["native.c", "native_spawn.c", "native_bpf.c"]


def init_program() -> Path:
    """The pyrunc-init to embed; BuildError if it is not there."""
    path = Path(os.environ.get("PYRUNC_INIT") or CSRC.parent / "build" / "pyrunc-init").resolve()
    if not path.is_file():
        raise BuildError(f"{path} is missing: build pyrunc-init first (make build)")
    return path


def build(output_dir: str) -> Path:
    """Compile the module into `output_dir`; returns the file."""
    return build_module("_native", "native.h", SOURCES, output_dir, [f'-DPYRUNC_INIT="{init_program()}"'])


if __name__ == "__main__":
    sys.exit(main(build, sys.argv[1:]))
