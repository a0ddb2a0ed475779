"""Where the parts are: the compiled ones in this package, images in a directory that is root's alone."""

from __future__ import annotations

import os
import sys

DIRECTORY = "/var/lib/pyrunc/snapshot"
SUPPORTED = ("x86_64",)
_PARTS = os.path.dirname(os.path.abspath(__file__))
TOOL = _PARTS + "/tool"
LAUNCHER = _PARTS + "/launcher"


def script() -> str:
    """The script that starts this pyrunc normally; "" where it was not started by one."""
    path = os.path.abspath(sys.argv[0]) if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    return path if os.path.isfile(path) else ""


def image_path(script_path: str, directory: str = DIRECTORY) -> str:
    """The image of the pyrunc that `script_path`, an absolute path, starts: no two have the same."""
    name = os.path.normpath(script_path).strip("/")
    name = name.replace("%", "%25").replace("-", "%2D").replace("/", "-")  # as in csrc/snapshot/Makefile
    return f"{directory}/{name}.image"


def unsupported() -> str:
    """Why no image can be made or used here; "" where it can."""
    machine = os.uname().machine
    if machine not in SUPPORTED:
        return f"the startup snapshot does not support {machine} yet"
    if sys.implementation.name != "cpython" or sys.version_info[:2] < (3, 11):
        return "the startup snapshot needs CPython 3.11 or newer"
    for part in (TOOL, LAUNCHER, _PARTS + "/_dump.abi3.so"):
        if not os.path.exists(part):
            return f"the startup snapshot was not compiled: {part} is missing"
    return ""


def forbids_execution(directory: str) -> str:
    """Why code in an image there cannot be mapped; "" where it can.  No directory: no reason."""
    try:
        flags = os.statvfs(directory).f_flag
    except OSError:
        return ""
    return f"the file system of {directory} is mounted noexec" if flags & os.ST_NOEXEC else ""
