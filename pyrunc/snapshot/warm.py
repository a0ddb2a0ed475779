"""Uses everything often enough that caches are filled and code is specialised before the dump.

What runs here leaves nothing: its root directory and bundles are in a scratch
directory, its containers are deleted.  What fails here fails in silence; the
tests of the image tell.
"""

from __future__ import annotations

import os

from pyrunc.cli import main as cli
from pyrunc.cores import signals

ROUNDS = 12  # the interpreter specialises a function at its eighth call
_OWN = (signals.SIGINT, signals.SIGPIPE, signals.SIGXFSZ)


def warm_up(scratch: str) -> None:
    """Run commands and containers in `scratch`; what they print is nobody's."""
    os.mkdir(scratch + "/root")
    saved = [os.dup(fd) for fd in range(3)]
    nowhere = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(nowhere, fd)
    try:
        for number in range(ROUNDS):
            for line in _lines(scratch, f"pyrunc-snapshot-{os.getpid()}-{number}"):
                cli.main(line)
    finally:
        for fd, copy in enumerate(saved):
            os.dup2(copy, fd)
            os.close(copy)
        os.close(nowhere)
    _check_signals()


def _lines(scratch: str, name: str) -> list[list[str]]:
    root = ["--root", scratch + "/root"]
    bundle = scratch + "/bundle"
    return [
        ["--version"],
        ["--help"],
        ["plan", "-b", bundle, "warm"],
        [*root, "nonsense"],
        [*root, "state", "nobody"],
        [*root, "run", "-b", bundle, name],
        [*root, "create", "-b", scratch + "/waiting", name],
        [*root, "state", name],
        [*root, "list"],
        [*root, "start", name],
        [*root, "exec", name, "/tool", "true"],
        [*root, "kill", name, "KILL"],
        [*root, "delete", "--force", name],
    ]


def _check_signals() -> None:
    """The image must have the handlers of an interpreter that was just started."""
    signals.set_wakeup_fd(-1)
    for number in range(1, signals.NSIG):
        if number not in _OWN and signals.getsignal(number) not in (signals.SIG_DFL, None):
            signals.signal(number, signals.SIG_DFL)
    signals.signal(signals.SIGINT, signals.default_int_handler)
