"""Uses everything once or a few times, so that caches are filled and code is specialised before the dump."""

from __future__ import annotations

import os

from pyrunc.cli import main as cli
from pyrunc.cli.parser import parse

ROUNDS = 3


def warm_up(scratch: str) -> None:
    """Run harmless commands in `scratch`; what they print is nobody's."""
    root = scratch + "/root"
    bundle = scratch + "/bundle"
    lines = [
        ["--version"],
        ["--help"],
        ["run", "--help"],
        ["--root", root, "state", "nobody"],
        ["--root", root, "kill", "nobody", "KILL"],
        ["--root", root, "start", "nobody"],
        ["--root", root, "delete", "--force", "nobody"],
        ["--root", root, "exec", "nobody", "true"],
        ["--root", root, "list"],
        ["--root", root, "nonsense"],
        ["plan", "-b", bundle, "warm"],
        ["validate", "-b", bundle],
        ["validate", "-b", scratch + "/bad"],
    ]
    saved = os.dup(1), os.dup(2)
    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        for _ in range(ROUNDS):
            for line in lines:
                cli.main(line)
        for verb in ("create", "run", "start"):
            parse([verb, "nobody"])
    finally:
        for fd, copy in enumerate(saved, 1):
            os.dup2(copy, fd)
            os.close(copy)
        os.close(nowhere)
