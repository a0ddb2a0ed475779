"""Processes: who they are, whether they live, and the status that follows from it.

A process is a pid and a start time, so that a reused pid is never taken for
the container's; it is signalled and waited for through a pidfd only.
"""

from __future__ import annotations

import os
import select
import time
from errno import ENOENT, ENXIO, ESRCH

from pyrunc.cores import signals
from pyrunc.errors import EXHAUSTED
from pyrunc.state.lifecycle import CREATED, CREATING, PAUSED, RUNNING, STOPPED, allowed
from pyrunc.state.store import START_FIFO, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.state.record import Record
    from pyrunc.state.store import Entry

MOMENTS = 1000  # ms
LONGEST_POLL = 2_000_000_000  # ms
DEADLINE = 10.0
"""Seconds that a killed process gets to vanish."""


def read_stat(pid: int) -> tuple[bytes, bytes, int, int]:
    """Name, state, parent and start time (ticks after boot), see proc_pid_stat(5); state X if it is gone.

    The state is Z only when the last thread has ended: the first one may end before.
    """
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return b"", b"X", 0, 0
    try:
        content = os.read(fd, 4096)
    except ProcessLookupError:
        return b"", b"X", 0, 0
    finally:
        os.close(fd)
    end = content.rindex(b")")
    fields = content[end + 2 :].split()
    state = b"S" if fields[0] == b"Z" and int(fields[17]) > 1 else fields[0]
    return content[content.index(b"(") + 1 : end], state, int(fields[1]), int(fields[19])


def read_start_time(pid: int) -> int:
    """The start time of a living process; 0 if there is none."""
    _, state, _, start_time = read_stat(pid)
    return 0 if state in (b"Z", b"X") else start_time


def read_executed(pid: int) -> tuple[bytes, int]:
    """Name and start time of a child just spawned: it has our name until execve(2) is nearly over."""
    own, *_ = read_stat(os.getpid())
    for _ in range(MOMENTS):
        name, state, _, start_time = read_stat(pid)
        if name != own or state in (b"Z", b"X"):
            break
        os.sched_yield()
    return name, start_time


def was_executed(pid: int, pidfd: int, before: bytes) -> bool:
    """Whether a process that closed its end became another program; False if it ended instead.

    before: its name until then, which execve(2) changes a moment after it
    closes descriptors, and which a dead process keeps until it is reaped.
    """
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    for _ in range(MOMENTS):
        name, state, _, _ = read_stat(pid)
        if name != before:
            return True
        if state == b"Z":
            return False
        poll.poll(1)
    return True


def open_pidfd(pid: int, start_time: int) -> int:
    """A pidfd of that very process; -1 if it is gone."""
    if pid <= 0:
        return -1
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        if error.errno == ESRCH:
            return -1
        raise
    if read_start_time(pid) != start_time:
        os.close(pidfd)
        return -1
    return pidfd


def send_signal(pidfd: int, number: int) -> bool:
    """Signal the process; False if it is gone."""
    try:
        signals.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pidfd: int, seconds: float = DEADLINE) -> bool:
    """Wait until the process has ended; False if the time is over first."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + seconds
    while not poll.poll(max(0, min(int((deadline - time.monotonic()) * 1000) + 1, LONGEST_POLL))):
        if time.monotonic() >= deadline:
            return False
    return True


def reap(pid: int) -> int:
    """Wait for our child; its wait status, or -1 if it is no child of ours (any more)."""
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return -1


def exit_status(status: int) -> int:
    """The shell's number for a wait status: the exit code, or 128 + N for signal N."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def caller_environment() -> list[bytes]:
    """What we were started with, for programs that get the caller's environment.

    An interpreter that is started in the C locale sets LC_CTYPE=C.UTF-8, which the caller never said.
    """
    environment = dict(os.environb)
    given: list[bytes] = []
    if environment.get(b"LC_CTYPE") == b"C.UTF-8":
        del environment[b"LC_CTYPE"]
        with open("/proc/self/environ", "rb") as file:
            given = [entry for entry in file.read().split(b"\0") if entry.startswith(b"LC_CTYPE=")]
    return [name + b"=" + value for name, value in environment.items()] + given[:1]


def status_of(entry: Entry, record: Record) -> str:
    """The container's status as the kernel tells it.

    The FIFO `start.fifo` has a reader exactly as long as the init waits for start.
    """
    alive = record.pid > 0 and read_start_time(record.pid) == record.start_time
    if record.status == CREATING:
        return CREATING if alive or entry.is_locked_by_other() else STOPPED
    if not alive:
        return STOPPED
    status = CREATED if is_waiting(entry) else RUNNING
    return PAUSED if is_frozen(record) else status


def lock_container(root: str, id: str, command: str) -> tuple[Entry, Record]:
    """The container `id` for `command`, which its status allows: its entry, locked, and its record.

    Raises StateError for another status and where there is no such container.
    """
    entry = Store(root).open(id)
    entry.lock()
    record = entry.read()
    allowed(command, status_of(entry, record), id)
    return entry, record


def is_waiting(entry: Entry) -> bool:
    """Whether an init waits at the entry's FIFO for its start."""
    try:
        fd = os.open(START_FIFO, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=entry.dir_fd)
    except OSError as error:
        if error.errno in (ENXIO, ENOENT):
            return False
        raise
    os.close(fd)
    return True


def is_frozen(record: Record) -> bool:
    """Whether the container's cgroup is frozen."""
    if not record.cgroup:
        return False
    from pyrunc.cgroup.driver import open_cgroup

    try:
        return open_cgroup(record.cgroup).frozen()
    except FileNotFoundError:
        return False


def oci_state(record: Record, status: str, pid: int | None = None) -> dict[str, object]:
    """The OCI state that hooks read: spec runtime.md, "State"."""
    state: dict[str, object] = {
        "ociVersion": record.oci_version,
        "id": record.id,
        "status": status,
        "pid": record.pid if pid is None else pid,
        "bundle": record.bundle,
    }
    if record.annotations:
        state["annotations"] = record.annotations
    return state
