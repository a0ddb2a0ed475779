"""Compile one cffi module (API mode, stable ABI) with the C compiler, no setuptools.

Here: what csrc/native_build.py and csrc/seccomp_build.py share.  The result
works with every CPython from 3.11 on, so one file serves every interpreter.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

CSRC = Path(__file__).resolve().parent
FLAGS = ["-std=gnu11", "-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", "-Wshadow"]


class BuildError(Exception):
    """Something is missing; the text says what and how to get it."""


def compiler() -> list[str]:
    """The C compiler's command: $CC, else cc."""
    return shlex.split(os.environ.get("CC", "cc"))


def run_compiler(arguments: list[str]) -> None:
    """Run the compiler; its own messages go to stderr."""
    command = [*compiler(), *arguments]
    try:
        status = subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise BuildError(f"no C compiler: {command[0]!r} was not found (Debian: apt install gcc)") from None
    if status != 0:
        raise BuildError(f"the C compiler failed ({status}): {shlex.join(command)}")


def check_headers() -> str:
    """The include directory of this Python; BuildError if Python.h is not in it."""
    include = sysconfig.get_paths()["include"]
    if not os.path.exists(os.path.join(include, "Python.h")):
        raise BuildError(f"no Python.h in {include} (Debian: apt install python3-dev)")
    return include


def build_module(name: str, header: str, sources: list[str], output_dir: str, extra: list[str]) -> Path:
    """Build module `pyrunc.<name>` from csrc/`header` and csrc/`sources`; returns its path.

    `header` holds plain prototypes: cffi reads it as it is.
    """
    try:
        import cffi
    except ImportError:
        raise BuildError("the Python package cffi is missing (pip install cffi)") from None
    include = check_headers()
    builder = cffi.FFI()
    builder.cdef((CSRC / header).read_text())
    builder.set_source(f"pyrunc.{name}", f'#include <stdint.h>\n#include "{header}"\n')
    target = Path(output_dir) / f"{name}.abi3.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        binding = os.path.join(scratch, f"{name}.c")
        with contextlib.redirect_stdout(sys.stderr if os.environ.get("V") else io.StringIO()):
            builder.emit_c_code(binding)
        made = os.path.join(scratch, target.name)
        objects = []
        for source in [binding, *(str(CSRC / source) for source in sources)]:
            objects.append(os.path.join(scratch, Path(source).stem + ".o"))
            warnings = ["-w"] if source == binding else []
            run_compiler(
                [
                    *FLAGS,
                    *warnings,
                    f"-I{CSRC}",
                    f"-I{include}",
                    *compile_flags(extra),
                    "-c",
                    source,
                    "-o",
                    objects[-1],
                ]
            )
        run_compiler(["-shared", "-Wl,-z,relro,-z,now", "-s", *objects, *link_flags(extra), "-o", made])
        install(made, target)
    return target


def compile_flags(extra: list[str]) -> list[str]:
    """Those of `extra` that the compiler proper needs."""
    return [flag for flag in extra if not flag.startswith(("-l", "-L"))]


def link_flags(extra: list[str]) -> list[str]:
    """Those of `extra` that the linker needs."""
    return [flag for flag in extra if flag.startswith(("-l", "-L"))]


def install(made: str, target: Path) -> None:
    """Put the file in place in one step: a running interpreter keeps the old one."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    beside.write_bytes(Path(made).read_bytes())
    beside.chmod(0o755)
    beside.replace(target)


def main(build: Callable[[str], Path], arguments: list[str]) -> int:
    """Run `build(output_dir)`; a BuildError becomes one line and exit code 1."""
    output = "pyrunc"
    if len(arguments) == 2 and arguments[0] == "--output-dir":
        output = arguments[1]
    elif arguments:
        print("usage: --output-dir DIRECTORY", file=sys.stderr)
        return 2
    try:
        print(build(output))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
