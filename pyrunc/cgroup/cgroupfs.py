"""What the drivers for both cgroup versions share: directories, files, processes.

Directories are opened once and files written below them; names that come from
a configuration go through openat2(2).  Nothing is waited for blindly: an event
of the kernel, the end of a process, or (v1 alone has neither for it) a look
again after a pause that grows to 8 ms.  Every wait ends after DEADLINE.
"""

from __future__ import annotations

import os
import time
from errno import EBUSY, ENOENT, ENOTEMPTY

from pyrunc.cgroup.tree import read_processes, remove_directories
from pyrunc.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEADLINE = 10.0
MARK = "user.pyrunc.made"  # extended attribute of cgroups made on the way to a container's
_WITHOUT_SWAP = (  # true where there is no swap, whether there is a file or not
    ("memory.swap.max", "0"),
    ("memory.swap.max", "max"),
    ("memory.memsw.limit_in_bytes", "-1"),
)


def read_file(path: str) -> str:
    """The text of a small kernel file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts).decode()


def write_file(path: str, text: str) -> None:
    """Write a kernel file whose name the runtime chose; OSError names the path."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(fd)


def read_flat(path: str, key: str) -> int:
    """The number after `key` in a file of `key number` lines; 0 if there is none."""
    for line in read_file(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def make_directory(path: str) -> bool:
    """Make a cgroup and those above it; False if it was there.  OSError if that is not allowed.

    Those above are marked, for whoever leaves them empty to remove.  That may
    happen in between: try again.
    """
    for _ in range(50):
        try:
            os.mkdir(path, 0o755)
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:
            parent = os.path.dirname(path)
            if make_directory(parent):
                _mark(parent)
    raise OSError(ENOENT, os.strerror(ENOENT), path)


def _mark(path: str) -> None:
    try:
        os.setxattr(path, MARK, b"1")
    except OSError:  # removed by another already; or stays, which harms nobody
        pass


def remove_marked(path: str) -> None:
    """Remove this cgroup and those above it as far as they are empty and bear our mark."""
    try:
        while os.getxattr(path, MARK):
            os.rmdir(path)
            path = os.path.dirname(path)
    except OSError:  # not ours (ENODATA), in use (EBUSY), or gone
        pass


class CgroupFiles:
    """A cgroup driven through its files; the two versions differ in what follows `make`."""

    __slots__ = ("_fds", "paths", "saved")

    def __init__(self, saved: dict[str, Any]) -> None:
        self.saved = saved
        self.paths: dict[str, str] = saved["paths"]
        self._fds: dict[str, int] = {}

    def close(self) -> None:
        """Close the directories; what needs one later opens it again."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    __del__ = close

    def _fd(self, controller: str) -> int:
        path = self.paths[controller]
        if path not in self._fds:
            self._fds[path] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return self._fds[path]

    @property
    def directory_fd(self) -> int:
        """The v2 directory that processes can start in."""
        raise NotImplementedError

    def make(self, controller: str | None = None, path: str = "") -> None:
        """Make one directory, or all of them."""
        if controller is None:
            for name, directory in self.paths.items():
                self.make(name, directory)
            return
        made: list[str] = self.saved["made"] or []
        self.saved["made"] = made
        if path in made:  # hierarchies of several controllers
            return
        try:
            if make_directory(path):
                made.append(path)
            else:
                self._refuse_used(path)
            self._prepare(controller, path)
        except (OSError, HostError):
            self._forget_others()
            raise

    def _forget_others(self) -> None:
        """Keep only what was made here: processes in the rest are another container's, not ours to kill."""
        for controller in [name for name, path in self.paths.items() if path not in self.saved["made"]]:
            del self.paths[controller]

    def _prepare(self, controller: str, path: str) -> None:
        """What the version does with a new directory before a process comes in."""
        raise NotImplementedError

    def _refuse_used(self, path: str) -> None:
        if count := len(read_processes(path)):
            raise HostError(
                f"container's cgroup is not empty: {count} process(es) found in {path}",
                path=path,
                pointer="/linux/cgroupsPath",
            )

    def _refuse_frozen(self, path: str) -> None:
        raise HostError(
            f"container's cgroup unexpectedly frozen: {path}",
            path=path,
            pointer="/linux/cgroupsPath",
            hint="resume it, or the cgroup above it",
        )

    def start_unit(self, pid: int, properties: list[str]) -> None:
        """Nothing: only systemd has units."""

    def set_properties(self, properties: list[str]) -> None:
        """Nothing: the files are all there is."""

    def write(self, controller: str, file: str, value: str) -> None:
        """Write one file; the name may come from the configuration.  OSError names the path."""
        from pyrunc import native

        try:
            native.write_beneath(self._fd(controller), file, value.encode())
        except OSError as error:
            if error.errno != ENOENT or (file, value) not in _WITHOUT_SWAP:
                raise OSError(error.errno, error.strerror, f"{self.paths[controller]}/{file}") from error

    def read(self, controller: str, file: str) -> str:
        """The text of one file; the unified hierarchy holds all controllers of v2."""
        directory = self.paths.get(controller) or self.paths.get("", "")
        return read_file(f"{directory}/{file}")

    def join(self, pid: int) -> None:
        """Move a process into every hierarchy."""
        for path in dict.fromkeys(self.paths.values()):
            write_file(f"{path}/cgroup.procs", str(pid))

    def open_tasks(self, controller: str) -> int:
        """Refuse: only v1 has files to enter by."""
        raise HostError("this cgroup cannot be entered by one's own write")

    def _process_path(self) -> str:
        """The directory to look for processes in."""
        for controller in ("", "freezer", "devices", "pids", "memory"):
            path = self.paths.get(controller, "")
            if path and os.path.isdir(path):
                return path
        return next((path for path in self.paths.values() if os.path.isdir(path)), "")

    def procs(self) -> list[int]:
        """All processes, ascending; none if the cgroup is gone."""
        path = self._process_path()
        return read_processes(path) if path else []

    def remove(self) -> None:
        """Remove what was made here, and all below it.

        If it is not known what was made here, nothing that is in use was.
        """
        began = time.monotonic()
        made: list[str] | None = self.saved["made"]
        for path in dict.fromkeys(self.paths.values()):
            if made is None and not self._is_left(path, began + 1):
                continue
            if made is None or path in made:
                self._remove_tree(path, began + DEADLINE)
                remove_marked(os.path.dirname(path))
        self.saved["made"] = []

    def _is_left(self, path: str, deadline: float) -> bool:
        """Whether the processes leave by themselves, as our init does when its runtime is gone."""
        pause = 0.0005
        while read_processes(path):
            if time.monotonic() > deadline:
                return False
            pause = self._wait_for_end(path, deadline, pause)
        return True

    def _remove_tree(self, path: str, deadline: float) -> None:
        pause = 0.0005
        while True:
            try:
                remove_directories(path)
                return
            except OSError as error:
                if error.errno not in (EBUSY, ENOTEMPTY):
                    raise
                if time.monotonic() > deadline:
                    raise self._still_used(path, error) from error
            pause = self._wait_for_end(path, deadline, pause)

    def _still_used(self, path: str, error: OSError) -> HostError:
        pids = read_processes(path)
        who = f"processes {pids[:8]} are in it" if pids else "device or resource busy"
        return HostError(f"cannot remove cgroup {path}: {who}", path=path, errno=error.errno or 0)

    def _wait_for_end(self, path: str, deadline: float, pause: float) -> float:
        """Wait for a change that may make the directory removable; returns the next pause."""
        from pyrunc.cgroup.processes import wait_any, wait_event

        events = self.paths.get("", "")
        if events and wait_event(events, "populated", 0, deadline, once=True):
            return pause
        if pids := read_processes(path):
            wait_any(pids, deadline)
            return pause
        time.sleep(pause)  # the last one is listed no more but not yet taken off
        return min(pause * 2, 0.008)
