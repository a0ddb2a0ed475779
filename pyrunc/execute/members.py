"""The processes of a container that has no cgroup to name them."""

from __future__ import annotations

import os

from pyrunc.execute.process import read_start_time, read_stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.state.record import Record


def members_of(record: Record) -> list[int]:
    """The init, what shares a pid namespace of the container's own with it, and all their descendants.

    What `exec` started in a container without such a namespace is not found: nothing marks it.
    """
    if read_start_time(record.pid) != record.start_time:
        return []
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    found = {record.pid}
    if record.private_pids:
        namespace = _pid_namespace(record.pid)
        found |= {pid for pid in pids if namespace and _pid_namespace(pid) == namespace}
    return sorted(_with_descendants(found, {pid: read_stat(pid)[2] for pid in pids}))


def _with_descendants(found: set[int], parents: dict[int, int]) -> set[int]:
    """`found`, grown until no process outside of it has its parent inside."""
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found = found | more
    return found


def _pid_namespace(pid: int) -> str:
    """Its name; empty if the process is gone or not ours to look at."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""
