"""Where a container's cgroups are on this host: version 1, hybrid or 2.

Pure look-ups for tests; written independently of pyrunc.cgroup.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASE = Path("/sys/fs/cgroup")


def version() -> int:
    """2 on a unified host, else 1."""
    return 2 if (BASE / "cgroup.controllers").exists() else 1


def hierarchies() -> dict[str, Path]:
    """Controller (or `name=x`, "" for version 2) → mount point, of every mounted hierarchy."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split()[:3]
        where = Path(left.split()[4])
        if not where.is_relative_to(BASE):
            continue
        if kind == "cgroup2":
            found[""] = where
        elif kind == "cgroup":
            for option in options.split(","):
                if (
                    option not in ("rw", "ro", "xattr", "clone_children", "noprefix")
                    and "release_agent" not in option
                ):
                    found[option] = where
    return found


def own(controller: str) -> str:
    """Our own cgroup in this hierarchy."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return "/"


def controllers() -> set[str]:
    """The controllers that containers can be limited with here."""
    if version() == 2:
        return set((BASE / "cgroup.controllers").read_text().split())
    return {name for name in hierarchies() if name and not name.startswith("name=")}


def of(pid: int) -> dict[str, Path]:
    """Controller → directory of the process's cgroup, as the host sees it."""
    mounts, found = hierarchies(), {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in mounts:
                found[name] = mounts[name] / path.lstrip("/")
    return found


def read(pid: int, controller: str, file: str) -> str:
    """One file of the process's cgroup, without the newline."""
    directories = of(pid)
    return (directories.get(controller) or directories[""]).joinpath(file).read_text().rstrip("\n")


def limits(pid: int) -> dict[str, str]:
    """v2: every file of the process's cgroup that holds a limit or a weight."""
    directory = of(pid)[""]
    kinds = ("max", "low", "high", "min", "weight", "cpus", "mems", "group", "idle", "burst", "latency")
    files = [path for path in directory.iterdir() if path.name.rpartition(".")[2] in kinds]
    return {path.name: path.read_text().rstrip("\n") for path in sorted(files)}


def find(*names: str) -> list[str]:
    """Every cgroup directory of these names, in any hierarchy, and what is below."""
    found = []
    wanted = set(names)
    for mount in {str(path) for path in hierarchies().values()}:
        for folder, folders, _ in os.walk(mount):
            for name in wanted.intersection(folders):
                found += [inner for inner, _, _ in os.walk(os.path.join(folder, name))]
            if folder != mount and folder.count("/") - mount.count("/") > 3:
                folders.clear()
    return found


def remove(path: str) -> None:
    """rmdir, with a short patience for members that are dying."""
    for _ in range(100):
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)


@contextmanager
def hugetlb_hierarchy() -> Iterator[None]:
    """Mount a v1 hugetlb hierarchy where there is none, and remove it afterwards.

    crun 1.8 wants one when that controller stands in /proc/cgroups.
    """
    place = BASE / "hugetlb"
    mounted = False
    if version() == 1 and "hugetlb" not in hierarchies():
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "cgroup", "-o", "hugetlb", "hugetlb", str(place)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
        if not mounted:
            shutil.rmtree(place, ignore_errors=True)  # engines take a directory there for a hierarchy
    try:
        yield
    finally:
        if mounted:
            for path in sorted((path for path in place.rglob("*") if path.is_dir()), reverse=True):
                remove(str(path))
            _unmount_hierarchy(place)
            shutil.rmtree(place)  # with what programs made there meanwhile, on no hierarchy


def _unmount_hierarchy(place: Path) -> None:
    """Unmount until the controller is back: cgroups that are still dying keep the hierarchy, without a mount."""
    for attempt in range(30):
        if attempt:
            subprocess.run(
                ["mount", "-t", "cgroup", "-o", "hugetlb", "hugetlb", str(place)], capture_output=True
            )
        subprocess.run(["umount", "--lazy", str(place)], capture_output=True)
        if ":hugetlb:" not in Path("/proc/self/cgroup").read_text():
            return
        time.sleep(0.2)
