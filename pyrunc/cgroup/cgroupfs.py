"""What the drivers for both cgroup versions share: directories, files, processes.

Directories are opened once and files written below them; names that come from
a configuration go through openat2(2).  Nothing is waited for blindly: an event
of the kernel, the end of a process, or (v1 alone has neither for it) a look
again after a pause that grows to 8 ms.  Every wait ends after DEADLINE.
"""

from __future__ import annotations

import os
import select
import time
from errno import EBUSY, ENODEV, ENOENT, ENOTEMPTY, EOPNOTSUPP

from pyrunc.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DEADLINE = 10.0
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


def walk(path: str) -> Iterator[str]:
    """The cgroup and all below it, parents first; what vanishes meanwhile is left out."""
    yield path
    try:
        with os.scandir(path) as entries:
            below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for directory in below:
        yield from walk(directory)


def read_processes(path: str) -> list[int]:
    """The processes of one cgroup and those below it, ascending."""
    pids: set[int] = set()
    for directory in walk(path):
        try:
            text = read_file(f"{directory}/cgroup.procs")
        except OSError as error:
            if error.errno not in (ENOENT, ENODEV, EOPNOTSUPP):  # gone, or threaded: its root lists them
                raise
        else:
            pids.update(map(int, text.split()))
    return sorted(pids)


def make_directories(path: str, made: list[str]) -> bool:
    """Make a directory and its parents; False if it was there. New ones are added to `made`.

    Another container's end may remove a parent in between: try again.
    """
    for _ in range(20):
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            return False
        except FileNotFoundError:
            make_directories(os.path.dirname(path), made)
        else:
            made.append(path)
            return True
    raise OSError(ENOENT, os.strerror(ENOENT), path)


class CgroupFiles:
    """A cgroup driven through its files; the two versions differ in what follows `make`."""

    __slots__ = ("_fds", "paths", "saved")

    def __init__(self, saved: dict[str, Any]) -> None:
        self.saved = saved
        self.paths: dict[str, str] = saved["paths"]
        self._fds: dict[str, int] = {}

    def __del__(self) -> None:
        for fd in self._fds.values():
            os.close(fd)

    def _fd(self, controller: str) -> int:
        path = self.paths[controller]
        if path not in self._fds:
            self._fds[path] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return self._fds[path]

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
            if not make_directories(path, made):
                self._refuse_used(path)
        finally:
            self.saved["made"] = made
        self._prepare(controller, path)

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

    def write(self, controller: str, file: str, value: str) -> None:
        """Write one file; the name may come from the configuration."""
        from pyrunc import native

        try:
            native.write_beneath(self._fd(controller), file, value.encode())
        except OSError as error:
            if error.errno != ENOENT or (file, value) not in _WITHOUT_SWAP:
                raise OSError(error.errno, error.strerror, f"{self.paths[controller]}/{file}") from error

    def join(self, pid: int) -> None:
        """Move a process into every hierarchy."""
        for path in dict.fromkeys(self.paths.values()):
            write_file(f"{path}/cgroup.procs", str(pid))

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
        """Remove what was made here, and all below it."""
        deadline = time.monotonic() + DEADLINE
        leaves = list(dict.fromkeys(self.paths.values()))
        made: list[str] = leaves if self.saved["made"] is None else self.saved["made"]
        for path in leaves:
            if path in made:
                self._remove_tree(path, deadline)
        for path in reversed([path for path in made if path not in leaves]):
            try:
                os.rmdir(path)
            except OSError as error:  # others are in there: theirs now
                if error.errno not in (ENOENT, EBUSY, ENOTEMPTY):
                    raise
        self.saved["made"] = []

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
        events = self.paths.get("", "")
        if events and wait_event(events, "populated", 0, deadline, once=True):
            return pause
        if pids := read_processes(path):
            from pyrunc.cgroup.kill import wait_any

            wait_any(pids, deadline)
            return pause
        time.sleep(pause)  # the last one is listed no more but not yet taken off
        return min(pause * 2, 0.008)


def remove_directories(path: str) -> None:
    """rmdir(2) a cgroup and what is below it; missing is fine."""
    for directory in reversed(list(walk(path))):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            pass


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
