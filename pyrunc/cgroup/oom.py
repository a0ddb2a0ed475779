"""News that the memory limit killed a process, from the kernel's own events."""

from __future__ import annotations

import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.cgroup.driver import Cgroup


class OomWatch:
    """Poll `fd` for `events`; then `count` says how many kills there were since the last time."""

    __slots__ = ("_cgroup", "_counter", "_seen", "events", "fd")

    def __init__(self, cgroup: Cgroup) -> None:
        """OSError if there is no memory controller to ask."""
        self._cgroup = cgroup
        self._seen = 0
        paths = cgroup.saved.get("paths", {})
        if cgroup.saved.get("version") == 2:
            self.fd = self._counter = os.open(f"{paths['']}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
            self.events = select.POLLPRI
        elif "memory" not in paths:
            raise FileNotFoundError("the container has no cgroup of the controller `memory`")
        else:
            self._counter = os.open(f"{paths['memory']}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.events = select.POLLIN
            cgroup.write("memory", "cgroup.event_control", f"{self.fd} {self._counter}")
        self._seen = cgroup.oom_kills()

    def count(self) -> int:
        """New out-of-memory events; 0 when there was none or the event was the end of the cgroup."""
        if self.fd != self._counter:
            try:
                os.eventfd_read(self.fd)
                os.stat(f"{self._cgroup.saved['paths']['memory']}/cgroup.event_control")
            except OSError:
                return 0
            return 1
        try:
            os.pread(self.fd, 4096, 0)
            kills = self._cgroup.oom_kills()
        except OSError:
            return 0
        new, self._seen = kills - self._seen, kills
        return max(new, 0)

    def close(self) -> None:
        """Ask no more."""
        for fd in {self.fd, self._counter}:
            os.close(fd)
