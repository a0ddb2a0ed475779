"""The ends of a cgroup's processes: bringing them about, and waiting for them.

One by one, for kernels without cgroup.kill (v1; v2 before 5.14); by the events
of the unified hierarchy where there is one.  A deadline is a moment of time.monotonic().
"""

from __future__ import annotations

import os
import select
import time
from errno import ENODEV

from pyrunc.cores import signals
from pyrunc.errors import EXHAUSTED, HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 256  # pidfds at a time, see `_at_a_time`


def kill_all(list_processes: Callable[[], list[int]], wake: Callable[[], None], deadline: float) -> None:
    """SIGKILL what `list_processes` gives, again and again, until it is empty.

    wake: called after the signals, to let frozen processes notice them.
    HostError if some live at the deadline.
    """
    while pids := list_processes():
        pidfds = _signal(pids[: _at_a_time()], signals.SIGKILL, list_processes)
        try:
            wake()
            _wait(list(pidfds.values()), deadline, len(pidfds))
        finally:
            _close(pidfds)
        if time.monotonic() > deadline and (left := list_processes()):
            raise HostError(f"{len(left)} processes did not die of SIGKILL in time: {left[:8]}")


def signal_all(list_processes: Callable[[], list[int]], number: int) -> None:
    """Send a signal to what `list_processes` gives now, once."""
    pids = list_processes()
    step = _at_a_time()
    for start in range(0, len(pids), step):
        _close(_signal(pids[start : start + step], number, list_processes))


def _at_a_time() -> int:
    """How many pidfds to hold: half of the files that we may open, as listing takes some too."""
    return max(1, min(MOST, os.sysconf("SC_OPEN_MAX") // 2))


def wait_any(pids: list[int], deadline: float) -> None:
    """Wait until one of the processes has ended, or the deadline."""
    pidfds = open_pidfds(pids[: _at_a_time()])
    _wait(list(pidfds.values()), deadline, min(len(pidfds), 1))
    _close(pidfds)


def open_pidfds(pids: list[int]) -> dict[int, int]:
    """pid → pidfd of those that are still there."""
    pidfds = {}
    for pid in pids:
        try:
            pidfds[pid] = os.pidfd_open(pid)
        except OSError as error:
            if error.errno in EXHAUSTED:
                _close(pidfds)
                raise
    return pidfds


def _close(pidfds: dict[int, int]) -> None:
    for pidfd in pidfds.values():
        os.close(pidfd)


def _signal(pids: list[int], number: int, list_processes: Callable[[], list[int]]) -> dict[int, int]:
    """Signal those of the processes that are still there; returns their pidfds by pid.

    A pid that is still listed after its pidfd was opened was not used anew before.
    """
    pidfds = open_pidfds(pids)
    members = set(list_processes())
    for pid, pidfd in pidfds.items():
        if pid in members:
            try:
                signals.pidfd_send_signal(pidfd, number)
            except ProcessLookupError:
                pass
    return pidfds


def _wait(pidfds: list[int], deadline: float, ends: int) -> None:
    """Wait until so many of the processes have ended, or the deadline."""
    poll = select.poll()
    for pidfd in pidfds:
        poll.register(pidfd, select.POLLIN)
    while ends > 0 and (left := deadline - time.monotonic()) > 0:
        for pidfd, _ in poll.poll(int(left * 1000) + 1):
            poll.unregister(pidfd)
            ends -= 1


def wait_event(path: str, key: str, value: int, deadline: float, once: bool = False) -> bool:
    """Wait until cgroup.events of a v2 cgroup says `key value`; False: at the deadline, or it is gone.

    once: True after the next change of the file too, and False at once if the value is there already.
    """
    try:
        fd = os.open(f"{path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    poll = select.poll()
    poll.register(fd, select.POLLPRI)
    wanted, changed = f"{key} {value}", False
    try:
        while wanted not in os.pread(fd, 4096, 0).decode().splitlines():
            left = deadline - time.monotonic()
            if left <= 0 or (once and changed):
                return changed
            changed = bool(poll.poll(int(left * 1000) + 1))
        return changed or not once
    except OSError as error:
        if error.errno == ENODEV:
            return False
        raise
    finally:
        os.close(fd)
