"""The root's mount in the runtime's own mount namespace, for a container that inherits that.

Such a container's mounts are the host's; what create attached over the root's
directory is detached as a whole when the container goes.
"""

from __future__ import annotations

import os

from pyrunc import native
from pyrunc.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.state.record import Record


def mount_id(path: str) -> int:
    """The id of the topmost mount at `path`: mnt_id of /proc/self/fdinfo."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        return _mount_of(fd)
    finally:
        os.close(fd)


def _mount_of(fd: int) -> int:
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
        for line in info:
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    return -1


def open_root(record: Record) -> int:
    """A descriptor of the root, for an exec; HostError where it is not to be seen."""
    path, number = record.root_mount
    try:
        fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        fd = -1
    if fd >= 0 and _mount_of(fd) == number:
        return fd
    if fd >= 0:
        os.close(fd)
    text = f"the container's root is not mounted at {path}: it was in the mount namespace of its create"
    raise HostError(text, path=path, pointer="/root/path")


def detach_root_mount(record: Record) -> None:
    """Detach the mount that the record names, if it is still the one on top there."""
    if not record.root_mount:
        return
    path, number = record.root_mount
    try:
        if mount_id(path) == number:
            native.detach_mount(path)
    except FileNotFoundError:
        pass
