"""Writes the program that prefers an image and else runs the script.

    python -m pyrunc.snapshot.launcher FILE SCRIPT [IMAGE]

SCRIPT is the path of the script that starts pyrunc normally, as it will be
when FILE runs; IMAGE is where `pyrunc snapshot build` will put the image.
"""

from __future__ import annotations

import os
import sys

from pyrunc.snapshot import place

_MARK = b"pyrunc launcher configuration:".ljust(32, b"\0")
_ROOM = 2048


def write_launcher(target: str, script: str, image: str) -> None:
    """Put the configured launcher at `target`, in one step."""
    with open(place.LAUNCHER, "rb") as file:
        program = file.read()
    if program.count(_MARK) != 1:
        raise ValueError(f"{place.LAUNCHER} is no launcher")
    paths = b""
    for path in (script, image):
        if len(os.fsencode(path)) >= _ROOM:
            raise ValueError(f"{path}: path too long")
        paths += os.fsencode(path).ljust(_ROOM, b"\0")
    begin = program.index(_MARK) + len(_MARK)
    beside = f"{target}.{os.getpid()}"
    with open(beside, "wb") as file:
        file.write(program[:begin] + paths + program[begin + len(paths) :])
        os.fchmod(file.fileno(), 0o755)
    os.replace(beside, target)


def main(arguments: list[str]) -> int:
    """Write what the command line asks for."""
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 1
    image = arguments[2] if len(arguments) == 3 else place.image_path(arguments[1])
    write_launcher(arguments[0], arguments[1], image)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
