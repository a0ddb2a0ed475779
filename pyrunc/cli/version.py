"""What `pyrunc --version` prints; the first three lines are those that engines parse."""

from __future__ import annotations

import sys

from pyrunc import __version__
from pyrunc.spec import NEWEST


def version_text() -> str:
    """Name and version, commit, spec version, interpreter, libseccomp."""
    lines = [
        f"pyrunc version {__version__}",
        f"commit: {commit()}",
        f"spec: {NEWEST}",
        f"python: {sys.version.split()[0]}",
        f"libseccomp: {libseccomp_version()}",
    ]
    return "".join(line + "\n" for line in lines)


def commit() -> str:
    """The commit this was built from, or `unknown`."""
    try:
        from pyrunc._build_info import COMMIT
    except ImportError:
        return "unknown"
    return COMMIT


def libseccomp_version() -> str:
    """The version of the libseccomp that is loaded, or `none`."""
    try:
        from pyrunc.execute.seccomp import library_version
    except ImportError:
        return "none"
    return library_version()
