"""A criu that works on this kernel: `$CRIU`, or the one in PATH; and a stand-in that only records."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def find_criu() -> str | None:
    """The path of a criu for which `criu check` succeeds; None if there is none."""
    path = os.environ.get("CRIU") or shutil.which("criu", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        return None
    done = subprocess.run([path, "check"], capture_output=True, timeout=30, check=False)
    return path if done.returncode == 0 else None


def directory_with(criu: str, directory: Path) -> str:
    """A PATH in which `criu` comes first."""
    directory.mkdir(exist_ok=True)
    link = directory / "criu"
    if not link.exists():
        link.write_text(f'#!/bin/sh\nexec "{criu}" "$@"\n')
        link.chmod(0o755)
    return f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin"


def fake_criu(directory: Path, *behaviour: str) -> str:
    """A PATH whose `criu` is the stand-in; it writes requests to `directory`/requests.json."""
    directory.mkdir(exist_ok=True)
    program = directory / "criu"
    script = Path(__file__).with_name("fake_criu.py")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} {directory} "{" ".join(behaviour)}" "$@"\n')
    program.chmod(0o755)
    return f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin"
