"""Whom the runtime's own namespaces belong to (ioctl_ns(2)); asked inside of user namespaces only."""

from __future__ import annotations

import fcntl
import os

NS_GET_USERNS = 0xB701


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
