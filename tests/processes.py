"""Processes as tests see them: waiting with a deadline, reaping, what lives below us."""

from __future__ import annotations

import ctypes
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37

DEADLINE = float(os.environ.get("PYRUNC_TEST_DEADLINE", "30"))


@contextmanager
def not_a_subreaper() -> Iterator[None]:
    """Orphans below us go to the system's init, whatever this process was before."""
    prctl = ctypes.CDLL(None).prctl
    before = ctypes.c_int()
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    yield
    prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)


def wait_until(condition: Any, seconds: float = DEADLINE, what: str = "the condition") -> None:
    """Ask until it is true; for what has no descriptor to wait on."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.005)


def wait_child(pid: int, seconds: float = DEADLINE) -> int:
    """Reap the child (we are a subreaper) and give its exit code, 128+N on signal N."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        raise AssertionError(f"process {pid} is gone already, and not our child") from None
    try:
        ready = select.select([pidfd], [], [], seconds)[0]
        assert ready, f"process {pid} did not end within {seconds} s: {describe(pid)}"
        _, status = os.waitpid(pid, 0)
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    finally:
        os.close(pidfd)


def reap() -> None:
    """Reap every ended child that was reparented to us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    todo = [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def alive(pid: int) -> bool:
    """It exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def describe(pid: int) -> str:
    """Command line, state and wait channel, for failure messages."""
    lines = []
    for each in [pid, *descendants(pid)]:
        try:
            text = Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[0]
            where = Path(f"/proc/{each}/wchan").read_text()
        except OSError:
            continue
        lines.append(f"{each} {state} {where} {text or Path(f'/proc/{each}/comm').read_text()}")
    return "\n".join(lines)
