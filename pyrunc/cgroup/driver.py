"""What every cgroup driver can do, and the only place that chooses one.

The saved form in a container's record is a JSON object:
driver ("cgroupfs", "systemd" or "none"), version (1 or 2), paths (controller → directory,
v2 and the unified hierarchy of a hybrid host under ""), made (those of the
directories that were not there before; null until that is known).
A driver keeps the object that it was opened with up to date.
"""

from __future__ import annotations

from errno import ENOENT

from pyrunc.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Cgroup(Protocol):
        """A container's cgroup: one directory, or one in each hierarchy.

        Failed system calls raise OSError with the file's path, what is known
        better HostError.  Waits end after 10 s.
        """

        saved: dict[str, Any]

        @property
        def directory_fd(self) -> int:
            """The v2 directory for CLONE_INTO_CGROUP, open as long as the driver; -1 if there is none yet."""

        def make(self, controller: str | None = None, path: str = "") -> None:
            """Make the directory of a controller (None: all). Refuses one that is in use or frozen."""

        def start_unit(self, pid: int, properties: list[str]) -> None:
            """Have the unit started around a process (systemd); before `make`."""

        def set_properties(self, properties: list[str]) -> None:
            """Change the unit's properties (systemd); nothing to do for others."""

        def write(self, controller: str, file: str, value: str) -> None:
            """Write one file of the controller's directory."""

        def read(self, controller: str, file: str) -> str:
            """The text of one file. FileNotFoundError: there is no such file, or no such controller."""

        def join(self, pid: int) -> None:
            """Move a process into all directories."""

        def open_tasks(self, controller: str) -> int:
            """What a process writes "0" to in order to enter by itself (v1); the caller closes it."""

        def own(self, uid: int, gid: int) -> None:
            """Delegate the cgroup to `uid`; gid -1 stays (v2)."""

        def attach_devices(self, program: bytes) -> None:
            """Attach the device program in place of the one before (v2)."""

        def close(self) -> None:
            """Close the descriptors that are kept open; the driver can still be used."""

        def procs(self) -> list[int]:
            """The processes in the cgroup and below it, ascending."""

        def kill(self) -> None:
            """SIGKILL all of them, paused ones too, and wait until they are gone."""

        def freeze(self) -> None:
            """Stop all processes; returns when they are stopped."""

        def thaw(self) -> None:
            """Undo `freeze`."""

        def frozen(self) -> bool:
            """Whether `freeze` is in force. FileNotFoundError: the cgroup is gone."""

        def oom_kills(self) -> int:
            """How many processes the memory limit killed so far; 0 if nobody counts."""

        def lacked_memory(self) -> bool:
            """Whether memory was ever refused for the limit; the kill may be booked on another cgroup."""

        def remove(self) -> None:
            """Remove what `make` made and all cgroups below; waits for dying processes."""


def open_cgroup(saved: dict[str, Any]) -> Cgroup:
    """The driver for a saved form; nothing is opened yet.  HostError for a driver that is not known."""
    driver = saved.get("driver") or "none"
    if driver == "cgroupfs" and saved["version"] == 2:
        from pyrunc.cgroup.cgroupfs_v2 import UnifiedCgroup

        return UnifiedCgroup(saved)
    if driver == "cgroupfs":
        from pyrunc.cgroup.cgroupfs_v1 import SplitCgroup

        return SplitCgroup(saved)
    if driver == "systemd":
        from pyrunc.cgroup.systemd import SplitScope, UnifiedScope

        return UnifiedScope(saved) if saved["version"] == 2 else SplitScope(saved)
    if driver == "none":
        return NoCgroup(saved)
    raise HostError(f"the record names an unknown cgroup driver {driver!r}")


class NoCgroup:
    """The driver of containers that stay in the cgroup of their creator."""

    __slots__ = ("saved",)

    directory_fd = -1

    def __init__(self, saved: dict[str, Any]) -> None:
        self.saved = saved

    def make(self, controller: str | None = None, path: str = "") -> None:
        """Nothing to make."""

    def start_unit(self, pid: int, properties: list[str]) -> None:
        """Nothing to start."""

    def set_properties(self, properties: list[str]) -> None:
        """Nothing to change."""

    def write(self, controller: str, file: str, value: str) -> None:
        """Refuse: there is nothing to limit."""
        raise _no_cgroup(f"set {file}")

    def read(self, controller: str, file: str) -> str:
        """FileNotFoundError: there is nothing to read."""
        raise FileNotFoundError(ENOENT, "no such file or directory", file)

    def join(self, pid: int) -> None:
        """Stay."""

    def open_tasks(self, controller: str) -> int:
        """Refuse: there is nothing to enter."""
        raise _no_cgroup("enter a cgroup")

    def own(self, uid: int, gid: int) -> None:
        """Nothing to own."""

    def attach_devices(self, program: bytes) -> None:
        """Refuse: the program would bind the creator too."""
        raise _no_cgroup("restrict devices")

    def close(self) -> None:
        """Nothing is open."""

    def procs(self) -> list[int]:
        """Nobody knows."""
        return []

    def kill(self) -> None:
        """The end of the pid namespace has to do."""

    def freeze(self) -> None:
        """Refuse."""
        raise _no_cgroup("pause")

    def thaw(self) -> None:
        """Refuse."""
        raise _no_cgroup("resume")

    def frozen(self) -> bool:
        """Never."""
        return False

    def oom_kills(self) -> int:
        """Nobody counts."""
        return 0

    def lacked_memory(self) -> bool:
        """No limit of ours."""
        return False

    def remove(self) -> None:
        """Nothing to remove."""


def _no_cgroup(what: str) -> HostError:
    return HostError(f"cannot {what}: the container has no cgroup of its own")
