"""The file driver for cgroup v1 and hybrid hosts: one directory in each hierarchy."""

from __future__ import annotations

import os
import time
from errno import EBUSY

from pyrunc.cgroup.cgroupfs import DEADLINE, CgroupFiles, read_file, read_flat, write_file
from pyrunc.errors import HostError


class SplitCgroup(CgroupFiles):
    """A cgroup in every v1 hierarchy, and in the unified one where there is one."""

    __slots__ = ()

    @property
    def directory_fd(self) -> int:
        """The directory of the unified hierarchy of a hybrid host; -1 without one."""
        return self._fd("") if "" in self.paths else -1

    def open_tasks(self, controller: str) -> int:
        """The file `tasks`, opened by us: the kernel checks the opener's rights, not the writer's."""
        return os.open("tasks", os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._fd(controller))

    def _prepare(self, controller: str, path: str) -> None:
        if controller == "cpuset":
            fill_cpuset(path)
        elif controller == "freezer" and self._freezer_state() != "THAWED":
            self._refuse_frozen(path)

    def own(self, uid: int, gid: int) -> None:
        """Refuse: v1 cannot be delegated safely (spec: "Cgroup ownership")."""
        raise HostError("a cgroup v1 cannot be given to a user")

    def attach_devices(self, program: bytes) -> None:
        """Refuse: v1 has files for that."""
        raise HostError("cgroup v1 takes no device programs")

    def kill(self) -> None:
        """SIGKILL all; frozen processes are thawed, they would not notice."""
        if self.saved["made"] is None:  # nothing of ours was started, see `remove`
            return
        from pyrunc.cgroup.processes import kill_all

        kill_all(self.procs, self._wake, time.monotonic() + DEADLINE)

    def _wake(self) -> None:
        if "freezer" in self.paths and self._freezer_state() not in ("", "THAWED"):
            write_file(f"{self.paths['freezer']}/freezer.state", "THAWED")

    def _freezer_state(self) -> str:
        return read_file(f"{self.paths['freezer']}/freezer.state").strip()

    def freeze(self) -> None:
        """Write FROZEN until it is so: a process that forks meanwhile undoes it, and there is no event."""
        self._check_freezer()
        deadline, pause = time.monotonic() + DEADLINE, 0.0002
        while True:
            write_file(f"{self.paths['freezer']}/freezer.state", "FROZEN")
            if self._freezer_state() == "FROZEN":
                return
            if time.monotonic() > deadline:
                self._wake()
                raise HostError(f"cannot freeze {self.paths['freezer']} within {DEADLINE:.0f} s", errno=EBUSY)
            time.sleep(pause)
            pause = min(pause * 2, 0.008)

    def thaw(self) -> None:
        """Write THAWED; it takes effect at once, unless a cgroup above is frozen."""
        self._check_freezer()
        write_file(f"{self.paths['freezer']}/freezer.state", "THAWED")
        if self.frozen():
            path = self.paths["freezer"]
            raise HostError(f"cannot thaw {path}: a cgroup above it is frozen", path=path, errno=EBUSY)

    def frozen(self) -> bool:
        """Whether the freezer holds the processes, or is about to."""
        return "freezer" in self.paths and self._freezer_state() != "THAWED"

    def _check_freezer(self) -> None:
        if "freezer" not in self.paths:
            raise HostError("this host has no cgroup controller `freezer`, containers cannot be paused")

    def oom_kills(self) -> int:
        """The counter of memory.oom_control."""
        try:
            return read_flat(f"{self.paths['memory']}/memory.oom_control", "oom_kill")
        except (KeyError, FileNotFoundError):
            return 0

    def lacked_memory(self) -> bool:
        """Whether a limit was hit, of memory or of memory with swap.

        By the counter, or by the highest use: not every kernel counts.
        """
        for prefix in ("memory.", "memory.memsw."):
            try:
                failures, highest, limit = (
                    int(self.read("memory", prefix + name))
                    for name in ("failcnt", "max_usage_in_bytes", "limit_in_bytes")
                )
            except FileNotFoundError:
                continue
            if failures > 0 or highest >= limit:
                return True
        return False


def fill_cpuset(path: str) -> None:
    """Give a new cpuset (and parents that nobody filled) the CPUs and nodes of its parent.

    No process can join an empty one.
    """
    for name in ("cpuset.cpus", "cpuset.mems"):
        _fill(path, name)


def _fill(path: str, name: str) -> str:
    value = read_file(f"{path}/{name}").strip()
    parent = os.path.dirname(path)
    if not value and os.path.exists(f"{parent}/{name}"):
        value = _fill(parent, name)
        write_file(f"{path}/{name}", value)
    return value
