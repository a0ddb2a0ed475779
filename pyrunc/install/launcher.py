"""Writes the program `pyrunc`: a few lines of Python that start without site and without the environment.

    python -m pyrunc.install.launcher checkout FILE         runs the package of this checkout
    python -m pyrunc.install.launcher library FILE STAGED FINAL
                   runs the package in FINAL (now in STAGED), out of an archive that this makes too

The interpreter is the one that runs this, or what its virtual environment was made from.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from pyrunc.install.archive import build_archive

ARCHIVE = "pyrunc.modules"

CHECKOUT = """\
#!{python} -IS
# Runs pyrunc from its checkout, wherever that is mounted; written by `make build`.
import sys
from os.path import dirname, join, realpath
here = dirname(realpath(__file__))
sys.path.insert(0, realpath(join(here, {checkout!r})))
sys.path.append(realpath(join(here, {packages!r})))
from pyrunc.cli.main import entry
entry()
"""

LIBRARY = """\
#!{python} -IS
# Runs the installed pyrunc; written by `make install`.
import gc
import sys
gc.disable()
from fcntl import F_DUPFD_CLOEXEC, fcntl
from marshal import loads
from posix import O_CLOEXEC, O_RDONLY, close, open, pread
from _frozen_importlib_external import MAGIC_NUMBER
sys.path.append({library!r})
archive = open({archive!r}, O_RDONLY | O_CLOEXEC)
if archive < 3:  # our caller closed what the container's program gets
    first, archive = archive, fcntl(archive, F_DUPFD_CLOEXEC, 3)
    close(first)
data = pread(archive, {head}, 0)
if data[:4] != MAGIC_NUMBER:
    sys.exit("pyrunc was installed for another version of {python}: run `make install` again")
start = 8 + int.from_bytes(data[4:8], "little")
lean_os, boot, index, extensions = loads(data[8:start])
names = {{"__name__": "pyrunc.install.lean_os"}}
exec(lean_os, names)
names["install"]()
names = {{"__name__": "pyrunc.install.boot"}}
exec(boot, names)
names["install"](archive, start, index, extensions, {library!r})
from pyrunc.cli.main import entry
entry()
"""


def interpreter() -> str:
    """The interpreter's own path, not that of a virtual environment."""
    return str(getattr(sys, "_base_executable", sys.executable))


def write_checkout_launcher(target: Path) -> None:
    """A launcher for the checkout this module is in."""
    here = target.parent.resolve()
    packages, checkout = Path(sysconfig.get_paths()["purelib"]), Path(__file__).resolve().parents[2]
    inside = packages.is_relative_to(checkout)
    text = CHECKOUT.format(
        python=interpreter(),
        checkout=os.path.relpath(checkout, here),
        packages=os.path.relpath(packages, here) if inside else str(packages),
    )
    _write(target, text)


def write_library_launcher(target: Path, staged: Path, final: str) -> None:
    """A launcher and an archive for the library that is in `staged` now and in `final` later."""
    archive = staged / ARCHIVE
    content = build_archive(staged, final)
    archive.write_bytes(content)
    archive.chmod(0o644)
    head = 8 + int.from_bytes(content[4:8], "little")
    text = LIBRARY.format(python=interpreter(), library=final, archive=f"{final}/{ARCHIVE}", head=head)
    _write(target, text)


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.write_text(text)
    new.chmod(0o755)
    os.replace(new, target)


def main(arguments: list[str]) -> int:
    """Write what the command line asks for."""
    if len(arguments) == 2 and arguments[0] == "checkout":
        write_checkout_launcher(Path(arguments[1]))
    elif len(arguments) == 4 and arguments[0] == "library":
        write_library_launcher(Path(arguments[1]), Path(arguments[2]), arguments[3])
    else:
        print(__doc__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
