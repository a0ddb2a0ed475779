"""The cgroup hierarchies of version 1 that validation programs want and a host may have left unmounted.

They are mounted for the run alone: in a mount namespace of its own, and what
it made is removed with it.  A host that runs version 2 only gets none, and
neither does one whose kernel lacks the controller or gave it to version 2.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASE = Path("/sys/fs/cgroup")
WANTED = ("hugetlb", "net_cls", "net_prio")
INSIDE = "PYRUNC_CONFORMANCE_INSIDE"


def enter_mount_namespace() -> None:
    """Execute the whole run again in a private mount namespace."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        command = ["unshare", "--mount", "--propagation", "private", *sys.orig_argv]
        os.execvp(command[0], command)


@contextmanager
def hierarchies() -> Iterator[None]:
    """Mount what is wanted and missing; at the end remove it, with cgroups that programs left there."""
    made: list[Path] = []
    mounted: list[Path] = []
    try:
        for controller in unmounted():
            where = BASE / controller
            if not where.exists():
                where.mkdir()
                made.append(where)
            if mount(controller, where):
                mounted.append(where)
        yield
    finally:
        for where in mounted:
            for folder, _, _ in os.walk(where, topdown=False):
                if folder != str(where):
                    os.rmdir(folder)
            subprocess.run(["umount", where], check=True)
        for where in made:
            where.rmdir()


def unmounted() -> list[str]:
    """Those of WANTED that the kernel has and no mount shows, on a host with version 1."""
    if (BASE / "cgroup.controllers").exists():
        return []
    lines = [line.split() for line in Path("/proc/cgroups").read_text().splitlines()]
    enabled = {name for name, _, _, flag in lines if flag == "1"}
    return [name for name in WANTED if name in enabled and not os.path.ismount(BASE / name)]


def mount(controller: str, where: Path) -> bool:
    """Whether the kernel would."""
    command = ["mount", "-t", "cgroup", "-o", controller, "cgroup", where]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"no {controller} hierarchy: {done.stderr.strip()}")
    return done.returncode == 0
