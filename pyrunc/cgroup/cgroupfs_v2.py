"""The file driver for cgroup v2."""

from __future__ import annotations

import os
import time
from errno import EACCES, EBUSY, ENOENT, EPERM, EROFS

from pyrunc.cgroup.cgroupfs import DEADLINE, CgroupFiles, read_file, read_flat, write_file
from pyrunc.errors import HostError

DELEGATED = (
    "cgroup.procs",
    "cgroup.subtree_control",
    "cgroup.threads",
)  # where the kernel does not list them


class UnifiedCgroup(CgroupFiles):
    """One directory, paths[""]; processes start in it with CLONE_INTO_CGROUP."""

    __slots__ = ()

    @property
    def _path(self) -> str:
        return self.paths[""]

    @property
    def directory_fd(self) -> int:
        """The directory's descriptor, open as long as this object."""
        return self._fd("")

    def _prepare(self, controller: str, path: str) -> None:
        enable_controllers(path)
        kind = read_file(f"{path}/cgroup.type").strip()
        if kind in ("threaded", "domain invalid"):
            raise HostError(
                f"cgroup {path} cannot hold a container, it is `{kind}`: a cgroup above it holds threads",
                path=path,
                pointer="/linux/cgroupsPath",
            )
        if read_flat(f"{path}/cgroup.events", "frozen"):
            self._refuse_frozen(path)

    def write(self, controller: str, file: str, value: str) -> None:
        """Write one file; HostError if its controller is not to be had here."""
        try:
            super().write("", file, value)
        except FileNotFoundError as error:
            available = read_file(f"{self._path}/cgroup.controllers").split()
            if not controller or controller in available:
                raise
            why = why_missing(self._path, controller)
            raise HostError(
                f"cgroup controller `{controller}` is not available in {self._path}: {why}",
                path=f"{self._path}/{file}",
                errno=ENOENT,
            ) from error

    def own(self, uid: int, gid: int) -> None:
        """chown(2) the directory and the files that the kernel says are safe to delegate."""
        try:
            names = read_file("/sys/kernel/cgroup/delegate").split()
        except FileNotFoundError:
            names = list(DELEGATED)
        directory = self._fd("")
        for name in [".", *names]:
            try:
                os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise OSError(error.errno, error.strerror, self._path) from error

    def attach_devices(self, program: bytes) -> None:
        """Load and attach; programs of this cgroup from before are replaced at once, then dropped."""
        from pyrunc import native

        directory = self._fd("")
        loaded = native.bpf_load_device_program(program)
        before = native.bpf_device_programs(directory)
        try:
            native.bpf_attach_device(directory, loaded, before[0] if before else -1)
            for old in before[1:]:
                native.bpf_detach_device(directory, old)
        finally:
            for fd in [loaded, *before]:
                os.close(fd)

    def kill(self) -> None:
        """cgroup.kill, and wait for the event; kernels before 5.14 get signals."""
        if self.saved["made"] is None or not self.paths:  # nothing of ours was started, see `remove`
            return
        from pyrunc.cgroup.processes import kill_all, wait_event

        deadline = time.monotonic() + DEADLINE
        try:
            write_file(f"{self._path}/cgroup.kill", "1")
        except FileNotFoundError:
            kill_all(self.procs, lambda: None, deadline)
            return
        if not wait_event(self._path, "populated", 0, deadline) and (left := self.procs()):
            raise HostError(
                f"{len(left)} processes did not die of SIGKILL within {DEADLINE:.0f} s: {left[:8]}"
            )

    def freeze(self) -> None:
        """cgroup.freeze, and wait for the event; taken back if it does not come."""
        self._set_frozen(1)

    def thaw(self) -> None:
        """Undo it, and wait for the event."""
        self._set_frozen(0)

    def _set_frozen(self, value: int) -> None:
        from pyrunc.cgroup.processes import wait_event

        write_file(f"{self._path}/cgroup.freeze", str(value))
        if not wait_event(self._path, "frozen", value, time.monotonic() + DEADLINE):
            if value:
                write_file(f"{self._path}/cgroup.freeze", "0")
            verb = "freeze" if value else "thaw"
            raise HostError(
                f"cannot {verb} {self._path} within {DEADLINE:.0f} s", path=self._path, errno=EBUSY
            )

    def frozen(self) -> bool:
        """Whether all processes are stopped, by this cgroup or one above."""
        return read_flat(f"{self._path}/cgroup.events", "frozen") == 1

    def oom_kills(self) -> int:
        """The counter of memory.events."""
        try:
            return read_flat(f"{self._path}/memory.events", "oom_kill")
        except FileNotFoundError:
            return 0

    def lacked_memory(self) -> bool:
        """The counter of memory.events: the limit was reached, and reclaiming did not help."""
        try:
            return read_flat(f"{self._path}/memory.events", "oom") > 0
        except FileNotFoundError:
            return False


def _levels(path: str) -> list[str]:
    """The cgroups above `path`, from the root of what is mounted down."""
    levels: list[str] = []
    while os.path.exists(f"{(path := os.path.dirname(path))}/cgroup.subtree_control"):
        levels.insert(0, path)
    return levels


def enable_controllers(path: str) -> None:
    """Make every controller that can be had available in `path`.

    What cannot be enabled on the way is missing in the end, and that matters
    only to a limit that needs it.  A cgroup with processes refuses (EBUSY), one
    that is not ours too.
    """
    for level in _levels(path):
        available = read_file(f"{level}/cgroup.controllers").split()
        enabled = read_file(f"{level}/cgroup.subtree_control").split()
        missing = [f"+{name}" for name in available if name not in enabled]
        if not missing:
            continue
        try:
            write_file(f"{level}/cgroup.subtree_control", " ".join(missing))
        except OSError as error:
            if error.errno in (EACCES, EPERM, EROFS, EBUSY):
                continue
            for name in missing:  # one of them is impossible, e.g. cpu with realtime processes
                try:
                    write_file(f"{level}/cgroup.subtree_control", name)
                except OSError:
                    pass


def why_missing(path: str, controller: str) -> str:
    """Where on the way down to `path` the controller gets lost, and why."""
    for level in _levels(path):
        if controller in read_file(f"{level}/cgroup.subtree_control").split():
            continue
        if controller not in read_file(f"{level}/cgroup.controllers").split():
            return f"{level} does not have it"
        if os.path.exists(f"{level}/cgroup.type") and read_file(f"{level}/cgroup.procs").split():
            return f"{level} holds processes and so cannot give it to cgroups below"
        if not os.access(f"{level}/cgroup.subtree_control", os.W_OK, effective_ids=True):
            return f"{level} does not give it to cgroups below, and is not ours to change"
        return f"{level} refuses to give it to cgroups below"
    return "it was taken away"
