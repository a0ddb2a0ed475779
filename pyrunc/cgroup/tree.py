"""A cgroup and all below it: its processes, its removal.

A container may nest its cgroups deeper than a path is long or our stack
allows, so the tree is walked by descriptors, a step at a time.
"""

from __future__ import annotations

import os
from errno import ENODEV, ENOENT, EOPNOTSUPP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def walk(path: str) -> Iterator[tuple[int, str]]:
    """Every cgroup below, children first, as a descriptor of its parent and its name; at last `path` and ".".

    The descriptor is open until the next step.  What vanishes meanwhile is left out.
    """
    try:
        fd = os.open(path, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        names: list[str] = []
        ahead = [_names_below(fd)]
        while True:
            if ahead[-1]:
                name = ahead[-1].pop()
                try:
                    step = os.open(name, _DIRECTORY, dir_fd=fd)
                except FileNotFoundError:
                    continue
                os.close(fd)
                fd = step
                names.append(name)
                ahead.append(_names_below(fd))
            elif names:
                step = os.open("..", _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = step
                ahead.pop()
                yield fd, names.pop()
            else:
                yield fd, "."
                return
    finally:
        os.close(fd)


def _names_below(fd: int) -> list[str]:
    try:
        with os.scandir(fd) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def read_processes(path: str) -> list[int]:
    """The processes of one cgroup and those below it, ascending."""
    pids: set[int] = set()
    for parent, name in walk(path):
        try:
            fd = os.open(f"{name}/cgroup.procs", os.O_RDONLY | os.O_CLOEXEC, dir_fd=parent)
            with open(fd, encoding="utf-8") as file:
                pids.update(map(int, file.read().split()))
        except OSError as error:
            if error.errno not in (ENOENT, ENODEV, EOPNOTSUPP):  # gone, or threaded: its root lists them
                raise
    return sorted(pids)


def remove_directories(path: str) -> None:
    """rmdir(2) a cgroup and what is below it; missing is fine."""
    for parent, name in walk(path):
        try:
            if name == ".":
                os.rmdir(path)
            else:
                os.rmdir(name, dir_fd=parent)
        except FileNotFoundError:
            pass
