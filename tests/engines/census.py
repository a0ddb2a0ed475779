"""What engines and their containers leave on a host: counted before, compared afterwards.

Engines keep a few places of their own outside the scratch folder: `tidy`
removes what appeared there, as long as it is empty or dead.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.cgroups import remove

CGROUPS = Path("/sys/fs/cgroup")
PARENTS = ("default", "docker", "k8s.io", "libpod_parent", "pyrunc-engines")
"""The cgroups below which engines put those of their containers."""

RECORDS = ("/run/containerd/runc", "/run/docker/runtime-runc", "/run/pyrunc", "/run/runc", "/run/crun")
PLACES = (
    *("/run/containerd", "/run/docker", "/run/libpod", "/run/containers", "/run/netns", "/etc/docker"),
    *("/var/lib/cni", "/var/lib/containers", "/run/pyrunc", "/run/runc", "/run/crun"),
)
INTERFACES = ("veth", "docker", "br-", "cni", "podman")
CONTAINER_RECORD = re.compile(r"[0-9a-f]{64}|t[0-9a-f]{10}|churn[0-9a-f]{12}")
CONTAINER_CGROUP = re.compile(r"/(default|docker|k8s\.io|pyrunc-engines)/\w|/libpod-")
"""podman makes and removes the cgroups above those of containers, the pods'; runc leaves them in some hierarchies."""

SETTLE_SECONDS = 15


def read(path: Path) -> str:
    """The text of a /proc file, "" if its process is gone."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def below(place: str) -> set[str]:
    """Everything below a directory, deepest last."""
    return {
        f"{directory}/{name}"
        for directory, inner, files in os.walk(place)
        for name in [*inner, *files]
        if not Path(directory, name).is_symlink()
    }


def cgroups() -> set[str]:
    """The engines' cgroups of all hierarchies, parents included."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    tops = [Path(fields[1]) for fields in mounts if fields[2] in ("cgroup", "cgroup2")]
    parents = [str(top / name) for top in tops for name in PARENTS if (top / name).is_dir()]
    return {path for parent in parents for path in below(parent) | {parent} if os.path.isdir(path)}


def processes(scratch: Path) -> set[str]:
    """Daemons, shims and monitors started from `scratch`, and all that runs in a container's cgroup."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        command = read(process / "cmdline").replace("\0", " ").strip()
        places = read(process / "cgroup").split()
        contained = any(f"/{parent}/" in place for parent in PARENTS for place in places)
        if int(process.name) != os.getpid() and (contained or str(scratch) in command):
            found.add(f"{process.name} {command}")
    return found


def mounts(scratch: Path) -> set[str]:
    """The mounts in the scratch folder and in /run and /var/lib; one above another counts on its own."""
    targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    numbered = {f"{target} #{targets[:index].count(target)}" for index, target in enumerate(targets)}
    return {target for target in numbered if target.startswith((f"{scratch}/", "/run/", "/var/lib/"))}


def records(scratch: Path) -> set[str]:
    """The runtime's directories of containers, wherever an engine has them made; no caches, which are hidden."""
    roots = [*RECORDS, *map(str, scratch.glob("**/runtime-runc"))]
    found = {path for root in roots for path in below(root) if "/." not in path}
    return {path for path in found if CONTAINER_RECORD.fullmatch(os.path.basename(path))}


class Census:
    """Processes, mounts, cgroups, network interfaces and records, each by name."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.kinds = {
            "process": processes(scratch),
            "mount": mounts(scratch),
            "cgroup": {path for path in cgroups() if CONTAINER_CGROUP.search(path)},
            "network interface": {
                name for name in os.listdir("/sys/class/net") if name.startswith(INTERFACES)
            },
            "record": records(scratch),
        }
        self.places = {path for place in PLACES for path in below(place) | {place} if os.path.exists(path)}
        self.parents = cgroups()

    def __str__(self) -> str:
        return ", ".join(f"{len(found)} {kind}(s)" for kind, found in self.kinds.items())

    def left(self) -> list[str]:
        """What is there now and was not then."""
        now = Census(self.scratch)
        return [
            f"{kind} {name}" for kind in self.kinds for name in sorted(now.kinds[kind] - self.kinds[kind])
        ]

    def tidy(self) -> None:
        """Remove what is new in the engines' places and nobody uses: deepest first; files of new places only."""
        now = {path for place in PLACES for path in below(place) | {place} if os.path.exists(path)}
        ours = tuple(f"{place}/" for place in PLACES if place not in self.places)
        for path in sorted(now - self.places, reverse=True):
            with contextlib.suppress(OSError):
                if dead(path) or path.startswith(ours):
                    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
        for path in sorted(cgroups() - self.parents, reverse=True):
            remove(path)  # the last process may be on its way out


def at_rest(left: Callable[[], list[str]]) -> list[str]:
    """`left`, once nothing is or the time is over in which shims, monitors and connections end."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def dead(path: str) -> bool:
    """A directory (it is removed only if empty), or a socket or FIFO at whose other end is nobody."""
    mode = os.stat(path).st_mode
    try:
        if stat.S_ISSOCK(mode):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(path)
            return False
        if stat.S_ISFIFO(mode):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            return False
    except OSError:
        return True
    return stat.S_ISDIR(mode)


def descriptors(pid: int) -> Counter[str]:
    """The open descriptors of a process by kind: a path, or socket, pipe, anon_inode."""
    kinds: Counter[str] = Counter()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            kinds[os.readlink(descriptor).split(":[")[0]] += 1
    return kinds
