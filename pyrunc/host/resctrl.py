"""Where the file system of resource groups (Intel RDT) is mounted."""

from __future__ import annotations

import os

from pyrunc.host.mountinfo import parse_mountinfo


def find_resctrl() -> str:
    """The usual place, or where mountinfo says; "" if it is not mounted."""
    if os.path.exists("/sys/fs/resctrl/schemata"):
        return "/sys/fs/resctrl"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = parse_mountinfo(file.read())
    return next((mount.target for mount in mounts if mount.fstype == "resctrl"), "")
