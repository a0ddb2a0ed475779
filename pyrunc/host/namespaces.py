"""The runtime's own namespaces: whom they belong to (ioctl_ns(2)), whether a container joins them."""

from __future__ import annotations

import fcntl
import os

NS_GET_USERNS = 0xB701
NAMESPACE_FILES = {"network": "net", "mount": "mnt"}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def owns_namespace(kind: str) -> bool:
    """Whether our namespace of that kind, as in /proc/self/ns, belongs to our user namespace.

    The kernel names no owner that is above the user namespace of who asks.
    """
    try:
        fd = os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(fd, NS_GET_USERNS))
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def joined_own(config: Mapping[str, Any]) -> list[str]:
    """The types of namespaces that `config` joins by path although they are ours."""
    found = []
    for entry in config["linux"].get("namespaces") or ():
        own = f"/proc/self/ns/{NAMESPACE_FILES.get(entry['type'], entry['type'])}"
        try:
            if entry.get("path") and os.path.samefile(entry["path"], own):
                found.append(entry["type"])
        except OSError:  # joining it fails, and says why
            pass
    return found
